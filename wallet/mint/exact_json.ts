/** JSON as mints send it, with whole numbers read exactly or not at all. */

/**
 * Parses JSON. A number that is not written as a whole number, or is beyond 2^53 - 1, comes out as
 * `NaN`, which no check of an amount lets pass; where nobody looks it does no harm.
 *
 * @throws {SyntaxError}
 */
export function parseExactJson(text: string): unknown {
  const reviver = (_key: string, value: unknown, context?: { readonly source?: string }) => {
    if (typeof value !== "number") return value;
    const isWhole = Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? "");
    return isWhole ? value : Number.NaN;
  };
  return JSON.parse(text, reviver);
}
