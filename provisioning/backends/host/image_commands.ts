/**
 * What images themselves run, started beside our SSH server once that answers: earlier it could keep the
 * server from answering, and use the machine until the lease fails and is paid back.
 */
import { messageOf } from "../../../src/core/errors.ts";
import type { Clock } from "../../../src/core/ports.ts";
import { isThere, removeTree } from "../../machine/mod.ts";
import { awaitBanner } from "../../ssh/mod.ts";
import { logPath } from "./disk.ts";
import { SSH_PORT_INSIDE } from "./inside.ts";
import type { LeasePaths } from "./instance.ts";
import { COMMAND_WITHIN_MS } from "./limits.ts";
import { leaseLink } from "./network_rules.ts";
import type { LeaseRecord } from "./records.ts";

/** One command that is to be started. */
export interface ImageCommand {
  readonly record: Pick<LeaseRecord, "leaseId" | "hostPort">;
  readonly paths: LeasePaths;
  readonly spawn: () => Promise<void>;
}

/** The commands of leases that are not started yet. */
export class ImageCommands implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  readonly #waiting = new Map<string, { stop: AbortController; done: Promise<void> }>();

  constructor(options: { readonly clock: Clock }) {
    this.#clock = options.clock;
  }

  /**
   * Starts a command in the background, unless that was done already; why it fails is told in the log, and
   * it {@link isCommandDue} still.
   */
  begin(command: ImageCommand): void {
    const { leaseId } = command.record;
    const waiting = this.#waiting.get(leaseId);
    if (waiting !== undefined && !waiting.stop.signal.aborted) return;
    const stop = new AbortController();
    const done = this.#run(command, stop.signal).finally(() => {
      if (this.#waiting.get(leaseId)?.stop === stop) this.#waiting.delete(leaseId);
    });
    this.#waiting.set(leaseId, { stop, done });
  }

  /** For a container that is made anew: whether it has a command, that is to be started. */
  async renew(leaseId: string, paths: LeasePaths, hasCommand: boolean): Promise<void> {
    this.stop(leaseId);
    if (hasCommand) await Deno.writeTextFile(markIn(paths), "");
    else await removeTree(markIn(paths));
  }

  /** Starts nothing more in a container that ends. */
  stop(leaseId: string): void {
    this.#waiting.get(leaseId)?.stop.abort();
  }

  /** What waits still is started now: nobody else would. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#waiting.values()].map(({ done }) => done));
  }

  async #run({ record, paths, spawn }: ImageCommand, stopped: AbortSignal): Promise<void> {
    try {
      // It was started, by a process of ours that was killed since.
      if (!await isCommandDue(paths)) return;
      await this.#answers(record, stopped);
      if (stopped.aborted) return;
      await spawn();
      await removeTree(markIn(paths));
    } catch (error) {
      if (stopped.aborted) return;
      const line = `${messageOf(error)}\n`;
      // It may be destroyed by now.
      await Deno.writeTextFile(logPath(paths), line, { append: true, create: false }).catch(
        () => {},
      );
    }
  }

  async #answers({ hostPort }: { readonly hostPort: number }, stopped: AbortSignal) {
    const target = { host: leaseLink(hostPort).address, port: SSH_PORT_INSIDE };
    const closing = this.#closing.signal;
    try {
      const signal = AbortSignal.any([stopped, closing]);
      await awaitBanner(target, { clock: this.#clock, signal, withinMs: COMMAND_WITHIN_MS });
    } catch (error) {
      if (!closing.aborted) throw error;
    }
  }
}

/** Whether a command is to be started still: by a process that was killed, or that gave up waiting. */
export function isCommandDue(paths: LeasePaths): Promise<boolean> {
  return isThere(markIn(paths));
}

function markIn(paths: LeasePaths): string {
  return `${paths.folder}/command-due`;
}
