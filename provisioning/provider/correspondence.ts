/**
 * Answers private messages: each request once, in the way it came, with one message; on the way more
 * only for those who asked for it. A letter is in the journal before anything is done about it.
 */
import { messageOf } from "../../src/core/errors.ts";
import type { Clock, Random } from "../../src/core/ports.ts";
import {
  type InboxStatus,
  PrivateInbox,
  type PrivateMessage,
  type RelayPool,
  type SeenIds,
} from "../../src/nostr/mod.ts";
import type { Lease, LeaseJournal, Letter } from "../leases/mod.ts";
import { type Answer, buildAnswer, readAnswer, readRequest, type Request } from "../wire/mod.ts";
import { KeyRates } from "./key_rates.ts";
import { Lanes } from "./lanes.ts";
import { PROVIDER_LIMITS } from "./limits.ts";
import { Notices } from "./notices.ts";
import { Outbox } from "./outbox.ts";
import type { Provider } from "./provider.ts";

/** What a correspondence needs. */
export interface CorrespondenceOptions {
  readonly provider: Pick<Provider, "ask" | "onEvent" | "leases" | "status">;
  readonly journal: LeaseJournal;
  readonly pool: Pick<RelayPool, "publish" | "subscribe" | "query">;
  /** 32 bytes. */
  readonly secretKey: Uint8Array;
  readonly seen: SeenIds;
  readonly clock: Clock;
  readonly random: Random;
  /** Told what failed, in one line without anything secret. */
  readonly onProblem?: (message: string) => void;
}

/** The correspondence of a provider; dispose of it to end it. Letters without an answer wait. */
export class Correspondence implements AsyncDisposable {
  readonly #options: CorrespondenceOptions;
  readonly #outbox: Outbox;
  readonly #notices: Notices;
  readonly #inbox: PrivateInbox;
  readonly #closing = new AbortController();
  readonly #answering = new Lanes({ countMax: PROVIDER_LIMITS.answeringMax });
  readonly #complaints: KeyRates;
  readonly #running = new Set<Promise<void>>();

  private constructor(options: CorrespondenceOptions) {
    this.#options = options;
    this.#complaints = new KeyRates({
      perSecond: PROVIDER_LIMITS.complaintsPerSecond,
      burst: PROVIDER_LIMITS.complaintsBurst,
      clock: options.clock,
    });
    this.#outbox = new Outbox({ ...options, onProblem: (message) => this.#report(message) });
    this.#notices = new Notices({ ...options, onNotice: () => this.#outbox.wake() });
    this.#track(this.#outbox.run(this.#closing.signal));
    this.#track(this.#notices.run(this.#closing.signal));
    for (const letter of options.journal.post.unanswered()) this.#take(letter);
    this.#inbox = PrivateInbox.open({
      pool: options.pool,
      secretKey: options.secretKey,
      clock: options.clock,
      seen: options.seen,
      onMessage: (message) => this.#receive(message),
      onProblem: (problem) => this.#report(problem),
    });
  }

  /** Answers what was left open, and receives. */
  static open(options: CorrespondenceOptions): Correspondence {
    return new Correspondence(options);
  }

  /** What came so far. */
  status(): InboxStatus {
    return this.#inbox.status();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new DOMException("The correspondence was ended", "AbortError"));
    this.#notices[Symbol.dispose]();
    await this.#inbox[Symbol.asyncDispose]();
    await Promise.allSettled(this.#running);
  }

  #receive(message: PrivateMessage): void {
    const { journal, clock } = this.#options;
    // A node that rents, too, has one key: what answers its own requests is none to us. Only receipts
    // are offered and given in one form.
    const answer = readAnswer(message.text);
    if (answer !== undefined && answer.type !== "receipt") return;
    const reading = readRequest(message.text);
    const letter: Letter = {
      id: message.id,
      sender: message.sender,
      channel: message.kind,
      text: message.text,
      sentAtS: message.sentAtS,
    };
    if (reading.ok) {
      if (journal.post.receive(letter, clock.nowMs())) this.#take(letter);
      return;
    }
    // Chatter is met with silence; what was meant as a request deserves a word, now and then.
    if (!message.text.trimStart().startsWith("{")) return;
    if (!this.#complaints.admits(message.sender)) return;
    if (!journal.post.receive({ ...letter, text: "" }, clock.nowMs())) return;
    const { problem, requestId } = reading;
    this.#send(letter, {
      type: "error",
      error: "invalid_request",
      message: problem,
      ...(requestId === undefined ? {} : { requestId }),
    });
  }

  #take(letter: Letter): void {
    const { signal } = this.#closing;
    this.#track(this.#answering.run(() => this.#answer(letter), { signal }));
  }

  async #answer(letter: Letter): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#closing;
    const reading = readRequest(letter.text);
    // Only requests were kept.
    if (!reading.ok) return void this.#send(letter, undefined);
    for (let attempt = 1;; attempt++) {
      try {
        return this.#send(letter, await this.#ask(letter, reading.request));
      } catch (error) {
        signal.throwIfAborted();
        this.#report(`A request cannot be answered: ${messageOf(error)}`);
        if (attempt >= PROVIDER_LIMITS.answerAttemptsMax) break;
        await clock.sleep(PROVIDER_LIMITS.retryFirstMs * 2 ** attempt, { signal });
      }
    }
    const { requestId } = reading.request;
    this.#send(letter, {
      type: "error",
      error: "backend_error",
      message: "The provider has trouble of its own; ask again under the same request id",
      retryMs: 60_000,
      ...(requestId === undefined ? {} : { requestId }),
    });
  }

  async #ask(letter: Letter, request: Request): Promise<Answer> {
    let lastMs = -Infinity;
    let lastState: string | undefined;
    return await this.#options.provider.ask(letter.sender, request, {
      signal: this.#closing.signal,
      messageId: letter.id,
      sentAtMs: letter.sentAtS * 1000,
      channel: letter.channel,
      onState: (lease: Lease) => {
        const nowMs = this.#options.clock.monotonicMs();
        const isSoon = nowMs - lastMs < PROVIDER_LIMITS.progressMs;
        if (lease.state === lastState || isSoon || lease.readyMs !== undefined) return;
        lastMs = nowMs;
        lastState = lease.state;
        this.#progress(letter, request, lease);
      },
    });
  }

  #progress(letter: Letter, request: Request, lease: Lease): void {
    const { requestId } = request;
    const text = buildAnswer({
      type: "progress",
      state: lease.state,
      ...(requestId === undefined ? {} : { requestId }),
    });
    const { journal, clock } = this.#options;
    journal.post.send({ recipient: letter.sender, channel: letter.channel, text }, clock.nowMs());
    this.#outbox.wake();
  }

  #send(letter: Letter, answer: Answer | undefined): void {
    const { journal, clock } = this.#options;
    journal.post.answer(letter, answer && buildAnswer(answer), clock.nowMs());
    this.#outbox.wake();
  }

  #track(work: Promise<void>): void {
    const tracked = work.catch((error) => {
      if (!this.#closing.signal.aborted) this.#report(messageOf(error));
    }).finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }

  #report(message: string): void {
    this.#options.onProblem?.(message);
  }
}
