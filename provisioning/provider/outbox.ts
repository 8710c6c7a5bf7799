/**
 * Gives messages to relays until one has them. A message becomes an event once; that event is published
 * again and again, also after a crash, so its recipient gets one message.
 */
import { isSeedmintError, messageOf } from "../../src/core/errors.ts";
import type { Clock, Random } from "../../src/core/ports.ts";
import { buildPrivate, type NostrEvent, type RelayPool } from "../../src/nostr/mod.ts";
import type { Dispatch, LeaseJournal } from "../leases/mod.ts";
import { pauseMs } from "./deadline.ts";
import { Lanes } from "./lanes.ts";
import { PROVIDER_LIMITS } from "./limits.ts";

/** What the outbox needs. */
export interface OutboxOptions {
  readonly journal: LeaseJournal;
  readonly pool: Pick<RelayPool, "publish">;
  /** 32 bytes. */
  readonly secretKey: Uint8Array;
  readonly clock: Clock;
  readonly random: Random;
  readonly onProblem: (message: string) => void;
}

/** Messages looked at together. */
const PAGE = 64;

/** The outbox of a provider. */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #lanes = new Lanes({ countMax: PROVIDER_LIMITS.postingMax });
  #wake: () => void = () => {};
  #isWoken = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** There is something new. */
  wake(): void {
    this.#isWoken = true;
    this.#wake();
  }

  /** Works until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    let lastSerial = 0;
    let failedRounds = 0;
    while (!signal.aborted) {
      this.#isWoken = false;
      try {
        const round = await this.#round(lastSerial, signal);
        const isWhole = lastSerial === 0;
        lastSerial = Math.max(lastSerial, round.lastSerial);
        if (isWhole) failedRounds = round.failedCount === 0 ? 0 : failedRounds + 1;
        else if (round.failedCount > 0) failedRounds = Math.max(1, failedRounds);
      } catch (error) {
        if (signal.aborted) return;
        failedRounds++;
        this.#options.onProblem(`Messages cannot be sent: ${messageOf(error)}`);
      }
      // What failed goes again after a pause, what is new at once.
      if (await this.#pause(failedRounds, signal) === "late") lastSerial = 0;
    }
  }

  async #round(afterSerial: number, signal: AbortSignal) {
    let lastSerial = afterSerial;
    let failedCount = 0;
    for (;;) {
      const page = this.#options.journal.post.outbox({ countMax: PAGE, afterSerial: lastSerial });
      if (page.length === 0) return { lastSerial, failedCount };
      const sent = await Promise.all(
        page.map((dispatch) => this.#lanes.run(() => this.#post(dispatch, signal), { signal })),
      );
      failedCount += sent.filter((isSent) => !isSent).length;
      lastSerial = page.at(-1)!.serial;
    }
  }

  /** @returns Whether it is out of the way. */
  async #post(dispatch: Dispatch, signal: AbortSignal): Promise<boolean> {
    const { journal, pool, clock } = this.#options;
    try {
      const event = dispatch.event === undefined
        ? await this.#seal(dispatch)
        : JSON.parse(dispatch.event) as NostrEvent;
      const report = await pool.publish(event, { signal, graceMs: 500 });
      if (report.acceptedCount > 0) {
        journal.post.remove(dispatch.serial);
        return true;
      }
    } catch (error) {
      signal.throwIfAborted();
      this.#options.onProblem(`An answer cannot be sent: ${messageOf(error)}`);
      if (isSeedmintError(error, "invalid")) {
        journal.post.remove(dispatch.serial);
        return true;
      }
    }
    if (clock.nowMs() - dispatch.createdMs < PROVIDER_LIMITS.postMs) return false;
    journal.post.remove(dispatch.serial);
    return true;
  }

  async #seal(dispatch: Dispatch): Promise<NostrEvent> {
    const { secretKey, clock, random, journal } = this.#options;
    const { recipient, channel, text } = dispatch;
    const { event } = await buildPrivate({ kind: channel, recipient, text }, {
      secretKey,
      clock,
      random,
    });
    journal.post.seal(dispatch.serial, JSON.stringify(event));
    return event;
  }

  /** Waits for something new, or until what failed is due. */
  async #pause(failedRounds: number, signal: AbortSignal): Promise<"new" | "late"> {
    if (this.#isWoken) return "new";
    const { promise, resolve } = Promise.withResolvers<"new" | "late">();
    this.#wake = () => resolve("new");
    const onAbort = () => resolve("late");
    signal.addEventListener("abort", onAbort, { once: true });
    const cancel = failedRounds === 0 ? () => {} : this.#options.clock.timer(
      pauseMs(failedRounds, {
        firstMs: PROVIDER_LIMITS.retryFirstMs,
        lastMs: PROVIDER_LIMITS.retryLastMs,
      }),
      () => resolve("late"),
    );
    if (signal.aborted) onAbort();
    try {
      return await promise;
    } finally {
      cancel();
      signal.removeEventListener("abort", onAbort);
    }
  }
}
