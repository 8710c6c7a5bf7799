/** `WWW-Authenticate`: what a registry wants to see before it answers (RFC 9110 section 11.6.1). Pure. */
import { CHALLENGE_CHARS_MAX, CHALLENGE_COUNT_MAX } from "./limits.ts";

/** One challenge: its scheme and its parameters, both with lower-case names. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = /[!#$%&'*+.^_`|~0-9a-z-]+/iy;
const SPACE = /[ \t]*/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/y;
const TOKEN68 = /[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/y;

/**
 * Reads the challenges of a header, several of them joined by commas as well; what comes after
 * something malformed is left out.
 */
export function parseChallenges(header: string | null): readonly Challenge[] {
  const text = header ?? "";
  if (text.length > CHALLENGE_CHARS_MAX) return [];
  const found: { scheme: string; parameters: Map<string, string> }[] = [];
  let position = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = position;
    const match = pattern.exec(text);
    if (match === null) return undefined;
    position = pattern.lastIndex;
    return match[1] ?? match[0];
  };
  while (position < text.length) {
    take(SPACE);
    if (text[position] === ",") {
      position++;
      continue;
    }
    const name = take(TOKEN)?.toLowerCase();
    if (name === undefined) break;
    take(SPACE);
    if (text[position] === "=" && found.length > 0) {
      position++;
      take(SPACE);
      const value = text[position] === '"' ? unescaped(take(QUOTED)) : take(TOKEN);
      if (value === undefined) break;
      // A parameter that is named twice could mean two things to two readers: the first counts.
      const { parameters } = found.at(-1)!;
      if (!parameters.has(name)) parameters.set(name, value);
      continue;
    }
    if (found.length >= CHALLENGE_COUNT_MAX) break;
    found.push({ scheme: name, parameters: new Map() });
    // `Negotiate dG9rZW4=`: a scheme whose one parameter has no name.
    take(TOKEN68);
  }
  return found;
}

function unescaped(text: string | undefined): string | undefined {
  return text?.replace(/\\(.)/g, "$1");
}
