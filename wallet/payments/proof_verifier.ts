/**
 * Verifying what payers send on threads of their own: a proof takes about 3 ms, in which the thread that
 * serves bytes must not stand still. Threads start with the first payment and end when none came for a
 * while. While the first is loading, and where there can be none, small payments are verified in the
 * calling thread, with a pause after each proof.
 */
import { availableParallelism } from "node:os";
import { setImmediate } from "node:timers/promises";
import { SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { Keyset, Proof } from "../types.ts";
import {
  VERIFIERS_MAX,
  VERIFY_HERE_PROOFS_MAX,
  VERIFY_IDLE_MS,
  VERIFY_QUEUE_MAX,
} from "./limits.ts";
import { mayVerifyInThreads, VerifierLost, VerifyThread } from "./verify_thread.ts";
import { type Claim, isProven } from "./verify_task.ts";

/** Options of {@link Verifier.verify}. */
export interface VerifyOptions {
  /** Goes before all that are not: of a payer that has paid before. @default {false} */
  readonly isFirst?: boolean;
}

/** Says whether mints signed proofs. */
export interface Verifier {
  /**
   * Whether the mint signed every proof, by the proofs' own word (NUT-12).
   *
   * @throws {SeedmintError} `busy` when too many wait already; `aborted` when it is closed.
   */
  verify(
    proofs: readonly Proof[],
    keysetOf: (id: string) => Keyset | undefined,
    options?: VerifyOptions,
  ): Promise<boolean>;
  /** Payments may come soon. */
  prepare?(): void;
}

/** The proofs with their keys; undefined if one has none, or no word of its own. */
function claimsOf(
  proofs: readonly Proof[],
  keysetOf: (id: string) => Keyset | undefined,
): Claim[] | undefined {
  const claims: Claim[] = [];
  for (const proof of proofs) {
    const key = keysetOf(proof.keysetId)?.keys[proof.amount.toString()];
    if (key === undefined || proof.dleq?.r === undefined) return undefined;
    claims.push({ proof, key });
  }
  return claims;
}

/** {@link Verifier} in the calling thread, one payment after the other. */
export class HereVerifier implements Verifier {
  #last: Promise<unknown> = Promise.resolve();

  verify(
    proofs: readonly Proof[],
    keysetOf: (id: string) => Keyset | undefined,
  ): Promise<boolean> {
    const claims = claimsOf(proofs, keysetOf);
    if (claims === undefined) return Promise.resolve(false);
    const mine = this.#last.then(() => verifyHere(claims));
    this.#last = mine.catch(() => {});
    return mine;
  }
}

interface Job {
  readonly claims: readonly Claim[];
  readonly resolve: (isValid: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/** Options of {@link ThreadVerifier}. */
export interface ThreadVerifierOptions {
  readonly clock: Clock;
  /** Most threads; 0 verifies in the calling thread. @default {one less than cores, at most 2} */
  readonly threadCountMax?: number;
}

/** {@link Verifier} on threads. */
export class ThreadVerifier implements Verifier, AsyncDisposable {
  readonly #clock: Clock;
  #threadCountMax: number;
  readonly #threads = new Set<VerifyThread>();
  readonly #idle: VerifyThread[] = [];
  readonly #first: Job[] = [];
  readonly #rest: Job[] = [];
  #isBusyHere = false;
  #cancelIdle: () => void = () => {};
  #isDisposed = false;

  constructor({ clock, threadCountMax }: ThreadVerifierOptions) {
    this.#clock = clock;
    const wanted = threadCountMax ??
      Math.min(VERIFIERS_MAX, Math.max(1, availableParallelism() - 1));
    this.#threadCountMax = mayVerifyInThreads() ? wanted : 0;
  }

  /** Payments may come soon: a thread loads its code. */
  prepare(): void {
    if (this.#isDisposed || this.#threads.size > 0) return;
    const thread = this.#start();
    if (thread === undefined) return;
    this.#idle.push(thread);
    this.#restSoon();
  }

  /** Threads that there are. */
  get threadCount(): number {
    return this.#threads.size;
  }

  verify(
    proofs: readonly Proof[],
    keysetOf: (id: string) => Keyset | undefined,
    { isFirst = false }: VerifyOptions = {},
  ): Promise<boolean> {
    if (this.#isDisposed) return Promise.reject(closed());
    const claims = claimsOf(proofs, keysetOf);
    if (claims === undefined) return Promise.resolve(false);
    const queue = isFirst ? this.#first : this.#rest;
    if (queue.length >= VERIFY_QUEUE_MAX) {
      return Promise.reject(
        new SeedmintError("busy", "Cannot verify a payment: too many wait", { retryable: true }),
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    queue.push({ claims, resolve, reject });
    this.#dispatch();
    return promise;
  }

  /** Ends all threads; what waits fails with `aborted`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    this.#cancelIdle();
    for (const job of [...this.#first.splice(0), ...this.#rest.splice(0)]) job.reject(closed());
    await Promise.all([...this.#threads].map((thread) => thread.terminate()));
  }

  #dispatch(): void {
    for (;;) {
      const job = this.#first[0] ?? this.#rest[0];
      if (job === undefined) return;
      if (!this.#isBusyHere && this.#isForHere(job)) {
        this.#take();
        this.#run(job, undefined);
        continue;
      }
      const thread = this.#idle.pop() ?? this.#start();
      if (thread === undefined) return;
      this.#take();
      this.#run(job, thread);
    }
  }

  /** While no thread is ready, what is small is done sooner here. */
  #isForHere(job: Job): boolean {
    if (this.#threadCountMax === 0) return true;
    return job.claims.length <= VERIFY_HERE_PROOFS_MAX &&
      ![...this.#threads].some((thread) => thread.isReady);
  }

  #take(): void {
    if (this.#first.length > 0) this.#first.shift();
    else this.#rest.shift();
  }

  #start(): VerifyThread | undefined {
    if (this.#threads.size >= this.#threadCountMax) return undefined;
    try {
      const thread = new VerifyThread();
      this.#threads.add(thread);
      return thread;
    } catch {
      // No more threads to be had: go on with those that are there, or without any.
      this.#threadCountMax = this.#threads.size;
      return undefined;
    }
  }

  async #run(job: Job, thread: VerifyThread | undefined): Promise<void> {
    this.#cancelIdle();
    if (thread === undefined) this.#isBusyHere = true;
    try {
      job.resolve(
        thread === undefined ? await verifyHere(job.claims) : await thread.run(job.claims),
      );
    } catch (error) {
      if (!(error instanceof VerifierLost)) job.reject(error);
      else if (this.#isDisposed) job.reject(closed());
      else await verifyHere(job.claims).then(job.resolve, job.reject);
    } finally {
      if (thread === undefined) this.#isBusyHere = false;
      else if (thread.isLost) this.#threads.delete(thread);
      else this.#idle.push(thread);
      if (!this.#isDisposed) {
        this.#dispatch();
        // More are likely to come, and by then it has loaded.
        this.prepare();
        this.#restSoon();
      }
    }
  }

  /** Threads hold 30 MB each: they end when no payment comes for a while. */
  #restSoon(): void {
    this.#cancelIdle();
    if (this.#threads.size === 0 || this.#idle.length < this.#threads.size) return;
    this.#cancelIdle = this.#clock.timer(VERIFY_IDLE_MS, () => {
      this.#idle.length = 0;
      const ended = [...this.#threads];
      this.#threads.clear();
      for (const thread of ended) thread.terminate().catch(() => {});
    });
  }
}

async function verifyHere(claims: readonly Claim[]): Promise<boolean> {
  for (const claim of claims) {
    if (!isProven(claim)) return false;
    // Others get their turn between two of them.
    await setImmediate();
  }
  return true;
}

function closed(): SeedmintError {
  return new SeedmintError("aborted", "Cannot verify a payment: the wallet is shutting down");
}
