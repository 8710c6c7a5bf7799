/** From the words of a command line to a verb, its flags, settings and operands. */
import { parseArgs } from "node:util";
import { SeedmintError } from "../../core/errors.ts";
import { keyOf, SETTING_NAMES, type SettingName, settingOf } from "../config/settings.ts";
import type { FlagValues } from "../config/load.ts";
import { COMMON_FLAGS, COMMON_SETTINGS, type VerbSpec } from "./verb.ts";

/** A parsed command line of one verb. */
export interface ParsedLine {
  readonly settings: FlagValues;
  /** Values of each flag in the order given; none for a switch. */
  readonly flags: ReadonlyMap<string, readonly string[]>;
  readonly operands: readonly string[];
}

interface KnownFlag {
  readonly name: string;
  readonly takesValue: boolean;
  readonly setting?: SettingName;
}

/**
 * Parses what stands after the verb. Flags may stand anywhere before `--`.
 *
 * @throws {SeedmintError} `usage`
 */
export function parseLine(verb: VerbSpec, args: readonly string[]): ParsedLine {
  const known = knownFlags(verb);
  const settings: Record<string, string | string[] | boolean> = {};
  const flags = new Map<string, string[]>();
  const operands: string[] = [];
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: parserOptions(known),
  });
  let openList: string[] | undefined;
  for (const token of tokens) {
    if (token.kind === "positional") {
      // `--relay A B`: a verb without operands gives what follows to the list before it.
      if (openList !== undefined && verb.operandCountMax === 0) openList.push(token.value);
      else operands.push(token.value);
      continue;
    }
    openList = undefined;
    if (token.kind === "option-terminator") continue;
    const flag = known.get(token.rawName);
    if (flag === undefined) throw unknownFlag(verb, token.rawName, known);
    if (flag.takesValue && (token.value === undefined || token.value === "")) {
      throw usage(verb, `${token.rawName} needs a value`);
    }
    if (!flag.takesValue && token.value !== undefined) {
      throw usage(verb, `${token.rawName} takes no value, "${excerpt(token.value)}" was given`);
    }
    if (flag.setting === undefined) {
      const values = flags.get(flag.name) ?? [];
      flags.set(flag.name, token.value === undefined ? values : [...values, token.value]);
    } else if (settingOf(flag.setting).isList) {
      openList = (settings[flag.setting] ??= []) as string[];
      openList.push(token.value!);
    } else settings[flag.setting] = token.value ?? !token.rawName.startsWith("--no-");
  }
  checkCount(verb, operands);
  return { settings: settings as FlagValues, flags, operands };
}

/** Every spelling that the verb understands, `--no-` forms and letters included. */
export function knownFlags(verb: VerbSpec): ReadonlyMap<string, KnownFlag> {
  const known = new Map<string, KnownFlag>();
  const taken = new Set<SettingName>([...COMMON_SETTINGS, ...verb.settings]);
  for (const setting of SETTING_NAMES.filter((name) => taken.has(name))) {
    const row = settingOf(setting);
    const flag = { name: keyOf(setting), takesValue: !row.isSwitch, setting };
    known.set(`--${flag.name}`, flag);
    if (row.isSwitch) known.set(`--no-${flag.name}`, flag);
  }
  for (const [name, row] of Object.entries({ ...COMMON_FLAGS, ...verb.flags })) {
    const flag = { name, takesValue: row.placeholder !== undefined };
    known.set(`--${name}`, flag);
    if (row.short !== undefined) known.set(`-${row.short}`, flag);
  }
  return known;
}

function parserOptions(
  known: ReadonlyMap<string, KnownFlag>,
): Record<string, { type: "string" | "boolean"; short?: string; multiple: boolean }> {
  const options: Record<string, { type: "string" | "boolean"; short?: string; multiple: boolean }> =
    {};
  for (const [spelling, flag] of known) {
    const type = flag.takesValue ? "string" : "boolean";
    const name = spelling.startsWith("--") ? spelling.slice(2) : flag.name;
    options[name] = { ...options[name], type, multiple: true };
    if (!spelling.startsWith("--")) options[name]!.short = spelling.slice(1);
  }
  return options;
}

function checkCount(verb: VerbSpec, operands: readonly string[]): void {
  if (operands.length < verb.operandCountMin) {
    throw usage(verb, `${verb.operands} is missing`);
  }
  if (operands.length > verb.operandCountMax) {
    throw usage(verb, `"${excerpt(operands[verb.operandCountMax]!)}" is one word too many`);
  }
}

function unknownFlag(
  verb: VerbSpec,
  spelling: string,
  known: ReadonlyMap<string, KnownFlag>,
): SeedmintError {
  const near = nearest(spelling, [...known.keys()]);
  return usage(verb, `there is no flag ${spelling}${near ? `; did you mean ${near}?` : ""}`);
}

function usage(verb: VerbSpec, why: string): SeedmintError {
  return new SeedmintError("usage", `Cannot run ${verb.name}: ${why} (see ${verb.name} --help)`);
}

/** The most characters of a word that a message repeats: a pasted token or invoice stays out of it. */
const EXCERPT_CHARS_MAX = 24;

/** A word as a message may repeat it. */
export function excerpt(word: string): string {
  return word.length > EXCERPT_CHARS_MAX ? `${word.slice(0, EXCERPT_CHARS_MAX - 1)}…` : word;
}

/** The candidate that differs by at most two letters, if there is one. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates.map((candidate) => ({ candidate, distance: distance(word, candidate) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best !== undefined && best.distance <= Math.min(2, word.length - 1)
    ? best.candidate
    : undefined;
}

/** Levenshtein distance of two short words, in which swapping two neighbours is one step. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2 || a.length > 40) return Infinity;
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwap) next[j] = Math.min(next[j]!, before[j - 2]! + 1);
    }
    [before, row] = [row, next];
  }
  return row[b.length]!;
}
