/**
 * Reaches a peer over the best of several addresses. libp2p tries them one after the other, so that
 * a few dead hints in front of a good one cost many seconds; here the next one starts after a short
 * pause beside the last (RFC 8305, "happy eyeballs"), and the first to shake hands wins.
 */
import { messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { DialAddress } from "./addresses.ts";
import {
  DIAL_ADDRESS_TIMEOUT_MS,
  DIAL_STAGGER_MS,
  DIAL_TIMEOUT_MS,
  PARALLEL_DIALS_MAX,
} from "./limits.ts";

/** What is left of a connection that lost the race. */
export interface Dialled {
  abort(reason: Error): void;
}

/** Options of {@link Dialer}. */
export interface DialerOptions<T extends Dialled> {
  readonly clock: Pick<Clock, "timer">;
  /** Dials one address and proves that `peerId` answers there. */
  readonly dial: (peerId: string, address: DialAddress, signal: AbortSignal) => Promise<T>;
}

interface Attempt<T> {
  readonly connection: Promise<T>;
  readonly controller: AbortController;
  waiterCount: number;
}

/** Dials peers, each once at a time however many ask. */
export class Dialer<T extends Dialled> {
  readonly #options: DialerOptions<T>;
  readonly #attempts = new Map<string, Attempt<T>>();

  constructor(options: DialerOptions<T>) {
    this.#options = options;
  }

  /**
   * Connects to `peerId` over one of `addresses`, best first.
   *
   * @throws {SeedmintError} `unavailable`, with what was tried.
   */
  async dial(
    peerId: string,
    addresses: readonly DialAddress[],
    signal?: AbortSignal,
  ): Promise<T> {
    signal?.throwIfAborted();
    const joined = this.#attempts.get(peerId);
    if (joined === undefined) return await this.#wait(this.#begin(peerId, addresses), signal);
    try {
      return await this.#wait(joined, signal);
    } catch {
      // Somebody else's hints failed; ours may be better.
      signal?.throwIfAborted();
      const next = this.#attempts.get(peerId) ?? this.#begin(peerId, addresses);
      return await this.#wait(next, signal);
    }
  }

  async #wait(attempt: Attempt<T>, signal: AbortSignal | undefined): Promise<T> {
    attempt.waiterCount++;
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => aborted.reject(signal!.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([attempt.connection, aborted.promise]);
    } finally {
      signal?.removeEventListener("abort", onAbort);
      attempt.waiterCount--;
      if (attempt.waiterCount === 0) attempt.controller.abort(new Error("nobody waits any more"));
    }
  }

  /** Ends all dials under way. */
  stop(): void {
    for (const attempt of this.#attempts.values()) {
      attempt.controller.abort(new Error("the network was closed"));
    }
  }

  #begin(peerId: string, addresses: readonly DialAddress[]): Attempt<T> {
    if (this.#attempts.size >= PARALLEL_DIALS_MAX) {
      throw new SeedmintError(
        "unavailable",
        `Cannot dial ${peerId}: ${PARALLEL_DIALS_MAX} dials are under way`,
        { retryable: true },
      );
    }
    const controller = new AbortController();
    const cancelTimeout = this.#options.clock.timer(
      DIAL_TIMEOUT_MS,
      () => controller.abort(new Error(`no answer within ${DIAL_TIMEOUT_MS} ms`)),
    );
    const connection = this.#race(peerId, addresses, controller.signal).finally(() => {
      cancelTimeout();
      this.#attempts.delete(peerId);
    });
    connection.catch(() => {});
    const attempt = { connection, controller, waiterCount: 0 };
    this.#attempts.set(peerId, attempt);
    return attempt;
  }

  #race(peerId: string, addresses: readonly DialAddress[], signal: AbortSignal): Promise<T> {
    const { clock } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const failures: string[] = [];
    const dials = new Set<AbortController>();
    let startedCount = 0;
    let isOver = false;
    let cancelStagger = () => {};
    const finish = () => {
      isOver = true;
      cancelStagger();
      signal.removeEventListener("abort", onAbort);
      for (const dial of dials) dial.abort(new Error("another address was faster"));
    };
    const fail = (why: string) => {
      if (isOver) return;
      finish();
      const tried = failures.length === 0 ? "" : `; ${failures.join("; ")}`;
      reject(
        new SeedmintError("unavailable", `Cannot reach ${peerId}: ${why}${tried}`, {
          retryable: true,
        }),
      );
    };
    const onAbort = () => fail(messageOf(signal.reason));
    const startNext = () => {
      cancelStagger();
      const address = addresses[startedCount];
      if (isOver || address === undefined) return;
      startedCount++;
      if (startedCount < addresses.length) {
        cancelStagger = clock.timer(DIAL_STAGGER_MS, startNext);
      }
      const dial = new AbortController();
      dials.add(dial);
      this.#dialOne(peerId, address, dial).then((connection) => {
        // A TCP socket stays bound to the signal it was dialled with: never abort the winner's.
        dials.delete(dial);
        if (isOver) return connection.abort(new Error("another address was faster"));
        finish();
        resolve(connection);
      }, (error) => {
        dials.delete(dial);
        failures.push(`${address.text}: ${messageOf(error)}`);
        if (failures.length === addresses.length) fail(`all ${addresses.length} addresses failed`);
        else startNext();
      });
    };
    signal.addEventListener("abort", onAbort, { once: true });
    if (addresses.length === 0) fail("no usable address is known");
    else startNext();
    return promise;
  }

  async #dialOne(peerId: string, address: DialAddress, dial: AbortController): Promise<T> {
    const cancelTimeout = this.#options.clock.timer(
      DIAL_ADDRESS_TIMEOUT_MS,
      () => dial.abort(new Error(`no answer within ${DIAL_ADDRESS_TIMEOUT_MS} ms`)),
    );
    try {
      return await this.#options.dial(peerId, address, dial.signal);
    } catch (error) {
      throw dial.signal.aborted ? dial.signal.reason : error;
    } finally {
      cancelTimeout();
    }
  }
}
