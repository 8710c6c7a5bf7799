/** Reads what `deno test` prints: how many tests passed and failed, and where. Pure. */

/** How many tests passed and failed. */
export interface Outcome {
  readonly passed: number;
  readonly failed: number;
}

/** The sums at the end; undefined if the runner ended before it wrote them. */
export function countDenoTest(output: string): Outcome | undefined {
  return sumsOf(withoutColours(output));
}

/**
 * The files below `tests/` whose tests failed.
 *
 * @returns Undefined if something failed besides tests of such files: a file that does not load, an error
 * outside of any test, a test that never ended, a documented example. Running files again would say
 * nothing of that.
 */
export function failedFiles(output: string): ReadonlySet<string> | undefined {
  const text = withoutColours(output);
  const heading = "\n FAILURES \n\n";
  const start = text.lastIndexOf(heading);
  const sums = sumsOf(text);
  if (start === -1 || sums === undefined) return undefined;
  // Of a test that an error outside of it cut off, the runner may say nothing at all.
  if (announcedIn(text) !== sums.passed + sums.failed + sums.ignored) return undefined;
  const lines = text.slice(start + heading.length).split("\n\n", 1)[0]!.split("\n");
  const files = lines.map((line) => / => \.\/(tests\/\S+?\.ts):\d+:\d+$/.exec(line)?.[1]);
  // A failure has a line, or one for each of its steps that failed.
  if (files.length < sums.failed || files.includes(undefined)) return undefined;
  return new Set(files as string[]);
}

function sumsOf(text: string): (Outcome & { readonly ignored: number }) | undefined {
  // A test that runs tests itself shows their sums among its own errors, which come before.
  const steps = String.raw`(?: \([^)]*\))?`;
  const pattern = new RegExp(
    String
      .raw`^(?:ok|FAILED) \| (\d+) passed${steps} \| (\d+) failed${steps}(?: \| (\d+) ignored)?`,
    "gm",
  );
  const last = [...text.matchAll(pattern)].at(-1);
  if (last === undefined) return undefined;
  const [, passed, failed, ignored = "0"] = last;
  return { passed: Number(passed), failed: Number(failed), ignored: Number(ignored) };
}

/** Tests that were to run: each file says how many before its first. */
function announcedIn(text: string): number {
  const ran = text.split("\n ERRORS \n", 1)[0]!;
  return [...ran.matchAll(/^running (\d+) tests? from /gm)]
    .reduce((sum, [, count]) => sum + Number(count), 0);
}

/** `text` as it is where there are no colours. */
export function withoutColours(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/\x1b\[[0-9;]*m/g, "");
}
