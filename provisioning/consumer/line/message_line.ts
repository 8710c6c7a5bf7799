/**
 * Asking providers by private messages. A request that moves money is in the book before it is sent,
 * as the very event: given again it is the same message, and its answer finds it also after a crash.
 */
import { messageOf, SeedmintError } from "../../../src/core/errors.ts";
import type { Clock, Random } from "../../../src/core/ports.ts";
import {
  buildPrivate,
  type NostrEvent,
  PrivateInbox,
  type PrivateKind,
  type PrivateMessage,
  type RelayPool,
  type SeenIds,
} from "../../../src/nostr/mod.ts";
import { pauseMs, within } from "../../provider/deadline.ts";
import { type Answer, buildRequest, type ProgressAnswer, readAnswer } from "../../wire/mod.ts";
import type { LeaseBook } from "../book/lease_book.ts";
import type { BookedLetter } from "../book/letter_table.ts";
import { LINE_LIMITS } from "../limits.ts";
import type {
  LineOptions,
  NamedRequest,
  ProviderAddress,
  ProviderLine,
  UnaskedAnswer,
} from "../ports.ts";
import {
  byOrder,
  type Expected,
  fingerprintOf,
  fits,
  isPassing,
  isUntouched,
  leaseOfRequest,
} from "./expectation.ts";
import { Turns } from "./turns.ts";

/** What a line of messages needs. */
export interface MessageLineOptions {
  /** Keeps what was asked, so that the same request is the same message after a crash. */
  readonly book: LeaseBook;
  readonly pool: Pick<RelayPool, "publish" | "subscribe" | "query">;
  /** 32 bytes. */
  readonly secretKey: Uint8Array;
  /** A file of its own: a provider with the same key has another. */
  readonly seen: SeenIds;
  readonly clock: Clock;
  readonly random: Random;
  /** How messages travel. By default NIP-17 to providers of ours, NIP-04 to those of Paygress. */
  readonly kindFor?: (to: ProviderAddress) => PrivateKind;
  readonly onProblem?: (message: string) => void;
}

/** Somebody who waits. */
interface Waiting extends Expected {
  readonly provider: string;
  readonly give: (answer: Answer) => void;
  readonly onProgress?: (progress: ProgressAnswer) => void;
}

/** Requests whose answers must not be lost. */
const KEPT: ReadonlySet<string> = new Set(["spawn", "topup", "stop"]);

/** A line of private messages; dispose of it to end it. */
export class MessageLine implements ProviderLine, AsyncDisposable {
  readonly #options: MessageLineOptions;
  readonly #inbox: PrivateInbox;
  readonly #waiting = new Set<Waiting>();
  readonly #listeners = new Set<(message: UnaskedAnswer) => void>();
  readonly #closing = new AbortController();
  /** Providers that do not know ids are asked one thing after the other. */
  readonly #turns = new Turns();

  private constructor(options: MessageLineOptions) {
    this.#options = options;
    this.#inbox = PrivateInbox.open({
      pool: options.pool,
      secretKey: options.secretKey,
      clock: options.clock,
      seen: options.seen,
      isWanted: (sender) => this.#isKnown(sender),
      onMessage: (message) => this.#receive(message),
      onProblem: (problem) => this.#report(problem),
    });
  }

  /** Begins to receive. */
  static open(options: MessageLineOptions): MessageLine {
    return new MessageLine(options);
  }

  async ask(to: ProviderAddress, request: NamedRequest, options: LineOptions): Promise<Answer> {
    if (this.#waiting.size >= LINE_LIMITS.pendingMax) {
      throw new SeedmintError(
        "busy",
        `Cannot ask a provider: ${LINE_LIMITS.pendingMax} questions are open; try again later`,
        { retryable: true },
      );
    }
    const signal = AbortSignal.any([options.signal, this.#closing.signal]);
    signal.throwIfAborted();
    const letter = KEPT.has(request.type) ? this.#letter(to, request, options) : undefined;
    const known = letter?.answer === undefined ? undefined : readAnswer(letter.answer);
    if (known !== undefined) {
      const isFinal = !isPassing(known) || (options.onlyOutcome === true && isUntouched(known));
      if (isFinal) return known;
    }
    const ask = () => this.#converse(to, request, { ...options, signal, isKnown: !!known });
    return await (to.isOurs ? ask() : this.#turns.take(to.provider, ask, { signal }));
  }

  onUnasked(listener: (message: UnaskedAnswer) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new DOMException("The line was closed", "AbortError"));
    await this.#inbox[Symbol.asyncDispose]();
    this.#listeners.clear();
  }

  /** The letter of a request, put into the book when it is new. */
  #letter(
    to: ProviderAddress,
    request: NamedRequest,
    options: Pick<LineOptions, "onlyOutcome">,
  ): BookedLetter | undefined {
    const { letters } = this.#options.book;
    const fingerprint = fingerprintOf(request);
    const known = letters.get(to.provider, request.requestId);
    if (known !== undefined && known.fingerprint !== fingerprint) {
      throw new SeedmintError(
        "conflict",
        `Cannot ask under id ${request.requestId}: it stands for another request already`,
      );
    }
    if (known?.event === undefined && options.onlyOutcome === true && !known?.answer) {
      throw new SeedmintError(
        "unavailable",
        "The provider was never asked, so there is no outcome",
      );
    }
    if (known !== undefined) return known;
    const lease = leaseOfRequest(request);
    letters.add({
      provider: to.provider,
      requestId: request.requestId,
      fingerprint,
      type: request.type,
      isOurs: to.isOurs,
      sentS: this.#nowS(),
      createdMs: this.#options.clock.nowMs(),
      ...(lease === undefined ? {} : { lease }),
    });
    return letters.get(to.provider, request.requestId);
  }

  async #converse(
    to: ProviderAddress,
    request: NamedRequest,
    options: LineOptions & { readonly isKnown: boolean },
  ): Promise<Answer> {
    const lease = leaseOfRequest(request);
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const waiting: Waiting = {
      provider: to.provider,
      requestId: request.requestId,
      type: request.type,
      isOurs: to.isOurs,
      sentS: this.#nowS(),
      give: resolve,
      ...(lease === undefined ? {} : { lease }),
      ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
    };
    this.#waiting.add(waiting);
    const state = { isTaken: false };
    const ms = options.timeoutMs ?? LINE_LIMITS.answerMs;
    const what = `The answer of provider ${to.provider.slice(0, 8)}…`;
    const stop = new AbortController();
    try {
      return await within(
        this.#options.clock,
        { ms, what, signal: options.signal },
        (signal) => {
          const until = AbortSignal.any([signal, stop.signal]);
          const sending = this.#send(to, request, { ...options, signal: until, state });
          return Promise.race([promise, sending]);
        },
      );
    } catch (error) {
      if (!(error instanceof SeedmintError) || error.code !== "timeout" || state.isTaken) {
        throw error;
      }
      throw new SeedmintError(
        "unavailable",
        "No relay took the request; check the connection and the relays",
        { retryable: true, cause: error },
      );
    } finally {
      // Who has the answer asks no more.
      stop.abort();
      this.#waiting.delete(waiting);
    }
  }

  /** Gives the request to relays until `signal` is aborted; only a request that cannot be is an error. */
  async #send(
    to: ProviderAddress,
    request: NamedRequest,
    options: LineOptions & { readonly isKnown: boolean; readonly state: { isTaken: boolean } },
  ): Promise<never> {
    const { pool, clock, book } = this.#options;
    const { signal } = options;
    const kept = KEPT.has(request.type)
      ? book.letters.get(to.provider, request.requestId)?.event
      : undefined;
    // What was answered once is asked anew: the provider has seen that message.
    let event = kept === undefined || options.isKnown ? undefined : JSON.parse(kept) as NostrEvent;
    let builtMs = clock.monotonicMs();
    let renewalCount = 0;
    for (let failureCount = 0;;) {
      if (event === undefined) {
        event = await this.#build(to, request);
        builtMs = clock.monotonicMs();
      }
      const report = await pool.publish(event, { signal, graceMs: 500 });
      if (report.acceptedCount === 0) {
        const range = { firstMs: LINE_LIMITS.publishFirstMs, lastMs: LINE_LIMITS.publishLastMs };
        await clock.sleep(pauseMs(failureCount++, range), { signal });
        continue;
      }
      options.state.isTaken = true;
      await clock.sleep(LINE_LIMITS.repeatMs, { signal });
      const isRenewed = to.isOurs && options.onlyOutcome !== true &&
        renewalCount < LINE_LIMITS.renewalsMax &&
        clock.monotonicMs() - builtMs >= LINE_LIMITS.renewMs;
      if (!isRenewed) continue;
      renewalCount++;
      event = undefined;
    }
  }

  async #build(to: ProviderAddress, request: NamedRequest): Promise<NostrEvent> {
    const { secretKey, clock, random, book, kindFor } = this.#options;
    const kind = kindFor?.(to) ?? (to.isOurs ? "nip17" : "nip04");
    const text = buildRequest(request);
    const { event } = await buildPrivate({ kind, recipient: to.provider, text }, {
      secretKey,
      clock,
      random,
    });
    if (KEPT.has(request.type)) {
      book.letters.seal(
        { provider: to.provider, requestId: request.requestId },
        JSON.stringify(event),
      );
    }
    return event;
  }

  /** What it throws makes the message come again. */
  #receive(message: PrivateMessage): void {
    const { sender: provider } = message;
    const answer = readAnswer(message.text);
    if (answer === undefined) return;
    if (answer.type === "notice") return this.#emit({ provider, answer });
    const target = this.#target(message, answer);
    if (answer.type === "progress") return target?.onProgress?.(answer);
    if (target === undefined) {
      const { requestId } = answer;
      return this.#emit({ provider, answer, ...(requestId === undefined ? {} : { requestId }) });
    }
    if (!fits(target, answer)) {
      return this.#report(
        `Provider ${provider.slice(0, 8)}… answered ${target.type} with ${answer.type}`,
      );
    }
    const { requestId } = target;
    if (KEPT.has(target.type)) {
      const { book } = this.#options;
      const letter = book.letters.get(provider, requestId);
      const known = letter?.answer === undefined ? undefined : readAnswer(letter.answer);
      // The first final answer stays, whatever is said later; but money that comes back does count.
      const isFinal = known !== undefined && !isPassing(known);
      if (!isFinal) {
        book.letters.answer({ provider, requestId }, message.text, { isFinal: !isPassing(answer) });
      }
    }
    if (target.give === undefined) this.#emit({ provider, answer, requestId });
    else target.give(answer);
  }

  #target(
    message: PrivateMessage,
    answer: Answer,
  ): (Expected & Partial<Pick<Waiting, "give" | "onProgress">>) | undefined {
    const { sender } = message;
    const waiting = [...this.#waiting].filter((one) => one.provider === sender);
    const { letters } = this.#options.book;
    if (answer.requestId !== undefined) {
      const { requestId } = answer;
      return waiting.find((one) => one.requestId === requestId) ?? letters.get(sender, requestId);
    }
    return byOrder<Expected & Partial<Pick<Waiting, "give" | "onProgress">>>(
      answer,
      message.sentAtS,
      { waiting, open: letters.openTo(sender), skewS: LINE_LIMITS.skewS },
    );
  }

  #isKnown(sender: string): boolean {
    for (const one of this.#waiting) if (one.provider === sender) return true;
    return this.#options.book.knows(sender);
  }

  #emit(message: UnaskedAnswer): void {
    for (const listener of this.#listeners) listener(message);
  }

  #nowS(): number {
    return Math.floor(this.#options.clock.nowMs() / 1000);
  }

  #report(problem: string): void {
    this.#options.onProblem?.(messageOf(problem));
  }
}
