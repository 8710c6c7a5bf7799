/**
 * BOLT #11: Lightning invoices, read and written. Pure. The one door to `@scure/base`.
 *
 * Not here: routes, fallback addresses and trampoline hints, which the mint's own node reads; and no
 * blinded or BOLT #12 invoices.
 *
 * Source: https://github.com/lightning/bolts/blob/master/11-payment-encoding.md
 */
import { createHash } from "node:crypto";
import { bech32 } from "@scure/base";
import { type Bytes, concatBytes, utf8 } from "../../src/core/bytes.ts";
import { ecdsaRecover, ecdsaSignRecoverable, ecdsaVerify } from "../../src/core/secp256k1.ts";

/** Longest invoice read, in characters: twice what one QR code holds. */
export const INVOICE_CHARS_MAX = 8192;

/** All bitcoin there will be, in millisatoshi. */
const AMOUNT_MSAT_MAX = 21_000_000n * 100_000_000_000n;

/** The expiry of an invoice that names none. */
const EXPIRY_S_DEFAULT = 3600;

/** Which chain an invoice is for; signet and testnet are both for tests. */
export type LightningNetwork = "mainnet" | "testnet" | "signet" | "regtest";

/** What a wallet needs to know of an invoice. */
export interface Invoice {
  readonly network: LightningNetwork;
  /** None: the payer chooses. */
  readonly amountMsat?: bigint;
  /** 64 hex characters. */
  readonly paymentHash: string;
  readonly timestampS: number;
  /** Seconds after `timestampS`. */
  readonly expiryS: number;
  /** As the payee wrote it: it may hold anything, control characters too. */
  readonly description?: string;
  /** SHA-256 of a description that is kept elsewhere, 64 hex characters. */
  readonly descriptionHash?: string;
  /** 64 hex characters; legacy invoices have none. */
  readonly paymentSecret?: string;
  /** Public key of the node that signed, compressed, 66 hex characters. */
  readonly payee: string;
}

/** What {@link encodeInvoice} writes. */
export interface NewInvoice extends Omit<Invoice, "payee" | "expiryS"> {
  /** @default {3600} */
  readonly expiryS?: number;
}

const PREFIX: Readonly<Record<LightningNetwork, string>> = {
  mainnet: "bc",
  testnet: "tb",
  signet: "tbs",
  regtest: "bcrt",
};

const NETWORKS = new Map(
  Object.entries(PREFIX).map(([name, prefix]) => [prefix, name as LightningNetwork]),
);

/** A bitcoin over each multiplier, in picobitcoin: ten of those are a millisatoshi. */
const PICO: readonly (readonly [string, bigint])[] = [
  ["", 1_000_000_000_000n],
  ["m", 1_000_000_000n],
  ["u", 1_000_000n],
  ["n", 1_000n],
  ["p", 1n],
];

/** Types of tagged fields, as the number of their letter in bech32. */
const TAG = {
  paymentHash: 1,
  features: 5,
  expiry: 6,
  description: 13,
  paymentSecret: 16,
  payee: 19,
  descriptionHash: 23,
  minFinalCltvExpiry: 24,
} as const;

const TIMESTAMP_WORDS = 7;
const SIGNATURE_WORDS = 104;
const HASH_WORDS = 52;
const PUBLIC_KEY_WORDS = 53;
const FIELD_WORDS_MAX = 1023;

/** Even feature bits of BOLT #9 that an invoice may demand; another one is a reason to refuse. */
const KNOWN_FEATURES: ReadonlySet<number> = new Set([8, 14, 16, 24, 36, 48, 56]);

/** `var_onion_optin` and `payment_secret`, as every modern invoice has them: bits 8 and 14. */
const FEATURES_WITH_SECRET = [0b10000, 0b01000, 0b00000];

/**
 * Reads an invoice, in either case, with or without `lightning:` before it. The checksum and the
 * signature are checked; whether it expired is not.
 *
 * @throws {SyntaxError} If it is no invoice, or none that may be paid.
 */
export function decodeInvoice(text: string): Invoice {
  const bare = text.trim().replace(/^lightning:/i, "");
  if (bare.length > INVOICE_CHARS_MAX) fail(`it has more than ${INVOICE_CHARS_MAX} characters`);
  const { prefix, words } = decodeBech32(bare);
  const { network, amountMsat } = parsePrefix(prefix);
  if (words.length < TIMESTAMP_WORDS + SIGNATURE_WORDS) fail("it is too short");
  const signed = words.slice(0, -SIGNATURE_WORDS);
  const fields = parseFields(signed.slice(TIMESTAMP_WORDS));
  const payee = payeeOf(prefix, signed, words.slice(-SIGNATURE_WORDS), fields.payee);
  if (fields.paymentHash === undefined) fail("it has no payment hash");
  return {
    network,
    ...(amountMsat === undefined ? {} : { amountMsat }),
    paymentHash: fields.paymentHash,
    timestampS: numberOf(signed.slice(0, TIMESTAMP_WORDS)),
    expiryS: fields.expiryS ?? EXPIRY_S_DEFAULT,
    ...(fields.description === undefined ? {} : { description: fields.description }),
    ...(fields.descriptionHash === undefined ? {} : { descriptionHash: fields.descriptionHash }),
    ...(fields.paymentSecret === undefined ? {} : { paymentSecret: fields.paymentSecret }),
    payee,
  };
}

/**
 * Writes and signs an invoice: for the fake Lightning network and for tests.
 *
 * @param secretKey 32 bytes.
 * @throws {RangeError} If a part does not fit the format.
 */
export function encodeInvoice(invoice: NewInvoice, secretKey: Uint8Array): string {
  const prefix = `ln${PREFIX[invoice.network]}${amountText(invoice.amountMsat)}`;
  const { description, descriptionHash, paymentSecret, expiryS } = invoice;
  const words = [
    ...wordsOf(invoice.timestampS, TIMESTAMP_WORDS),
    ...field(TAG.paymentHash, hashWords(invoice.paymentHash)),
    ...(paymentSecret === undefined ? [] : field(TAG.paymentSecret, hashWords(paymentSecret))),
    ...(descriptionHash === undefined
      ? field(TAG.description, bech32.toWords(utf8(description ?? "")))
      : field(TAG.descriptionHash, hashWords(descriptionHash))),
    ...(expiryS === undefined ? [] : field(TAG.expiry, wordsOf(expiryS))),
    ...field(TAG.minFinalCltvExpiry, wordsOf(18)),
    ...(paymentSecret === undefined ? [] : field(TAG.features, FEATURES_WITH_SECRET)),
  ];
  const signature = ecdsaSignRecoverable(signedHash(prefix, words), secretKey);
  // The library puts the recovery id first, BOLT #11 puts it last.
  const moved = concatBytes(signature.subarray(1), signature.subarray(0, 1));
  return bech32.encode(prefix, [...words, ...bech32.toWords(moved)], false);
}

/** Seconds since 1970 after which an invoice shall not be paid. */
export function expiresAtS(invoice: Invoice): number {
  return invoice.timestampS + invoice.expiryS;
}

/**
 * The bytes in a bech32 text with the prefix `prefix`, in either case (LNURL).
 *
 * @throws {SyntaxError}
 */
export function bytesOfBech32(text: string, prefix: string): Bytes {
  try {
    if (text.length > INVOICE_CHARS_MAX) throw new Error("it is too long");
    const decoded = bech32.decodeToBytes(text, false);
    if (decoded.prefix !== prefix) throw new Error(`its prefix is ${decoded.prefix}`);
    return new Uint8Array(decoded.bytes);
  } catch {
    // The reason is not told: it may hold the text, which may be a secret pasted in error.
    throw new SyntaxError(
      `Cannot read a ${prefix}1… text: its checksum is wrong, or it is not bech32; copy the whole of it`,
    );
  }
}

/** Bytes as a bech32 text with the prefix `prefix`. */
export function bech32Of(bytes: Uint8Array, prefix: string): string {
  return bech32.encode(prefix, bech32.toWords(bytes), false);
}

function fail(why: string): never {
  throw new SyntaxError(
    `Cannot read the invoice: ${why}; copy the whole of it, from ln… to its end`,
  );
}

function decodeBech32(text: string): { readonly prefix: string; readonly words: number[] } {
  // What it says of a broken text repeats that text, which may be long.
  const decoded = bech32.decodeUnsafe(text, false);
  return decoded ?? fail("its checksum is wrong, or it is not bech32");
}

function parsePrefix(
  prefix: string,
): { readonly network: LightningNetwork; readonly amountMsat: bigint | undefined } {
  const found = /^ln(bcrt|bc|tbs|tb)(?:([1-9]\d{0,19})([munp]?))?$/.exec(prefix);
  if (found === null) fail("it is for another chain, or its amount is wrong");
  const network = NETWORKS.get(found[1]!)!;
  if (found[2] === undefined) return { network, amountMsat: undefined };
  const pico = BigInt(found[2]) * PICO.find(([letter]) => letter === found[3])![1];
  if (pico % 10n !== 0n) fail("its amount is a fraction of a millisatoshi");
  if (pico / 10n > AMOUNT_MSAT_MAX) fail("its amount is more than all bitcoin");
  return { network, amountMsat: pico / 10n };
}

/** The shortest form: with the largest multiplier that leaves a whole number. */
function amountText(amountMsat: bigint | undefined): string {
  if (amountMsat === undefined) return "";
  if (amountMsat <= 0n || amountMsat > AMOUNT_MSAT_MAX) {
    throw new RangeError(`Cannot write an invoice of ${amountMsat} msat`);
  }
  const [letter, pico] = PICO.find(([, size]) => amountMsat * 10n % size === 0n)!;
  return `${amountMsat * 10n / pico}${letter}`;
}

interface Fields {
  paymentHash?: string;
  paymentSecret?: string;
  description?: string;
  descriptionHash?: string;
  expiryS?: number;
  payee?: string;
}

/** Reads the tagged fields: of each kind the first that has the right size; the rest is skipped. */
function parseFields(words: readonly number[]): Fields {
  const fields: Fields = {};
  for (let at = 0; at < words.length;) {
    if (at + 3 > words.length) fail("a field has no end");
    const size = words[at + 1]! * 32 + words[at + 2]!;
    const content = words.slice(at + 3, at + 3 + size);
    if (content.length < size) fail("a field is longer than the invoice");
    readField(fields, words[at]!, content);
    at += 3 + size;
  }
  return fields;
}

function readField(fields: Fields, tag: number, words: readonly number[]): void {
  const isHash = words.length === HASH_WORDS;
  if (tag === TAG.paymentHash && isHash) fields.paymentHash ??= hexOf(words);
  else if (tag === TAG.paymentSecret && isHash) fields.paymentSecret ??= hexOf(words);
  else if (tag === TAG.descriptionHash && isHash) fields.descriptionHash ??= hexOf(words);
  else if (tag === TAG.payee && words.length === PUBLIC_KEY_WORDS) fields.payee ??= hexOf(words);
  else if (tag === TAG.description) fields.description ??= textOf(words);
  else if (tag === TAG.expiry) fields.expiryS ??= numberOf(words);
  else if (tag === TAG.features) checkFeatures(words);
}

function checkFeatures(words: readonly number[]): void {
  const bitCount = words.length * 5;
  for (let bit = 0; bit < bitCount; bit += 2) {
    const word = words[words.length - 1 - Math.floor(bit / 5)]!;
    if ((word >> (bit % 5) & 1) === 1 && !KNOWN_FEATURES.has(bit)) {
      fail(`it demands the unknown feature ${bit}`);
    }
  }
}

/** The node that signed: the one that the invoice names if it names one, else who must have been it. */
function payeeOf(
  prefix: string,
  signed: readonly number[],
  signatureWords: readonly number[],
  named: string | undefined,
): string {
  const bytes = bytesOf(signatureWords);
  const hash = signedHash(prefix, signed);
  const signature = bytes.subarray(0, 64);
  try {
    const payee = named ??
      ecdsaRecover(concatBytes(bytes.subarray(64), signature), hash).toHex();
    if (ecdsaVerify(signature, hash, Uint8Array.fromHex(payee))) return payee;
  } catch {
    // No point of the curve, or numbers out of range: told below.
  }
  fail("its signature is wrong");
}

function signedHash(prefix: string, words: readonly number[]): Bytes {
  return new Uint8Array(
    createHash("sha256").update(utf8(prefix)).update(bytesOf(words, "padded")).digest(),
  );
}

/** Groups of five bits as bytes. What is left over is dropped, or filled up with zeros. */
function bytesOf(words: readonly number[], rest: "dropped" | "padded" = "dropped"): Bytes {
  const bitCount = words.length * 5;
  const bytes = new Uint8Array(rest === "padded" ? Math.ceil(bitCount / 8) : bitCount >> 3);
  for (let bit = 0; bit < bitCount && bit >> 3 < bytes.length; bit++) {
    const isSet = words[Math.floor(bit / 5)]! >> (4 - bit % 5) & 1;
    bytes[bit >> 3]! |= isSet << (7 - bit % 8);
  }
  return bytes;
}

function hexOf(words: readonly number[]): string {
  return bytesOf(words).toHex();
}

function textOf(words: readonly number[]): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytesOf(words));
  } catch {
    fail("its description is not UTF-8");
  }
}

/** A big-endian number. */
function numberOf(words: readonly number[]): number {
  const number = words.reduce((sum, word) => sum * 32 + word, 0);
  if (!Number.isSafeInteger(number)) fail("a number in it is too large");
  return number;
}

/** A number in `count` words, or in as few as possible. */
function wordsOf(number: number, count?: number): number[] {
  const words: number[] = [];
  for (let rest = number; rest > 0; rest = Math.floor(rest / 32)) words.unshift(rest % 32);
  if (!Number.isSafeInteger(number) || number < 0 || words.length > (count ?? 10)) {
    throw new RangeError(`Cannot write ${number} into an invoice`);
  }
  return [...new Array<number>(Math.max(0, (count ?? 0) - words.length)).fill(0), ...words];
}

function hashWords(hex: string): number[] {
  if (!/^[0-9a-f]{64}$/.test(hex)) throw new RangeError("A hash of 64 hex characters is wanted");
  return bech32.toWords(Uint8Array.fromHex(hex));
}

function field(tag: number, words: readonly number[]): number[] {
  if (words.length > FIELD_WORDS_MAX) {
    throw new RangeError("Cannot write an invoice: a description has at most 639 bytes");
  }
  return [tag, ...wordsOf(words.length, 2), ...words];
}
