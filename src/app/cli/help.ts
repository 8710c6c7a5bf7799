/** Help texts, made from the tables of verbs and settings; nothing here loads a verb's code. */
import { keyOf, SETTING_NAMES, settingOf } from "../config/settings.ts";
import { VERSION } from "../version.ts";
import {
  COMMON_FLAGS,
  COMMON_SETTINGS,
  isFamily,
  type VerbFamily,
  type VerbFlag,
  type VerbSpec,
} from "./verb.ts";

const WIDTH = 92;
const FLAG_COLUMN = 28;

/** The list of all verbs. */
export function helpOfAll(
  groups: readonly (readonly [string, readonly (VerbSpec | VerbFamily)[]])[],
): string {
  const lines = [
    `seedmint ${VERSION}: seed and fetch content by its BLAKE3 hash, verified every 16 KiB`,
    "",
    "Usage: seedmint [VERB] [OPERANDS] [FLAGS]      (seedmint is: deno run node.ts)",
    "Without a verb it starts the node.",
  ];
  for (const [title, verbs] of groups) {
    lines.push("", `${title}:`);
    for (const verb of verbs) lines.push(row(`  ${verb.name} ${verb.operands}`, verb.summary));
  }
  lines.push(
    "",
    "Every verb takes --data DIR, --json and --help. A verb works through the running node when",
    "there is one, else on its own. Every flag of a setting has a twin SEEDMINT_* in the",
    "environment and a key in seedmint.toml: see config --help.",
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.",
  );
  return lines.join("\n");
}

/** The help of one verb, or of a family of verbs. */
export function helpOf(verb: VerbSpec | VerbFamily): string {
  return isFamily(verb) ? helpOfFamily(verb) : helpOfVerb(verb);
}

function helpOfFamily(family: VerbFamily): string {
  return [
    `seedmint ${family.name}: ${lowerFirst(family.summary)}`,
    "",
    `Usage: seedmint ${family.name} ${family.operands} [FLAGS]`,
    "",
    ...wrap(family.details, WIDTH),
    "",
    "Verbs:",
    ...family.verbs.map((verb) =>
      row(`  ${verb.name.slice(family.name.length + 1)} ${verb.operands}`, verb.summary)
    ),
    "",
    `Each has a help of its own: seedmint ${family.verbs[0]!.name} --help`,
  ].join("\n");
}

function helpOfVerb(verb: VerbSpec): string {
  const operands = verb.operands === "" ? "" : ` ${verb.operands}`;
  const lines = [
    `seedmint ${verb.name}: ${lowerFirst(verb.summary)}`,
    "",
    `Usage: seedmint ${verb.name}${operands} [FLAGS]`,
  ];
  if (verb.details !== "") lines.push("", ...wrap(verb.details, WIDTH));
  const own = Object.entries(verb.flags);
  if (own.length > 0) lines.push("", "Flags:", ...own.map(flagRow));
  const settings = SETTING_NAMES.filter((name) => verb.settings.includes(name));
  if (settings.length > 0) lines.push("", "Settings:", ...settings.map(settingRow));
  lines.push("", "Everywhere:", ...COMMON_SETTINGS.map(settingRow));
  lines.push(...Object.entries(COMMON_FLAGS).map(flagRow));
  if (verb.examples.length > 0) {
    lines.push("", "Examples:");
    for (const [line, what] of verb.examples) lines.push(`  seedmint ${line}`, `      ${what}`);
  }
  return lines.join("\n");
}

function flagRow([name, flag]: readonly [string, VerbFlag]): string {
  const letter = flag.short === undefined ? "" : `-${flag.short}, `;
  const value = flag.placeholder === undefined ? "" : ` ${flag.placeholder}`;
  return row(`  ${letter}--${name}${value}`, flag.description);
}

/** One setting as a flag with its default. */
function settingRow(name: typeof SETTING_NAMES[number]): string {
  const setting = settingOf(name);
  const isOn = setting.isSwitch && setting.default === "yes";
  const value = setting.placeholder === undefined ? "" : ` ${setting.placeholder}`;
  const flag = `  --${isOn ? "no-" : ""}${keyOf(name)}${value}${setting.isList ? "…" : ""}`;
  const shown = Array.isArray(setting.default) ? setting.default.join(" ") : setting.default;
  const isPlain = setting.isSwitch || shown === undefined || shown === "";
  const description = isOn ? `Turn off: ${lowerFirst(setting.description)}` : setting.description;
  return row(flag, isPlain ? description : `${description} (default ${shown})`);
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** A left column, and wrapped text beside it. */
function row(left: string, text: string): string {
  const lines = wrap(text, WIDTH - FLAG_COLUMN);
  const indent = " ".repeat(FLAG_COLUMN);
  const first = left.length < FLAG_COLUMN - 1
    ? left.padEnd(FLAG_COLUMN) + (lines.shift() ?? "")
    : left;
  return [first, ...lines.map((line) => indent + line)].join("\n");
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split("\n")) {
    let line = "";
    for (const word of paragraph.split(" ")) {
      if (line !== "" && line.length + 1 + word.length > width) {
        lines.push(line);
        line = word;
      } else line = line === "" ? word : `${line} ${word}`;
    }
    lines.push(line);
  }
  return lines;
}
