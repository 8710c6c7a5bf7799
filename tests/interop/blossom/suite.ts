/** Runs named cases one after the other, and counts. */
import { exitCodeOf } from "../skip_suite.ts";

let passedCount = 0;
let failedCount = 0;
let skippedCount = 0;

/** Runs one case. */
export async function check(name: string, run: () => Promise<void>): Promise<void> {
  try {
    await run();
    passedCount++;
    console.log(`ok      ${name}`);
  } catch (error) {
    failedCount++;
    console.log(`FAILED  ${name}\n${error instanceof Error ? error.stack : error}`);
  }
}

/** Says what is not run, and why. */
export function skip(name: string, why: string): void {
  skippedCount++;
  console.log(`SKIPPED ${name}: ${why}`);
}

/** Prints the sums, and ends the process: a suite of which nothing ran has not passed. */
export function finish(): never {
  if (skippedCount > 0) console.log(`\n${skippedCount} SKIPPED, see above`);
  console.log(`\n${passedCount} passed, ${failedCount} failed`);
  Deno.exit(exitCodeOf({ passed: passedCount, failed: failedCount }));
}
