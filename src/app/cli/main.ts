/** From a command line to an exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted. */
import { isSeedmintError, messageOf, SeedmintError } from "../../core/errors.ts";
import { commandLine } from "../permissions.ts";
import { systemClock } from "../system.ts";
import { VERSION } from "../version.ts";
import { Output, type OutputStreams, processStreams } from "../output/output.ts";
import { helpOf, helpOfAll } from "./help.ts";
import { VERB_GROUPS, VERBS } from "./node_commands.ts";
import { nearest, type ParsedLine, parseLine } from "./parse.ts";
import type { VerbSpec } from "./verb.ts";

/** Exit codes, which scripts rely on. */
export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** The most milliseconds between the first signal and the end, whatever hangs. */
const GRACE_MS = 15_000;

/** Runs one command line. */
export async function main(
  args: readonly string[],
  streams: OutputStreams = processStreams(),
): Promise<number> {
  const json = args.includes("--json");
  let out = new Output({ json, quiet: false }, streams);
  try {
    if (wantsVersion(args)) {
      if (json) out.object({ version: VERSION, deno: Deno.version.deno });
      else out.line(`seedmint ${VERSION} (Deno ${Deno.version.deno})`);
      return EXIT.done;
    }
    const { verb, rest } = chooseVerb(args);
    if (verb === undefined || isHelp(rest)) {
      out.line(verb === undefined ? helpOfAll(VERB_GROUPS) : helpOf(verb));
      return EXIT.done;
    }
    const line = parseLine(verb, rest);
    out = new Output({ json: line.flags.has("json"), quiet: line.flags.has("quiet") }, streams);
    return await runVerb(verb, line, out);
  } catch (error) {
    return report(error, out, args);
  } finally {
    out.endProgress();
  }
}

async function runVerb(verb: VerbSpec, line: ParsedLine, out: Output): Promise<number> {
  const { loadConfig, noInputs, processInputs } = await import("../config/load.ts");
  const config = await loadConfig(verb.isLight ? noInputs : processInputs(line.settings));
  const { run } = await verb.load();
  using interrupt = interruptSignal();
  return await run({
    verb,
    operands: line.operands,
    flag: (name) => line.flags.get(name)?.at(-1),
    flagAll: (name) => line.flags.get(name) ?? [],
    has: (name) => line.flags.has(name),
    config,
    out,
    signal: interrupt.signal,
  });
}

function wantsVersion(args: readonly string[]): boolean {
  return args[0] === "version" && !isHelp(args) || args[0] === "--version" || args[0] === "-V";
}

function isHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return (end < 0 ? args : args.slice(0, end)).some((arg) => arg === "--help" || arg === "-h");
}

/** The verb of `args` and what follows it; no verb means `start`, unless help is asked for. */
function chooseVerb(args: readonly string[]): { verb?: VerbSpec; rest: readonly string[] } {
  const [first, ...others] = args;
  if (first === "help") {
    const verb = others[0] === undefined ? undefined : verbOf(others[0]);
    return verb === undefined ? { rest: [] } : { verb, rest: ["--help"] };
  }
  if (first === undefined || first.startsWith("-")) {
    const verb = args.find((arg) => VERBS.some((candidate) => candidate.name === arg));
    if (verb !== undefined) {
      throw new SeedmintError(
        "usage",
        `The verb comes first: ${verb}, then its flags (see --help)`,
      );
    }
    return isHelp(args) ? { rest: [] } : { verb: verbOf("start"), rest: args };
  }
  return { verb: verbOf(first), rest: others };
}

function verbOf(name: string): VerbSpec {
  const verb = VERBS.find((candidate) => candidate.name === name);
  if (verb !== undefined) return verb;
  const near = nearest(name, VERBS.map((candidate) => candidate.name));
  throw new SeedmintError(
    "usage",
    `There is no verb ${name}${near ? `; did you mean ${near}?` : ""} (see --help)`,
  );
}

/** A signal that SIGINT, SIGTERM or SIGHUP aborts; the second of them ends the process at once. */
function interruptSignal(): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  const names = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  let stopGrace = () => {};
  const onSignal = () => {
    if (controller.signal.aborted) Deno.exit(EXIT.interrupted);
    controller.abort(new SeedmintError("aborted", "Interrupted"));
    stopGrace = systemClock.timer(GRACE_MS, () => Deno.exit(EXIT.interrupted));
  };
  for (const name of names) Deno.addSignalListener(name, onSignal);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      stopGrace();
      for (const name of names) Deno.removeSignalListener(name, onSignal);
    },
  };
}

/** Tells what went wrong, in the form that was asked for. */
function report(error: unknown, out: Output, args: readonly string[]): number {
  // Whoever read our output went away (`seedmint ls | head`): there is nobody to tell.
  if (error instanceof Deno.errors.BrokenPipe) return EXIT.failed;
  const { code, message } = describe(error);
  try {
    if (out.json || args.includes("--json")) out.object({ event: "error", code, message });
    if (!out.json) out.error(`error: ${message}`);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.BrokenPipe)) throw cause;
  }
  if (code === "internal" && error instanceof Error) out.error(error.stack ?? "");
  return code === "usage" ? EXIT.usage : code === "aborted" ? EXIT.interrupted : EXIT.failed;
}

function describe(error: unknown): { readonly code: string; readonly message: string } {
  if (isSeedmintError(error)) return { code: error.code, message: error.message };
  // What a user typed is read by functions that throw these.
  if (error instanceof SyntaxError || error instanceof RangeError) {
    return { code: "usage", message: error.message };
  }
  if (error instanceof Deno.errors.NotCapable) {
    return { code: "usage", message: `${error.message}\nRun: ${commandLine()}` };
  }
  if (error instanceof DOMException && error.name === "AbortError") {
    return { code: "aborted", message: "Interrupted" };
  }
  return { code: "internal", message: `A mistake of this program: ${messageOf(error)}` };
}
