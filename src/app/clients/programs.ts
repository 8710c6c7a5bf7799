/** Running a client's own program: its version, and a pull. Without the permission nothing is run. */
import { join } from "node:path";
import { messageOf } from "../../core/errors.ts";
import { OUTPUT_CHARS_MAX, VERSION_MS_MAX } from "./limits.ts";
import type { ClientName, Version } from "./plan.ts";

/** Where programs are looked for: the environment's PATH stays unseen. */
const DIRECTORIES = [
  "/usr/local/sbin",
  "/usr/local/bin",
  "/usr/sbin",
  "/usr/bin",
  "/sbin",
  "/bin",
  "/snap/bin",
  "/opt/bin",
];

/** What a program did. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The programs of this machine. */
export interface Programs {
  /** Whether they may be run. */
  readonly mayRun: boolean;
  /** The path of a program; undefined if it is not installed. */
  find(name: string): Promise<string | undefined>;
  /** Runs one, for so long at most. */
  run(
    path: string,
    args: readonly string[],
    options: { readonly msMax: number; readonly signal: AbortSignal },
  ): Promise<Ran>;
}

/** Whose presence says that a client pulls on this machine: docker alone may speak to another one. */
const PROGRAM_OF: Readonly<Record<ClientName, string>> = {
  containerd: "containerd",
  docker: "dockerd",
  podman: "podman",
  skopeo: "skopeo",
};

/** Programs of the machine that this runs on. */
export class HostPrograms implements Programs {
  readonly mayRun: boolean;

  private constructor(mayRun: boolean) {
    this.mayRun = mayRun;
  }

  /** Asks for the permission where somebody can answer. */
  static open(options: { readonly asks: boolean }): HostPrograms {
    const descriptor = { name: "run" } as const;
    const { state } = Deno.permissions.querySync(descriptor);
    if (state === "granted") return new HostPrograms(true);
    const canAsk = options.asks && state === "prompt" && Deno.stdin.isTerminal() &&
      Deno.stderr.isTerminal();
    return new HostPrograms(
      canAsk && Deno.permissions.requestSync(descriptor).state === "granted",
    );
  }

  async find(name: string): Promise<string | undefined> {
    for (const directory of DIRECTORIES) {
      const path = join(directory, name);
      const status = await Deno.stat(path).catch(() => undefined);
      if (status?.isFile && ((status.mode ?? 0) & 0o111) !== 0) return path;
    }
    return undefined;
  }

  async run(
    path: string,
    args: readonly string[],
    { msMax, signal }: { readonly msMax: number; readonly signal: AbortSignal },
  ): Promise<Ran> {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(msMax)]);
    try {
      const { code, stdout, stderr } = await new Deno.Command(path, {
        args: [...args],
        env: { PATH: DIRECTORIES.join(":") },
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
        signal: deadline,
      }).output();
      signal.throwIfAborted();
      const late = deadline.aborted ? `it took longer than ${msMax / 1000} s; ` : "";
      return { code, out: textOf(stdout), err: late + textOf(stderr) };
    } catch (error) {
      signal.throwIfAborted();
      return { code: -1, out: "", err: messageOf(error) };
    }
  }
}

/** A client that is installed. */
export interface Installed {
  readonly client: ClientName;
  readonly program: string;
  /** Unknown where it may not be asked. */
  readonly version?: Version;
}

/** Whether a client is installed, and which version. */
export async function detect(
  client: ClientName,
  programs: Programs,
  signal: AbortSignal,
): Promise<Installed | undefined> {
  const program = await programs.find(PROGRAM_OF[client]);
  if (program === undefined) return undefined;
  if (!programs.mayRun) return { client, program };
  const { out } = await programs.run(program, ["--version"], { msMax: VERSION_MS_MAX, signal });
  const version = readVersion(out);
  return { client, program, ...(version === undefined ? {} : { version }) };
}

/** The first version in what a program says of itself. */
export function readVersion(text: string): Version | undefined {
  const match = /\bv?(\d+)\.(\d+)(?:\.\d+)?[\w.+~-]*/.exec(text);
  if (match === null) return undefined;
  return { major: Number(match[1]), minor: Number(match[2]), text: match[0].replace(/^v/, "") };
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).slice(-OUTPUT_CHARS_MAX);
}
