/**
 * Another host, over `ssh`. A script is a constant of ours and is handed over as one quoted word; what
 * varies are its arguments, words of their own, and what is long or private comes by standard input:
 * nothing that anybody chose is ever part of a script, and nothing private is in a list of processes.
 */
import { messageOf, SeedmintError } from "../../core/errors.ts";
import { printable } from "../output/format.ts";
import { type Destination, shownDestination } from "./destination.ts";
import { CONNECT_S_MAX, OUTPUT_BYTES_MAX, SHOWN_CHARS_MAX, SHOWN_LINES_MAX } from "./limits.ts";
import { quoteWords } from "./quote.ts";

/** What a script printed, and how it ended. */
export interface RemoteResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Options of {@link RemoteHost.run}. */
export interface RemoteOptions {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly input?: ReadableStream<Uint8Array>;
}

/** A host that scripts are run on, as its root. */
export interface RemoteHost {
  /** For people. */
  readonly name: string;
  /**
   * Runs a script of `sh` with these arguments.
   *
   * @throws {SeedmintError} `denied` (not let in, or no root), `conflict` (another host key),
   *   `not-found` (its key is not known), `unavailable`, `timeout`, `aborted`.
   */
  run(script: string, args: readonly string[], options: RemoteOptions): Promise<RemoteResult>;
}

/** How a host is reached. */
export interface SshOptions {
  readonly destination: Destination;
  /** A private key, instead of those that `ssh` would try. */
  readonly identity?: string;
  /** Files of known hosts. */
  readonly knownHosts: readonly string[];
  /** @default {"ssh"} */
  readonly program?: string;
}

/** Becomes root, and runs the script that is its first argument. */
const AS_ROOT = 'if [ "$(id -u)" = 0 ]; then exec sh -c "$@"; fi; ' +
  'command -v sudo >/dev/null || { echo "seedmint: no sudo" >&2; exit 126; }; ' +
  'sudo -n true </dev/null 2>/dev/null || { echo "seedmint: sudo asks" >&2; exit 126; }; ' +
  'exec sudo -n sh -c "$@"';

/** What `ssh` ends with when it failed itself. */
const SSH_FAILED = 255;

/** Between two looks whether the connection is there, in milliseconds. */
const CONNECT_POLL_MS = 20;

/** A host over OpenSSH's client: one connection, over which each script has a channel of its own. */
export class SshHost implements RemoteHost, AsyncDisposable {
  readonly name: string;
  readonly #options: SshOptions;
  /** Holds the socket of the connection; nobody else enters it. */
  readonly #folder: string;
  #master: Deno.ChildProcess | undefined;

  private constructor(options: SshOptions, folder: string) {
    this.name = shownDestination(options.destination);
    this.#options = options;
    this.#folder = folder;
  }

  /** Nothing is sent yet. */
  static async open(options: SshOptions): Promise<SshHost> {
    return new SshHost(options, await Deno.makeTempDir({ prefix: "seedmint-ssh-" }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#hangUp();
    await Deno.remove(this.#folder, { recursive: true });
  }

  async run(
    script: string,
    args: readonly string[],
    options: RemoteOptions,
  ): Promise<RemoteResult> {
    const words = ["sh", "-c", AS_ROOT, "sh", script, "seedmint", ...args];
    await this.#connect(options.signal);
    const result = await this.#ssh(quoteWords(words), options);
    if (result.code === SSH_FAILED) throw this.#failure(result.stderr);
    if (result.code === 126 && result.stderr.includes("seedmint: ")) throw this.#noRoot(result);
    return result;
  }

  /** The whole command line of `ssh` for a command on the host; without one, of the connection. */
  argv(command?: string): readonly string[] {
    const { destination: { host, user, port }, identity, knownHosts, program } = this.#options;
    return [
      program ?? "ssh",
      "-T",
      ...Object.entries({
        BatchMode: "yes",
        StrictHostKeyChecking: "yes",
        UserKnownHostsFile: knownHosts.map(quotePath).join(" "),
        // The files alone say which key a host has; before OpenSSH 8.5 there is no such command.
        IgnoreUnknown: "KnownHostsCommand",
        KnownHostsCommand: "none",
        VerifyHostKeyDNS: "no",
        UpdateHostKeys: "no",
        PreferredAuthentications: "publickey",
        GSSAPIDelegateCredentials: "no",
        RemoteCommand: "none",
        ForwardAgent: "no",
        ForwardX11: "no",
        ClearAllForwardings: "yes",
        PermitLocalCommand: "no",
        ControlMaster: command === undefined ? "yes" : "no",
        ControlPath: `"${this.#socket.replaceAll("%", "%%")}"`,
        ConnectTimeout: String(CONNECT_S_MAX),
        ServerAliveInterval: "15",
        ServerAliveCountMax: "4",
        LogLevel: "ERROR",
      }).flatMap(([name, value]) => ["-o", `${name}=${value}`]),
      ...(port === undefined ? [] : ["-p", String(port)]),
      ...(user === undefined ? [] : ["-l", user]),
      ...(identity === undefined ? [] : ["-o", "IdentitiesOnly=yes", "-i", identity]),
      ...(command === undefined ? ["-N", "--", host] : ["--", host, command]),
    ];
  }

  get #socket(): string {
    return `${this.#folder}/s`;
  }

  /** Connects once; what is wrong with the host's key or ours is found here. */
  async #connect(signal: AbortSignal): Promise<void> {
    if (this.#master !== undefined) return;
    const [program, ...args] = this.argv();
    const master = start(program!, { args, stdin: "null", stdout: "null", stderr: "piped" });
    const said = textOf(master.stderr);
    let isOver = false;
    const ended = master.status.then(() => isOver = true);
    const waited = AbortSignal.timeout(3_000 * CONNECT_S_MAX);
    while (!isOver && !await isThere(this.#socket)) {
      if (signal.aborted || waited.aborted) break;
      await Promise.race([ended, new Promise((done) => setTimeout(done, CONNECT_POLL_MS))]);
    }
    if (!isOver && await isThere(this.#socket)) {
      this.#master = master;
      return;
    }
    kill(master);
    await ended;
    signal.throwIfAborted();
    throw this.#failure(await said);
  }

  async #hangUp(): Promise<void> {
    if (this.#master === undefined) return;
    kill(this.#master);
    await this.#master.status;
    this.#master = undefined;
  }

  async #ssh(command: string, options: RemoteOptions): Promise<RemoteResult> {
    const { signal, timeoutMs, input } = options;
    signal.throwIfAborted();
    const [program, ...args] = this.argv(command);
    const late = AbortSignal.timeout(timeoutMs);
    const child = start(program!, {
      args,
      stdin: input === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    });
    const stop = AbortSignal.any([signal, late]);
    // On a shared connection ssh ends for nothing less before its script does, and its pipes with neither.
    const onStop = () => kill(child, "SIGKILL");
    stop.addEventListener("abort", onStop, { once: true });
    let inputError: unknown;
    const feeding = input?.pipeTo(child.stdin).catch((error) => inputError = error);
    const [stdout, stderr, status] = await Promise.all([
      textOf(child.stdout, stop),
      textOf(child.stderr, stop),
      child.status,
      feeding,
    ]);
    stop.removeEventListener("abort", onStop);
    signal.throwIfAborted();
    if (late.aborted) {
      throw new SeedmintError(
        "timeout",
        `Cannot go on with ${this.name}: it did not end within ${timeoutMs / 1000} s; ` +
          "run it again, it goes on from there",
        { retryable: true },
      );
    }
    // A pipe that broke means that it ended without reading all: its exit code tells.
    if (inputError instanceof RangeError) {
      throw new SeedmintError(
        "unavailable",
        `Cannot go on with ${this.name}: ${inputError.message}; run it again`,
        { cause: inputError, retryable: true },
      );
    }
    return { code: status.code, stdout, stderr };
  }

  #failure(stderr: string): SeedmintError {
    const what = `Cannot connect to ${this.name}`;
    if (/REMOTE HOST IDENTIFICATION HAS CHANGED/.test(stderr)) {
      return new SeedmintError(
        "conflict",
        `${what}: it has another host key than the one that is known; if it was installed anew, ` +
          "remove the old key (ssh-keygen -R HOST) and name the new one's fingerprint with " +
          "--host-key; if not, somebody may sit in between",
      );
    }
    if (/host key is known|Host key verification failed/.test(stderr)) {
      return new SeedmintError("not-found", `${what}: its host key is not known here`);
    }
    if (/Permission denied/.test(stderr)) {
      return new SeedmintError(
        "denied",
        `${what}: it lets none of your keys in; put your public key into authorized_keys there ` +
          "(ssh-copy-id), name the right one with --identity, or add it to your agent (ssh-add)",
      );
    }
    const said = lastLines(stderr, 1) || "ssh said nothing";
    return new SeedmintError(
      "unavailable",
      `${what}: ${said}; check the name, the port, the network and the firewall`,
      { retryable: true },
    );
  }

  #noRoot({ stderr }: RemoteResult): SeedmintError {
    const why = stderr.includes("no sudo") ? "sudo is not installed" : "sudo asks for a password";
    return new SeedmintError(
      "denied",
      `Cannot become root on ${this.name}: ${why}; connect as root (root@HOST), or let this user ` +
        "run sudo without a password while it is set up",
    );
  }
}

/** The last lines of what a program said, fit for a terminal. */
export function lastLines(text: string, count: number = SHOWN_LINES_MAX): string {
  // deno-lint-ignore no-control-regex -- colours that a program was not asked for
  return text.replace(/\x1b\[[0-9;]*m/g, "").trim().split(/\r?\n/).filter((line) =>
    line.trim() !== ""
  ).slice(-count)
    .map((line) => printable(line.trim()).slice(0, SHOWN_CHARS_MAX)).join("\n");
}

function quotePath(path: string): string {
  if (/["\n\r\0]/.test(path)) {
    throw new SeedmintError("usage", `Cannot use known hosts in ${printable(path)}: rename it`);
  }
  return `"${path.replaceAll("%", "%%")}"`;
}

function start(program: string, options: Deno.CommandOptions): Deno.ChildProcess {
  try {
    return new Deno.Command(program, options).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    const why = error instanceof Deno.errors.NotFound
      ? "it is not installed here; install openssh-client"
      : messageOf(error);
    throw new SeedmintError("unavailable", `Cannot run ${program}: ${why}`, { cause: error });
  }
}

function kill(child: Deno.ChildProcess, by: Deno.Signal = "SIGTERM"): void {
  try {
    child.kill(by);
  } catch {
    // It ended by itself.
  }
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/** Text of a stream, the beginning of it if it is long; the rest is read and dropped. */
async function textOf(stream: ReadableStream<Uint8Array>, stop?: AbortSignal): Promise<string> {
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  const onStop = () => void reader.cancel().catch(() => {});
  stop?.addEventListener("abort", onStop, { once: true });
  let text = "";
  let size = 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    const kept = next.value.subarray(0, Math.max(0, OUTPUT_BYTES_MAX - size));
    size += kept.length;
    text += decoder.decode(kept, { stream: true });
  }
  stop?.removeEventListener("abort", onStop);
  return text + decoder.decode();
}
