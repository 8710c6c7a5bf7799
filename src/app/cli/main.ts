/** From a command line to an exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted. */
import { isSeedmintError, messageOf, SeedmintError } from "../../core/errors.ts";
import { commandLine } from "../permissions.ts";
import { systemClock } from "../../host/system.ts";
import { VERSION } from "../version.ts";
import type { OpenedWallet, OpenWalletOptions } from "../api/open_wallet.ts";
import type { Config } from "../config/settings.ts";
import { harmless } from "../output/harmless.ts";
import { type Input, processInput } from "../output/input.ts";
import { Output, type OutputStreams, processStreams } from "../output/output.ts";
import { helpOf, helpOfAll } from "./help.ts";
import { VERB_GROUPS, WORDS } from "./node_commands.ts";
import { excerpt, nearest, type ParsedLine, parseLine } from "./parse.ts";
import {
  isFamily,
  type Programs,
  type VerbContext,
  type VerbFamily,
  type VerbSpec,
} from "./verb.ts";

/** Exit codes, which scripts rely on. */
export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** The most milliseconds between the first signal and the end, whatever hangs. */
const GRACE_MS = 15_000;

/** What a caller of {@link main} may replace or add. */
export interface MainOptions extends Programs {
  /** @default {that of the process} */
  readonly input?: Input;
  /** @default {the wallet of the data directory} */
  readonly openWallet?: (config: Config, options: OpenWalletOptions) => Promise<OpenedWallet>;
}

/** Runs one command line. */
export async function main(
  args: readonly string[],
  streams: OutputStreams = processStreams(),
  options: MainOptions = {},
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
    const isForeign = verb !== undefined && !isFamily(verb) && verb.isForeign === true;
    if (verb === undefined || (isHelp(rest) && !isForeign)) {
      out.line(verb === undefined ? helpOfAll(VERB_GROUPS) : helpOf(verb));
      return EXIT.done;
    }
    if (isFamily(verb)) throw missingWord(verb);
    const line = isForeign ? foreignLine(rest) : parseLine(verb, rest);
    out = new Output({ json: line.flags.has("json"), quiet: line.flags.has("quiet") }, streams);
    return await runVerb(verb, line, out, options);
  } catch (error) {
    return report(error, out, args);
  } finally {
    out.endProgress();
  }
}

async function runVerb(
  verb: VerbSpec,
  line: ParsedLine,
  out: Output,
  options: MainOptions,
): Promise<number> {
  const { loadConfig, noInputs, processInputs } = await import("../config/load.ts");
  const config = await loadConfig(verb.isLight ? noInputs : processInputs(line.settings));
  const { run } = await verb.load();
  using interrupt = interruptSignal();
  const context: VerbContext = {
    verb,
    operands: line.operands,
    flag: (name) => line.flags.get(name)?.at(-1),
    flagAll: (name) => line.flags.get(name) ?? [],
    has: (name) => line.flags.has(name),
    config,
    out,
    input: options.input ?? processInput(),
    openWallet: () => openWalletOf(context, options),
    programs: options,
    signal: interrupt.signal,
  };
  return await run(context);
}

async function openWalletOf(context: VerbContext, options: MainOptions): Promise<OpenedWallet> {
  const { config, out, signal } = context;
  if (config.sources.logLevel !== "default") {
    await (await import("./support.ts")).startLog(context);
  }
  const open = options.openWallet ?? (await import("../api/open_wallet.ts")).openWallet;
  return await open(config.values, { signal, onNote: (message) => out.note(`note: ${message}`) });
}

/** The line of a verb that reads its own arguments. */
function foreignLine(operands: readonly string[]): ParsedLine {
  const flags = new Map(operands.includes("--json") ? [["json", []]] : []);
  return { settings: {}, flags, operands };
}

function wantsVersion(args: readonly string[]): boolean {
  return args[0] === "version" && !isHelp(args) || args[0] === "--version" || args[0] === "-V";
}

function isHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return (end < 0 ? args : args.slice(0, end)).some((arg) => arg === "--help" || arg === "-h");
}

type Chosen = { verb?: VerbSpec | VerbFamily; rest: readonly string[] };

/** The verb of `args` and what follows it; no verb means `start`, unless help is asked for. */
function chooseVerb(args: readonly string[]): Chosen {
  const [first, ...others] = args;
  if (first === "help") {
    return others[0] === undefined ? { rest: [] } : { ...chosen(others), rest: ["--help"] };
  }
  if (first === undefined || first.startsWith("-")) {
    const verb = args.find((arg) => WORDS.some((candidate) => candidate.name === arg));
    if (verb !== undefined) {
      throw new SeedmintError(
        "usage",
        `The verb comes first: ${verb}, then its flags (see --help)`,
      );
    }
    return isHelp(args) ? { rest: [] } : { ...chosen(["start"]), rest: args };
  }
  return chosen(args);
}

/** A verb by its first word, or first two for one of a family. */
function chosen([first, ...others]: readonly string[]): Chosen {
  const verb = verbOf(first!, WORDS, "");
  const second = others[0];
  if (!isFamily(verb) || second === undefined || second.startsWith("-")) {
    return { verb, rest: others };
  }
  return { verb: verbOf(`${verb.name} ${second}`, verb.verbs, verb.name), rest: others.slice(1) };
}

function verbOf<T extends VerbSpec | VerbFamily>(
  name: string,
  verbs: readonly T[],
  family: string,
): T {
  const verb = verbs.find((candidate) => candidate.name === name);
  if (verb !== undefined) return verb;
  const lead = family === "" ? "" : `${family} `;
  // The first word of a family is no part of the typing error.
  const ownPart = (full: string) => full.slice(lead.length);
  const near = nearest(ownPart(name), verbs.map((candidate) => ownPart(candidate.name)));
  throw new SeedmintError(
    "usage",
    `There is no verb ${excerpt(name)}${
      near ? `; did you mean ${lead}${near}?` : ""
    } (see ${lead}--help)`,
  );
}

function missingWord({ name, verbs }: VerbFamily): SeedmintError {
  const words = verbs.map((verb) => verb.name.slice(name.length + 1)).join(", ");
  return new SeedmintError(
    "usage",
    `Cannot run ${name}: what to do is missing: ${words} (see ${name} --help)`,
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
    // Mints, peers, engines and providers are quoted in it.
    if (!out.json) out.error(harmless(`error: ${message}`));
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
