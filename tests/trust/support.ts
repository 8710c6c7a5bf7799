/** What the tests of receipts share: keys, peers, a receipt, and an independent signer. */
import { createHash } from "node:crypto";
import { schnorr } from "@noble/curves/secp256k1.js";
import type { Hash } from "../../src/core/hash.ts";
import { concatBytes, utf8 } from "../../src/core/bytes.ts";
import type { Random } from "../../src/core/ports.ts";
import type { ByteReceipt, Delivered, Payment } from "../../trust/mod.ts";

export const PROVIDER_SECRET = new Uint8Array(32).fill(1);
export const CONSUMER_SECRET = new Uint8Array(32).fill(2);
export const STRANGER_SECRET = new Uint8Array(32).fill(3);

export const keyOf = (secret: Uint8Array): string => schnorr.getPublicKey(secret).toHex();

export const PROVIDER_PEER = "12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X";
export const CONSUMER_PEER = "12D3KooWH3uVF6wv47WnArKHk5p6cvgCJEb74UTmxztmQDc298L3";
export const STRANGER_PEER = "12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo";

export const ROOT = "ab".repeat(32) as Hash;
export const MINT = "https://mint.example";
export const NOW_MS = 1_800_000_000_000;
export const NOW_S: number = NOW_MS / 1000;

/** The Y of a proof, as far as a receipt looks at it. */
export const yOf = (index: number): string => `02${index.toString(16).padStart(64, "0")}`;

export const idOf = (index: number): string => index.toString(16).padStart(32, "0");

export function paymentOf(index: number, ysCount = 2): Payment {
  const ys = Array.from({ length: ysCount }, (_, place) => yOf(index * 1000 + place));
  return { mint: MINT, id: idOf(index), ys };
}

export function deliveredOf(fields: Partial<Delivered> = {}): Delivered {
  return {
    bytes: 64 << 20,
    msat: 64_000,
    fromS: NOW_S - 600,
    payments: [paymentOf(1), paymentOf(2)],
    ...fields,
  };
}

export const RECEIPT: ByteReceipt = {
  version: 1,
  type: "bytes",
  id: idOf(7),
  provider: keyOf(PROVIDER_SECRET),
  providerPeer: PROVIDER_PEER,
  consumer: keyOf(CONSUMER_SECRET),
  consumerPeer: CONSUMER_PEER,
  commitment: "cd".repeat(32),
  fromS: NOW_S - 600,
  toS: NOW_S,
  bytes: 64 << 20,
  msat: 64_000,
  unit: "sat",
  payments: [{ mint: MINT, ys: [yOf(1), yOf(2)], ids: [idOf(1)] }],
  unlisted: 0,
};

/**
 * Signs the text of a receipt as the comment of trust/mod.ts says, and as nothing in trust/ does: the
 * text is made by hand.
 */
export function signByHand(text: string, tag: string, secret: Uint8Array): string {
  const sha256 = (...parts: Uint8Array[]) =>
    Uint8Array.from(createHash("sha256").update(concatBytes(...parts)).digest());
  const tagHash = sha256(utf8(tag));
  return schnorr.sign(sha256(tagHash, tagHash, utf8(text)), secret).toHex();
}

export const RECEIPT_TAG = "seedmint/receipt/bytes/v1";
export const CONSENT_TAG = "seedmint/receipt/publish/v1";

/** Bytes that count up, so that no two are alike. */
export function countingRandom(): Random {
  let count = 0;
  return {
    bytes: (size) => {
      count += 1;
      return new Uint8Array(size).fill(count);
    },
    float: () => 0.5,
  };
}
