/**
 * One relay of the pool over its whole life: connects when it is needed, remembers failures and the
 * relay's own limits, and starts again after each end.
 *
 *     idle ──use──> connecting ──open──> open ──unused, idleMs──> idle
 *       ^               │                  │
 *       └──backoff over─┴── failed/lost ──-┘   (waiting: backoff doubles, with jitter)
 */
import { messageOf, SeedmintError } from "../../core/errors.ts";
import type { Clock, Random } from "../../core/ports.ts";
import type { Filter } from "../filter.ts";
import type { PoolLimits } from "../limits.ts";
import { reasonPrefix } from "../messages.ts";
import { fetchRelayInformation, type RelayInformation } from "../nip11.ts";
import type { NostrEvent } from "../nostr.ts";
import { connectSocket } from "../websocket/connect.ts";
import {
  abortable,
  RelaySession,
  type SessionEnd,
  type SubscriptionEnd,
  type SubscriptionOptions,
  wantsAuthentication,
} from "./relay_session.ts";
import { Slots } from "./slots.ts";

/** What a relay is doing, for people and for metrics. */
export interface RelayStatus {
  readonly url: string;
  readonly state: "idle" | "connecting" | "open" | "waiting";
  readonly authenticated: boolean;
  /** Failures since it last worked. */
  readonly failureCount: number;
  readonly lastError?: string;
}

/** How one relay took an event. */
export interface PublishOutcome {
  readonly relay: string;
  readonly accepted: boolean;
  /**
   * `accepted`; the relay's own word (`rate-limited`, `auth-required`, `blocked`, `pow`, `invalid`,
   * `restricted`, `error`, …); or ours: `timeout`, `unavailable`.
   */
  readonly code: string;
  /** The rest of what the relay, or the failure, said. */
  readonly reason: string;
}

/** Options of {@link RelayConnection}. */
export interface RelayConnectionOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: PoolLimits;
  readonly authSecretKey?: Uint8Array;
}

/** One relay. */
export class RelayConnection {
  readonly url: string;
  readonly #options: RelayConnectionOptions;
  readonly #slots: Slots;
  readonly #closing = new AbortController();
  #session: RelaySession | undefined;
  #connecting: Promise<RelaySession> | undefined;
  #failureCount = 0;
  #lastError: string | undefined;
  #lastAttemptMs = -Infinity;
  #nextAttemptMs = -Infinity;
  #penaltyUntilMs = -Infinity;
  #publishFromMs = -Infinity;
  #information: RelayInformation = {};
  #informationUntilMs = -Infinity;
  #informing: Promise<void> = Promise.resolve();
  #cancelIdle: () => void = () => {};

  constructor(url: string, options: RelayConnectionOptions) {
    this.url = url;
    this.#options = options;
    this.#slots = new Slots(options.limits.subscriptionsMax);
  }

  /** What it is doing now. */
  status(): RelayStatus {
    const nowMs = this.#options.clock.monotonicMs();
    const state = this.#session?.open
      ? "open"
      : this.#connecting !== undefined
      ? "connecting"
      : nowMs < Math.max(this.#nextAttemptMs, this.#penaltyUntilMs)
      ? "waiting"
      : "idle";
    return {
      url: this.url,
      state,
      authenticated: this.#session?.authenticated ?? false,
      failureCount: this.#failureCount,
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
    };
  }

  /** What the relay said of its limits; nothing until it was connected to. */
  get information(): RelayInformation {
    return this.#information;
  }

  /** Publishes within the deadline. Rejects only with `signal.reason`. */
  async publish(event: NostrEvent, signal: AbortSignal): Promise<PublishOutcome> {
    const { clock, limits } = this.#options;
    const outcome = (accepted: boolean, code: string, reason: string): PublishOutcome => ({
      relay: this.url,
      accepted,
      code,
      reason,
    });
    if (clock.monotonicMs() < this.#publishFromMs) {
      return outcome(false, "rate-limited", "the relay asked for a pause");
    }
    using deadline = this.#deadline(limits.publishMs, signal);
    try {
      const session = await this.#connect(deadline.signal);
      const refusal = refusedBy(this.#information, event);
      if (refusal !== undefined) return outcome(false, refusal.code, refusal.reason);
      let answer = await session.publish(event, deadline.signal);
      if (
        !answer.accepted && wantsAuthentication(answer.reason) &&
        await session.authenticate(deadline.signal)
      ) answer = await session.publish(event, deadline.signal);
      if (answer.accepted) return outcome(true, "accepted", answer.reason);
      const code = reasonPrefix(answer.reason) || "error";
      if (code === "rate-limited") this.#publishFromMs = clock.monotonicMs() + limits.rateLimitedMs;
      return outcome(false, code, answer.reason);
    } catch (error) {
      signal.throwIfAborted();
      const code = error instanceof SeedmintError ? error.code : "error";
      return outcome(false, code, messageOf(error));
    } finally {
      this.#rest();
    }
  }

  /**
   * Asks for stored events, within the deadline.
   *
   * @returns How it ended; `lost` also for a relay that could not be reached or gave no end in time.
   */
  async query(options: SubscriptionOptions): Promise<SubscriptionEnd> {
    using deadline = this.#deadline(this.#options.limits.queryMs, options.signal);
    try {
      return await this.#subscribe({ ...options, signal: deadline.signal }, { wait: false });
    } catch (error) {
      options.signal.throwIfAborted();
      return { why: "lost", reason: messageOf(error) };
    } finally {
      this.#rest();
    }
  }

  /**
   * Keeps a subscription alive: after each end it begins again with the original filters, which
   * loses nothing, where a `since` taken from the last event would lose what is dated back.
   * Returns once `options.signal` is aborted.
   */
  async follow(options: SubscriptionOptions): Promise<void> {
    const { clock } = this.#options;
    const signal = AbortSignal.any([options.signal, this.#closing.signal]);
    const onEose = () => {
      this.#failureCount = 0;
      options.onEose?.();
    };
    while (!signal.aborted) {
      try {
        const end = await this.#subscribe({ ...options, onEose, signal }, { wait: true });
        if (end.why === "closed") this.#failed(`it closed the subscription: ${end.reason}`);
        await clock.sleep(this.#waitMs(), { signal });
      } catch (error) {
        if (signal.aborted) return;
        this.#lastError = messageOf(error);
      }
    }
  }

  /** Ends it for good. */
  async close(): Promise<void> {
    this.#closing.abort(new SeedmintError("aborted", `Relay ${this.url} was closed`));
    this.#cancelIdle();
    await this.#connecting?.catch(() => {});
    this.#session?.close();
    await this.#session?.ended;
    await this.#informing;
  }

  async #subscribe(
    options: SubscriptionOptions,
    { wait }: { readonly wait: boolean },
  ): Promise<SubscriptionEnd> {
    const { signal } = options;
    let session = await this.#connect(signal, { wait });
    const free = await this.#slots.take(signal);
    try {
      // While this waited for a place, the connection may have been lost and made again.
      if (!session.open) session = await this.#connect(signal, { wait });
      const fitted = fitFilters(options.filters, this.#information);
      if (typeof fitted === "string") return { why: "closed", reason: fitted };
      let end = await session.subscribe({ ...options, filters: fitted });
      if (
        end.why === "closed" && wantsAuthentication(end.reason) &&
        await session.authenticate(signal)
      ) end = await session.subscribe({ ...options, filters: fitted });
      return end;
    } finally {
      free();
    }
  }

  /** The open session, connecting if needed; `wait` sleeps out the backoff, else it fails at once. */
  async #connect(
    signal: AbortSignal,
    options: { readonly wait?: boolean } = {},
  ): Promise<RelaySession> {
    for (;;) {
      this.#closing.signal.throwIfAborted();
      if (this.#session?.open) return this.#session;
      if (this.#connecting === undefined) {
        const waitMs = options.wait ? this.#waitMs() : this.#retryWaitMs();
        if (waitMs > 0 && !options.wait) {
          throw new SeedmintError(
            "unavailable",
            `Relay ${this.url} failed a moment ago: ${this.#lastError ?? "no answer"}`,
            { retryable: true },
          );
        }
        if (waitMs > 0) {
          await this.#options.clock.sleep(waitMs, { signal });
          continue;
        }
        this.#connecting = this.#open().finally(() => this.#connecting = undefined);
        // Who waits below may leave early; a failure is then nobody's.
        this.#connecting.catch(() => {});
      }
      return await abortable(this.#connecting, signal);
    }
  }

  async #open(): Promise<RelaySession> {
    const { clock, limits } = this.#options;
    this.#lastAttemptMs = clock.monotonicMs();
    this.#inform();
    try {
      const socket = await connectSocket(this.url, {
        ...this.#options,
        limits: limits.socket,
        connectMs: limits.connectMs,
        signal: this.#closing.signal,
      });
      const session = new RelaySession(socket, { ...this.#options, url: this.url });
      this.#session = session;
      session.ended.then((end) => this.#lost(session, end));
      await this.#informedOrGrace();
      return session;
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#failed(messageOf(error));
      throw error;
    }
  }

  #lost(session: RelaySession, end: SessionEnd): void {
    if (this.#session === session) this.#session = undefined;
    if (this.#closing.signal.aborted || end.blame === "nobody") return;
    if (end.blame === "relay") {
      this.#penaltyUntilMs = this.#options.clock.monotonicMs() + this.#options.limits.penaltyMs;
    }
    this.#failed(end.reason);
  }

  /** Fetches the relay's limits when they are old, beside the connecting. */
  #inform(): void {
    const { clock, limits } = this.#options;
    if (clock.monotonicMs() < this.#informationUntilMs) return;
    this.#informationUntilMs = clock.monotonicMs() + limits.informationKeptMs;
    const signal = this.#closing.signal;
    this.#informing = fetchRelayInformation(this.url, { limits, clock, signal }).then((found) => {
      this.#information = found;
      this.#slots.resize(
        Math.min(limits.subscriptionsMax, found.subscriptionCountMax ?? Infinity),
      );
    });
  }

  async #informedOrGrace(): Promise<void> {
    const grace = Promise.withResolvers<void>();
    const cancel = this.#options.clock.timer(
      this.#options.limits.informationGraceMs,
      grace.resolve,
    );
    await Promise.race([this.#informing, grace.promise]);
    cancel();
  }

  #failed(reason: string): void {
    const { clock, limits, random } = this.#options;
    this.#lastError = reason;
    const doubled = limits.backoffMinMs * 2 ** Math.min(this.#failureCount, 16);
    this.#failureCount++;
    const jitter = 0.5 + random.float();
    this.#nextAttemptMs = clock.monotonicMs() + Math.min(doubled, limits.backoffMaxMs) * jitter;
  }

  /** How long a subscription waits before it tries again. */
  #waitMs(): number {
    const from = Math.max(this.#nextAttemptMs, this.#penaltyUntilMs);
    return Math.max(0, from - this.#options.clock.monotonicMs());
  }

  /** How long a query would have to wait: a person asks, so only the shortest pause holds. */
  #retryWaitMs(): number {
    const { clock, limits } = this.#options;
    if (this.#failureCount === 0) return 0;
    const from = Math.max(this.#lastAttemptMs + limits.backoffMinMs, this.#penaltyUntilMs);
    return Math.max(0, from - clock.monotonicMs());
  }

  /** Called after each use: notes that it works, and closes a connection that stays unused. */
  #rest(): void {
    if (this.#session?.open) {
      this.#failureCount = 0;
      this.#lastError = undefined;
    }
    this.#cancelIdle();
    this.#cancelIdle = this.#options.clock.timer(this.#options.limits.idleMs, () => {
      if (this.#session?.open && !this.#session.busy) this.#session.close();
    });
    if (this.#closing.signal.aborted) this.#cancelIdle();
  }

  #deadline(ms: number, outer: AbortSignal): Disposable & { readonly signal: AbortSignal } {
    const controller = new AbortController();
    const cancel = this.#options.clock.timer(
      ms,
      () =>
        controller.abort(
          new SeedmintError("timeout", `Relay ${this.url} gave no answer within ${ms} ms`, {
            retryable: true,
          }),
        ),
    );
    return {
      signal: AbortSignal.any([outer, controller.signal, this.#closing.signal]),
      [Symbol.dispose]: cancel,
    };
  }
}

/** What a relay's own limits say against an event, before it is sent. */
function refusedBy(
  information: RelayInformation,
  event: NostrEvent,
): { readonly code: string; readonly reason: string } | undefined {
  const bytes = new TextEncoder().encode(JSON.stringify(["EVENT", event])).length;
  const { messageBytesMax, tagCountMax, contentCharsMax, powBitsMin } = information;
  const invalid = (what: string, found: number, most: number) => ({
    code: "invalid",
    reason: `${what}: ${found}, the relay takes ${most}`,
  });
  if (messageBytesMax !== undefined && bytes > messageBytesMax) {
    return invalid("bytes in the message", bytes, messageBytesMax);
  }
  if (tagCountMax !== undefined && event.tags.length > tagCountMax) {
    return invalid("tags", event.tags.length, tagCountMax);
  }
  if (contentCharsMax !== undefined && event.content.length > contentCharsMax) {
    return invalid("characters of content", event.content.length, contentCharsMax);
  }
  if (powBitsMin !== undefined && leadingZeroBits(event.id) < powBitsMin) {
    return { code: "pow", reason: `the relay wants ${powBitsMin} bits of proof of work` };
  }
  return undefined;
}

/** The filters within a relay's own limits, or a sentence that says why they cannot be. */
function fitFilters(
  filters: readonly Filter[],
  { filterCountMax, limitMax }: RelayInformation,
): readonly Filter[] | string {
  if (filterCountMax !== undefined && filters.length > filterCountMax) {
    return `unsupported: ${filters.length} filters, the relay takes ${filterCountMax}`;
  }
  if (limitMax === undefined) return filters;
  return filters.map((filter) =>
    filter.limit !== undefined && filter.limit > limitMax ? { ...filter, limit: limitMax } : filter
  );
}

function leadingZeroBits(id: string): number {
  const digits = /^0*/.exec(id)![0].length;
  const next = digits < id.length ? Math.clz32(Number.parseInt(id[digits]!, 16)) - 28 : 0;
  return digits * 4 + next;
}
