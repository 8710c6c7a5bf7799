/**
 * Who takes how much: one account per peer for streams, requests, lookups and bytes, whichever data
 * path the bytes take, and the rate of the whole node.
 */
import { assert } from "../../src/core/assert.ts";
import type { Clock } from "../../src/core/ports.ts";
import { TokenBucket } from "../../src/core/token_bucket.ts";
import { DATA_FRAME_BYTES_MAX } from "../protocol/limits.ts";
import {
  BURST_BYTES_MIN,
  BURST_SECONDS,
  DISTRUSTED_MAX,
  DISTRUSTED_PER_PEER_MAX,
  IDLE_ACCOUNTS_MAX,
  KNOWN_PAYERS_SHARE,
  type ProviderLimits,
  RECEIPTS_BURST,
  RECEIPTS_PER_SECOND,
  REFUSALS_BURST,
  REFUSALS_PER_SECOND,
  SLICE_BYTES_MIN,
  SLICE_SECONDS,
} from "./limits.ts";

/** Every account, and what all peers share. */
export class Metering {
  readonly limits: ProviderLimits;
  readonly #clock: Clock;
  readonly #accounts = new Map<string, Account>();
  readonly #rate: TokenBucket | undefined;
  /** The most bytes to charge and send at once, so that a limited peer sees progress all the time. */
  readonly sliceBytes: number;
  /** Payments being checked. */
  readonly payments: Slots;
  /** Of these, how many are kept for who has paid before. */
  readonly keptPayments: number;
  /** The same, of peers that had some refused lately. */
  readonly distrusted: Slots;
  /** Answers that wait for a top-up. */
  readonly unpaid: Slots;
  #streamCount = 0;
  #requestCount = 0;

  constructor(
    options: {
      readonly limits: ProviderLimits;
      readonly clock: Clock;
      /** In place of one of its own. */
      readonly rate?: TokenBucket;
    },
  ) {
    this.limits = options.limits;
    const perSecond = Math.min(options.limits.bytesPerSecond, options.limits.bytesPerSecondPerPeer);
    this.sliceBytes = Math.max(
      SLICE_BYTES_MIN,
      Math.min(DATA_FRAME_BYTES_MAX, Math.floor(perSecond * SLICE_SECONDS)),
    );
    this.#clock = options.clock;
    this.#rate = options.rate ?? bytesBucket(options.limits.bytesPerSecond, options.clock);
    const { paymentsMax, paymentsPerPeerMax, unpaidMax, unpaidPerPeerMax } = options.limits;
    this.payments = new Slots({ max: paymentsMax, perPeerMax: paymentsPerPeerMax });
    this.keptPayments = Math.floor(paymentsMax * KNOWN_PAYERS_SHARE);
    this.distrusted = new Slots({ max: DISTRUSTED_MAX, perPeerMax: DISTRUSTED_PER_PEER_MAX });
    this.unpaid = new Slots({ max: unpaidMax, perPeerMax: unpaidPerPeerMax });
  }

  /** The account of `peerId`. */
  of(peerId: string): Account {
    let account = this.#accounts.get(peerId);
    if (account === undefined) {
      account = new Account(this.limits, this.#clock);
      this.#forgetIdle();
    } else {
      this.#accounts.delete(peerId);
    }
    this.#accounts.set(peerId, account);
    return account;
  }

  /** Counts a stream of `account`; false when that would be too many. */
  openStream(account: Account): boolean {
    if (this.#streamCount >= this.limits.streamsMax) return false;
    if (account.streamCount >= this.limits.streamsPerPeerMax) return false;
    this.#streamCount += 1;
    account.streamCount += 1;
    return true;
  }

  closeStream(account: Account): void {
    this.#streamCount -= 1;
    account.streamCount -= 1;
    assert(this.#streamCount >= 0 && account.streamCount >= 0, "streams close once");
  }

  /** Counts a want that is being answered; false when that would be too many. */
  openRequest(account: Account): boolean {
    if (this.#requestCount >= this.limits.requestsMax) return false;
    if (account.requestCount >= this.limits.requestsPerPeerMax) return false;
    this.#requestCount += 1;
    account.requestCount += 1;
    return true;
  }

  closeRequest(account: Account): void {
    this.#requestCount -= 1;
    account.requestCount -= 1;
    assert(this.#requestCount >= 0 && account.requestCount >= 0, "requests close once");
  }

  /**
   * Charges payload bytes that are about to be sent.
   *
   * @returns A promise to wait for before sending more, when a rate is reached. It rejects once
   * `signal` is aborted.
   */
  charge(account: Account, bytes: number, signal: AbortSignal): Promise<void> | undefined {
    account.sentBytes += bytes;
    const waitMs = Math.max(this.#rate?.take(bytes) ?? 0, account.takeBytes(bytes));
    return waitMs > 0 ? this.#clock.sleep(waitMs, { signal }) : undefined;
  }

  /** As {@link charge}, for blobs that are looked up. */
  chargeLookups(account: Account, count: number, signal: AbortSignal): Promise<void> | undefined {
    const waitMs = account.takeLookups(count);
    return waitMs > 0 ? this.#clock.sleep(waitMs, { signal }) : undefined;
  }

  /** As {@link charge}, for one receipt. */
  chargeReceipt(account: Account, signal: AbortSignal): Promise<void> | undefined {
    const waitMs = account.takeReceipt();
    return waitMs > 0 ? this.#clock.sleep(waitMs, { signal }) : undefined;
  }

  /** Drops the account that was idle longest, once there are too many. */
  #forgetIdle(): void {
    if (this.#accounts.size < IDLE_ACCOUNTS_MAX + this.limits.streamsMax) return;
    for (const [peerId, account] of this.#accounts) {
      if (account.streamCount > 0 || account.requestCount > 0) continue;
      this.#accounts.delete(peerId);
      return;
    }
  }
}

/** How many of one kind of work are under way, over all peers and of each. */
export class Slots {
  readonly #options: { readonly max: number; readonly perPeerMax: number };
  readonly #counts = new Map<Account, number>();
  #count = 0;

  constructor(options: { readonly max: number; readonly perPeerMax: number }) {
    this.#options = options;
  }

  /** Takes one for `account`; false when that would be too many, or leave fewer than `keptCount`. */
  open(account: Account, keptCount = 0): boolean {
    const count = this.#counts.get(account) ?? 0;
    if (this.#count >= this.#options.max - keptCount || count >= this.#options.perPeerMax) {
      return false;
    }
    this.#count += 1;
    this.#counts.set(account, count + 1);
    return true;
  }

  /** Gives back what {@link open} took. */
  close(account: Account): void {
    const count = this.#counts.get(account);
    assert(count !== undefined && this.#count > 0, "a slot is given back once");
    this.#count -= 1;
    if (count === 1) this.#counts.delete(account);
    else this.#counts.set(account, count - 1);
  }
}

/** What one peer has open and took. */
export class Account {
  streamCount = 0;
  requestCount = 0;
  sentBytes = 0;
  /** Whether a payment of it was credited lately. */
  hasPaid = false;
  readonly #rate: TokenBucket | undefined;
  readonly #lookups: TokenBucket;
  readonly #refusals: TokenBucket;
  readonly #receipts: TokenBucket;

  constructor(limits: ProviderLimits, clock: Clock) {
    this.#rate = bytesBucket(limits.bytesPerSecondPerPeer, clock);
    const perSecond = limits.lookupsPerSecondPerPeer;
    this.#lookups = new TokenBucket({ perSecond, burst: perSecond, clock });
    this.#refusals = new TokenBucket({
      perSecond: REFUSALS_PER_SECOND,
      burst: REFUSALS_BURST,
      clock,
    });
    this.#receipts = new TokenBucket({
      perSecond: RECEIPTS_PER_SECOND,
      burst: RECEIPTS_BURST,
      clock,
    });
  }

  /** Milliseconds until the next payment of a peer that had some refused may be checked. */
  get distrustMs(): number {
    return this.#refusals.take(0);
  }

  /** Counts a payment that was refused for what it was. */
  refusePayment(): void {
    this.#refusals.take(1);
  }

  /** Milliseconds to wait after asking for a receipt. */
  takeReceipt(): number {
    return this.#receipts.take(1);
  }

  /** Milliseconds to wait after taking `count` bytes. */
  takeBytes(count: number): number {
    return this.#rate?.take(count) ?? 0;
  }

  /** Milliseconds to wait after `count` lookups. */
  takeLookups(count: number): number {
    return this.#lookups.take(count);
  }
}

function bytesBucket(perSecond: number, clock: Clock): TokenBucket | undefined {
  if (perSecond === Infinity) return undefined;
  const burst = Math.max(BURST_BYTES_MIN, perSecond * BURST_SECONDS);
  return new TokenBucket({ perSecond, burst, clock });
}
