/** Names in a root: of itself, of roles, of catalogs, and the patterns that delegations are made of. */

const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/;
const PATTERN = /^[a-z0-9._*-]{1,64}$/;

/** Whether `text` is a name of a root, a role or a catalog: 1 to 64 of `a-z 0-9 . _ -`. */
export function isName(text: unknown): boolean {
  return typeof text === "string" && NAME.test(text);
}

/** Whether `text` is a pattern of names: `*` stands for any characters. */
export function isPattern(text: unknown): boolean {
  return typeof text === "string" && PATTERN.test(text);
}

/** Whether `pattern` matches all of `text`. Takes time in proportion to both, whatever they are. */
export function matchesPattern(pattern: string, text: string): boolean {
  const parts = pattern.split("*");
  const first = parts[0]!;
  if (parts.length === 1) return pattern === text;
  const last = parts.at(-1)!;
  if (text.length < first.length + last.length) return false;
  if (!text.startsWith(first) || !text.endsWith(last)) return false;
  let from = first.length;
  const end = text.length - last.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, from);
    if (found < 0 || found + part.length > end) return false;
    from = found + part.length;
  }
  return true;
}
