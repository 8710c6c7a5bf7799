/** Carrying a plan out on a host, step by step, and looking whether the node there answers. */
import { isSeedmintError, SeedmintError } from "../../core/errors.ts";
import type { Clock } from "../../core/ports.ts";
import { printable } from "../output/format.ts";
import { LENDING_TRIES_MAX, LOOK_MS_MAX, START_MS_MAX, START_POLL_MS } from "./limits.ts";
import type { Step, StepInput } from "./plan.ts";
import { COMMAND, SOCKET, UNIT } from "./places.ts";
import * as scripts from "./scripts.ts";
import { lastLines, type RemoteHost } from "./ssh_host.ts";

/** What the host's node says of itself once it runs. */
export interface CarriedOut {
  readonly npub: string;
  readonly peerId: string;
  /** What `provider status` says; absent if it does not answer. */
  readonly lending?: { readonly state: string; readonly problems: readonly string[] };
}

/** Options of {@link carryOut} and {@link askNode}. */
export interface CarryOutOptions {
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly onStep: (step: Step) => void;
}

/**
 * Does one step after the other.
 *
 * @throws {SeedmintError} `unavailable` with the step that failed and what was said there; what was done
 *   before stays, and the next run goes on from there.
 */
export async function carryOut(
  host: RemoteHost,
  steps: readonly Step[],
  options: CarryOutOptions,
): Promise<void> {
  for (const step of steps) {
    options.onStep(step);
    const { code, stdout, stderr } = await host.run(step.script, step.args, {
      signal: options.signal,
      timeoutMs: step.timeoutMs,
      ...(step.input === undefined ? {} : { input: await streamOf(step.input) }),
    });
    if (code === 0) continue;
    const said = lastLines(stderr) || lastLines(stdout) || "it said nothing";
    throw new SeedmintError(
      "unavailable",
      `Cannot ${step.title} on ${host.name} (code ${code}):\n${said}\n` +
        "Mend that and run bootstrap again; it goes on from there.",
      { retryable: true },
    );
  }
}

/**
 * Waits until the node of the host answers.
 *
 * @throws {SeedmintError} `timeout` with the end of its log.
 */
export async function askNode(
  host: RemoteHost,
  { signal, clock }: Pick<CarryOutOptions, "signal" | "clock">,
): Promise<CarriedOut> {
  // A verb may end with 1 and have answered all the same.
  const ask = async (words: readonly string[]) => {
    const result = await host.run(scripts.ASK, [SOCKET, COMMAND, ...words], {
      signal,
      timeoutMs: LOOK_MS_MAX,
    });
    return lastObject(result.stdout);
  };
  const startMs = clock.monotonicMs();
  for (;;) {
    const status = await ask(["status"]);
    if (status?.running === true) {
      const lending = await askLending(ask, clock, signal);
      const state = lending?.state;
      return {
        npub: textOf(status.npub),
        peerId: textOf(status.peerId),
        ...(typeof state === "string" ? { lending: lendingOf(lending!) } : {}),
      };
    }
    if (clock.monotonicMs() - startMs > START_MS_MAX) throw await notStarted(host, signal);
    await clock.sleep(START_POLL_MS, { signal });
  }
}

/** A node that has just started lends within seconds, or says why not. */
async function askLending(
  ask: (words: readonly string[]) => Promise<Record<string, unknown> | undefined>,
  clock: Clock,
  signal: AbortSignal,
): Promise<Record<string, unknown> | undefined> {
  for (let tries = 1;; tries++) {
    const report = await ask(["provider", "status"]);
    const isStarting = report?.state === "off" && Array.isArray(report.problems) &&
      report.problems.length === 0;
    if (!isStarting || tries === LENDING_TRIES_MAX) return report;
    await clock.sleep(START_POLL_MS, { signal });
  }
}

async function notStarted(host: RemoteHost, signal: AbortSignal): Promise<SeedmintError> {
  let log = "";
  try {
    log = lastLines(
      (await host.run(scripts.LOG, [UNIT], { signal, timeoutMs: LOOK_MS_MAX })).stdout,
    );
  } catch (error) {
    if (!isSeedmintError(error)) throw error;
  }
  return new SeedmintError(
    "timeout",
    `The node on ${host.name} does not answer ${
      START_MS_MAX / 1000
    } s after its start. Its log ends ` +
      `with:\n${log || "(nothing)"}\nSee there: journalctl -u ${UNIT}`,
  );
}

async function streamOf(input: StepInput): Promise<ReadableStream<Uint8Array>> {
  switch (input.kind) {
    case "text":
      return new Blob([input.text]).stream();
    case "file":
      return await input.file.open();
    case "archive":
      return input.program.archive();
    default:
      return input satisfies never;
  }
}

/** The last line that is a JSON object. */
function lastObject(text: string): Record<string, unknown> | undefined {
  for (const line of text.trim().split("\n").reverse()) {
    try {
      const value: unknown = JSON.parse(line);
      if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
    } catch {
      // Another line.
    }
  }
  return undefined;
}

function lendingOf(report: Record<string, unknown>): NonNullable<CarriedOut["lending"]> {
  const problems = Array.isArray(report.problems) ? report.problems.slice(0, 20) : [];
  return { state: textOf(report.state), problems: problems.map(textOf) };
}

function textOf(value: unknown): string {
  return printable(String(value ?? "")).slice(0, 500);
}
