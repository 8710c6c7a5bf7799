/** What a verb is to the command line: its words for help, its flags, and where its code lies. */
import type { SettingName } from "../config/settings.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { OpenedWallet } from "../api/open_wallet.ts";
import type { Input } from "../output/input.ts";
import type { Output } from "../output/output.ts";

/** A flag that only one verb has; settings are flags of many. */
export interface VerbFlag {
  /** One letter, for the few that have one. */
  readonly short?: string;
  /** Absent for switches. */
  readonly placeholder?: string;
  readonly description: string;
}

/** The words of a verb, or of a family of verbs. */
export interface VerbWords {
  /** As it is typed; a verb of a family has that in front: `wallet send`. */
  readonly name: string;
  /** One line, for the list of all verbs. */
  readonly summary: string;
  /** What stands after the verb: `HASH…`. */
  readonly operands: string;
  /** Paragraphs below the usage line. */
  readonly details: string;
}

/** Verbs that share their first word. */
export interface VerbFamily extends VerbWords {
  readonly verbs: readonly VerbSpec[];
}

/** One row of the table of verbs. */
export interface VerbSpec extends VerbWords {
  readonly operandCountMin: number;
  readonly operandCountMax: number;
  readonly flags: Readonly<Record<string, VerbFlag>>;
  /** Settings that make sense here, besides those every verb takes. */
  readonly settings: readonly SettingName[];
  /** Command lines (without the program) and what they do. */
  readonly examples: readonly (readonly [string, string])[];
  /** Needs no permission, and reads no settings: `node.ts` lets it run as it is. */
  readonly isLight?: true;
  /** Reads its own arguments: they come as operands, and so does `--help`. */
  readonly isForeign?: true;
  /** Loads the code; help never does. */
  readonly load: () => Promise<{ readonly run: VerbRun }>;
}

/** Does the work and returns the exit code. */
export type VerbRun = (context: VerbContext) => Promise<number>;

/** What a verb gets. */
export interface VerbContext {
  readonly verb: VerbSpec;
  readonly operands: readonly string[];
  /** Value of a flag of this verb, the last one, if it was given. */
  readonly flag: (name: string) => string | undefined;
  /** All values of a flag that may be repeated. */
  readonly flagAll: (name: string) => readonly string[];
  /** Whether a switch of this verb was given. */
  readonly has: (name: string) => boolean;
  readonly config: LoadedConfig;
  readonly out: Output;
  readonly input: Input;
  /** The wallet of the running node, else one opened here. */
  readonly openWallet: () => Promise<OpenedWallet>;
  /** Programs beside the application that `node.ts` brings: nothing here imports them. */
  readonly programs: Programs;
  /** Aborted by SIGINT, SIGTERM and SIGHUP. */
  readonly signal: AbortSignal;
}

/** How a program beside the application speaks. */
export interface ProgramIo {
  readonly json: boolean;
  /** A line for people, on stdout. */
  readonly line: (text: string) => void;
  /** A line of JSON, on stdout. */
  readonly object: (value: object) => void;
  /** A line on stderr. */
  readonly error: (text: string) => void;
}

/** A program beside the application, with the arguments after its verb. Returns the exit code. */
export type Program = (
  args: readonly string[],
  io: ProgramIo,
  signal: AbortSignal,
) => Promise<number>;

/** What `node.ts` gives to `main`. */
export interface Programs {
  /** Starts the development network. */
  readonly devnet?: Program;
}

/** Whether `verb` is a family. */
export function isFamily(verb: VerbSpec | VerbFamily): verb is VerbFamily {
  return "verbs" in verb;
}

/** Settings that every verb takes. */
export const COMMON_SETTINGS: readonly SettingName[] = ["data", "config", "logLevel", "logFormat"];

/** Flags that every verb takes besides {@link COMMON_SETTINGS}. */
export const COMMON_FLAGS: Readonly<Record<string, VerbFlag>> = {
  json: { description: "Print JSON, one object per line" },
  quiet: { short: "q", description: "No progress and no notes" },
  help: { short: "h", description: "Show this help" },
};
