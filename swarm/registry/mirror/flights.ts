/** All blobs on their way in: each once, whoever asks, and no longer than somebody wants it. */
import { SeedmintError } from "../../../src/core/errors.ts";
import { formatRepository } from "../names.ts";
import type { Digest } from "../names.ts";
import { bring, type BringingParts } from "./bringing.ts";
import { Flight, type FlightRequest } from "./flight.ts";
import { FLIGHTS_MAX } from "./limits.ts";

/** A flight, and who holds on to it. */
interface Held {
  readonly flight: Flight;
  holdCount: number;
  stopLinger: () => void;
}

/** See the head of this file. */
export class Flights implements AsyncDisposable {
  readonly #parts: BringingParts;
  readonly #held = new Map<Digest, Held>();
  readonly #working = new Set<Promise<void>>();
  readonly #onOver: (flight: Flight) => void;
  #isOpen = true;

  /** @param onOver Called when a flight ended, well or not. */
  constructor(parts: BringingParts, onOver: (flight: Flight) => void) {
    this.#parts = parts;
    this.#onOver = onOver;
  }

  get count(): number {
    return this.#held.size;
  }

  /**
   * Joins the flight of a blob, or begins it.
   *
   * @returns The flight, and how to leave it; leaving twice does no harm.
   * @throws {SeedmintError} `busy` when too many are under way, `aborted` after the end.
   */
  join(request: FlightRequest): { readonly flight: Flight; readonly release: () => void } {
    const held = this.#held.get(request.digest) ?? this.#begin(request);
    held.holdCount++;
    held.stopLinger();
    let isHeld = true;
    return {
      flight: held.flight,
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        held.holdCount--;
        this.#lingerOn(held);
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOpen = false;
    for (const { flight, stopLinger } of this.#held.values()) {
      stopLinger();
      flight.cancel(new SeedmintError("aborted", "The mirror is stopping"));
    }
    await Promise.all(this.#working);
  }

  #begin(request: FlightRequest): Held {
    if (!this.#isOpen) throw new SeedmintError("aborted", "The mirror is stopping");
    if (this.#held.size >= FLIGHTS_MAX) {
      throw new SeedmintError(
        "busy",
        `The mirror fetches ${FLIGHTS_MAX} blobs already; ask for ${
          formatRepository(request.target.name)
        } again in a moment`,
        { retryable: true },
      );
    }
    const { store, clock, limits } = this.#parts;
    const flight = new Flight(request, { store, clock, pollMs: limits.pollMs });
    const held: Held = { flight, holdCount: 0, stopLinger: () => {} };
    this.#held.set(request.digest, held);
    const working = this.#run(held).finally(() => this.#working.delete(working));
    this.#working.add(working);
    return held;
  }

  async #run(held: Held): Promise<void> {
    const { flight } = held;
    try {
      await bring(this.#parts, flight);
    } catch (error) {
      flight.fail(error);
    }
    held.stopLinger();
    this.#forget(held);
    this.#onOver(flight);
  }

  /** Nobody waits any more. What streams is kept as far as it came; what does not would be lost. */
  #lingerOn(held: Held): void {
    const { flight } = held;
    if (held.holdCount > 0 || flight.state === "here" || flight.state === "failed") return;
    const { clock, limits } = this.#parts;
    const stop = () => {
      if (held.holdCount > 0) return;
      // Whoever comes now begins anew.
      this.#forget(held);
      flight.cancel(new DOMException("Nobody waits for the blob any more", "AbortError"));
    };
    // Its check goes on: whoever lied is to be found out, and an image that is whole to be kept.
    if (flight.isAllHere) return;
    if (flight.state === "streaming") return stop();
    held.stopLinger = clock.timer(limits.lingerMs, stop);
  }

  #forget(held: Held): void {
    const { digest } = held.flight.request;
    if (this.#held.get(digest) === held) this.#held.delete(digest);
  }
}
