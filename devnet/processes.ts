/** Child processes that speak JSON lines, and that never outlive whoever started them. */
import { TextLineStream } from "./lines.ts";

/** What the node needs; the same as `PERMISSION_FLAGS` of src/app/permissions.ts, which a test checks. */
export const NODE_FLAGS: readonly string[] = [
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-sys=networkInterfaces",
  "--ignore-env",
  "--allow-env=SEEDMINT_*,HOME,XDG_DATA_HOME",
];

const ROOT = new URL("../", import.meta.url);

/** How long a process may take to stop by itself before it is killed. */
const STOP_MS_MAX = 20_000;

/** One line of JSON that a process printed. */
export type JsonLine = Readonly<Record<string, unknown>>;

/** How a verb ended. */
export interface VerbResult {
  readonly code: number;
  readonly lines: readonly JsonLine[];
  readonly stderr: string;
}

/** Options of {@link ChildProcess}. */
export interface ChildOptions {
  /** Script below the project's root. */
  readonly script: string;
  readonly args: readonly string[];
  /** @default {NODE_FLAGS} */
  readonly flags?: readonly string[];
  readonly onLine?: (line: JsonLine) => void;
  /** What it reads from stdin. @default nothing */
  readonly input?: string;
  /** A program and its arguments that become this process, such as one that enters a namespace. */
  readonly within?: readonly string[];
}

/** A process under way. Disposing it stops it, by force if it must. */
export class ChildProcess implements AsyncDisposable {
  readonly lines: JsonLine[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #onLine: ((line: JsonLine) => void) | undefined;
  readonly #waiting = new Set<() => void>();
  readonly #output: Promise<void>;
  #stderr = "";
  #ended = false;

  constructor(options: ChildOptions) {
    this.#onLine = options.onLine;
    const [program, ...before] = [...options.within ?? [], Deno.execPath()] as [string];
    this.#child = new Deno.Command(program, {
      args: [
        ...before,
        "run",
        "--quiet",
        "--no-prompt",
        ...(options.flags ?? NODE_FLAGS),
        new URL(options.script, ROOT).pathname,
        ...options.args,
      ],
      env: { NO_COLOR: "1" },
      stdin: options.input === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const fed = options.input === undefined ? undefined : this.#feed(options.input);
    this.#output = Promise.all([this.#readOut(), this.#readErr(), fed]).then(() => {
      this.#ended = true;
      this.#wake();
    });
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The last words on stderr. */
  get stderr(): string {
    return this.#stderr;
  }

  /**
   * The first line, from now or before, that `match` takes.
   *
   * @throws {Error} If the process ends without it, or `timeoutMs` pass.
   */
  async waitFor(match: (line: JsonLine) => boolean, timeoutMs = 60_000): Promise<JsonLine> {
    const deadline = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const found = this.lines.find(match);
      if (found !== undefined) return found;
      if (this.#ended || deadline.aborted) {
        throw new Error(
          `A process ${this.#ended ? "ended" : "hung"}: ${this.#stderr.slice(-2000)}`,
        );
      }
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
        deadline.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }

  /** Waits for the end. */
  async result(): Promise<VerbResult> {
    const { code } = await this.#child.status;
    await this.#output;
    return { code, lines: this.lines, stderr: this.#stderr };
  }

  /** Ends it without a word, as a power cut would. */
  async kill(): Promise<void> {
    this.#signal("SIGKILL");
    await this.#child.status;
    await this.#output;
  }

  /** Asks it to stop, and insists after a while. @returns The exit code. */
  async stop(): Promise<number> {
    this.#signal("SIGTERM");
    const insist = setTimeout(() => this.#signal("SIGKILL"), STOP_MS_MAX);
    const { code } = await this.#child.status;
    clearTimeout(insist);
    await this.#output;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It ended already.
    }
  }

  async #feed(text: string): Promise<void> {
    // Whoever ends before it has read everything did not want the rest.
    await new Blob([text]).stream().pipeTo(this.#child.stdin).catch(() => {});
  }

  async #readOut(): Promise<void> {
    const lines = this.#child.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream());
    for await (const text of lines) {
      const line = parseLine(text);
      this.lines.push(line);
      this.#onLine?.(line);
      this.#wake();
    }
  }

  async #readErr(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.#stderr = (this.#stderr + text).slice(-16_384);
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** Runs a verb of the node to its end. */
export async function runVerb(...args: string[]): Promise<VerbResult> {
  const child = new ChildProcess({ script: "node.ts", args: [...args, "--json"] });
  return await child.result();
}

/** As {@link runVerb}, with a text on stdin. */
export async function feedVerb(input: string, ...args: string[]): Promise<VerbResult> {
  const child = new ChildProcess({ script: "node.ts", args: [...args, "--json"], input });
  return await child.result();
}

function parseLine(text: string): JsonLine {
  try {
    return JSON.parse(text);
  } catch {
    return { text };
  }
}
