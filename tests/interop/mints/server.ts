/** Other people's mints as processes on loopback: started with an empty environment, stopped by handle. */

/** How long a mint may take until it answers, and until it has stopped, in milliseconds. */
const READY_MS_MAX = 60_000;
const STOP_MS_MAX = 10_000;

/** Lines of its log shown when a mint does not start. */
const LOG_LINES = 30;

/** A mint that is not ours. */
export interface ForeignMint extends AsyncDisposable {
  /** Such as `nutshell 0.21.0`. */
  readonly name: string;
  readonly url: string;
  /** Makes a new active keyset with this fee; the old one is only taken, no longer given. */
  rotateKeyset(feePpk: number): Promise<void>;
  /** Kills it without a word and starts it again on the same database. */
  restart(): Promise<void>;
  /** What it signed less what it took back, in sat, by its own books. */
  outstandingSat(): number;
}

/** How to start a {@link Server}. */
export interface ServerOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** All of its environment but PATH. */
  readonly env: Readonly<Record<string, string>>;
  /** Its working directory, and where its log goes. */
  readonly directory: string;
  /** Answers once it is ready. */
  readonly readyUrl: string;
}

/** A process that serves. */
export class Server implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #logged: Promise<void>;

  private constructor(child: Deno.ChildProcess, logged: Promise<void>) {
    this.#child = child;
    this.#logged = logged;
  }

  /** Starts it and returns once it answers. */
  static async start(options: ServerOptions): Promise<Server> {
    const logPath = `${options.directory}/log.txt`;
    const child = new Deno.Command(options.command, {
      args: [...options.args],
      clearEnv: true,
      env: { PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin", ...options.env },
      cwd: options.directory,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const logged = log([child.stdout, child.stderr], logPath);
    const server = new Server(child, logged);
    let ended = false;
    child.status.then(() => ended = true);
    for (const endMs = Date.now() + READY_MS_MAX; Date.now() < endMs && !ended;) {
      if (await answers(options.readyUrl)) return server;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await server.kill();
    const lines = (await Deno.readTextFile(logPath)).trimEnd().split("\n").slice(-LOG_LINES);
    throw new Error(`The mint does not answer; the end of its log:\n${lines.join("\n")}`);
  }

  /** Ends it at once, as a crash would. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end("SIGTERM");
  }

  async #end(signal: Deno.Signal): Promise<void> {
    const send = (name: Deno.Signal) => {
      try {
        this.#child.kill(name);
      } catch (error) {
        // It has ended by itself.
        if (!(error instanceof TypeError)) throw error;
      }
    };
    send(signal);
    const late = setTimeout(() => send("SIGKILL"), STOP_MS_MAX);
    await this.#child.status;
    clearTimeout(late);
    await this.#logged;
  }
}

/** A port of this machine that nobody has. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

async function log(streams: readonly ReadableStream<Uint8Array>[], path: string): Promise<void> {
  using file = await Deno.open(path, { create: true, append: true });
  await Promise.all(streams.map(async (stream) => {
    for await (const part of stream) file.writeSync(part);
  }));
}
