import assert from "node:assert/strict";
import { runSeed } from "./run_seed.ts";

/** Worlds of this run; `deno task sim:wallet` has a thousand. */
const SEEDS = 50;

/** Seeds that broke an invariant once. */
const PINNED: readonly number[] = [];

const RUN = new URL("./run.ts", import.meta.url).pathname;

Deno.test(`the wallet keeps I1 to I8 in ${SEEDS} worlds of faults, crashes, rotations and concurrent resumers`, async () => {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", RUN, "--seeds", String(SEEDS), "--jobs", "2"],
    env: { NO_COLOR: "1" },
    clearEnv: false,
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  assert.ok(success, text.decode(stdout) + text.decode(stderr));
});

for (const seed of PINNED) {
  Deno.test(`the wallet keeps I1 to I8 in the world of seed ${seed}`, async () => {
    assert.deepEqual(await runSeed(seed), []);
  });
}
