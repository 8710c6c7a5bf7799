/** The wallet's keys, all from the node's twelve words. */
import { createHash, hkdfSync } from "node:crypto";
import { bip39Seed, deriveKey } from "../src/core/keys.ts";
import { utf8 } from "../src/core/bytes.ts";
import { publicKeyOf } from "./cashu.ts";

/** A secp256k1 key pair in hex; the public half compressed, 33 bytes. */
export interface KeyPair {
  readonly secretKey: string;
  readonly publicKey: string;
}

/** What the wallet signs and derives with. Never logged. */
export interface WalletKeys {
  /** Seed of NUT-13, 64 bytes. */
  readonly seed: Uint8Array<ArrayBuffer>;
  /** Names the seed without giving it away: counters of one seed are useless with another. */
  readonly fingerprint: string;
  /** Payments to this node are locked to this key (NUT-11), and change of our locked tokens comes back to it. */
  readonly payment: KeyPair;
  /** The key of one mint quote (NUT-20): each quote has its own, so that mints cannot link them. */
  quoteKey(index: number): KeyPair;
  /** Key of the backup file, 32 bytes. */
  readonly backupKey: Uint8Array<ArrayBuffer>;
}

/** Derives the keys from the seed words (checked by `parseSeedWords`). */
export function walletKeysOf(seedWords: string): WalletKeys {
  const seed = bip39Seed(seedWords);
  const quotes = deriveKey(seedWords, "seedmint/wallet/quotes/v1");
  return {
    seed,
    fingerprint: createHash("sha256").update(utf8("seedmint/wallet/fingerprint/v1")).update(seed)
      .digest("hex").slice(0, 16),
    payment: pairOf(deriveKey(seedWords, "seedmint/payment/secp256k1/v1")),
    quoteKey: (index) => pairOf(new Uint8Array(hkdfSync("sha256", quotes, "", String(index), 32))),
    backupKey: deriveKey(seedWords, "seedmint/wallet/backup/v1"),
  };
}

function pairOf(secret: Uint8Array): KeyPair {
  return { secretKey: secret.toHex(), publicKey: publicKeyOf(secret) };
}
