/** `completions`: what a shell needs to complete verbs and flags, made from the table of verbs. */
import { SeedmintError } from "../../../core/errors.ts";
import { VERBS } from "../node_commands.ts";
import { knownFlags } from "../parse.ts";
import type { VerbContext, VerbSpec } from "../verb.ts";

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

function bash(): string {
  const cases = VERBS.map((verb) => `    ${verb.name}) words="${flagsOf(verb).join(" ")}" ;;`);
  return [
    "_seedmint() {",
    '  local word="${COMP_WORDS[COMP_CWORD]}" words=""',
    '  if [ "$COMP_CWORD" -eq 1 ]; then',
    `    COMPREPLY=($(compgen -W "${VERBS.map((verb) => verb.name).join(" ")}" -- "$word"))`,
    "    return",
    "  fi",
    '  case "${COMP_WORDS[1]}" in',
    ...cases,
    "  esac",
    '  case "$word" in -*) COMPREPLY=($(compgen -W "$words" -- "$word")) ;; esac',
    "}",
    "complete -o default -F _seedmint seedmint",
  ].join("\n");
}

function zsh(): string {
  const verbs = VERBS.map((verb) => `    '${verb.name}:${quoted(verb.summary)}'`);
  const cases = VERBS.map((verb) =>
    `    ${verb.name}) compadd -- ${flagsOf(verb).join(" ")}; _files ;;`
  );
  return [
    "#compdef seedmint",
    "_seedmint() {",
    "  local -a verbs=(",
    ...verbs,
    "  )",
    "  if (( CURRENT == 2 )); then _describe verb verbs; return; fi",
    "  case $words[2] in",
    ...cases,
    "  esac",
    "}",
    "compdef _seedmint seedmint",
  ].join("\n");
}

function fish(): string {
  const verbs = VERBS.map((verb) =>
    `complete -c seedmint -n __fish_use_subcommand -a ${verb.name} -d '${quoted(verb.summary)}'`
  );
  const flags = VERBS.flatMap((verb) =>
    flagsOf(verb).filter((flag) => flag.startsWith("--")).map((flag) =>
      `complete -c seedmint -n '__fish_seen_subcommand_from ${verb.name}' -l ${flag.slice(2)}`
    )
  );
  return [...verbs, ...flags].join("\n");
}

/** Text inside single quotes of a shell. */
function quoted(text: string): string {
  return text.replaceAll("'", "");
}
