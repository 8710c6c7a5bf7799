/** One process of the network, started again when it dies. */
import { messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import { TextLineStream } from "../lines.ts";

const ROOT = new URL("../../", import.meta.url);

/** How long a process may take until it is ready. */
const READY_MS_MAX = 60_000;

/** How long a process may take to stop by itself before it is killed. */
const STOP_MS_MAX = 6000;

/** A process that dies this often without being up for {@link STEADY_MS} in between is given up. */
const DEATHS_MAX = 5;
const STEADY_MS = 60_000;
const RESTART_MS = 300;

/** How long after a death is waited for word that everything is to stop: Ctrl-C reaches all at once. */
const SIGNAL_LAG_MS = 150;

/** What a process says when it is ready. */
export type ReadyLine = Readonly<Record<string, unknown>>;

/** Options of {@link Service}. */
export interface ServiceOptions {
  /** For people: `mint A`. */
  readonly name: string;
  /** Script below the project's root. */
  readonly script: string;
  readonly args: readonly string[];
  /** Where its stderr goes. */
  readonly logPath: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Called when it was started again, with why it died. */
  readonly onRestart: (why: string, pid: number) => void;
  /** Called when it was given up. */
  readonly onGivenUp: (error: SeedmintError) => void;
}

/** A supervised process. */
export class Service implements AsyncDisposable {
  readonly name: string;
  readonly #options: ServiceOptions;
  #child: Deno.ChildProcess | undefined;
  #output: Promise<unknown> = Promise.resolve();
  #watching: Promise<void> = Promise.resolve();
  #lastWords = "";
  #isStopping = false;

  constructor(options: ServiceOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** Of the process that runs now; 0 before the first. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /**
   * Starts it and waits until it is ready.
   *
   * @throws {SeedmintError} `unavailable` with its last words if it ends or hangs instead.
   */
  async start(): Promise<ReadyLine> {
    const ready = await this.#spawn();
    this.#watching = this.#watch();
    return ready;
  }

  /** Tells it to stop, and insists after a while. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    await this.#stop();
    await this.#watching;
  }

  async #spawn(): Promise<ReadyLine> {
    const { name, script, args } = this.#options;
    const url = (path: string) => new URL(path, ROOT).pathname;
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-prompt", "--allow-all"],
        ...["--preload", url("devnet/net/with_parent.ts"), url(script), ...args],
      ],
      env: { NO_COLOR: "1", DEVNET_PARENT_PID: String(Deno.pid) },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#child = child;
    this.#lastWords = "";
    const ready = Promise.withResolvers<ReadyLine | undefined>();
    const cancel = this.#options.clock.timer(READY_MS_MAX, () => ready.resolve(undefined));
    this.#output = Promise.all([
      this.#readOut(child, ready.resolve).finally(() => ready.resolve(undefined)),
      this.#readErr(child),
    ]);
    const line = await ready.promise;
    cancel();
    if (line !== undefined) return line;
    await this.#stop();
    throw new SeedmintError(
      "unavailable",
      `Cannot start ${name}: ${
        this.#lastWords.trim() || "it ended without a word"
      }; see ${this.#options.logPath}`,
    );
  }

  /** Starts it again whenever it dies. */
  async #watch(): Promise<void> {
    const { clock, signal } = this.#options;
    let deathCount = 0;
    for (;;) {
      const startMs = clock.monotonicMs();
      const { code, signal: killer } = await this.#child!.status;
      await this.#output;
      await this.#sleep(SIGNAL_LAG_MS);
      if (this.#isStopping || signal.aborted) return;
      deathCount = clock.monotonicMs() - startMs > STEADY_MS ? 1 : deathCount + 1;
      const words = this.#lastWords.trim().split("\n").at(-1)!;
      const why = killer === null ? `code ${code}, last words: ${words || "none"}` : killer;
      try {
        if (deathCount > DEATHS_MAX) throw new Error(why);
        await this.#sleep(RESTART_MS * deathCount);
        if (this.#isStopping || signal.aborted) return;
        await this.#spawn();
        this.#options.onRestart(why, this.#child!.pid);
      } catch (error) {
        if (this.#isStopping || signal.aborted) return;
        const message = `${this.name} does not stay up: ${messageOf(error)}`;
        return this.#options.onGivenUp(new SeedmintError("unavailable", message));
      }
    }
  }

  async #stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    kill(child, "SIGTERM");
    const cancel = this.#options.clock.timer(STOP_MS_MAX, () => kill(child, "SIGKILL"));
    await child.status;
    cancel();
    await this.#output;
  }

  async #sleep(ms: number): Promise<void> {
    try {
      await this.#options.clock.sleep(ms, { signal: this.#options.signal });
    } catch {
      // Looked at by the caller.
    }
  }

  async #readOut(child: Deno.ChildProcess, onReady: (line: ReadyLine) => void): Promise<void> {
    const lines = child.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream());
    for await (const text of lines) {
      try {
        const line = JSON.parse(text) as ReadyLine;
        if (line.event === "ready") onReady(line);
      } catch {
        // Words for people.
      }
    }
  }

  async #readErr(child: Deno.ChildProcess): Promise<void> {
    using log = await Deno.open(this.#options.logPath, { create: true, append: true, mode: 0o600 });
    const encoder = new TextEncoder();
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      this.#lastWords = (this.#lastWords + text).slice(-2000);
      await log.write(encoder.encode(text));
    }
  }
}

function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It ended already.
  }
}
