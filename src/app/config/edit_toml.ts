/** Changing some keys of a settings file while everything else, comments included, stays as it is. */
import { SeedmintError } from "../../core/errors.ts";
import { parseTable } from "./toml.ts";

/** What a key can be set to; a list of tables is a tier on each line. */
export type SettingValue =
  | string
  | number
  | boolean
  | readonly string[]
  | readonly Readonly<Record<string, string | number>>[];

/**
 * Sets keys of a settings file. A key that is there is replaced where it stands; others are added at
 * the end of what stands before the first table.
 *
 * @param text The file, empty if there is none.
 * @param options `heading`: a comment above what is added.
 * @throws {SeedmintError} `usage` if the file cannot be read, or not be changed without changing more.
 */
export function editToml(
  text: string,
  values: Readonly<Record<string, SettingValue>>,
  options: { readonly path: string; readonly heading?: string },
): string {
  const before = parseTable(text, options.path);
  const changed = Object.entries(values)
    .filter(([key, value]) => !isSame(before[key], value));
  if (changed.length === 0) return text;
  let lines = text === "" ? [] : text.replace(/\n$/, "").split("\n");
  const added: string[] = [];
  for (const [key, value] of changed) {
    const place = placeOf(lines, key, options.path);
    const written = `${key} = ${tomlOf(value)}`.split("\n");
    if (place === undefined) added.push(...written);
    else lines.splice(place.start, place.count, ...(place.isTable ? [] : written));
    if (place?.isTable) added.push(...written);
  }
  if (added.length > 0) {
    const firstTable = lines.findIndex((line, index) =>
      /^\s*\[/.test(line) && isWhole(lines.slice(0, index))
    );
    const at = firstTable < 0 ? lines.length : firstTable;
    const comment = options.heading === undefined ? undefined : `# ${options.heading}`;
    const hasHeading = comment === undefined || lines.slice(0, at).includes(comment);
    const heading = hasHeading ? [] : [comment];
    const gap = !hasHeading && at > 0 && lines[at - 1]!.trim() !== "" ? [""] : [];
    lines = [
      ...lines.slice(0, at),
      ...gap,
      ...heading,
      ...added,
      ...(firstTable < 0 ? [] : [""]),
      ...lines.slice(at),
    ];
  }
  const result = `${lines.join("\n")}\n`;
  const wanted = { ...before, ...Object.fromEntries(changed) };
  if (!isSame(parseTable(result, options.path), wanted)) {
    throw new SeedmintError(
      "usage",
      `Cannot change ${options.path}: its form is too unusual to change only ${
        changed.map(([key]) => key).join(", ")
      }; write these by hand`,
    );
  }
  return result;
}

/** A value as TOML has it. */
export function tomlOf(value: SettingValue): string {
  if (!Array.isArray(value)) return JSON.stringify(value);
  if (value.every((item) => typeof item === "string")) {
    return `[${value.map((item) => JSON.stringify(item)).join(", ")}]`;
  }
  const rows = value.map((table) =>
    `  { ${
      Object.entries(table).map(([key, item]) => `${key} = ${JSON.stringify(item)}`).join(", ")
    } },`
  );
  return `[\n${rows.join("\n")}\n]`;
}

interface Place {
  readonly start: number;
  readonly count: number;
  /** It stands under headers of its own: `[[key]]`. */
  readonly isTable: boolean;
}

/** The lines of a key at the top of the file. */
function placeOf(lines: readonly string[], key: string, path: string): Place | undefined {
  const isHeader = new RegExp(`^\\s*\\[\\[?\\s*["']?${key}["']?\\s*(\\]|\\.)`);
  const first = lines.findIndex((line) => isHeader.test(line));
  if (first >= 0) {
    let end = first + 1;
    while (end < lines.length && (!/^\s*\[/.test(lines[end]!) || isHeader.test(lines[end]!))) end++;
    return { start: first, count: end - first, isTable: true };
  }
  const isKey = new RegExp(`^\\s*["']?${key}["']?\\s*=`);
  const start = lines.findIndex((line) => isKey.test(line));
  if (start < 0) return undefined;
  for (let count = 1; start + count <= lines.length; count++) {
    try {
      parseTable(lines.slice(start, start + count).join("\n"), path);
      return { start, count, isTable: false };
    } catch {
      // The value goes on in the next line.
    }
  }
  return undefined;
}

/** Whether these lines are a file of their own, and end in no open list. */
function isWhole(lines: readonly string[]): boolean {
  try {
    parseTable(lines.join("\n"), "");
    return true;
  } catch {
    return false;
  }
}

/** Whether two values are the same, whatever the order of keys in tables. */
function isSame(a: unknown, b: unknown): boolean {
  const sorted = (_key: string, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date)
      ? Object.fromEntries(Object.entries(value).sort(([x], [y]) => x < y ? -1 : 1))
      : value;
  return JSON.stringify(a, sorted) === JSON.stringify(b, sorted);
}
