/** The answers of a mint, read strictly: what is not of the shape that the NUTs say is refused. */
import type { BlindSignature, Keyset } from "../types.ts";
import {
  INVOICE_CHARS_MAX,
  KEY_COUNT_MAX,
  KEYSET_COUNT_MAX,
  QUOTE_ID_CHARS_MAX,
  TEXT_CHARS_MAX,
} from "./limits.ts";
import type { MeltQuote, MintInfo, MintQuote, ProofStateAnswer } from "./mint_api.ts";
import {
  asAmount,
  asArray,
  asChoice,
  asHex,
  asObject,
  asPoint,
  asText,
  asWhole,
  ifPresent,
  ShapeError,
} from "./shape.ts";

/** How long NUT-19 answers are taken to be kept when the mint says for ever: a week, in ms. */
const CACHE_FOR_EVER_MS = 7 * 24 * 60 * 60_000;

/** `/v1/info` (NUT-06). Optional parts of another shape are left out, not refused. */
export function readInfo(body: unknown): MintInfo {
  const info = asObject(body, "info");
  const nuts = asObject(info.nuts ?? {}, "info.nuts");
  const supported = Object.keys(nuts).filter((nut) =>
    /^\d{1,3}$/.test(nut) && isSupported(Number(nut), nuts[nut])
  );
  const mintMethod = methodOf(nuts["4"]);
  const meltMethod = methodOf(nuts["5"]);
  const cache = objectOf(nuts["19"]);
  const motd = textOf(info.motd);
  return {
    name: textOf(info.name) ?? "",
    version: textOf(info.version) ?? "",
    nuts: new Set(supported.map(Number)),
    ...limits("mint", mintMethod),
    ...limits("melt", meltMethod),
    ...(cache === undefined ? {} : { cacheMs: cacheMsOf(cache.ttl) }),
    cachedPaths: cache === undefined ? [] : pathsOf(cache.cached_endpoints),
    ...(motd === undefined ? {} : { motd }),
  } as MintInfo;
}

function isSupported(nut: number, value: unknown): boolean {
  const entry = objectOf(value);
  if (entry === undefined) return false;
  if (nut === 4 || nut === 5) return entry.disabled !== true && methodOf(value) !== undefined;
  if (nut === 17) return Array.isArray(entry.supported) && entry.supported.length > 0;
  return entry.supported !== false && entry.disabled !== true;
}

/** The settings of paying sat over bolt11. */
function methodOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  const methods = objectOf(value)?.methods;
  if (!Array.isArray(methods)) return undefined;
  return methods.slice(0, 100).map(objectOf).find((method) =>
    method?.method === "bolt11" && method.unit === "sat"
  );
}

function limits(
  kind: "mint" | "melt",
  method: Readonly<Record<string, unknown>> | undefined,
): Record<string, bigint> {
  const found: Record<string, bigint> = {};
  const { min_amount: min, max_amount: max } = method ?? {};
  if (Number.isSafeInteger(min)) found[`${kind}Min`] = BigInt(min as number);
  if (Number.isSafeInteger(max)) found[`${kind}Max`] = BigInt(max as number);
  return found;
}

function cacheMsOf(ttl: unknown): number {
  if (ttl === null || ttl === undefined) return CACHE_FOR_EVER_MS;
  return Number.isSafeInteger(ttl) ? Math.min((ttl as number) * 1000, CACHE_FOR_EVER_MS) : 0;
}

function pathsOf(endpoints: unknown): string[] {
  if (!Array.isArray(endpoints)) return [];
  return endpoints.slice(0, 100).map((endpoint) => textOf(objectOf(endpoint)?.path))
    .filter((path) => path !== undefined);
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Record<string, unknown>
    : undefined;
}

function textOf(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  // Control characters of a stranger have no business in a terminal.
  // deno-lint-ignore no-control-regex
  return value.replace(/[\x00-\x1f\x7f-\x9f]+/g, " ").slice(0, TEXT_CHARS_MAX);
}

/** Whether `id` is of version 00 or 01 (NUT-02); the base64 ids of old are left alone. */
export function isKeysetId(id: unknown): id is string {
  return typeof id === "string" && /^(00[0-9a-f]{14}|01[0-9a-f]{64})$/.test(id);
}

/** `/v1/keysets` (NUT-02): those with an id of a known version. */
export function readKeysets(body: unknown): Omit<Keyset, "keys">[] {
  const list = asArray(asObject(body, "keysets").keysets, "keysets", KEYSET_COUNT_MAX);
  return list.map((entry) => asObject(entry, "keyset")).filter(({ id }) => isKeysetId(id))
    .map((entry) => {
      const expiry = ifPresent(
        entry.final_expiry,
        (value) => asWhole(value, "keyset.final_expiry"),
      );
      const fee = ifPresent(entry.input_fee_ppk, (value) => asWhole(value, "keyset.input_fee_ppk"));
      return {
        id: entry.id as string,
        unit: asText(entry.unit, "keyset.unit", 32),
        active: entry.active === true,
        inputFeePpk: fee ?? 0,
        // nutshell says 0 of a keyset that was rotated in without an end.
        ...(expiry === undefined || expiry === 0 ? {} : { finalExpiry: expiry }),
      };
    });
}

/** `/v1/keys/{id}` (NUT-01): the keys of `id`. */
export function readKeys(body: unknown, id: string): Record<string, string> {
  const list = asArray(asObject(body, "keys").keysets, "keys.keysets", KEYSET_COUNT_MAX);
  const entry = list.map((value) => asObject(value, "keyset")).find((value) => value.id === id);
  if (entry === undefined) throw new ShapeError("keys: the keyset that was asked for wanted");
  const keys = Object.entries(asObject(entry.keys, "keys"));
  if (keys.length === 0 || keys.length > KEY_COUNT_MAX) {
    throw new ShapeError(`keys: 1 to ${KEY_COUNT_MAX} keys wanted`);
  }
  return Object.fromEntries(keys.map(([amount, key]) => {
    if (!/^[1-9]\d{0,19}$/.test(amount) || BigInt(amount) >= 1n << 64n) {
      throw new ShapeError("keys: whole amounts wanted");
    }
    return [amount, asPoint(key, "key")];
  }));
}

/** A mint quote (NUT-04, and 23). */
export function readMintQuote(body: unknown): MintQuote {
  const quote = asObject(body, "quote");
  const amount = ifPresent(quote.amount, (value) => asAmount(value, "quote.amount"));
  const pubkey = ifPresent(quote.pubkey, (value) => asPoint(value, "quote.pubkey"));
  assertSat(quote);
  const state = quote.state === undefined && typeof quote.paid === "boolean"
    ? (quote.paid ? "PAID" : "UNPAID")
    : asChoice(quote.state, "quote.state", ["UNPAID", "PAID", "ISSUED"]);
  return {
    quoteId: asText(quote.quote, "quote.quote", QUOTE_ID_CHARS_MAX),
    request: asText(quote.request, "quote.request", INVOICE_CHARS_MAX),
    state,
    ...(amount === undefined ? {} : { amount }),
    ...expiryOf(quote.expiry),
    ...(pubkey === undefined ? {} : { pubkey }),
  };
}

/** A melt quote (NUT-05 and 08); also the answer of a melt. */
export function readMeltQuote(body: unknown): MeltQuote {
  const quote = asObject(body, "quote");
  const request = ifPresent(quote.request, (value) => asText(value, "request", INVOICE_CHARS_MAX));
  const preimage = quote.payment_preimage === ""
    ? undefined
    : ifPresent(quote.payment_preimage, (value) => asText(value, "preimage", TEXT_CHARS_MAX));
  assertSat(quote);
  const state = quote.state === undefined && typeof quote.paid === "boolean"
    ? (quote.paid ? "PAID" : "UNPAID")
    : asChoice(quote.state, "quote.state", ["UNPAID", "PENDING", "PAID"]);
  return {
    quoteId: asText(quote.quote, "quote.quote", QUOTE_ID_CHARS_MAX),
    ...(request === undefined ? {} : { request }),
    amount: asAmount(quote.amount, "quote.amount"),
    feeReserve: asAmount(quote.fee_reserve, "quote.fee_reserve"),
    state,
    ...expiryOf(quote.expiry),
    ...(preimage === undefined ? {} : { preimage }),
    change: ifPresent(quote.change, (value) => readSignatures(value, KEY_COUNT_MAX)) ?? [],
  };
}

function assertSat(quote: Readonly<Record<string, unknown>>): void {
  if (quote.unit !== undefined && quote.unit !== null && quote.unit !== "sat") {
    throw new ShapeError("quote.unit: sat wanted");
  }
}

/** Seconds to milliseconds; 0 and null are no expiry. */
function expiryOf(value: unknown): { expiryMs?: number } {
  const seconds = ifPresent(value, (value) => asWhole(value, "quote.expiry")) ?? 0;
  return seconds === 0 ? {} : { expiryMs: Math.min(seconds * 1000, Number.MAX_SAFE_INTEGER) };
}

/** Blind signatures, with or without DLEQ. */
export function readSignatures(value: unknown, countMax: number): BlindSignature[] {
  return asArray(value, "signatures", countMax).map((entry) => {
    const signature = asObject(entry, "signature");
    if (!isKeysetId(signature.id)) throw new ShapeError("signature.id: a keyset id wanted");
    const dleq = objectOf(signature.dleq);
    return {
      keysetId: signature.id,
      amount: asAmount(signature.amount, "signature.amount"),
      C_: asPoint(signature.C_, "signature.C_"),
      ...(dleq === undefined ? {} : {
        dleq: {
          e: asHex(dleq.e, "signature.dleq.e", 32),
          s: asHex(dleq.s, "signature.dleq.s", 32),
        },
      }),
    };
  });
}

/** `/v1/checkstate` (NUT-07), as it came. */
export function readStates(body: unknown, countMax: number): ProofStateAnswer[] {
  return asArray(asObject(body, "states").states, "states", countMax).map((entry) => {
    const state = asObject(entry, "state");
    return {
      y: asPoint(state.Y, "state.Y"),
      state: asChoice(state.state, "state.state", ["UNSPENT", "PENDING", "SPENT"]),
    };
  });
}

/** `/v1/restore` (NUT-09): pairs of blinded message and signature. */
export function readRestored(body: unknown, countMax: number): [string, BlindSignature][] {
  const answer = asObject(body, "restore");
  const outputs = asArray(answer.outputs, "restore.outputs", countMax);
  const signatures = readSignatures(answer.signatures, countMax);
  if (outputs.length !== signatures.length) {
    throw new ShapeError("restore: as many outputs as signatures wanted");
  }
  return outputs.map((output, index) => [
    asPoint(asObject(output, "restore.output").B_, "restore.output.B_"),
    signatures[index]!,
  ]);
}
