/** What an owner asks of a lease that is ready: stop, restart, logs, exec. */
import { isSeedmintError } from "../../src/core/errors.ts";
import { isLive, isOver, type Lease } from "../leases/mod.ts";
import {
  type Answer,
  type ExecRequest,
  leaseNameOf,
  type LogsRequest,
  WIRE_LIMITS,
} from "../wire/mod.ts";
import { stopAnswer } from "./answers.ts";
import type { ProviderContext } from "./context.ts";
import { within } from "./deadline.ts";
import { Lanes } from "./lanes.ts";
import { PROVIDER_LIMITS } from "./limits.ts";
import { Refusal } from "./refusal.ts";
import type { LeaseRunner } from "./runner.ts";

/** Serves what is asked of one lease. */
export class InsideDesk {
  readonly #context: ProviderContext;
  readonly #runner: LeaseRunner;
  readonly #lanes = new Lanes({
    countMax: PROVIDER_LIMITS.insideMax,
    waitingMax: PROVIDER_LIMITS.insideWaitingMax,
  });

  constructor(context: ProviderContext, runner: LeaseRunner) {
    this.#context = context;
    this.#runner = runner;
  }

  /** Ends a lease; asked again, it says the same again. @throws {Refusal} */
  async stop(
    lease: Lease,
    options: { readonly signal: AbortSignal; readonly refundKey?: string },
  ): Promise<Answer> {
    const { journal, time } = this.#context;
    const isOpen = !isOver(lease) && lease.state !== "expiring" && lease.state !== "failed";
    if (isOpen && !isLive(lease)) throw new Refusal("not_ready", "This lease is not ready yet");
    if (isOpen) {
      const event = { type: "end", reason: "stopped", message: "Its owner ended it" } as const;
      const lockTo = options.refundKey;
      const ended = journal.leases.apply(lease.number, {
        ...event,
        ...(lockTo === undefined ? {} : { lockTo }),
      }, { nowMs: time.nowMs() });
      if (ended !== undefined) this.#runner.announce(ended);
      this.#runner.nudge(lease.number);
    }
    return stopAnswer(await this.#over(lease, options.signal), this.#context);
  }

  /** @throws {Refusal} */
  async restart(lease: Lease, options: { readonly signal: AbortSignal }): Promise<Answer> {
    this.#assertReady(lease);
    const { backend, ssh, settings, time, journal } = this.#context;
    const name = leaseNameOf(lease.number);
    journal.leases.note(lease.number, "restart", { nowMs: time.nowMs() });
    await this.#inside(options.signal, "Restarting the lease", async (signal) => {
      await backend.restart(name);
      await ssh.awaitBanner(
        { host: settings.probeHost ?? backend.publicHost, port: lease.terms.sshPort },
        { signal },
      );
    });
    return { type: "restart", lease: name, readyMs: time.nowMs() };
  }

  /** @throws {Refusal} */
  async logs(
    lease: Lease,
    request: LogsRequest,
    options: { readonly signal: AbortSignal },
  ): Promise<Answer> {
    if (!lease.mayExist) throw new Refusal("lease_expired", "This lease has ended");
    const name = leaseNameOf(lease.number);
    const text = await this.#inside(
      options.signal,
      "Reading the log",
      () => this.#context.backend.logs(name, { lineCount: request.lineCount }),
    );
    const tail = text.slice(-WIRE_LIMITS.outputCharsMax);
    return { type: "logs", lease: name, text: tail, isTruncated: tail.length < text.length };
  }

  /** @throws {Refusal} */
  async exec(
    lease: Lease,
    request: ExecRequest,
    options: { readonly signal: AbortSignal },
  ): Promise<Answer> {
    this.#assertReady(lease);
    const { backend } = this.#context;
    const name = leaseNameOf(lease.number);
    const timeoutMs = Math.min(request.timeoutMs, WIRE_LIMITS.execMsMax);
    const result = await this.#inside(
      options.signal,
      "The command",
      (signal) => backend.exec(name, request.command, { timeoutMs, signal }),
    );
    // Both together fit into one answer; what the errors leave is for the output.
    const stderr = result.stderr.slice(0, WIRE_LIMITS.outputCharsMax / 4);
    const stdout = result.stdout.slice(0, WIRE_LIMITS.outputCharsMax - stderr.length);
    return {
      type: "exec",
      lease: name,
      stdout,
      stderr,
      exitCode: result.exitCode,
      isTruncated: result.isTruncated || stdout.length < result.stdout.length ||
        stderr.length < result.stderr.length,
    };
  }

  #assertReady(lease: Lease): void {
    if (lease.state === "ready") return;
    throw lease.readyMs === undefined && !isOver(lease)
      ? new Refusal("not_ready", "This lease is not ready yet")
      : new Refusal("lease_expired", "This lease has ended");
  }

  #inside<T>(
    signal: AbortSignal,
    what: string,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { clock } = this.#context;
    return this.#lanes.run(
      () => within(clock, { ms: PROVIDER_LIMITS.insideMs * 2, what, signal }, work),
      { signal },
    );
  }

  async #over(lease: Lease, signal: AbortSignal): Promise<Lease> {
    try {
      return await within(
        this.#context.clock,
        { ms: PROVIDER_LIMITS.refundPatienceMs, what: "Ending the lease", signal },
        (signal) => this.#runner.until(lease.number, isOver, { signal }),
      );
    } catch (error) {
      if (!isSeedmintError(error, "timeout")) throw error;
      throw new Refusal(
        "not_ready",
        "The lease is being ended; ask again for what is paid back",
        { retryMs: 30_000 },
      );
    }
  }
}
