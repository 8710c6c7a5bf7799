/**
 * Messages of channels: `channel1:` and base64url of JSON without spaces. Every message carries a signed
 * balance; the first of a channel also what it is made of, so that opening costs no round trip.
 */
import { isPoint } from "../cashu.ts";
import { AMOUNT_SAT_MAX } from "../limits.ts";
import type { MintUrl } from "../types.ts";
import { CHANNEL_CHARS_MAX, CHANNEL_PREFIX, FUNDING_PROOFS_MAX } from "./limits.ts";
import { channelIdOf, type ChannelTerms, type FundingProof, type SignedBalance } from "./terms.ts";

/** A message that was read. Nothing of it is checked but its form. */
export interface ChannelMessage extends SignedBalance {
  /** 32 bytes in hex. */
  readonly channelId: string;
  /** Only in the first message. The mint's address is not checked. */
  readonly open?: ChannelTerms;
}

/** Writes a message: the same text each time. */
export function encodeChannelMessage(message: ChannelMessage): string {
  const { channelId, open, balance, keysetId, signature } = message;
  const json = JSON.stringify({
    channel: channelId,
    ...open === undefined ? {} : { open: openOf(open) },
    balance: Number(balance),
    keyset: keysetId,
    sig: signature,
  });
  return CHANNEL_PREFIX + new TextEncoder().encode(json).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });
}

/** Reads a message; undefined for what is none. Never throws. */
export function decodeChannelMessage(text: string): ChannelMessage | undefined {
  if (!text.startsWith(CHANNEL_PREFIX) || text.length > CHANNEL_CHARS_MAX) return undefined;
  try {
    const bytes = Uint8Array.fromBase64(text.slice(CHANNEL_PREFIX.length), {
      alphabet: "base64url",
    });
    const json = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const message = readMessage(JSON.parse(json));
    // Written in one way only: what repeats a name, or says a number oddly, is another message.
    return message !== undefined && encodeChannelMessage(message) === text ? message : undefined;
  } catch {
    return undefined;
  }
}

function openOf(terms: ChannelTerms): Record<string, unknown> {
  const { mint, keysetId, buyer, seller, expiryS, proofs } = terms;
  return {
    mint,
    keyset: keysetId,
    buyer,
    seller,
    expiry: expiryS,
    proofs: proofs.map(({ amount, nonce, C, dleq }) => [
      Number(amount),
      nonce,
      C,
      dleq.e,
      dleq.s,
      dleq.r ?? "",
    ]),
  };
}

function readMessage(value: unknown): ChannelMessage | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { channel, open, balance, keyset, sig } = value as Record<string, unknown>;
  if (!isHex(channel, 64) || !isHex(sig, 128) || !isKeysetId(keyset)) return undefined;
  const sat = amountOf(balance);
  if (sat === undefined) return undefined;
  const message = { channelId: channel, balance: sat, keysetId: keyset, signature: sig };
  if (open === undefined) return message;
  const terms = readOpen(open);
  return terms !== undefined && channelIdOf(terms) === channel
    ? { ...message, open: terms }
    : undefined;
}

function readOpen(value: unknown): ChannelTerms | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { mint, keyset, buyer, seller, expiry, proofs } = value as Record<string, unknown>;
  if (typeof mint !== "string" || mint.length > 512 || !isKeysetId(keyset)) return undefined;
  if (!isPoint(buyer) || !isPoint(seller) || buyer.slice(2) === seller.slice(2)) return undefined;
  if (!Number.isSafeInteger(expiry) || (expiry as number) <= 0) return undefined;
  if (!Array.isArray(proofs) || proofs.length === 0 || proofs.length > FUNDING_PROOFS_MAX) {
    return undefined;
  }
  const read = proofs.map(readProof);
  if (!read.every((proof) => proof !== undefined)) return undefined;
  if (new Set(read.map(({ nonce }) => nonce)).size !== read.length) return undefined;
  return {
    mint: mint as MintUrl,
    keysetId: keyset,
    buyer,
    seller,
    expiryS: expiry as number,
    proofs: read,
  };
}

function readProof(value: unknown): FundingProof | undefined {
  if (!Array.isArray(value) || value.length !== 6) return undefined;
  const [amount, nonce, C, e, s, r] = value as unknown[];
  const sat = amountOf(amount);
  if (sat === undefined || !isHex(nonce, 64) || !isPoint(C)) return undefined;
  if (!isHex(e, 64) || !isHex(s, 64) || !isHex(r, 64)) return undefined;
  return { amount: sat, nonce, C, dleq: { e, s, r } };
}

function amountOf(value: unknown): bigint | undefined {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value <= 0) return undefined;
  return BigInt(value) <= AMOUNT_SAT_MAX ? BigInt(value) : undefined;
}

function isHex(value: unknown, length: number): value is string {
  return typeof value === "string" && value.length === length && /^[0-9a-f]+$/.test(value);
}

function isKeysetId(value: unknown): value is string {
  return typeof value === "string" && /^(00[0-9a-f]{14}|01[0-9a-f]{64})$/.test(value);
}
