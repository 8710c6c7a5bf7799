/** How a suite says that it did not run: neither passed nor failed. */

/** The exit code of a suite that was skipped, as test harnesses have it by custom. */
export const SKIPPED_EXIT_CODE = 77;

/** Ends the suite before it compared anything. */
export function skipSuite(why: string): never {
  console.log(`skipped: ${why}`);
  Deno.exit(SKIPPED_EXIT_CODE);
}

/** The exit code of a suite that ran so many cases; one of which nothing ran was skipped. */
export function exitCodeOf(ran: { readonly passed: number; readonly failed: number }): number {
  if (ran.failed > 0) return 1;
  return ran.passed > 0 ? 0 : SKIPPED_EXIT_CODE;
}
