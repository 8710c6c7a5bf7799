/**
 * One mint as the wallet talks to it. The implementation (`http_mint.ts`) goes through one transport
 * with deadlines, size limits, no redirects and cooldowns. Answers are checked for shape; nothing that
 * a mint sends is believed further than that.
 */
import type { BlindSignature, Keyset, MintUrl } from "../types.ts";

/** What `/v1/info` (NUT-06) tells, as far as it matters here. */
export interface MintInfo {
  readonly name: string;
  readonly version: string;
  /** NUTs that it says it supports and has not disabled. */
  readonly nuts: ReadonlySet<number>;
  readonly mintMax?: bigint;
  readonly mintMin?: bigint;
  readonly meltMax?: bigint;
  readonly meltMin?: bigint;
  /** How long NUT-19 answers are kept, in milliseconds, for which paths. Never relied on. */
  readonly cacheMs?: number;
  readonly cachedPaths: readonly string[];
  readonly motd?: string;
}

/** A mint quote (NUT-04). */
export interface MintQuote {
  readonly quoteId: string;
  readonly request: string;
  readonly state: "UNPAID" | "PAID" | "ISSUED";
  readonly amount?: bigint;
  readonly expiryMs?: number;
  readonly pubkey?: string;
}

/** A melt quote (NUT-05). */
export interface MeltQuote {
  readonly quoteId: string;
  readonly request?: string;
  readonly amount: bigint;
  readonly feeReserve: bigint;
  readonly state: "UNPAID" | "PENDING" | "PAID";
  readonly expiryMs?: number;
  readonly preimage?: string;
  readonly change: readonly BlindSignature[];
}

/** NUT-07. */
export interface ProofStateAnswer {
  readonly y: string;
  readonly state: "UNSPENT" | "PENDING" | "SPENT";
}

/** What came of a request that may have had an effect. */
export type PostOutcome =
  /** HTTP 200 with JSON. */
  | { readonly kind: "answered"; readonly body: unknown }
  /** The mint refused in the typed form (HTTP 400 with `code` and `detail`). */
  | { readonly kind: "refused"; readonly code: number; readonly detail: string }
  /** Not taken up, says the mint (429); ask later. */
  | { readonly kind: "limited"; readonly retryAfterMs: number }
  /** It may have happened or not: no answer, a broken one, 5xx, HTML. */
  | { readonly kind: "unknown"; readonly why: string };

/** Options of each request. */
export interface AskOptions {
  readonly signal?: AbortSignal;
}

/**
 * A mint. Methods that only ask throw {@link SeedmintError}: `unavailable` (retryable: it did not
 * answer, or is cooling down), `busy` (429), `protocol` (its answer makes no sense), or
 * {@link MintRefusal} with its code.
 */
export interface MintApi {
  readonly url: MintUrl;
  /** How long it is to be left alone still, in milliseconds; 0 or absent when it may be asked. */
  cooldownMs?(): number;
  info(options?: AskOptions & { readonly fresh?: boolean }): Promise<MintInfo>;
  /** All keysets of the wallet's unit, without asking for keys that are not known. */
  keysets(
    options?: AskOptions & { readonly fresh?: boolean },
  ): Promise<readonly Omit<Keyset, "keys">[]>;
  /**
   * One keyset with keys, whether active or not, its id derived again. `fresh` where the mint itself
   * named it: an id that is not known is asked for even if the mint was asked a moment ago, which a
   * stranger's token must not be able to make us do.
   */
  keyset(id: string, options?: AskOptions & { readonly fresh?: boolean }): Promise<Keyset>;
  /** The active keyset with the lowest fee. `fresh` after a refusal of code 12xxx. */
  activeKeyset(options?: AskOptions & { readonly fresh?: boolean }): Promise<Keyset>;
  /** A keyset that is cached already, without asking: for checks that must not wait. */
  cachedKeyset(id: string): Keyset | undefined;
  /** Ids of the keysets that are known without asking: for short ids in tokens. */
  cachedKeysetIds?(): readonly string[];
  /** The info that is cached already, and when it was read. */
  cachedInfo(): { readonly info: MintInfo; readonly atMs: number } | undefined;
  createMintQuote(
    request: { readonly amount: bigint; readonly pubkey: string; readonly description?: string },
    options?: AskOptions,
  ): Promise<MintQuote>;
  mintQuote(quoteId: string, options?: AskOptions): Promise<MintQuote>;
  createMeltQuote(request: { readonly invoice: string }, options?: AskOptions): Promise<MeltQuote>;
  meltQuote(quoteId: string, options?: AskOptions): Promise<MeltQuote>;
  /** Posts bytes that were frozen before. Never throws for what the mint or the network does. */
  post(path: string, body: string, options?: AskOptions): Promise<PostOutcome>;
  /** NUT-07. In the order of `ys`; throws unless each was answered. */
  checkStates(ys: readonly string[], options?: AskOptions): Promise<readonly ProofStateAnswer[]>;
  /** NUT-09: the signatures that the mint gave, by blinded message; only those that were asked for. */
  restore(
    outputs: readonly {
      readonly blinded: string;
      readonly amount: bigint;
      readonly keysetId: string;
    }[],
    options?: AskOptions,
  ): Promise<ReadonlyMap<string, BlindSignature>>;
}

/** Gives the {@link MintApi} of a mint that is listed. */
export interface Mints {
  /** @throws {SeedmintError} `denied` if the mint is not listed: no request is made. */
  of(url: MintUrl): MintApi;
}

/** A mint's typed refusal of a request that has no effect. */
export class MintRefusal extends Error {
  override readonly name = "MintRefusal";
  /** Of the table of the NUTs' error codes. */
  readonly code: number;

  constructor(code: number, detail: string) {
    super(detail);
    this.code = code;
  }
}
