/** Texts of strangers on their way to an agent, whose host may show them on a terminal. */
import { MCP_LIMITS } from "./limits.ts";

/**
 * Control characters but tab and line feed, those that turn the direction of what follows, and tags: no
 * person sees these, and an agent reads them as letters.
 */
const UNSEEN =
  // deno-lint-ignore no-control-regex -- these are what is replaced
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}]/gu;

/** The same value, with every text in it made harmless and cut. Undefined members go. */
export function plain(value: unknown, charsMax: number = MCP_LIMITS.textCharsMax): unknown {
  if (typeof value === "string") return plainText(value, charsMax);
  if (Array.isArray(value)) return value.map((item) => plain(item, charsMax));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([, item]) => item !== undefined)
      .map(([name, item]) => [plainText(name, charsMax), plain(item, charsMax)]),
  );
}

/** The end of a long text says more than its beginning: it is what was printed last. */
function plainText(text: string, charsMax: number): string {
  const short = text.length > charsMax ? `…${text.slice(-charsMax)}` : text;
  return short.replaceAll("\r\n", "\n").replace(UNSEEN, "\uFFFD");
}
