/** What counts as passed, failed or skipped, in the gate and in the interop suites. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { countDenoTest, failedFiles } from "../tools/test_output.ts";
import { refusalIn } from "./interop/engines/refusals.ts";
import { exitCodeOf } from "./interop/skip_suite.ts";

const FILES = {
  "tests/plain_test.ts": `Deno.test("fails", () => { throw new Error("no"); });
    Deno.test("passes", () => {});
    Deno.test({ name: "is left out", ignore: true, fn: () => {} });`,
  "tests/steps_test.ts": `Deno.test("has steps", async (t) => {
    await t.step("one", () => { throw new Error(" => ./tests/none_test.ts:1:1"); });
    await t.step("two", () => { throw new Error("no"); });
  });`,
  // As a test that starts the runner itself has it among its errors.
  "tests/nested_test.ts": `Deno.test("runs tests", () => {
    throw new Error(
      "x\\n FAILURES \\n\\ninner => ./tests/inner_test.ts:1:1\\n\\nFAILED | 70 passed | 80 failed (1s)\\n",
    );
  });`,
  "tests/unloadable_test.ts": `throw new Error("does not load");`,
  "tests/late_test.ts": `Deno.test("is over before", () => {
    setTimeout(() => { throw new Error("late"); }, 1);
  });
  Deno.test("is cut off", () => new Promise((resolve) => setTimeout(resolve, 5_000)));`,
  "mod.ts": "/**\n * An example.\n * ```ts\n * throw new Error('no');\n * ```\n */\nexport {};\n",
};

/** Runs the tests of some files. @returns What the runner printed. */
async function outputOf(folder: string, ...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", "--no-config", "--no-lock", ...args],
    cwd: folder,
    stdin: "null",
    stderr: "null",
  }).output();
  return new TextDecoder().decode(stdout);
}

Deno.test("the gate runs files again whose tests failed, and nothing again if anything else failed", async () => {
  const folder = await Deno.makeTempDir({ prefix: "seedmint-gate-" });
  try {
    await Deno.mkdir(join(folder, "tests"));
    for (const [path, text] of Object.entries(FILES)) {
      await Deno.writeTextFile(join(folder, path), text);
    }
    const [plain, steps, nested, unloadable, late] = Object.keys(FILES) as [
      ...[string, string, string, string, string],
    ];
    const [forgiven, notLoaded, outside, documented] = await Promise.all([
      outputOf(folder, plain, steps, nested),
      // The lines of two steps are as many as the failures counted.
      outputOf(folder, steps, unloadable),
      outputOf(folder, plain, late),
      outputOf(folder, "--doc", "mod.ts", plain),
    ]);
    assert.deepEqual(countDenoTest(forgiven), { passed: 1, failed: 3, ignored: 1 });
    assert.deepEqual([...failedFiles(forgiven)!].sort(), [nested, plain, steps]);
    for (const output of [notLoaded, outside, documented]) {
      assert.ok(countDenoTest(output)!.failed >= 1, output);
      assert.equal(failedFiles(output), undefined, output);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the gate runs nothing again after a runner that failed and named nothing", () => {
  assert.equal(failedFiles(""), undefined);
  assert.equal(countDenoTest("running 3 tests from ./tests/a_test.ts\n"), undefined);
  const said = (announced: number, failed: number) =>
    `running ${announced} tests from ./tests/a_test.ts\n\n FAILURES \n\nx => ./tests/a_test.ts:1:1\n\n` +
    `FAILED | 1 passed | ${failed} failed | 3 ignored (1ms)\n`;
  assert.deepEqual(failedFiles(said(5, 1)), new Set(["tests/a_test.ts"]));
  assert.equal(failedFiles(said(6, 2)), undefined, "one has no line");
  assert.equal(failedFiles(said(6, 1)), undefined, "one never ended");
});

Deno.test("an interop suite of which nothing ran was skipped, and has not passed", () => {
  assert.equal(exitCodeOf({ passed: 0, failed: 0 }), 77);
  assert.equal(exitCodeOf({ passed: 1, failed: 0 }), 0);
  assert.equal(exitCodeOf({ passed: 1, failed: 1 }), 1);
  assert.equal(exitCodeOf({ passed: 0, failed: 1 }), 1);
});

Deno.test("an engine that does not start has failed, unless the kernel refused what it needs", () => {
  const warning = "level=warning msg=unshare: operation not permitted";
  for (
    const said of [
      "",
      "unknown flag: --pidfiles",
      `${warning}\nunable to configure: invalid character in daemon.json`,
      "failed to start daemon: Error initializing network controller: address already in use",
    ]
  ) {
    assert.equal(refusalIn(said), undefined, said);
  }
  for (
    const said of [
      `starting up\n${warning}\n`,
      "failed to mount overlay: no such device",
      "Error: Devices cgroup isn't mounted",
    ]
  ) {
    assert.match(refusalIn(said)!, /engines need$/, said);
  }
});
