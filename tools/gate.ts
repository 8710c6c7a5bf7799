/**
 * Everything a change must pass, in one command: format, lint, types, the committed kernels built
 * again, and the tests, in two lanes at once, since most of them wait more than they compute. With `CI`
 * set the interop suites that install from packages run too. The last line is `N passed, N failed`.
 */
import { countDenoTest, failedFiles, type Outcome, withoutColours } from "./test_output.ts";

interface Sink {
  write(bytes: Uint8Array): Promise<number>;
}

interface Step {
  readonly name: string;
  readonly args: readonly string[];
  /** How the step's output is counted; a step without tests of its own counts as one. */
  readonly counts?: (output: string) => Outcome | undefined;
  /** What to run again, alone, when few files failed; see {@link secondRun}. */
  readonly again?: (output: string) => Step | undefined;
}

/** One step, in milliseconds: several times what the tests take on two idle cores. */
const STEP_MS_MAX = 33 * 60_000;

/** Tests that start neither nodes nor containers; the others take about as long. */
const QUIET_TESTS = ["core", "sqlite", "swarm", "trust", "wallet"]
  .map((folder) => `tests/${folder}`);

/** All other tests, those of other implementations left out. */
const BUSY_TESTS = [...Deno.readDirSync(new URL("../tests/", import.meta.url))]
  .filter(({ name, isDirectory }) => isDirectory || name.endsWith("_test.ts"))
  .map(({ name }) => `tests/${name}`)
  .filter((path) => path !== "tests/interop" && !QUIET_TESTS.includes(path))
  .sort();

/** Steps in their order; those in one row run at once. */
const ROWS: readonly (readonly Step[])[] = [
  [{ name: "format", args: ["fmt", "--check"] }],
  [{ name: "lint", args: ["lint"] }],
  [{ name: "types", args: ["check"] }],
  [{ name: "kernels", args: ["run", "-A", "tools/build_kernels.ts", "--check"] }],
  [
    tests("tests", ["--doc", "mod.ts", ...BUSY_TESTS]),
    tests("tests beside", QUIET_TESTS),
  ],
];

function tests(name: string, args: readonly string[]): Step {
  return {
    name,
    args: ["test", "-A", ...args],
    counts: countDenoTest,
    again: failedFilesAlone,
  };
}

/** More failed files than these are no matter of chance. */
const FILES_AGAIN_MAX = 3;

const INTEROP: Step = {
  name: "interop",
  args: ["run", "-A", "tests/interop/run.ts"],
  counts: countClosingLine,
};

/** The files whose tests failed, if they are few and nothing else failed. */
function failedFilesAlone(output: string): Step | undefined {
  const files = failedFiles(output);
  if (files === undefined || files.size > FILES_AGAIN_MAX) return undefined;
  const args = ["test", "-A", ...files];
  return { name: "tests once more", args, counts: countDenoTest };
}

function countClosingLine(output: string): Outcome | undefined {
  const found = /^(\d+) passed, (\d+) failed$/m.exec(withoutColours(output));
  return found ? { passed: Number(found[1]), failed: Number(found[2]) } : undefined;
}

/** Returns the text of `stream`; copies it to `sink` as it comes, if there is one. */
async function tee(stream: ReadableStream<Uint8Array>, sink: Sink | undefined): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    for (let offset = 0; sink !== undefined && offset < chunk.length;) {
      offset += await sink.write(chunk.subarray(offset));
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text;
}

/**
 * Runs the files that failed once more, alone: real processes, sockets and clocks on a busy machine fail
 * by chance at times. What fails twice has failed; what passes is named, so that nobody overlooks it.
 * What is no test's failure, such as a file that does not load, is never a matter of chance.
 */
async function secondRun(step: Step, first: Outcome): Promise<Outcome> {
  const { counted } = await run(step);
  if (counted.failed > 0) return first;
  console.log(`\nUnsteady, passed only alone: ${step.args.slice(2).join(", ")}`);
  return { passed: first.passed + first.failed, failed: 0 };
}

/** Runs a step; what it says comes at once, or when it has ended if it is `isHeld`. */
async function run(
  step: Step,
  { isHeld = false } = {},
): Promise<{ readonly counted: Outcome; readonly again: Step | undefined }> {
  const title = `\n== ${step.name}: deno ${step.args.join(" ")}`;
  if (!isHeld) console.log(title);
  const startMs = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: [...step.args],
    cwd: new URL("../", import.meta.url),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const deadline = setTimeout(() => child.kill("SIGKILL"), STEP_MS_MAX);
  const [output, problems, status] = await Promise.all([
    tee(child.stdout, isHeld ? undefined : Deno.stdout),
    tee(child.stderr, isHeld ? undefined : Deno.stderr),
    child.status,
  ]);
  clearTimeout(deadline);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  if (isHeld) console.log(`${title}\n${output}${problems}`);
  console.log(
    `== ${step.name}: ${status.success ? "ok" : `failed (${status.code})`} in ${seconds} s`,
  );
  const counted = step.counts?.(output) ?? { passed: status.success ? 1 : 0, failed: 0 };
  // A runner that died before it could count still counts as one failure.
  if (!status.success && counted.failed === 0) {
    return { counted: { ...counted, failed: 1 }, again: undefined };
  }
  return { counted, again: counted.failed > 0 ? step.again?.(output) : undefined };
}

async function main(): Promise<number> {
  const rows = Deno.env.get("CI") ? [...ROWS, [INTEROP]] : ROWS;
  const failures: string[] = [];
  let passed = 0;
  let failed = 0;
  for (const row of rows) {
    const ran = await Promise.all(row.map((step, index) => run(step, { isHeld: index > 0 })));
    for (const [index, { counted, again }] of ran.entries()) {
      const outcome = again === undefined ? counted : await secondRun(again, counted);
      passed += outcome.passed;
      failed += outcome.failed;
      if (outcome.failed > 0) failures.push(row[index]!.name);
    }
  }
  if (failures.length > 0) console.log(`\nFailed: ${failures.join(", ")}`);
  console.log(`\n${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

Deno.exit(await main());
