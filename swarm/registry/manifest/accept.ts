/** What a client takes. A manifest is never converted, so one that is not taken is not there. */
import { ACCEPT_MAX } from "./limits.ts";
import { essenceOf } from "./media_types.ts";

/**
 * Whether a client whose `Accept` headers are `accept` takes `mediaType`. No header takes everything;
 * so does one that names no type at all, as old clients send.
 */
export function accepts(accept: readonly string[], mediaType: string): boolean {
  const entries = accept.flatMap((header) => header.split(",", ACCEPT_MAX))
    .map((entry) => entry.trim()).filter((entry) => entry !== "").slice(0, ACCEPT_MAX);
  if (entries.length === 0) return true;
  const wanted = mediaType.toLowerCase();
  return entries.some((entry) => {
    const type = essenceOf(entry);
    if (/;\s*q=0(?:\.0*)?\s*(?:;|$)/i.test(entry)) return false;
    return type === wanted || type === "*/*" || type === "application/*";
  });
}
