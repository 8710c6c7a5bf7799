/** Scripts failures and changes of the mint, and shows its books: as methods, and as `/admin/*`. */
import { books, type MintBooks } from "./books.ts";
import type { MintContext } from "./context.ts";
import type { Fault, FaultScope } from "./faults.ts";
import { pendingMelts } from "./melt_quotes.ts";
import type { NewKeyset } from "./keysets.ts";
import type { Melts } from "./melts.ts";
import type { RateLimit, RateLimiter } from "./rate_limit.ts";
import type { LoggedRequest, RequestLog } from "./request_log.ts";
import type { Behaviour } from "./settings.ts";

/** What the admin interface acts on. */
export interface AdminParts {
  readonly context: MintContext;
  readonly melts: Melts;
  readonly log: RequestLog;
  readonly limiter: RateLimiter;
  /** Stops or starts listening for wallets. */
  readonly setOffline: (isOffline: boolean) => Promise<void>;
  readonly clearCache: () => void;
}

/** The hidden side of a development mint. */
export class DevMintAdmin {
  readonly #parts: AdminParts;

  constructor(parts: AdminParts) {
    this.#parts = parts;
  }

  /** Makes a new keyset the only active one and returns its id. The fee stays unless it is given. */
  rotateKeyset(options: NewKeyset & { readonly feePpk?: number } = {}): string {
    const { keysets } = this.#parts.context;
    const feePpk = options.feePpk ?? Number(keysets.active.inputFeePpk);
    return keysets.rotate({ ...options, feePpk }).id;
  }

  /** Another input fee: a new keyset, as the fee is a part of the id. */
  setFee(feePpk: number): string {
    return this.rotateKeyset({ feePpk });
  }

  /** What melts reserve for Lightning's fee besides its estimate. */
  setFeeReserve(reserve: { readonly percent?: number; readonly minSat?: number }): void {
    this.change({
      ...(reserve.percent === undefined ? {} : { feeReservePercent: reserve.percent }),
      ...(reserve.minSat === undefined ? {} : { feeReserveMinSat: reserve.minSat }),
    });
  }

  /** The next `count` answers with signatures have a wrong DLEQ proof. */
  badDleq(count = 1, scope: FaultScope = {}): void {
    this.script({ kind: "bad-dleq", count, ...scope });
  }

  /** The next `count` answers with signatures have no DLEQ proof. */
  omitDleq(count = 1, scope: FaultScope = {}): void {
    this.script({ kind: "omit-dleq", count, ...scope });
  }

  /** The next `count` answers with two or more signatures have them in another order. */
  permuteSignatures(count = 1, scope: FaultScope = {}): void {
    this.script({ kind: "permute-signatures", count, ...scope });
  }

  /** The next `count` answers with signatures lack the last one. */
  dropSignature(count = 1, scope: FaultScope = {}): void {
    this.script({ kind: "drop-signature", count, ...scope });
  }

  /** The next `count` answers with signatures name twice the amount in the first. */
  wrongAmount(count = 1, scope: FaultScope = {}): void {
    this.script({ kind: "wrong-amount", count, ...scope });
  }

  /** The next `count` melts that are paid answer that they failed (400, 20004). */
  lieAfterPaying(count = 1, scope: FaultScope = {}): void {
    this.script({ kind: "lie-after-paying", count, ...scope });
  }

  /** The next `count` answers of quotes that have got on say the state before. */
  staleQuotes(count = 1, scope: FaultScope = {}): void {
    this.script({ kind: "stale-quote", count, ...scope });
  }

  /** The next `count` melts stay PENDING, unpaid, until {@link releasePending}; survives a restart. */
  pendingForever(count = 1, scope: FaultScope = {}): void {
    this.script({ kind: "pending-forever", count, ...scope });
  }

  /** Lets melts that were held go on and be paid: one, or all; returns how many. */
  async releasePending(quoteId?: string): Promise<number> {
    const held = this.#held(quoteId);
    await Promise.all(held.map((id) => this.#parts.melts.release(id)));
    return held.length;
  }

  /** Gives melts up that were held, without paying: one, or all; returns how many. */
  failPending(quoteId?: string): number {
    const held = this.#held(quoteId);
    for (const id of held) this.#parts.melts.abandon(id);
    return held.length;
  }

  /** The next `count` requests to `path` are answered with `status`; `isAfter`: once they had effect. */
  failNext(
    path: string,
    count = 1,
    status = 500,
    options: Pick<Fault, "code" | "detail" | "retryAfterS" | "isAfter" | "quote" | "invoice"> = {},
  ): void {
    this.script({ kind: "fail", path, count, status, ...options });
  }

  /** The next `count` answers of `path` have these fields instead of their own. */
  alterAnswers(
    path: string,
    changes: Readonly<Record<string, unknown>>,
    options: FaultScope & { readonly count?: number } = {},
  ): void {
    this.script({ kind: "alter", count: 1, ...options, path, changes });
  }

  /** Adds any fault. */
  script(fault: Fault): void {
    this.#parts.context.faults.add(fault);
  }

  /** Faults that are still to come. */
  faults(): readonly Fault[] {
    return this.#parts.context.faults.list();
  }

  /** Forgets all scripted faults, the rate limit, and changes of behaviour; keeps clock and keysets. */
  async clearFaults(): Promise<void> {
    const { context, limiter } = this.#parts;
    context.faults.clear();
    limiter.limit = undefined;
    this.change({
      disabledNuts: [],
      cachePending: false,
      quoteSignatures: "both",
      changeKeyset: "blank",
      zeroChange: false,
      feeReservePercent: 1,
      feeReserveMinSat: 1,
    });
    await this.releasePending();
  }

  /** Takes so many requests in a minute; more are answered 429. */
  rateLimit(limit: RateLimit | "off"): void {
    this.#parts.limiter.limit = limit === "off" ? undefined : limit;
  }

  /** Refuses connections until it is on again. */
  async offline(isOffline: boolean): Promise<void> {
    await this.#parts.setOffline(isOffline);
  }

  /** Moves the mint's clock, back with a negative number; survives a restart. */
  jumpClock(seconds: number): void {
    const { clock } = this.#parts.context;
    clock.offsetS += seconds;
    this.change({ clockOffsetS: clock.offsetS });
  }

  /** The NUTs that the mint does not have from now on; none to have all again. */
  disableNuts(nuts: readonly number[]): void {
    this.change({ disabledNuts: nuts });
  }

  /** Changes how the mint behaves, on disk. */
  change(behaviour: Partial<Behaviour>): void {
    this.#parts.context.settings.change(behaviour);
  }

  /** Forgets the answers kept for NUT-19, as a restart does. */
  clearCache(): void {
    this.#parts.clearCache();
  }

  /** The mint's accounts, reckoned from its database. */
  books(): MintBooks {
    return books(this.#parts.context);
  }

  /** The last requests, oldest first; of one path if given. */
  requests(path?: string): readonly LoggedRequest[] {
    const requests = this.#parts.log.list();
    return path === undefined ? requests : requests.filter((request) => request.path === path);
  }

  clearRequests(): void {
    this.#parts.log.clear();
  }

  #held(quoteId: string | undefined): readonly string[] {
    return pendingMelts(this.#parts.context).flatMap(({ id, isHeld }) =>
      isHeld && (quoteId === undefined || id === quoteId) ? [id] : []
    );
  }
}
