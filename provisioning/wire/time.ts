/** Times as Paygress writes them. */

const RFC_3339 =
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})$/;

/** `2026-07-30T12:00:00+00:00`, with milliseconds only where there are some. */
export function formatTime(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z").replace("Z", "+00:00");
}

/** Milliseconds since 1970 of a time in the form of RFC 3339; undefined for anything else. */
export function parseTime(text: unknown): number | undefined {
  if (typeof text !== "string" || !RFC_3339.test(text)) return undefined;
  const ms = Date.parse(text.toUpperCase().replace(" ", "T").replace(/(\.[0-9]{3})[0-9]+/, "$1"));
  return Number.isFinite(ms) ? ms : undefined;
}
