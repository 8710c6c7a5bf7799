/** The program `runc`: one call a function, its answers read. */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Clock } from "../../../src/core/ports.ts";
import {
  type CommandOptions,
  type CommandResult,
  failed,
  isThere,
  mustRun,
  readIfThere,
  removeTree,
  runCommand,
} from "../../machine/mod.ts";
import { DELETE_TRIES_MAX, KILL_RETRY_MS } from "../host/mod.ts";
import { RUNTIME_MS_MAX } from "./limits.ts";

/** What the runtime knows of a container. */
export interface RuntimeState {
  readonly status: "creating" | "created" | "running" | "paused" | "stopped" | "none";
  readonly pid: number;
}

/** What a container uses, as `events --stats` has it. */
export interface RuntimeStats {
  readonly cpuMs: number;
  readonly memoryBytes: number;
  readonly pidCount: number;
}

/**
 * Lets a program write to a file instead of to us, so that it may outlive us. The only shell there is:
 * its text is fixed, and what varies comes as arguments.
 */
const INTO_FILE = ["/bin/sh", "-c", 'exec >>"$0" 2>&1 && exec "$@"'];

/** The runtime with its own state below one directory. */
export class Runtime {
  readonly #program: string;
  readonly #root: string;
  readonly #clock: Clock;

  constructor(root: string, options: { readonly clock: Clock; readonly program?: string }) {
    this.#root = root;
    this.#clock = options.clock;
    this.#program = options.program ?? "runc";
  }

  /** First line of what the program says of its version. @throws {SeedmintError} `unavailable`. */
  async version(): Promise<string> {
    return (await mustRun([this.#program, "--version"])).split("\n")[0]!.trim();
  }

  /** Makes a container up to, not including, its first process; @returns the pid that waits. */
  async create(
    id: string,
    options: { readonly bundle: string; readonly log: string; readonly guard: string },
  ): Promise<number> {
    const pidFile = `${options.bundle}/pid`;
    await removeTree(pidFile);
    await this.#runInto(options, ["create", "--bundle", options.bundle, "--pid-file", pidFile, id]);
    const pid = Number(await readIfThere(pidFile));
    if (!Number.isInteger(pid) || pid <= 1) {
      throw new SeedmintError("unavailable", `Cannot create ${id}: the runtime named no process`);
    }
    return pid;
  }

  /** Lets the first process run. */
  async start(id: string, options: { readonly guard: string }): Promise<void> {
    await this.#must(["start", id], options);
  }

  /** Starts one more process and leaves it running. */
  async spawn(
    id: string,
    options: {
      readonly processFile: string;
      readonly bundle: string;
      readonly log: string;
      readonly guard: string;
    },
  ): Promise<void> {
    await this.#runInto(options, ["exec", "--detach", "--process", options.processFile, id]);
  }

  /** Runs a command to its end; `pidFile` names its process to whoever must end it by force. */
  async exec(
    id: string,
    command: readonly string[],
    { pidFile, cwd, env, ...options }: CommandOptions & {
      readonly pidFile: string;
      readonly cwd: string;
      /** Besides that of the container. */
      readonly env: readonly string[];
    },
  ): Promise<CommandResult> {
    const more = env.flatMap((line) => ["--env", line]);
    const args = ["exec", "--pid-file", pidFile, "--cwd", cwd, ...more, id, ...command];
    return await runCommand(this.#argv(args), options);
  }

  /** @throws {SeedmintError} `unavailable` if it does not answer. */
  async state(id: string): Promise<RuntimeState> {
    const argv = this.#argv(["state", id]);
    const result = await runCommand(argv, { timeoutMs: RUNTIME_MS_MAX });
    if (result.exitCode !== 0) {
      if (/does not exist/.test(result.stderr)) return { status: "none", pid: 0 };
      throw failed(argv, result);
    }
    return JSON.parse(result.stdout) as RuntimeState;
  }

  /** Whether there can be a container: the runtime keeps a folder for each, and need not be asked then. */
  async mayKnow(id: string): Promise<boolean> {
    return await isThere(`${this.#root}/${id}`);
  }

  /** The states of all containers of ours by id. @throws {SeedmintError} `unavailable`. */
  async states(): Promise<ReadonlyMap<string, RuntimeState>> {
    const text = await this.#must(["list", "--format", "json"]);
    const found = JSON.parse(text) as (RuntimeState & { readonly id: string })[] | null;
    return new Map((found ?? []).map((state) => [state.id, state]));
  }

  async pause(id: string): Promise<void> {
    await this.#must(["pause", id]);
  }

  async resume(id: string): Promise<void> {
    await this.#must(["resume", id]);
  }

  async stats(id: string): Promise<RuntimeStats> {
    const { data } = JSON.parse(await this.#must(["events", "--stats", id])) as {
      readonly data: {
        readonly cpu: { readonly usage: { readonly total: number } };
        readonly memory: { readonly usage: { readonly usage: number } };
        readonly pids: { readonly current?: number };
      };
    };
    return {
      cpuMs: Math.round(data.cpu.usage.total / 1e6),
      memoryBytes: data.memory.usage.usage,
      pidCount: data.pids.current ?? 0,
    };
  }

  /** Ends all processes of a container and forgets it; fine when it is gone. */
  async remove(id: string): Promise<void> {
    if (!await this.mayKnow(id)) return;
    for (let tries = 0;; tries++) {
      const { status } = await this.state(id);
      if (status === "none") {
        // Without a state in it, a folder is what a runtime left that was ended by force.
        return await removeTree(`${this.#root}/${id}`);
      }
      if (tries === DELETE_TRIES_MAX) {
        throw new SeedmintError("unavailable", `Cannot remove ${id}: it stays ${status}`, {
          retryable: true,
        });
      }
      // Frozen processes do not even die.
      if (status === "paused") await runCommand(this.#argv(["resume", id]));
      const { exitCode } = await runCommand(this.#argv(["delete", "--force", id]), {
        timeoutMs: RUNTIME_MS_MAX,
      });
      if (exitCode !== 0) await this.#clock.sleep(KILL_RETRY_MS);
    }
  }

  /** Runs with output into the log, for what leaves processes behind; errors come from a file of their own. */
  async #runInto(
    options: { readonly bundle: string; readonly log: string; readonly guard: string },
    args: readonly string[],
  ): Promise<void> {
    const errors = `${options.bundle}/runtime-${crypto.randomUUID()}.log`;
    const argv = [this.#program, "--root", this.#root, "--log", errors, ...args];
    try {
      const { exitCode } = await runCommand([...INTO_FILE, options.log, ...argv], {
        isOutputDropped: true,
        guard: options.guard,
        timeoutMs: RUNTIME_MS_MAX,
      });
      if (exitCode === 0) return;
      const stderr = await readIfThere(errors) ?? "";
      throw failed([this.#program, args[0]!], {
        exitCode,
        stdout: "",
        stderr,
        isTruncated: false,
      });
    } finally {
      await removeTree(errors);
    }
  }

  async #must(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    return await mustRun(this.#argv(args), { timeoutMs: RUNTIME_MS_MAX, ...options });
  }

  #argv(args: readonly string[]): string[] {
    return [this.#program, "--root", this.#root, ...args];
  }
}
