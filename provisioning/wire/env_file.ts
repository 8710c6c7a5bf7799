/** Environment files, as programs and systemd read them. */
import { SeedmintError } from "../../src/core/errors.ts";

const FILE_CHARS_MAX = 64 * 1024;

/**
 * Reads lines of `NAME=value`, as `.env` files and systemd have them: `export` before, quotes around,
 * and comments on lines of their own or behind a space.
 *
 * @throws {SeedmintError} `invalid` if the file is too large or a line is no such line; it names the line.
 */
export function readEnvFile(text: string): ReadonlyMap<string, string> {
  if (text.length > FILE_CHARS_MAX) {
    throw invalid(`it has ${text.length} characters, at most ${FILE_CHARS_MAX} are read`);
  }
  const variables = new Map<string, string>();
  for (const [index, line] of logicalLines(text)) {
    const [, name, rest] = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*([^]*)$/.exec(line) ??
      [];
    if (name === undefined) {
      throw invalid(`line ${index + 1} is not of the form NAME=value; correct or remove it`);
    }
    variables.set(name, unquoted(rest!));
  }
  return variables;
}

/** Lines that say something; what stands in single or double quotes may go on over several. */
function* logicalLines(text: string): Iterable<readonly [index: number, line: string]> {
  const lines = text.replaceAll("\r\n", "\n").replace(/^\uFEFF/, "").split("\n");
  for (let index = 0; index < lines.length; index++) {
    const first = index;
    let line = lines[index]!;
    if (/^\s*(#|$)/.test(line)) continue;
    const quote = /^\s*(?:export\s+)?\w+\s*=\s*(["'])/.exec(line)?.[1];
    while (quote !== undefined && !isClosed(line, quote) && index + 1 < lines.length) {
      line += `\n${lines[++index]!}`;
    }
    yield [first, line];
  }
}

function isClosed(line: string, quote: string): boolean {
  const value = line.slice(line.indexOf(quote, line.indexOf("=")) + 1);
  return quote === "'" ? value.includes("'") : /(?<!\\)(?:\\\\)*"/.test(value);
}

function unquoted(rest: string): string {
  const single = /^'([^']*)'/.exec(rest)?.[1];
  if (single !== undefined) return single;
  const double = /^"((?:[^"\\]|\\[^])*)"/.exec(rest)?.[1];
  if (double !== undefined) {
    return double.replace(/\\([^])/g, (_, escaped: string) => escaped === "n" ? "\n" : escaped);
  }
  return rest.replace(/\s+#.*$/, "").trim();
}

function invalid(problem: string): SeedmintError {
  return new SeedmintError("invalid", `Cannot read this environment file: ${problem}`);
}
