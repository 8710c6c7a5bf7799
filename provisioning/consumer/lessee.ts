/** A lessee: finds, pays, uses and ends leases, and loses no money on the way. */
import type { Clock, Random } from "../../src/core/ports.ts";
import type { Purse } from "../ports.ts";
import type {
  ErrorAnswer,
  ExecAnswer,
  LogsAnswer,
  ReceiptAnswer,
  RestartAnswer,
} from "../wire/mod.ts";
import type { BookedLease, KeepAlive } from "./book/lease.ts";
import type { LeaseBook } from "./book/lease_book.ts";
import type { Market } from "./market/market.ts";
import type { LeaseReceipts, ProviderLine, SshKeyPlace } from "./ports.ts";
import type { Quote } from "./quote.ts";
import type {
  LeaseAccount,
  LeaseWish,
  LesseeEvent,
  SpawnWish,
  Stopped,
  ToppedUp,
  TopUpWish,
  WishOptions,
} from "./wishes.ts";

/** What a lessee is made of. */
export interface LesseeOptions {
  /** Our Nostr key, 64 hex digits. */
  readonly owner: string;
  readonly book: LeaseBook;
  readonly market: Market;
  readonly line: ProviderLine;
  readonly purse: Purse;
  readonly sshKey: SshKeyPlace;
  readonly receipts?: LeaseReceipts;
  readonly clock: Clock;
  readonly random: Random;
}

/** A lessee at work; dispose of it to stop it. What is open goes on when it is opened again. */
export class Lessee implements AsyncDisposable {
  private constructor(_options: LesseeOptions) {
  }

  /** Takes up what the book has open. */
  static open(_options: LesseeOptions): Lessee {
    throw new Error("not yet");
  }

  /** What a lease would cost. Nothing is begun. @throws {SeedmintError} */
  quote(_wish: LeaseWish, _options: { readonly signal: AbortSignal }): Promise<Quote> {
    throw new Error("not yet");
  }

  /** What a lease would cost with each provider that fits, the cheapest first. */
  quotes(
    _wish: LeaseWish,
    _options: { readonly signal: AbortSignal; readonly countMax?: number },
  ): Promise<readonly Quote[]> {
    throw new Error("not yet");
  }

  /**
   * Rents. Resolves once the lease is live.
   *
   * @throws {SeedmintError} `payment-required` if the purse declined, `denied` if the provider did,
   * `timeout` if it does not answer, … The message says where the money is.
   */
  spawn(_wish: SpawnWish, _options: WishOptions): Promise<BookedLease> {
    throw new Error("not yet");
  }

  /** @throws {SeedmintError} As {@link spawn}. */
  topUp(_lease: string, _wish: TopUpWish, _options: WishOptions): Promise<ToppedUp> {
    throw new Error("not yet");
  }

  /** Asks the provider how the lease is doing, and notes it. @throws {SeedmintError} */
  status(_lease: string, _options: { readonly signal: AbortSignal }): Promise<BookedLease> {
    throw new Error("not yet");
  }

  /** What it printed last, control characters included. @throws {SeedmintError} */
  logs(
    _lease: string,
    _options: { readonly signal: AbortSignal; readonly lineCount?: number },
  ): Promise<LogsAnswer> {
    throw new Error("not yet");
  }

  /** Runs a command inside; its output may hold control characters. @throws {SeedmintError} */
  exec(
    _lease: string,
    _command: readonly string[],
    _options: { readonly signal: AbortSignal; readonly timeoutMs?: number },
  ): Promise<ExecAnswer> {
    throw new Error("not yet");
  }

  /** @throws {SeedmintError} */
  restart(_lease: string, _options: { readonly signal: AbortSignal }): Promise<RestartAnswer> {
    throw new Error("not yet");
  }

  /** Ends a lease and takes in what is paid back. @throws {SeedmintError} */
  stop(_lease: string, _options: { readonly signal: AbortSignal }): Promise<Stopped> {
    throw new Error("not yet");
  }

  /** Keeps a lease alive from now on, or no more. @throws {SeedmintError} */
  keepAlive(_lease: string, _keepAlive: KeepAlive | undefined): BookedLease {
    throw new Error("not yet");
  }

  /** Leases in the book, newest first; by default those that are not over. */
  leases(_options: { readonly all?: boolean } = {}): readonly BookedLease[] {
    throw new Error("not yet");
  }

  /**
   * The lease that is meant by its id, a unique beginning of it, its name with the provider, or its id
   * everywhere.
   *
   * @throws {SeedmintError} `not-found`, or `usage` if several are meant.
   */
  lease(_name: string): BookedLease {
    throw new Error("not yet");
  }

  /** All about a lease. @throws {SeedmintError} As {@link lease}. */
  account(_name: string): LeaseAccount {
    throw new Error("not yet");
  }

  /**
   * Compares the book with what providers say, and takes up leases of ours that it lacks: of those we
   * had to do with, or of all that are on the market.
   *
   * @returns Leases that were found, or found to be over; and providers that did not answer.
   */
  sync(
    _options: { readonly signal: AbortSignal; readonly isWide?: boolean },
  ): Promise<{
    readonly found: readonly BookedLease[];
    readonly over: readonly BookedLease[];
    readonly silent: readonly string[];
  }> {
    throw new Error("not yet");
  }

  /** Asks for the receipt of a lease, or offers ours for co-signing. @throws {SeedmintError} */
  receipt(
    _lease: string,
    _receipt: Readonly<Record<string, unknown>> | undefined,
    _options: { readonly signal: AbortSignal },
  ): Promise<ReceiptAnswer | ErrorAnswer> {
    throw new Error("not yet");
  }

  /** Calls `listener` for each event until the returned function is called. */
  onEvent(_listener: (event: LesseeEvent) => void): () => void {
    throw new Error("not yet");
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
