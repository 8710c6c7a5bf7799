/**
 * Where requests are answered, however they came: each once, by the rate of its key, to its owner only.
 *
 *     known already? -> the same answer
 *     denied, too many -> refused
 *     new -> noted under (owner, key) -> done -> the answer noted
 */
import type { Lease } from "../leases/mod.ts";
import {
  type Answer,
  type ErrorAnswer,
  leaseNumberOf,
  type ReceiptRequest,
  type Request,
} from "../wire/mod.ts";
import { leaseSummary, statusAnswer } from "./answers.ts";
import type { ProviderContext } from "./context.ts";
import { InsideDesk } from "./inside.ts";
import { KeyRates } from "./key_rates.ts";
import { PROVIDER_LIMITS } from "./limits.ts";
import { quote } from "./quote.ts";
import { Refusal, refusalAnswer } from "./refusal.ts";
import type { LeaseRunner } from "./runner.ts";
import { type AskContext, fingerprintOf, SpawnDesk } from "./spawn.ts";
import type { TopUpDesk } from "./top_up.ts";

/** Options of {@link Desk.ask}. */
export interface AskOptions {
  readonly signal?: AbortSignal;
  /** What the message itself is known by: a request without an id is done once for each. */
  readonly messageId?: string;
  /** When it was written, in milliseconds since 1970; without it it was written just now. */
  readonly sentAtMs?: number;
  readonly channel?: "nip04" | "nip17";
  /** Called while a lease is on its way; only requests that want progress call it. */
  readonly onState?: (lease: Lease) => void;
}

/** Requests that change something, or cost something: done once for each key. */
const ONCE: ReadonlySet<Request["type"]> = new Set(["spawn", "topup", "stop", "restart", "exec"]);

/** Leases in one answer. */
const LEASES_SHOWN = 20;

/** The desk of a provider. */
export class Desk {
  readonly #context: ProviderContext;
  readonly #spawns: SpawnDesk;
  readonly #topUps: TopUpDesk;
  readonly #inside: InsideDesk;
  readonly #rates: KeyRates;
  /** Requests being answered, by owner and key. */
  readonly #running = new Map<string, { fingerprint: string; answer: Promise<Answer> }>();

  constructor(context: ProviderContext, runner: LeaseRunner, topUps: TopUpDesk) {
    this.#context = context;
    this.#spawns = new SpawnDesk(context, runner);
    this.#topUps = topUps;
    this.#inside = new InsideDesk(context, runner);
    this.#rates = new KeyRates({
      perSecond: PROVIDER_LIMITS.perKeyPerSecond,
      burst: PROVIDER_LIMITS.perKeyBurst,
      clock: context.clock,
    });
  }

  /**
   * Answers a request of `owner`, whose key is proven. Never throws for what was asked.
   *
   * @throws `signal.reason`; {@link SeedmintError} `storage` if the journal cannot be written.
   */
  async ask(owner: string, request: Request, options: AskOptions = {}): Promise<Answer> {
    const signal = options.signal === undefined
      ? this.#context.signal
      : AbortSignal.any([options.signal, this.#context.signal]);
    signal.throwIfAborted();
    // A step of the wall clock moves the ends of leases: it is noticed before they are read.
    this.#context.time.nowMs();
    const answer = await this.#answer(owner, request, { ...options, signal });
    const { requestId } = request;
    return requestId === undefined ? answer : { ...answer, requestId };
  }

  async #answer(
    owner: string,
    request: Request,
    options: AskOptions & { readonly signal: AbortSignal },
  ): Promise<Answer> {
    if (!this.#rates.admits(owner)) {
      return {
        type: "error",
        error: "rate_limited",
        message: "This key asks too often",
        retryMs: PROVIDER_LIMITS.perKeyBurst * 1000 / PROVIDER_LIMITS.perKeyPerSecond,
      };
    }
    const key = keyOf(request, options);
    const ask: AskContext = {
      owner,
      signal: options.signal,
      ...(key === undefined ? {} : { key }),
      ...(options.channel === undefined ? {} : { channel: options.channel }),
      ...(options.sentAtMs === undefined ? {} : { sentAtMs: options.sentAtMs }),
      ...(options.onState === undefined || request.wantsProgress !== true
        ? {}
        : { onState: options.onState }),
    };
    return key === undefined
      ? await this.#guarded(() => this.#serve(request, ask), options.signal)
      : await this.#once(request, { ...ask, key });
  }

  /** One request under one key is served once; whoever asks again gets the same answer. */
  async #once(request: Request, ask: AskContext & { readonly key: string }): Promise<Answer> {
    const { owner, key } = ask;
    const { journal, time } = this.#context;
    const fingerprint = fingerprintOf(request);
    const runningKey = `${owner} ${key}`;
    const running = this.#running.get(runningKey);
    if (running !== undefined) {
      return running.fingerprint === fingerprint ? await running.answer : wrongKey();
    }
    const known = journal.asks.get(owner, key);
    if (known !== undefined && known.fingerprint !== fingerprint) return wrongKey();
    if (known?.answer !== undefined) return JSON.parse(known.answer) as Answer;
    if (known !== undefined && (known.type === "exec" || known.type === "restart")) {
      return {
        type: "error",
        error: "not_ready",
        message:
          "The provider stopped in the middle; it may have been done or not. Look, then ask anew",
      };
    }
    journal.asks.begin(owner, key, { fingerprint, type: request.type, nowMs: time.nowMs() });
    const answer = this.#serveOnce(request, ask);
    this.#running.set(runningKey, { fingerprint, answer });
    try {
      return await answer;
    } finally {
      this.#running.delete(runningKey);
    }
  }

  async #serveOnce(request: Request, ask: AskContext & { readonly key: string }): Promise<Answer> {
    // Others may wait for this answer, so only the provider's own end ends it.
    const { signal, journal } = this.#context;
    const answer = await this.#guarded(() => this.#serve(request, { ...ask, signal }), signal);
    // What is under way still is asked for again; what a lease tells is told by it.
    const isOpen = answer.type === "error" && answer.retryMs !== undefined &&
      request.type !== "spawn";
    const lease = journal.asks.get(ask.owner, ask.key)?.lease;
    if (lease === undefined && !isOpen) {
      journal.asks.answer(ask.owner, ask.key, JSON.stringify(answer));
    } else if (request.type === "exec" || request.type === "restart") {
      journal.asks.forget(ask.owner, ask.key);
    }
    return answer;
  }

  async #guarded(work: () => Promise<Answer>, signal: AbortSignal): Promise<Answer> {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      const answer = refusalAnswer(error);
      if (answer === undefined) throw error;
      return answer;
    }
  }

  async #serve(request: Request, ask: AskContext): Promise<Answer> {
    const { owner, signal } = ask;
    const refundKey = "refundKey" in request ? request.refundKey : undefined;
    if (refundKey !== undefined && this.#context.till.canLockTo?.(refundKey) === false) {
      throw new Refusal("invalid_request", "refund_pubkey is no key; nothing was taken or ended");
    }
    switch (request.type) {
      case "spawn":
        return await this.#spawns.spawn(request, ask);
      case "topup":
        return await this.#topUps.topUp(request, this.#lease(request.lease, owner, "topup"), ask);
      case "status":
        return statusAnswer(this.#lease(request.lease, owner, "status"), this.#context);
      case "quote":
        return quote(request, owner, this.#context);
      case "stop":
        return await this.#inside.stop(this.#lease(request.lease, owner, "stop"), {
          signal,
          ...(request.refundKey === undefined ? {} : { refundKey: request.refundKey }),
        });
      case "restart":
        return await this.#inside.restart(this.#lease(request.lease, owner, "restart"), { signal });
      case "logs":
        return await this.#inside.logs(this.#lease(request.lease, owner, "logs"), request, {
          signal,
        });
      case "exec":
        return await this.#inside.exec(this.#lease(request.lease, owner, "exec"), request, {
          signal,
        });
      case "leases":
        return this.#leases(owner);
      case "receipt":
        return await this.#receipt(request, owner, signal);
      default:
        return request satisfies never;
    }
  }

  /** A lease of the owner. Whether there is one of somebody else is told to nobody. */
  #lease(name: string, owner: string, type: Request["type"]): Lease {
    const number = leaseNumberOf(name);
    if (number === undefined) {
      throw new Refusal(
        type === "status" ? "not_found" : "invalid_pod_id",
        "A lease is called container-<number>",
      );
    }
    const lease = this.#context.journal.leases.get(number);
    if (lease?.owner !== owner) throw new Refusal("not_found", "This key has no such lease here");
    return lease;
  }

  #leases(owner: string): Answer {
    const leases = this.#context.journal.leases.ofOwner(owner, { countMax: LEASES_SHOWN + 1 });
    return {
      type: "leases",
      leases: leases.slice(0, LEASES_SHOWN).map((lease) => leaseSummary(lease, this.#context)),
      isTruncated: leases.length > LEASES_SHOWN,
    };
  }

  async #receipt(request: ReceiptRequest, owner: string, signal: AbortSignal): Promise<Answer> {
    const { receipts, provider } = this.#context;
    const [key, name] = request.leaseId.split(":");
    if (receipts === undefined || key !== provider || name === undefined) {
      throw new Refusal("not_found", "There is no receipt of this lease here");
    }
    return await receipts.answer(request, this.#lease(name, owner, "receipt"), { signal });
  }
}

function keyOf(request: Request, options: AskOptions): string | undefined {
  if (!ONCE.has(request.type)) return undefined;
  if (request.requestId !== undefined) return `r:${request.requestId}`;
  // The token tells one payment from another; the rest is told apart by its message.
  if (request.type === "spawn" || request.type === "topup") return undefined;
  return options.messageId === undefined ? undefined : `m:${options.messageId}`;
}

function wrongKey(): ErrorAnswer {
  return {
    type: "error",
    error: "invalid_request",
    message: "This request_id stands for another request already; choose a new one",
  };
}
