/** A mint over HTTP: the NUTs' endpoints on {@link Transport}, answers checked, keysets cached. */
import { isSeedmintError, SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import { isPoint } from "../cashu.ts";
import { type BlindSignature, type Keyset, type MintUrl, WALLET_UNIT } from "../types.ts";
import {
  readInfo,
  readKeys,
  readKeysets,
  readMeltQuote,
  readMintQuote,
  readRestored,
  readStates,
} from "./answers.ts";
import {
  CACHE_MS_MAX,
  DEADLINES,
  type MintDeadlines,
  RESTORE_PER_REQUEST_MAX,
  STATES_PER_REQUEST_MAX,
  UNKNOWN_KEYSET_MS_MIN,
} from "./limits.ts";
import type {
  AskOptions,
  MeltQuote,
  MintApi,
  MintInfo,
  MintQuote,
  PostOutcome,
  ProofStateAnswer,
} from "./mint_api.ts";
import { KeysetContradiction, type ListedKeyset, MintCache } from "./mint_cache.ts";
import { ShapeError } from "./shape.ts";
import { SharedTask } from "./shared_task.ts";
import { type MintHealth, Transport, type TransportOptions } from "./transport.ts";

/** Age at which the keys of an active keyset are read again, to see that they are the same. */
const KEYS_MS_MAX = 24 * 60 * 60_000;

/** Where a mint's cache is kept, and who hears of what it did. */
export interface MintMemory {
  load(): string | undefined;
  save(text: string, atMs: number): void;
  /** Of a keyset whose id was derived again: why it must not be used, or undefined. */
  objection?(keyset: Keyset): string | undefined;
  /** It was proven dishonest. */
  block(reason: string): void;
}

/** Options of {@link HttpMint}. */
export interface HttpMintOptions extends Omit<TransportOptions, "clock"> {
  readonly clock: Clock;
  /** @default {DEADLINES} */
  readonly deadlines?: Partial<MintDeadlines>;
  /** @default {memory of this object} */
  readonly memory?: MintMemory;
}

/** See the head of this file. */
export class HttpMint implements MintApi {
  readonly url: MintUrl;
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #deadlines: MintDeadlines;
  readonly #memory: MintMemory | undefined;
  readonly #cache: MintCache;
  readonly #infoTask = new SharedTask<MintInfo>();
  readonly #keysetsTask = new SharedTask<void>();
  readonly #keysTasks = new Map<string, SharedTask<Keyset>>();

  constructor(options: HttpMintOptions) {
    this.url = options.url;
    this.#clock = options.clock;
    this.#transport = new Transport(options);
    this.#deadlines = { ...DEADLINES, ...options.deadlines };
    this.#memory = options.memory;
    this.#cache = MintCache.fromText(options.memory?.load());
  }

  /** How it has been answering. */
  get health(): MintHealth {
    return this.#transport.health;
  }

  cooldownMs(): number {
    return this.#transport.cooldownMs();
  }

  async info(options: AskOptions & { readonly fresh?: boolean } = {}): Promise<MintInfo> {
    const cached = this.#cache.info;
    if (cached && !options.fresh && !this.#isOld(cached.atMs)) return cached.info;
    const ask = () =>
      this.#infoTask.run(async (signal) => {
        const info = await this.#ask("/v1/info", readInfo, { signal });
        this.#cache.putInfo(info, this.#clock.nowMs());
        this.#save();
        return info;
      }, options.signal);
    return cached && !options.fresh ? await orElse(ask, () => cached.info) : await ask();
  }

  async keysets(
    options: AskOptions & { readonly fresh?: boolean } = {},
  ): Promise<readonly ListedKeyset[]> {
    const { keysetsAtMs } = this.#cache;
    const isKnown = keysetsAtMs !== undefined;
    if (isKnown && !options.fresh && !this.#isOld(keysetsAtMs)) return this.#cache.keysets();
    const ask = () =>
      this.#keysetsTask.run((signal) => this.#refreshKeysets(signal), options.signal);
    await (isKnown && !options.fresh ? orElse(ask, () => undefined) : ask());
    return this.#cache.keysets();
  }

  async keyset(
    id: string,
    options: AskOptions & { readonly fresh?: boolean } = {},
  ): Promise<Keyset> {
    const cached = this.#cache.keyset(id);
    if (cached) return cached;
    const { fresh, ...asked } = options;
    let listed = (await this.keysets(asked)).find((keyset) => keyset.id === id);
    // Strangers' tokens name keysets: they must not make us ask without end.
    const { keysetsAtMs } = this.#cache;
    if (!listed && (fresh || this.#clock.nowMs() - (keysetsAtMs ?? 0) > UNKNOWN_KEYSET_MS_MIN)) {
      listed = (await this.keysets({ ...asked, fresh: true })).find((keyset) => keyset.id === id);
    }
    if (listed === undefined) {
      throw new SeedmintError(
        "not-found",
        `The mint ${this.url} has no keyset ${id} of ${WALLET_UNIT}: what names it is not of this mint`,
      );
    }
    let task = this.#keysTasks.get(id);
    if (task === undefined) this.#keysTasks.set(id, task = new SharedTask<Keyset>());
    try {
      return await task.run((signal) => this.#readKeys(id, signal), options.signal);
    } finally {
      this.#keysTasks.delete(id);
    }
  }

  async activeKeyset(options: AskOptions & { readonly fresh?: boolean } = {}): Promise<Keyset> {
    const nowS = this.#clock.nowMs() / 1000;
    const usable = (await this.keysets(options))
      .filter(({ active, finalExpiry }) => active && (finalExpiry ?? Infinity) > nowS)
      .sort((a, b) =>
        a.inputFeePpk - b.inputFeePpk ||
        (b.finalExpiry ?? Infinity) - (a.finalExpiry ?? Infinity) || (a.id < b.id ? 1 : -1)
      );
    if (usable.length > 0) return await this.keyset(usable[0]!.id, options);
    if (!options.fresh) return await this.activeKeyset({ ...options, fresh: true });
    throw new SeedmintError(
      "unavailable",
      `The mint ${this.url} has no active keyset of ${WALLET_UNIT}: it signs nothing now; use another mint`,
      { retryable: true },
    );
  }

  cachedKeyset(id: string): Keyset | undefined {
    return this.#cache.keyset(id);
  }

  cachedInfo(): { readonly info: MintInfo; readonly atMs: number } | undefined {
    return this.#cache.info;
  }

  /** Ids of the keysets that are known without asking: for short ids in tokens. */
  cachedKeysetIds(): string[] {
    return this.#cache.keysets().map(({ id }) => id);
  }

  async createMintQuote(
    request: { readonly amount: bigint; readonly pubkey: string; readonly description?: string },
    options: AskOptions = {},
  ): Promise<MintQuote> {
    const { amount, pubkey, description } = request;
    const body = JSON.stringify({
      amount: Number(amount),
      unit: WALLET_UNIT,
      ...(description === undefined ? {} : { description }),
      pubkey,
    });
    const read = (answer: unknown) => {
      const quote = readMintQuote(answer);
      if ((quote.amount ?? amount) !== amount) throw new ShapeError("quote.amount: ours wanted");
      if ((quote.pubkey ?? pubkey) !== pubkey) throw new ShapeError("quote.pubkey: ours wanted");
      return quote;
    };
    return await this.#ask("/v1/mint/quote/bolt11", read, { ...options, body });
  }

  async mintQuote(quoteId: string, options: AskOptions = {}): Promise<MintQuote> {
    const path = `/v1/mint/quote/bolt11/${encodeURIComponent(quoteId)}`;
    return await this.#ask(path, (body) => ofQuote(readMintQuote(body), quoteId), options);
  }

  async createMeltQuote(
    request: { readonly invoice: string },
    options: AskOptions = {},
  ): Promise<MeltQuote> {
    const body = JSON.stringify({ request: request.invoice, unit: WALLET_UNIT });
    const read = (answer: unknown) => {
      const quote = readMeltQuote(answer);
      if ((quote.request ?? request.invoice).toLowerCase() !== request.invoice.toLowerCase()) {
        throw new ShapeError("quote.request: the invoice that was asked about wanted");
      }
      return quote;
    };
    return await this.#ask("/v1/melt/quote/bolt11", read, { ...options, body });
  }

  async meltQuote(quoteId: string, options: AskOptions = {}): Promise<MeltQuote> {
    const path = `/v1/melt/quote/bolt11/${encodeURIComponent(quoteId)}`;
    return await this.#ask(path, (body) => ofQuote(readMeltQuote(body), quoteId), options);
  }

  async post(path: string, body: string, options: AskOptions = {}): Promise<PostOutcome> {
    const { meltMs, postMs } = this.#deadlines;
    const deadlineMs = path.startsWith("/v1/melt/") ? meltMs : postMs;
    return await this.#transport.send({ method: "POST", path, body }, {
      deadlineMs,
      signal: options.signal,
    });
  }

  async checkStates(
    ys: readonly string[],
    options: AskOptions = {},
  ): Promise<readonly ProofStateAnswer[]> {
    const found = new Map<string, ProofStateAnswer>();
    for (const part of chunks(ys, STATES_PER_REQUEST_MAX)) {
      const read = (body: unknown) => readStates(body, part.length);
      const body = JSON.stringify({ Ys: part });
      for (const state of await this.#ask("/v1/checkstate", read, { ...options, body })) {
        found.set(state.y, state);
      }
    }
    return ys.map((y) => found.get(y) ?? this.#refuse("the states of proofs", "not all"));
  }

  async restore(
    outputs: readonly {
      readonly blinded: string;
      readonly amount: bigint;
      readonly keysetId: string;
    }[],
    options: AskOptions = {},
  ): Promise<ReadonlyMap<string, BlindSignature>> {
    const found = new Map<string, BlindSignature>();
    for (const part of chunks(outputs, RESTORE_PER_REQUEST_MAX)) {
      const asked = new Set(part.map(({ blinded }) => blinded));
      const body = JSON.stringify({
        outputs: part.map(({ blinded, amount, keysetId }) => ({
          amount: Number(amount),
          id: keysetId,
          B_: blinded,
        })),
      });
      const read = (answer: unknown) => readRestored(answer, part.length);
      for (
        const [blinded, signature] of await this.#ask("/v1/restore", read, { ...options, body })
      ) {
        if (asked.has(blinded)) found.set(blinded, signature);
      }
    }
    return found;
  }

  async #refreshKeysets(signal: AbortSignal): Promise<void> {
    const list = await this.#ask("/v1/keysets", readKeysets, { signal });
    this.#orBlock(() => this.#cache.putKeysets(list, this.#clock.nowMs()));
    this.#save();
    for (const { id, active } of this.#cache.keysets()) {
      const atMs = this.#cache.keysAtMs(id);
      if (active && atMs !== undefined && this.#clock.nowMs() - atMs > KEYS_MS_MAX) {
        await this.#readKeys(id, signal);
      }
    }
  }

  async #readKeys(id: string, signal: AbortSignal): Promise<Keyset> {
    const keys = await this.#ask(`/v1/keys/${id}`, (body) => readKeys(body, id), { signal });
    if (!Object.values(keys).every(isPoint)) {
      this.#refuse("keys", "points that are not of the curve");
    }
    const isRight = this.#orBlock(() => this.#cache.putKeys(id, keys, this.#clock.nowMs()));
    if (!isRight) this.#refuse(`keyset ${id}`, "keys that do not make up its id");
    const keyset = this.#cache.keyset(id)!;
    const objection = this.#memory?.objection?.(keyset);
    if (objection !== undefined) {
      this.#cache.dropKeys(id);
      this.#orBlock(() => contradict(objection));
    }
    this.#save();
    return keyset;
  }

  async #ask<Answer>(
    path: string,
    read: (body: unknown) => Answer,
    options: AskOptions & { readonly body?: string },
  ): Promise<Answer> {
    const { body: sent, signal } = options;
    const body = await this.#transport.ask(
      {
        method: sent === undefined ? "GET" : "POST",
        path,
        ...(sent === undefined ? {} : { body: sent }),
      },
      { deadlineMs: this.#deadlines.askMs, signal },
    );
    try {
      return read(body);
    } catch (error) {
      if (error instanceof ShapeError) return this.#refuse("an answer", error.message);
      throw error;
    }
  }

  #refuse(what: string, found: string): never {
    throw new SeedmintError(
      "protocol",
      `Cannot use what the mint ${this.url} says: ${what}: ${found}; tell its operator, or use another mint`,
      { retryable: true },
    );
  }

  #orBlock<Result>(change: () => Result): Result {
    try {
      return change();
    } catch (error) {
      if (!(error instanceof KeysetContradiction)) throw error;
      this.#memory?.block(error.message);
      throw new SeedmintError(
        "protocol",
        `The mint ${this.url} is dishonest and was blocked: ${error.message}; move what is left elsewhere`,
        { cause: error },
      );
    }
  }

  #isOld(atMs: number): boolean {
    return Math.abs(this.#clock.nowMs() - atMs) > CACHE_MS_MAX;
  }

  #save(): void {
    this.#memory?.save(this.#cache.toText(), this.#clock.nowMs());
  }
}

function contradict(reason: string): never {
  throw new KeysetContradiction(reason);
}

function ofQuote<Quote extends { readonly quoteId: string }>(quote: Quote, quoteId: string): Quote {
  if (quote.quoteId !== quoteId) throw new ShapeError("quote: the one that was asked for wanted");
  return quote;
}

/** What `ask` gives, or the older answer while the mint does not answer, or answers nonsense. */
async function orElse<Result>(ask: () => Promise<Result>, older: () => Result): Promise<Result> {
  try {
    return await ask();
  } catch (error) {
    const isTrouble = isSeedmintError(error, "protocol") ||
      (isSeedmintError(error) && error.retryable);
    if (isTrouble) return older();
    throw error;
  }
}

function chunks<Item>(items: readonly Item[], countMax: number): Item[][] {
  const parts: Item[][] = [];
  for (let index = 0; index < items.length; index += countMax) {
    parts.push(items.slice(index, index + countMax));
  }
  return parts;
}
