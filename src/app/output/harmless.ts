/** Text of strangers that has lines: logs of leases, and what commands in them printed. */

/** Colours and the like: `ESC [`, parameters, `m`. Nothing else of a terminal's commands is let go by. */
// deno-lint-ignore no-control-regex -- this is what is left out
const COLOURS = /\u001b\[[0-9;:]{0,64}m/g;

/**
 * What must not reach a terminal: all control characters but line feed and tab, and the marks that
 * change the direction of text.
 */
const HARMFUL =
  // deno-lint-ignore no-control-regex -- these are what must not reach a terminal
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** The same lines, fit for a terminal: colours are left out, other control characters become visible. */
export function harmless(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(COLOURS, "").replace(HARMFUL, "\ufffd");
}
