/**
 * Running programs of the machine: arguments as a list and never through a shell, output and time
 * bounded, failures with what the program said last.
 */
import { isSeedmintError, messageOf, SeedmintError } from "../../src/core/errors.ts";
import {
  COMMAND_MS_MAX,
  ERROR_LINE_CHARS_MAX,
  KILL_GRACE_MS,
  OUTPUT_BYTES_MAX,
  OUTPUT_LINGER_MS,
} from "./limits.ts";

/** Options of {@link runCommand}. */
export interface CommandOptions {
  readonly signal?: AbortSignal | undefined;
  /** @default {COMMAND_MS_MAX} */
  readonly timeoutMs?: number;
  /** Text for its standard input; otherwise there is none. */
  readonly input?: string;
  /** Of each stream; what is more is read and dropped. @default {OUTPUT_BYTES_MAX} */
  readonly outputBytesMax?: number;
  /**
   * A file that is locked (flock, shared) as long as the program runs, even if we die meanwhile: whoever locks it
   * next knows that nothing of ours is still at work.
   */
  readonly guard?: string | undefined;
  /** Throw the output away, so that a daemon which the program leaves behind holds no pipe of ours. */
  readonly isOutputDropped?: boolean;
}

/** How a program ended. */
export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Whether output was dropped. */
  readonly isTruncated: boolean;
}

/**
 * Runs a program to its end.
 *
 * @param argv The program and its arguments.
 * @throws {SeedmintError} `unavailable` if it is not installed or cannot be started, `timeout`, `aborted`.
 */
export async function runCommand(
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  options.signal?.throwIfAborted();
  const child = spawn(argv, options);
  const bytesMax = options.outputBytesMax ?? OUTPUT_BYTES_MAX;
  const collected = options.isOutputDropped
    ? []
    : [new Collected(child.stdout, bytesMax), new Collected(child.stderr, bytesMax)];
  const input = options.input === undefined ? undefined : feed(child, options.input);
  try {
    const status = await ended(child, argv, options);
    await input;
    await Promise.all(collected.map((stream) => stream.finish()));
    return {
      exitCode: status.code,
      stdout: collected[0]?.text() ?? "",
      stderr: collected[1]?.text() ?? "",
      isTruncated: collected.some((stream) => stream.isTruncated),
    };
  } finally {
    await Promise.all(collected.map((stream) => stream.cancel()));
  }
}

/**
 * Runs a program that has to succeed.
 *
 * @returns What it wrote to standard output.
 * @throws {SeedmintError} As {@link runCommand}, and `unavailable` with its last line if it exits other than 0.
 */
export async function mustRun(
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const result = await runCommand(argv, options);
  if (result.exitCode !== 0) throw failed(argv, result);
  return result.stdout;
}

/** The error for a program that ended badly. Arguments past the third are left out: they may be private. */
export function failed(argv: readonly string[], result: CommandResult): SeedmintError {
  const said = lastLine(result.stderr) || lastLine(result.stdout) || "it said nothing";
  const code = /no space left/i.test(said) ? "no-space" : "unavailable";
  return new SeedmintError(
    code,
    `Cannot run ${shown(argv)}: it ended with code ${result.exitCode}: ${said}`,
    { retryable: true },
  );
}

/** Whether a program can be started at all. */
export async function isInstalled(program: string): Promise<boolean> {
  try {
    await runCommand([program, "--version"], { timeoutMs: 5_000 });
    return true;
  } catch (error) {
    return !isSeedmintError(error, "unavailable");
  }
}

function spawn(argv: readonly string[], options: CommandOptions): Deno.ChildProcess {
  // Closed for the program itself: what it leaves behind must not hold the lock.
  const guard = options.guard === undefined ? [] : ["flock", "--shared", "--close", options.guard];
  const [program, ...args] = [...guard, ...argv];
  if (program === undefined) throw new TypeError("Cannot run a program: no name is given");
  const output = options.isOutputDropped ? "null" : "piped";
  try {
    return new Deno.Command(program, {
      args,
      stdin: options.input === undefined ? "null" : "piped",
      stdout: output,
      stderr: output,
    }).spawn();
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound
      ? "it is not installed; install it or put it on the PATH"
      : messageOf(error);
    throw new SeedmintError("unavailable", `Cannot run ${program}: ${why}`, { cause: error });
  }
}

async function ended(
  child: Deno.ChildProcess,
  argv: readonly string[],
  options: CommandOptions,
): Promise<Deno.CommandStatus> {
  const timeoutMs = options.timeoutMs ?? COMMAND_MS_MAX;
  let reason: SeedmintError | undefined;
  const stop = (why: SeedmintError) => {
    reason ??= why;
    signalTo(child, "SIGTERM");
    force = setTimeout(() => signalTo(child, "SIGKILL"), KILL_GRACE_MS);
  };
  let force: ReturnType<typeof setTimeout> | undefined;
  const timer = setTimeout(() => {
    stop(
      new SeedmintError("timeout", `Cannot run ${shown(argv)}: no end within ${timeoutMs} ms`, {
        retryable: true,
      }),
    );
  }, timeoutMs);
  const onAbort = () =>
    stop(new SeedmintError("aborted", `Cannot run ${shown(argv)}: it was cancelled`));
  options.signal?.addEventListener("abort", onAbort, { once: true });
  try {
    const status = await child.status;
    if (reason !== undefined) throw reason;
    return status;
  } finally {
    clearTimeout(timer);
    clearTimeout(force);
    options.signal?.removeEventListener("abort", onAbort);
  }
}

async function feed(child: Deno.ChildProcess, text: string): Promise<void> {
  const writer = child.stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch {
    // It ended without reading: its exit code tells.
  }
}

/** One stream of output, kept up to a limit and read to its end beyond it. */
class Collected {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #parts: Uint8Array[] = [];
  readonly #bytesMax: number;
  readonly #done: Promise<void>;
  #bytes = 0;
  isTruncated = false;

  constructor(stream: ReadableStream<Uint8Array>, bytesMax: number) {
    this.#reader = stream.getReader();
    this.#bytesMax = bytesMax;
    this.#done = this.#read();
  }

  async #read(): Promise<void> {
    try {
      for (let next = await this.#reader.read(); !next.done; next = await this.#reader.read()) {
        const kept = next.value.subarray(0, this.#bytesMax - this.#bytes);
        if (kept.length < next.value.length) this.isTruncated = true;
        if (kept.length > 0) this.#parts.push(kept);
        this.#bytes += kept.length;
      }
    } catch {
      // The pipe is gone; what came is kept.
    }
  }

  /** Waits for the end, though not for a stranger that keeps the pipe open. */
  async finish(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const linger = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, OUTPUT_LINGER_MS);
    });
    await Promise.race([this.#done, linger]);
    clearTimeout(timer);
  }

  async cancel(): Promise<void> {
    await this.#reader.cancel().catch(() => {});
    await this.#done;
  }

  text(): string {
    const all = new Uint8Array(this.#bytes);
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return new TextDecoder().decode(all);
  }
}

function signalTo(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It ended by itself.
  }
}

function shown(argv: readonly string[]): string {
  return argv.slice(0, 3).join(" ") + (argv.length > 3 ? " …" : "");
}

/** The last line that has words: some programs underline what they mean. */
function lastLine(text: string): string {
  const lines = text.trim().split("\n").filter((line) => /[a-z]/i.test(line));
  return (lines.find((line) => /\bError: /.test(line)) ?? lines.at(-1) ?? "").trim()
    .slice(0, ERROR_LINE_CHARS_MAX);
}
