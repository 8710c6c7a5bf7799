/** One worker thread that verifies proofs, and whether this process may have any. */
import { Worker } from "node:worker_threads";
import type { Claim, FromVerifier, ToVerifier } from "./verify_task.ts";

const ENTRY = new URL("verify_worker.ts", import.meta.url);

/** The folder that holds every module which the thread loads. */
const CODE = new URL("../..", import.meta.url);

/** The thread itself failed, not what it looked at: that may be looked at elsewhere. */
export class VerifierLost extends Error {
  override readonly name = "VerifierLost";
}

/** Whether threads can start without asking the user: theirs is the permission to read their code. */
export function mayVerifyInThreads(): boolean {
  if (ENTRY.protocol !== "file:") return true;
  return Deno.permissions.querySync({ name: "read", path: CODE }).state === "granted";
}

/** A thread that does one task at a time and, while it has none, lets the process end. */
export class VerifyThread {
  readonly #worker = new Worker(ENTRY);
  #settle: { resolve(isValid: boolean): void; reject(error: Error): void } | undefined;
  #lost: VerifierLost | undefined;
  #isReady = false;

  constructor() {
    this.#worker.unref();
    this.#worker.on("message", (message: FromVerifier) => this.#hear(message));
    this.#worker.on("error", (cause: unknown) => this.#lose("it failed", cause));
    this.#worker.on("exit", () => this.#lose("it ended"));
  }

  /** Whether its code is loaded. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Whether it can take no more tasks. */
  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** Whether all claims hold. @throws {VerifierLost} If the thread died. */
  run(claims: readonly Claim[]): Promise<boolean> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    this.#settle = { resolve, reject };
    this.#worker.ref();
    this.#worker.postMessage({ claims } satisfies ToVerifier);
    return promise;
  }

  async terminate(): Promise<void> {
    this.#lose("it was terminated");
    await this.#worker.terminate();
  }

  #hear(message: FromVerifier): void {
    if (message.kind === "ready") {
      this.#isReady = true;
      return;
    }
    const settle = this.#settle;
    this.#rest();
    settle?.resolve(message.isValid);
  }

  #lose(how: string, cause?: unknown): void {
    this.#lost ??= new VerifierLost(`A verifying thread is gone: ${how}`, { cause });
    const settle = this.#settle;
    this.#rest();
    settle?.reject(this.#lost);
  }

  #rest(): void {
    this.#settle = undefined;
    this.#worker.unref();
  }
}
