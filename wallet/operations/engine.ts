/**
 * Drives operations: calls the saga of one until it waits or has ended. An operation has at most one
 * driver in this process; whoever else asks for it waits for the same. Between processes and after a
 * crash the journal decides: each change must have seen the last one (`rev`).
 */
import { isSeedmintError, messageOf, SeedmintError } from "../../src/core/errors.ts";
import { MintRefusal } from "../mint/mint_api.ts";
import { StaleOperationError } from "../store/wallet_store.ts";
import { ENGINE_CONCURRENCY, STALE_IN_A_ROW_MAX } from "./limits.ts";
import type { Operation } from "./operation.ts";
import type { Saga, SagaContext, Step, WalletEvent } from "./saga.ts";
import { cancel, confirm, nudge } from "./steering.ts";
import { needAttention, postpone } from "./transition.ts";

/** Options of what may take long. */
export interface DriveOptions {
  /** Stops waiting; the step under way is stopped too when nobody else waits for it. */
  readonly signal?: AbortSignal;
}

/** One operation being driven. */
interface Drive {
  readonly controller: AbortController;
  promise: Promise<Operation>;
  waiterCount: number;
  /** Somebody came after the last look at the journal: look once more before ending. */
  again: boolean;
}

/** Runs sagas over one store. */
export class Engine implements AsyncDisposable {
  readonly #context: SagaContext;
  readonly #sagas: ReadonlyMap<string, Saga>;
  readonly #drives = new Map<string, Drive>();
  readonly #listeners = new Set<(event: WalletEvent) => void>();
  #disposed = false;

  constructor(context: SagaContext, sagas: readonly Saga[]) {
    this.#context = { ...context, emit: (event) => this.#publish(context, event) };
    this.#sagas = new Map(sagas.map((saga) => [saga.kind, saga]));
  }

  /** What the sagas of this engine work with: its `emit` reaches the listeners. */
  get context(): SagaContext {
    return this.#context;
  }

  /**
   * Runs the operation until it waits or ends, at least one step of it if it is open.
   *
   * @returns The operation as it then is.
   * @throws {SeedmintError} `not-found`; `storage` or `no-space` when nothing can be written.
   * @throws `signal.reason`
   */
  async drive(id: string, { signal }: DriveOptions = {}): Promise<Operation> {
    for (;;) {
      signal?.throwIfAborted();
      if (this.#disposed) throw new SeedmintError("aborted", "The wallet is shutting down");
      const running = this.#drives.get(id);
      if (running === undefined) return await this.#join(this.#start(id), signal);
      if (!running.controller.signal.aborted) {
        running.again = true;
        return await this.#join(running, signal);
      }
      await running.promise.catch(() => {});
    }
  }

  /** Drives whatever is due now, a few at a time, and returns what became of each. */
  async driveDue(
    { signal, concurrency = ENGINE_CONCURRENCY }: DriveOptions & { readonly concurrency?: number } =
      {},
  ): Promise<Operation[]> {
    const { store, clock } = this.#context;
    const due = store.operations({ status: "open", dueMs: clock.nowMs() });
    const ended: Operation[] = [];
    const errors: unknown[] = [];
    const lanes = Array.from({ length: Math.min(concurrency, due.length) }, async () => {
      for (let next = due.shift(); next !== undefined; next = due.shift()) {
        try {
          ended.push(await this.drive(next.id, signal === undefined ? {} : { signal }));
        } catch (error) {
          errors.push(error);
          if (signal?.aborted) return;
        }
      }
    });
    await Promise.all(lanes);
    if (errors.length > 0) throw errors[0];
    return ended;
  }

  /** Lets a prepared operation go on ({@link confirm}) and drives it. */
  async confirm(id: string, options: DriveOptions = {}): Promise<Operation> {
    confirm(this.#context, id);
    return await this.drive(id, options);
  }

  /** Ends an operation of which nothing was sent ({@link cancel}). */
  cancel(id: string): Operation {
    const operation = cancel(this.#context, id);
    this.#tell(operation);
    return operation;
  }

  /** Drives an operation now, whatever it waits for, also one that wanted attention. */
  async resume(id: string, options: DriveOptions = {}): Promise<Operation> {
    nudge(this.#context, id);
    return await this.drive(id, options);
  }

  /** Drives the operation until it has ended or needs a person. */
  async wait(id: string, { signal }: DriveOptions = {}): Promise<Operation> {
    for (;;) {
      const operation = await this.drive(id, signal === undefined ? {} : { signal });
      if (operation.status !== "open") return operation;
      await this.#untilDue(operation, signal);
    }
  }

  /** Calls `listener` for each event until the returned function is called. */
  onEvent(listener: (event: WalletEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Stops every driver and waits until each has let go. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    const drives = [...this.#drives.values()];
    const reason = new SeedmintError("aborted", "The wallet is shutting down");
    for (const drive of drives) drive.controller.abort(reason);
    await Promise.allSettled(drives.map((drive) => drive.promise));
  }

  #start(id: string): Drive {
    const drive: Drive = {
      controller: new AbortController(),
      promise: undefined as unknown as Promise<Operation>,
      waiterCount: 0,
      again: false,
    };
    this.#drives.set(id, drive);
    drive.promise = this.#run(id, drive);
    return drive;
  }

  async #join(drive: Drive, signal?: AbortSignal): Promise<Operation> {
    drive.waiterCount++;
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(signal!.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted) onAbort();
    try {
      return await Promise.race([drive.promise, aborted]);
    } finally {
      signal?.removeEventListener("abort", onAbort);
      if (--drive.waiterCount === 0 && signal?.aborted) {
        drive.controller.abort(signal.reason);
        await drive.promise.catch(() => {});
      }
    }
  }

  async #run(id: string, drive: Drive): Promise<Operation> {
    // A drive is in the map before its first step: nothing here may run inside #start.
    await Promise.resolve();
    const { signal } = drive.controller;
    let staleCount = 0;
    try {
      let operation = this.#read(id);
      while (operation.status === "open") {
        signal.throwIfAborted();
        drive.again = false;
        const step = await this.#step(operation, signal);
        staleCount = step === "stale" ? staleCount + 1 : 0;
        if (staleCount > STALE_IN_A_ROW_MAX) {
          throw new SeedmintError("busy", `Operation ${id} is moved by others all the time`);
        }
        const next = this.#read(id);
        if (next.rev !== operation.rev) this.#tell(next);
        const goOn = step === "stale" || step === "again" || drive.again;
        operation = next;
        if (!goOn) break;
      }
      return operation;
    } finally {
      this.#drives.delete(id);
    }
  }

  /** One step, and what its failure means. */
  async #step(operation: Operation, signal: AbortSignal): Promise<Step | "stale"> {
    const saga = this.#sagas.get(operation.kind);
    try {
      if (saga === undefined) throw new TypeError(`No saga for operations "${operation.kind}"`);
      const step = await saga.step(operation, this.#context, { signal });
      return this.#progressed(operation, step) ? step : this.#waitALittle(operation);
    } catch (error) {
      if (error instanceof StaleOperationError) return "stale";
      if (signal.aborted) throw signal.reason;
      // What cannot be written cannot be noted either.
      if (isSeedmintError(error, "storage") || isSeedmintError(error, "no-space")) throw error;
      return this.#note(operation, error);
    }
  }

  #note(operation: Operation, error: unknown): Step | "stale" {
    try {
      // The step may have committed before it failed.
      const now = this.#read(operation.id);
      if (now.status !== "open") return "rest";
      if (isSeedmintError(error) && error.retryable) {
        postpone(this.#context, now, { reason: error.message });
      } else if (error instanceof MintRefusal) {
        // Of a question, which has no effect: it may be answered later.
        postpone(this.#context, now, {
          reason: `the mint refused a question (code ${error.code})`,
        });
      } else if (now.rev !== operation.rev) {
        // Others moved it under the step, which may have read what no longer belongs together.
        return "stale";
      } else {
        needAttention(this.#context, now, reasonOf(error));
      }
      return "rest";
    } catch (second) {
      if (second instanceof StaleOperationError) return "stale";
      throw second;
    }
  }

  #progressed(before: Operation, step: Step): boolean {
    const now = this.#read(before.id);
    if (now.rev !== before.rev) return true;
    if (step === "again") return false;
    return now.nextAtMs === undefined || now.nextAtMs > this.#context.clock.nowMs();
  }

  /** A step that changed nothing and is due again would spin. */
  #waitALittle(operation: Operation): Step {
    postpone(this.#context, operation, { reason: operation.reason ?? "no progress" });
    return "rest";
  }

  async #untilDue(operation: Operation, signal?: AbortSignal): Promise<void> {
    const { clock } = this.#context;
    const stop = new AbortController();
    const woken = Promise.withResolvers<void>();
    const off = this.onEvent((event) => {
      if (event.operationId === operation.id) woken.resolve();
    });
    const signals = signal === undefined ? [stop.signal] : [stop.signal, signal];
    const waitMs = operation.nextAtMs === undefined
      ? 2 ** 31 - 1
      : Math.max(0, operation.nextAtMs - clock.nowMs());
    const slept = clock.sleep(Math.min(waitMs, 2 ** 31 - 1), { signal: AbortSignal.any(signals) });
    try {
      await Promise.race([woken.promise, slept]);
    } finally {
      off();
      stop.abort();
      await slept.catch(() => {});
    }
  }

  #read(id: string): Operation {
    const operation = this.#context.store.operation(id);
    if (operation === undefined) {
      throw new SeedmintError("not-found", `No operation ${id}: see "wallet history"`);
    }
    return operation;
  }

  #tell(operation: Operation): void {
    this.#context.emit({
      event: "operation",
      operationId: operation.id,
      mint: operation.mint,
      message: `${operation.kind} ${operation.state} (${operation.status})`,
    });
  }

  #publish(context: SagaContext, event: WalletEvent): void {
    for (const tell of [context.emit, ...this.#listeners]) {
      try {
        tell(event);
      } catch {
        // Whoever listens must not be able to stop what moves money.
      }
    }
  }
}

/** Only our own errors have messages that are known to hold no secret. */
function reasonOf(error: unknown): string {
  if (isSeedmintError(error)) return messageOf(error);
  const name = error instanceof Error ? error.name : typeof error;
  return `a mistake of the wallet itself (${name}); "wallet resume" tries once more`;
}

export { cancel, confirm, nudge } from "./steering.ts";
