/**
 * The session with one seller, and how it changes:
 *
 *     none ── terms of the advert, or of `payment-required` ──> opening ──> open ──┐
 *       ^                                                          │  ^            │ other terms
 *       └──────────────── declined: ask without paying <───────────┘  └────────────┘
 */
import type { Hash } from "../../src/core/hash.ts";
import type { Payer, PaymentTerms, PayRequest, ReceiptBook } from "../ports.ts";
import type { Cancellation } from "./cancellation.ts";
import { unpaid } from "./failure.ts";
import { GuardedSession, type Refusals } from "./guarded_session.ts";
import { SESSIONS_MAX } from "./limits.ts";
import { sameTerms } from "./terms.ts";
import type { Open } from "./ticket.ts";
import type { Turns } from "./turns.ts";

/** How a source pays. */
export interface PaySettings {
  readonly payer: Payer;
  /** What the fetch as a whole is for: the blob, or the collection that it is part of. */
  readonly subject: Hash;
  /** Content that may be bought of this peer, in bytes, as far as it is known when it is asked. */
  readonly bytesMax?: number | (() => number | undefined);
  /** Asks for a receipt at the end. @default none is asked for */
  readonly receipts?: ReceiptBook;
}

/** Options of {@link Sessions}. */
export interface SessionsOptions {
  readonly settings: PaySettings;
  readonly peerId: string;
  /** Terms that may be paid ahead. */
  readonly advertised: PaymentTerms | undefined;
  /** See {@link PayRequest}. */
  readonly beforePaying: (() => void) | undefined;
  /** Whoever pays has the turn: then no session is replaced. */
  readonly turns: Turns;
  /** Aborted when none is to be opened any more. */
  readonly signal: AbortSignal;
  /** Called before a session is replaced. */
  readonly onReplace: () => void;
  /** Called when a payment of the open session falls due. */
  readonly onDue: () => void;
}

/** See the head of this file. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #refusals: Refusals = { count: 0, code: "" };
  #opening: Promise<void> | undefined;
  #openedCount = 0;
  #open: Open | undefined;
  #stopDue: (() => void) | undefined;
  #declined: { readonly terms: PaymentTerms; readonly reason: string } | undefined;

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** The session that is open. */
  get open(): Open | undefined {
    return this.#open;
  }

  /** Opens one on the advertised terms, once. */
  begin(): void {
    const { advertised } = this.#options;
    if (advertised !== undefined && this.#opening === undefined) this.#reopen(advertised);
  }

  /** Waits until none is being opened. */
  async ready(cancel: Cancellation): Promise<void> {
    let seen: Promise<void> | undefined;
    while (seen !== this.#opening) {
      seen = this.#opening;
      if (seen !== undefined) await cancel.wait(seen);
    }
  }

  /**
   * Resolves once one is open on `terms`.
   *
   * @throws {SeedmintError} `payment-required` if the payer does not agree.
   */
  async agree(terms: PaymentTerms, cancel: Cancellation): Promise<void> {
    await this.ready(cancel);
    const isOpen = () => this.#open !== undefined && sameTerms(this.#open.terms, terms);
    if (isOpen()) return;
    const declined = this.#declined;
    if (declined === undefined || !sameTerms(declined.terms, terms)) {
      if (this.#openedCount >= SESSIONS_MAX) {
        throw unpaid("it changes its price again and again", terms.priceMsatPerMiB);
      }
      this.#reopen(terms);
      await this.ready(cancel);
    }
    if (!isOpen()) {
      const reason = this.#declined?.reason ?? "its price changed meanwhile";
      throw unpaid(reason, terms.priceMsatPerMiB);
    }
  }

  /** Tells of no more that falls due. */
  silence(): void {
    this.#stopDue?.();
    this.#stopDue = undefined;
  }

  /** Resolves once none is being opened any more. */
  async settled(): Promise<void> {
    await this.#opening;
  }

  /** Ends the open one. Never throws. */
  async close(): Promise<void> {
    this.silence();
    const open = this.#open;
    this.#open = undefined;
    await open?.session[Symbol.asyncDispose]();
  }

  #reopen(terms: PaymentTerms): void {
    this.#openedCount += 1;
    const before = this.#opening ?? Promise.resolve();
    this.#opening = before.then(() => this.#replace(terms));
  }

  /** Never throws. */
  async #replace(terms: PaymentTerms): Promise<void> {
    const { turns, signal, onReplace } = this.#options;
    // A payment on its way is answered to the session that made it.
    using _turn = await turns.take();
    onReplace();
    await this.close();
    if (signal.aborted) return;
    try {
      await this.#openOn(terms);
    } catch {
      // Its words may hold what nobody else should read.
      this.#declined = { terms, reason: "the wallet failed" };
    }
  }

  async #openOn(terms: PaymentTerms): Promise<void> {
    const { settings: { payer, subject, bytesMax }, peerId, signal, onDue } = this.#options;
    const { beforePaying } = this.#options;
    const bytes = typeof bytesMax === "function" ? bytesMax() : bytesMax;
    const request: PayRequest = {
      peerId,
      subject,
      terms,
      ...(bytes === undefined ? {} : { bytesMax: bytes }),
      ...(beforePaying === undefined ? {} : { beforePaying }),
    };
    const answer = await payer.open(request, { signal });
    if (answer.status === "declined") {
      this.#declined = { terms, reason: answer.reason };
      return;
    }
    const session = new GuardedSession(answer.session, this.#refusals);
    if (signal.aborted) return await session[Symbol.asyncDispose]();
    this.#declined = undefined;
    this.#open = { session, terms };
    this.#stopDue = session.onDue(onDue);
  }
}
