/** What an engine that is installed may not start for: the kernel, or its keeper, refuses. */

/** Words of engines, each with what is refused. */
const REFUSALS: readonly (readonly [words: RegExp, what: string])[] = [
  [/operation not permitted/i, "rights that engines need"],
  [/function not implemented/i, "system calls that engines need"],
  [/no such device/i, "file systems or links that engines need"],
  [/cgroups?\b.*\b(not mounted|isn't mounted|not supported)/i, "control groups that engines need"],
];

/**
 * What the kernel refuses an engine that ended; undefined if it ended for anything else, which is a
 * failure.
 *
 * @param said The engine's last words on stderr.
 */
export function refusalIn(said: string): string | undefined {
  // Daemons warn of much on their way; the reason comes last.
  const last = said.trim().split("\n").at(-1) ?? "";
  return REFUSALS.find(([words]) => words.test(last))?.[1];
}
