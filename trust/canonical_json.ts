/**
 * Canonical JSON (RFC 8785) of the values that we sign: strings, safe integers, arrays and objects. One
 * value has one text, so that a signature of the text is one of the value.
 */
import { CANONICAL_DEPTH_MAX } from "./limits.ts";

/**
 * The canonical text of `value`: no white space, names in the order of their UTF-16 code units, and the
 * escapes that the RFC names.
 *
 * @throws {TypeError} For anything else than strings, safe integers, arrays and plain objects of these;
 * for strings with half a surrogate pair; and for what is nested deeper than the limit.
 */
export function canonicalJson(value: unknown): string {
  return textOf(value, 0);
}

/**
 * Reads a text that is canonical: one that is written in any other way is refused, with a name given
 * twice, too. Never throws.
 */
export function parseCanonicalJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return canonicalJson(value) === text ? value : undefined;
  } catch {
    return undefined;
  }
}

function textOf(value: unknown, depth: number): string {
  if (depth > CANONICAL_DEPTH_MAX) refuse(`more than ${CANONICAL_DEPTH_MAX} levels`);
  if (typeof value === "string") return quoted(value);
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) refuse(`the number ${value}`);
    // Minus zero becomes 0, as the RFC has it.
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) {
    // From an index, so that a hole is seen as undefined.
    return `[${Array.from(value, (item) => textOf(item, depth + 1)).join(",")}]`;
  }
  if (typeof value !== "object" || value === null) refuse(value === null ? "null" : typeof value);
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) refuse("an object of a class");
  const fields = Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1);
  return `{${
    fields.map(([name, field]) => `${quoted(name)}:${textOf(field, depth + 1)}`).join(",")
  }}`;
}

function quoted(text: string): string {
  if (!text.isWellFormed()) refuse("a string with half a surrogate pair");
  // The escapes of the RFC are those of ECMAScript.
  return JSON.stringify(text);
}

function refuse(found: string): never {
  throw new TypeError(
    `Cannot write canonical JSON: strings, safe integers, arrays and objects wanted, found ${found}`,
  );
}
