/** One command in an instance: its outputs over WebSockets, one for each stream and one to signal it. */
import { isSeedmintError, SeedmintError } from "../../../src/core/errors.ts";
import type { ExecResult } from "../../ports.ts";
import { type ExecOptions, OutputLimit } from "../engine/mod.ts";
import { CONNECT_MS_MAX, EXEC_LINGER_MS, KILLED_MS_MAX } from "./limits.ts";
import type { LxdHttp, Operation } from "./lxd_http.ts";

const SIGKILL = 9;

/** The environment as the interface has it. */
export function environmentOf(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(lines.map((line) => {
    const equals = line.indexOf("=");
    return [line.slice(0, equals), line.slice(equals + 1)];
  }));
}

/** Runs a command. @throws {SeedmintError} `timeout`, `aborted`. */
export async function runExec(
  http: LxdHttp,
  instance: string,
  command: readonly string[],
  options: ExecOptions,
): Promise<ExecResult> {
  const begun = await http.begins("POST", `/1.0/instances/${instance}/exec`, {
    body: {
      command,
      environment: environmentOf(options.env),
      cwd: options.cwd,
      user: 0,
      group: 0,
      interactive: false,
      "wait-for-websocket": true,
    },
    signal: options.signal,
  });
  const fds = begun?.metadata?.fds as Readonly<Record<string, string>> | undefined;
  if (begun === undefined || fds === undefined) {
    throw new SeedmintError("protocol", `Cannot run a command in ${instance}: no streams came`);
  }
  const outputs = [options.outputBytesMax, options.outputBytesMax].map((max) =>
    new OutputLimit(max)
  );
  using streams = new Streams(http, begun.id);
  using limit = new TimeLimit(options);
  const done = http.ended(begun.id, "a command", Math.ceil(options.timeoutMs / 1000) + 10);
  done.catch(() => {});
  try {
    await Promise.race([streams.connect(fds, outputs as [OutputLimit, OutputLimit]), limit.over]);
    const operation = await Promise.race([done, limit.over]);
    await Promise.race([streams.finished(), after(EXEC_LINGER_MS)]);
    return {
      stdout: outputs[0]!.text(),
      stderr: outputs[1]!.text(),
      exitCode: exitCodeOf(operation),
      isTruncated: outputs.some((output) => output.isTruncated),
    };
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal !== undefined) return refusal;
    if (error !== limit.reason) throw error;
    streams.signal(SIGKILL);
    await Promise.race([done.catch(() => {}), after(KILLED_MS_MAX)]);
    throw error;
  }
}

/** What a shell says of a command that is not there, or that is no program. */
function refusalOf(error: unknown): ExecResult | undefined {
  if (!isSeedmintError(error)) return undefined;
  const [, words, how] = /(Command not (found|executable))/.exec(error.message) ?? [];
  if (words === undefined) return undefined;
  return {
    stdout: "",
    stderr: `${words}\n`,
    exitCode: how === "found" ? 127 : 126,
    isTruncated: false,
  };
}

function exitCodeOf(operation: Operation): number {
  const code = operation.metadata?.return;
  return typeof code === "number" ? code : -1;
}

/** The streams of one command. */
class Streams implements Disposable {
  readonly #http: LxdHttp;
  readonly #operation: string;
  readonly #sockets: WebSocket[] = [];
  readonly #ends: Promise<void>[] = [];
  #control: WebSocket | undefined;

  constructor(http: LxdHttp, operation: string) {
    this.#http = http;
    this.#operation = operation;
  }

  /** Connects all of them: the command runs when the last one is there. */
  async connect(
    fds: Readonly<Record<string, string>>,
    outputs: readonly [OutputLimit, OutputLimit],
  ): Promise<void> {
    const opened = Object.entries(fds).map(([name, secret]) => {
      const output = name === "1" ? outputs[0] : name === "2" ? outputs[1] : undefined;
      return this.#open(name, secret, output);
    });
    const late = after(CONNECT_MS_MAX).then(() => {
      throw new SeedmintError("timeout", "The streams of a command could not be connected");
    });
    late.catch(() => {});
    await Promise.race([Promise.all(opened), late]);
  }

  /** Once both outputs have ended. */
  async finished(): Promise<void> {
    await Promise.all(this.#ends);
  }

  signal(signal: number): void {
    if (this.#control?.readyState !== WebSocket.OPEN) return;
    this.#control.send(JSON.stringify({ command: "signal", signal }));
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) {
      try {
        socket.close();
      } catch {
        // The other side was quicker.
      }
    }
  }

  #open(name: string, secret: string, output: OutputLimit | undefined): Promise<void> {
    const url = `ws://engine/1.0/operations/${this.#operation}/websocket?secret=${secret}`;
    const socket = new WebSocket(url, { client: this.#http.client });
    socket.binaryType = "arraybuffer";
    this.#sockets.push(socket);
    if (name === "control") this.#control = socket;
    const opened = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    if (output !== undefined) this.#ends.push(ended.promise);
    socket.onopen = () => {
      // The command's input is at its end.
      if (name === "0") socket.close();
      opened.resolve();
    };
    socket.onmessage = ({ data }) => {
      // An empty text marks the end of a stream.
      if (typeof data === "string") ended.resolve();
      else output?.add(new Uint8Array(data as ArrayBuffer));
    };
    socket.onerror = (event) => {
      event.preventDefault();
      opened.reject(
        new SeedmintError("unavailable", "A stream of a command could not be connected"),
      );
      ended.resolve();
    };
    socket.onclose = () => ended.resolve();
    return opened.promise;
  }
}

/** The end of the time for a command, or of its being wanted. */
class TimeLimit implements Disposable {
  readonly over: Promise<never>;
  reason: SeedmintError | undefined;
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #signal: AbortSignal;
  readonly #onAbort: () => void;

  constructor(options: { readonly timeoutMs: number; readonly signal: AbortSignal }) {
    const over = Promise.withResolvers<never>();
    this.over = over.promise;
    this.over.catch(() => {});
    const end = (error: SeedmintError) => {
      this.reason ??= error;
      over.reject(this.reason);
    };
    this.#timer = setTimeout(
      () =>
        end(
          new SeedmintError("timeout", `The command did not end within ${options.timeoutMs} ms`),
        ),
      options.timeoutMs,
    );
    this.#signal = options.signal;
    this.#onAbort = () => end(new SeedmintError("aborted", "The command was cancelled"));
    if (options.signal.aborted) this.#onAbort();
    options.signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#signal.removeEventListener("abort", this.#onAbort);
  }
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => {
    Deno.unrefTimer(setTimeout(resolve, ms));
  });
}
