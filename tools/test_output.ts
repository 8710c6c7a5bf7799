/** Reads what `deno test` prints: how many tests passed and failed, and where. Pure. */

/** How many tests passed and failed. */
export interface Outcome {
  readonly passed: number;
  readonly failed: number;
}

/** The sums at the end; undefined if the runner ended before it wrote them. */
export function countDenoTest(output: string): Outcome | undefined {
  // A test that runs tests itself shows their sums among its own errors, which come before.
  const sums = [
    ...withoutColours(output)
      .matchAll(/^(?:ok|FAILED) \| (\d+) passed(?: \([^)]*\))? \| (\d+) failed/gm),
  ];
  const last = sums.at(-1);
  return last && { passed: Number(last[1]), failed: Number(last[2]) };
}

/**
 * The files below `tests/` whose tests failed.
 *
 * @returns Undefined if something failed besides tests of such files: a file that does not load, an error
 * outside of any test, a documented example. Running files again would say nothing of that.
 */
export function failedFiles(output: string): ReadonlySet<string> | undefined {
  const text = withoutColours(output);
  const failed = countDenoTest(output)?.failed ?? 0;
  const heading = "\n FAILURES \n\n";
  const start = text.lastIndexOf(heading);
  if (start === -1) return undefined;
  const lines = text.slice(start + heading.length).split("\n\n", 1)[0]!.split("\n");
  const files = lines.map((line) => / => \.\/(tests\/\S+?\.ts):\d+:\d+$/.exec(line)?.[1]);
  // A failure has a line, or one for each of its steps that failed.
  if (files.length < failed || files.includes(undefined)) return undefined;
  return new Set(files as string[]);
}

/** `text` as it is where there are no colours. */
export function withoutColours(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/\x1b\[[0-9;]*m/g, "");
}
