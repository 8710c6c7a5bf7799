/**
 * The one file that imports smol-toml: a settings file becomes keys, values and line numbers, and the
 * files of container clients become tables.
 */
import { parse, TomlError } from "smol-toml";
import { SeedmintError } from "../../core/errors.ts";

/** The most bytes of a settings file. */
export const TOML_BYTES_MAX = 1 << 20;

/** One key of a settings file. */
export interface TomlEntry {
  readonly value: unknown;
  /** From 1. */
  readonly line: number;
}

/**
 * Reads the text of a settings file.
 *
 * @throws {SeedmintError} `usage` with file and line.
 */
export function readToml(text: string, path: string): ReadonlyMap<string, TomlEntry> {
  const table = parseTable(text, `the settings file ${path}`);
  const lines = text.split("\n");
  return new Map(
    Object.entries(table).map(([key, value]) => {
      const line = lines.findIndex((content) => content.match(/^\s*\[?["']?([\w-]+)/)?.[1] === key);
      return [key, { value, line: line + 1 }];
    }),
  );
}

/**
 * Reads a TOML file of another program.
 *
 * @throws {SeedmintError} `usage` with file, line and column.
 */
export function parseTable(text: string, path: string): Readonly<Record<string, unknown>> {
  try {
    return parse(text);
  } catch (error) {
    const at = error instanceof TomlError ? `:${error.line}:${error.column}` : "";
    const why = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new SeedmintError("usage", `Cannot read ${path}${at}: ${why}`, { cause: error });
  }
}
