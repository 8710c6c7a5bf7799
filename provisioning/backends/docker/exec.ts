/** One command in a container of docker or podman, ended with all certainty when its time is over. */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { ExecResult } from "../../ports.ts";
import { endByForce, type ExecOptions, OutputLimit, type UnixHttp } from "../engine/mod.ts";
import { Frames } from "./frames.ts";
import { EXEC_LINGER_MS, EXEC_LOOK_MS, LOOK_MS_MAX } from "./limits.ts";

/** What a shell says of a command that is not there. */
const NOT_RUNNABLE = 127;

/** What of an exec's inspection is read. */
interface ExecLook {
  readonly Running: boolean;
  readonly ExitCode: number | null;
  readonly Pid: number;
}

/** Runs a command. @throws {SeedmintError} `timeout`, `aborted`. */
export async function runExec(
  http: UnixHttp,
  { leaseId, container }: { readonly leaseId: string; readonly container: string },
  options: ExecOptions & { readonly command: readonly string[] },
): Promise<ExecResult> {
  const { Id: id } = await http.must("POST", `/containers/${container}/exec`, {
    body: {
      AttachStdout: true,
      AttachStderr: true,
      Cmd: options.command,
      Env: options.env,
      User: "0:0",
      WorkingDir: options.cwd,
    },
    signal: options.signal,
  }) as { readonly Id: string };
  const outputs = {
    stdout: new OutputLimit(options.outputBytesMax),
    stderr: new OutputLimit(options.outputBytesMax),
  };
  using late = new Deadline(options);
  using over = new Deadline({ timeoutMs: Infinity, signal: late.signal });
  const watching = watchEnd(http, id, over);
  let refusal: string | undefined;
  try {
    await http.stream(`/exec/${id}/start`, {
      body: { Detach: false, Tty: false },
      signal: over.signal,
    }, async (response) => {
      if (response.status >= 400) {
        refusal = (await response.text()).slice(0, options.outputBytesMax);
        return;
      }
      const frames = new Frames((stream, bytes) => outputs[stream].add(bytes));
      for await (const bytes of response.body ?? []) frames.push(bytes);
    });
  } catch (error) {
    // The command ended and somebody else holds its output; what came is all of it.
    if (!over.signal.aborted) throw error;
  }
  over.end();
  await watching;
  if (late.signal.aborted) {
    await endByForce((await lookAt(http, id)).Pid, options.pid);
    throw late.error(leaseId);
  }
  const exitCode = refusal === undefined ? await exitCodeOf(http, id) : NOT_RUNNABLE;
  return {
    stdout: outputs.stdout.text(),
    stderr: refusal ?? outputs.stderr.text(),
    exitCode,
    isTruncated: outputs.stdout.isTruncated || outputs.stderr.isTruncated,
  };
}

/** Ends the reading a moment after the command has ended. */
async function watchEnd(http: UnixHttp, id: string, over: Deadline): Promise<void> {
  let hasRun = false;
  while (!over.signal.aborted) {
    await over.sleep(EXEC_LOOK_MS);
    if (over.signal.aborted) return;
    const look = await lookAt(http, id).catch(() => undefined);
    if (look === undefined) continue;
    hasRun ||= look.Running || look.Pid > 0;
    if (hasRun && !look.Running) {
      await over.sleep(EXEC_LINGER_MS);
      over.end();
    }
  }
}

async function exitCodeOf(http: UnixHttp, id: string): Promise<number> {
  for (let tries = 0;; tries++) {
    const look = await lookAt(http, id);
    // The stream may end a moment before the engine knows.
    if (!look.Running && look.ExitCode !== null) return look.ExitCode;
    if (tries === 100) {
      throw new SeedmintError("unavailable", "The engine does not say how a command ended", {
        retryable: true,
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function lookAt(http: UnixHttp, id: string): Promise<ExecLook> {
  return await http.must("GET", `/exec/${id}/json`, { timeoutMs: LOOK_MS_MAX }) as ExecLook;
}

/** The end of the time for a command, or of its being wanted. */
class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #timeoutMs: number;
  readonly #onAbort = () => this.end();

  constructor(options: { readonly timeoutMs: number; readonly signal: AbortSignal }) {
    this.#timeoutMs = options.timeoutMs;
    this.#outer = options.signal;
    if (Number.isFinite(options.timeoutMs)) {
      this.#timer = setTimeout(() => this.end(), options.timeoutMs);
    }
    if (this.#outer.aborted) this.end();
    this.#outer.addEventListener("abort", this.#onAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  end(): void {
    this.#controller.abort();
  }

  /** Why a command was ended. */
  error(leaseId: string): SeedmintError {
    return this.#outer.aborted
      ? new SeedmintError("aborted", `The command in ${leaseId} was cancelled`)
      : new SeedmintError(
        "timeout",
        `The command in ${leaseId} did not end within ${this.#timeoutMs} ms`,
      );
  }

  /** Waits, not longer than this lasts. */
  async sleep(ms: number): Promise<void> {
    if (this.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.signal.addEventListener("abort", done, { once: true });
    });
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#outer.removeEventListener("abort", this.#onAbort);
  }
}
