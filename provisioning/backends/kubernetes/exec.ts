/** One command in a container, over the WebSocket of the `exec` subresource: bounded in output and time. */
import { Writable } from "node:stream";
import type { Clock } from "../../../src/core/ports.ts";
import { SeedmintError } from "../../../src/core/errors.ts";
import type { ExecResult } from "../../ports.ts";
import { CALL_MS_MAX } from "./limits.ts";

/** What the API server says when a command ended. */
export interface ExecStatus {
  readonly status?: string;
  readonly message?: string;
  readonly reason?: string;
  readonly details?: {
    readonly causes?: { readonly reason?: string; readonly message?: string }[];
  };
}

/** The part of a WebSocket that is used. */
export interface ExecSocket {
  onclose: unknown;
  onerror: unknown;
  close(): void;
}

/** Connects a command's output; `onStatus` is called when it ended. */
export type ExecChannel = (
  stdout: Writable,
  stderr: Writable,
  onStatus: (status: ExecStatus) => void,
) => Promise<ExecSocket>;

/**
 * Runs a command to its end.
 *
 * @throws {SeedmintError} `timeout`, `aborted`, `unavailable` if the connection failed or broke.
 */
export async function runExec(
  channel: ExecChannel,
  options: {
    readonly name: string;
    readonly clock: Clock;
    readonly timeoutMs: number;
    readonly signal?: AbortSignal;
    readonly outputBytesMax: number;
  },
): Promise<ExecResult> {
  const [stdout, stderr] = [new Output(options.outputBytesMax), new Output(options.outputBytesMax)];
  const ended = Promise.withResolvers<ExecStatus>();
  // It may be decided before anybody waits for it.
  ended.promise.catch(() => {});
  const fail = (code: "timeout" | "aborted" | "unavailable", why: string) =>
    ended.reject(
      new SeedmintError(code, `Cannot run a command in ${options.name}: ${why}`, {
        retryable: code === "unavailable",
      }),
    );
  using stack = new DisposableStack();
  const onAbort = () => fail("aborted", "it was cancelled");
  if (options.signal?.aborted) onAbort();
  options.signal?.addEventListener("abort", onAbort);
  stack.defer(() => options.signal?.removeEventListener("abort", onAbort));
  const stopWaiting = options.clock.timer(
    CALL_MS_MAX,
    () => fail("unavailable", "the API server does not answer"),
  );
  stack.defer(stopWaiting);
  const connecting = channel(stdout, stderr, ended.resolve);
  stack.defer(() => void connecting.then((socket) => socket.close(), () => {}));
  connecting.then((socket) => {
    stopWaiting();
    socket.onclose = () => fail("unavailable", "the connection to it broke");
    socket.onerror = () => fail("unavailable", "the connection to it broke");
    const late = `it did not end within ${options.timeoutMs} ms`;
    stack.disposed ||
      stack.defer(options.clock.timer(options.timeoutMs, () => fail("timeout", late)));
  }, () => fail("unavailable", "the API server refused it, or the instance does not run"));
  const status = await ended.promise;
  return {
    stdout: stdout.text(),
    stderr: stderr.text(),
    exitCode: exitCodeOf(status, options.name),
    isTruncated: stdout.isTruncated || stderr.isTruncated,
  };
}

function exitCodeOf(status: ExecStatus, name: string): number {
  if (status.status === "Success") return 0;
  const code = status.details?.causes?.find(({ reason }) => reason === "ExitCode")?.message;
  if (code !== undefined && /^\d{1,3}$/.test(code)) return Number(code);
  throw new SeedmintError(
    "unavailable",
    `Cannot run a command in ${name}: ${(status.message ?? "no reason was given").slice(0, 300)}`,
    { retryable: true },
  );
}

/** What a command writes, as far as it is kept. */
class Output extends Writable {
  readonly #bytesMax: number;
  readonly #chunks: Uint8Array[] = [];
  #size = 0;
  isTruncated = false;

  constructor(bytesMax: number) {
    super();
    this.#bytesMax = bytesMax;
  }

  override _write(chunk: Uint8Array, _encoding: unknown, done: () => void): void {
    const kept = chunk.subarray(0, this.#bytesMax - this.#size);
    if (kept.length < chunk.length) this.isTruncated = true;
    if (kept.length > 0) this.#chunks.push(kept);
    this.#size += kept.length;
    done();
  }

  text(): string {
    const whole = new Uint8Array(this.#size);
    let offset = 0;
    for (const chunk of this.#chunks) {
      whole.set(chunk, offset);
      offset += chunk.length;
    }
    return new TextDecoder().decode(whole);
  }
}
