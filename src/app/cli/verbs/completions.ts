/** `completions`: what a shell needs to complete verbs and flags, made from the table of verbs. */
import { SeedmintError } from "../../../core/errors.ts";
import { VERBS, WORDS } from "../node_commands.ts";
import { knownFlags } from "../parse.ts";
import {
  isFamily,
  type VerbContext,
  type VerbFamily,
  type VerbSpec,
  type VerbWords,
} from "../verb.ts";

const SHELLS: Readonly<Record<string, () => string>> = { bash, zsh, fish };

/** Runs the verb. */
export function run(context: VerbContext): Promise<number> {
  const write = SHELLS[context.operands[0]!];
  if (write === undefined) {
    throw new SeedmintError(
      "usage",
      `Cannot complete for "${context.operands[0]}": one of ${
        Object.keys(SHELLS).join(", ")
      } wanted`,
    );
  }
  context.out.line(write());
  return Promise.resolve(0);
}

function flagsOf(verb: VerbSpec): readonly string[] {
  return [...knownFlags(verb).keys()];
}

const FAMILIES = WORDS.filter(isFamily);

/** The second words of a family. */
function wordsOf(family: VerbFamily): readonly string[] {
  return family.verbs.map((verb) => verb.name.slice(family.name.length + 1));
}

function bash(): string {
  const cases = VERBS.map((verb) => `    "${verb.name}") words="${flagsOf(verb).join(" ")}" ;;`);
  const families = FAMILIES.flatMap((family) => [
    `  if [ "\${COMP_WORDS[1]}" = ${family.name} ]; then`,
    '    if [ "$COMP_CWORD" -eq 2 ]; then',
    `      COMPREPLY=($(compgen -W "${wordsOf(family).join(" ")}" -- "$word"))`,
    "      return",
    "    fi",
    '    verb="$verb ${COMP_WORDS[2]}"',
    "  fi",
  ]);
  return [
    "_seedmint() {",
    '  local word="${COMP_WORDS[COMP_CWORD]}" verb="${COMP_WORDS[1]}" words=""',
    '  if [ "$COMP_CWORD" -eq 1 ]; then',
    `    COMPREPLY=($(compgen -W "${WORDS.map((verb) => verb.name).join(" ")}" -- "$word"))`,
    "    return",
    "  fi",
    ...families,
    '  case "$verb" in',
    ...cases,
    "  esac",
    '  case "$word" in -*) COMPREPLY=($(compgen -W "$words" -- "$word")) ;; esac',
    "}",
    "complete -o default -F _seedmint seedmint",
  ].join("\n");
}

function zsh(): string {
  const row = ({ summary }: VerbWords, word: string) => `    '${word}:${quoted(summary)}'`;
  const families = FAMILIES.flatMap((family) => [
    `  if [[ $words[2] == ${family.name} ]]; then`,
    "    verbs=(",
    ...family.verbs.map((verb, index) => `  ${row(verb, wordsOf(family)[index]!)}`),
    "    )",
    "    if (( CURRENT == 3 )); then _describe verb verbs; return; fi",
    '    verb="$words[2] $words[3]"',
    "  fi",
  ]);
  const cases = VERBS.map((verb) =>
    `    "${verb.name}") compadd -- ${flagsOf(verb).join(" ")}; _files ;;`
  );
  return [
    "#compdef seedmint",
    "_seedmint() {",
    '  local verb="$words[2]"',
    "  local -a verbs=(",
    ...WORDS.map((verb) => row(verb, verb.name)),
    "  )",
    "  if (( CURRENT == 2 )); then _describe verb verbs; return; fi",
    ...families,
    "  case $verb in",
    ...cases,
    "  esac",
    "}",
    "compdef _seedmint seedmint",
  ].join("\n");
}

function fish(): string {
  const verbs = WORDS.map((verb) =>
    `complete -c seedmint -n __fish_use_subcommand -a ${verb.name} -d '${quoted(verb.summary)}'`
  );
  const second = FAMILIES.flatMap((family) => {
    const words = wordsOf(family);
    const isOpen = `__fish_seen_subcommand_from ${family.name}; and not ` +
      `__fish_seen_subcommand_from ${words.join(" ")}`;
    return family.verbs.map((verb, index) =>
      `complete -c seedmint -n '${isOpen}' -a ${words[index]} -d '${quoted(verb.summary)}'`
    );
  });
  const flags = VERBS.flatMap((verb) => {
    const seen = verb.name.split(" ").map((word) => `__fish_seen_subcommand_from ${word}`);
    return flagsOf(verb).filter((flag) => flag.startsWith("--")).map((flag) =>
      `complete -c seedmint -n '${seen.join("; and ")}' -l ${flag.slice(2)}`
    );
  });
  return [...verbs, ...second, ...flags].join("\n");
}

/** Text inside single quotes of a shell. */
function quoted(text: string): string {
  return text.replaceAll("'", "");
}
