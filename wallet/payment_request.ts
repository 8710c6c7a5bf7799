/**
 * Payment requests in band: what a seller over HTTP asks for (NUT-24), as the two texts that wallets
 * read: `creqA` (NUT-18) and `creqB` (NUT-26).
 */
import { CashuPaymentRequest, isPoint } from "./cashu.ts";
import { TOKEN_CHARS_MAX } from "./limits.ts";
import { parseMintUrl } from "./mint/mint_url.ts";
import { tokenMetadata } from "./token.ts";
import { WALLET_UNIT } from "./types.ts";

/** Longest request that is read, in characters: some tens of mints and a lock. */
const REQUEST_CHARS_MAX = 16_384;
/** Most mints of a request that is read. */
const MINTS_MAX = 64;
/** Characters of mints that a request in bech32 never has room for: 1,023 carry some 630 bytes in all. */
const REQUEST_MINTS_CHARS_MAX = 640;
/** The last moment that a lock may name: 32 bits of seconds. */
const LOCKTIME_S_MAX = 0xffff_ffff;
/** What a lock's tags may say and still be an ordinary lock to one key. */
const PLAIN_TAGS: readonly string[] = ["locktime", "sigflag"];

/** A request in both of its texts. */
export interface PaymentRequestTexts {
  readonly creqA: string;
  readonly creqB: string;
}

/** What is asked for. Amounts are whole sat. */
export interface AskedInBand {
  readonly amountSat: number;
  readonly mints: readonly string[];
  /** The key that the token must be locked to (NUT-11), 66 hex digits. */
  readonly p2pk?: string;
  /** When the lock must not end before, in seconds since 1970. */
  readonly locktimeS?: number;
}

/**
 * Asks for `amountSat`, of one of `mints`, locked to `p2pk` until `locktimeS` (seconds since 1970). Both
 * texts name the first of the mints, as many as the shorter one (`creqB`) has room for.
 *
 * @throws {Error} If what is asked does not fit even with one mint.
 */
export function encodePaymentRequest(
  terms: { readonly mints: readonly string[]; readonly p2pk: string },
  amountSat: number,
  locktimeS: number,
): PaymentRequestTexts {
  const lock = { kind: "P2PK", data: terms.p2pk, tags: [["locktime", String(locktimeS)]] };
  let leftChars = REQUEST_MINTS_CHARS_MAX;
  const near = terms.mints.findIndex((mint) => (leftChars -= mint.length) < 0);
  let count = near < 0 ? terms.mints.length : Math.max(1, near);
  for (;; count--) {
    // No transport: it is paid in band.
    const request = new CashuPaymentRequest(
      undefined,
      undefined,
      amountSat,
      WALLET_UNIT,
      terms.mints.slice(0, count),
      undefined,
      true,
      lock,
    );
    try {
      return { creqA: request.toEncodedCreqA(), creqB: request.toEncodedCreqB() };
    } catch (error) {
      if (count <= 1) throw error;
    }
  }
}

/**
 * Reads a request of a stranger. Undefined for whatever cannot be paid as it asks: another unit, no
 * amount, no mint, a way to deliver other than in band, a lock that is more than one key's. Never throws.
 */
export function decodePaymentRequest(text: string): AskedInBand | undefined {
  if (text.length > REQUEST_CHARS_MAX) return undefined;
  try {
    return askedBy(CashuPaymentRequest.fromEncodedRequest(text.trim()));
  } catch {
    return undefined; // no request, or one that claims what cannot be
  }
}

/** What a token says of itself, nothing of which is proven; undefined if it is none. Never throws. */
export function readClaimedToken(
  text: string,
): { readonly mint: string; readonly unit: string; readonly amount: number } | undefined {
  if (text.length > TOKEN_CHARS_MAX) return undefined;
  try {
    const { mint, unit, amount } = tokenMetadata(text.trim());
    return amount > BigInt(Number.MAX_SAFE_INTEGER)
      ? undefined
      : { mint, unit, amount: Number(amount) };
  } catch {
    return undefined;
  }
}

function askedBy(request: CashuPaymentRequest): AskedInBand | undefined {
  const { amount, mints = [], nut10, transport = [], unit } = request;
  const amountSat = Number(amount?.toString() ?? 0);
  if (unit !== WALLET_UNIT || transport.length > 0 || mints.length > MINTS_MAX) return undefined;
  if (!Number.isSafeInteger(amountSat) || amountSat < 1) return undefined;
  const urls = mints.flatMap((url) => readable(url));
  if (urls.length === 0) return undefined;
  if (nut10 === undefined) return { amountSat, mints: urls };
  const { kind, data, tags = [] } = nut10;
  if (kind !== "P2PK" || !isPoint(data)) return undefined;
  if (!tags.every(([name = ""]) => PLAIN_TAGS.includes(name))) return undefined;
  if (tags.some(([name, flag]) => name === "sigflag" && flag !== "SIG_INPUTS")) return undefined;
  const locktime = tags.find(([name]) => name === "locktime")?.[1];
  if (locktime === undefined) return { amountSat, mints: urls, p2pk: data };
  const locktimeS = /^\d{1,10}$/.test(locktime) ? Number(locktime) : Infinity;
  return locktimeS > LOCKTIME_S_MAX ? undefined : { amountSat, mints: urls, p2pk: data, locktimeS };
}

function readable(url: string): string[] {
  try {
    return [parseMintUrl(url, { allowPrivate: true })];
  } catch {
    return [];
  }
}
