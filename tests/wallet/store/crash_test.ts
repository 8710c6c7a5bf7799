import assert from "node:assert/strict";
import { ManualClock } from "../../support/manual_clock.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { SqliteWalletStore } from "../../../wallet/store/mod.ts";
import { FINGERPRINT, MINT_A, operation } from "./fixture.ts";

const CHILD = new URL("./crash_child.ts", import.meta.url).pathname;
const ROUNDS = 6;

/** Runs a child until it was ready for `afterMs`, kills it, and returns what it said was on disk. */
async function runAndKill(directory: string, round: number, afterMs: number): Promise<string[]> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", CHILD, directory, String(round)],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  const killed = Promise.withResolvers<void>();
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    const wasReady = text.includes("ready");
    text += chunk;
    if (wasReady || !text.includes("ready")) continue;
    setTimeout(() => {
      child.kill("SIGKILL");
      killed.resolve();
    }, afterMs);
  }
  await killed.promise;
  assert.equal((await child.status).signal, "SIGKILL");
  return text.split("\n").slice(0, -1);
}

Deno.test("SqliteWalletStore has sound books and all that it said after every SIGKILL", async () => {
  const directory = await Deno.makeTempDir({ prefix: "seedmint-crash-" });
  const random = seededRandom(3);
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const lines = await runAndKill(directory, round, 5 + random.float() * 120);
      using store = SqliteWalletStore.open({
        directory,
        clock: new ManualClock(),
        seedFingerprint: FINGERPRINT,
      });
      assert.deepEqual(store.audit(), []);
      const [{ free, reserved } = { free: 0n, reserved: 0n }] = store.balances();
      assert.equal(free + reserved, 800n);
      assert.ok(free === 0n || reserved === 0n, "a transaction was torn");
      for (const line of lines) {
        const [, what, name] = /^(planned|done) (.*)$/.exec(line) ?? [];
        if (what === undefined) continue;
        const found = store.operation(operation(name!).id);
        assert.ok(found !== undefined, `${line} was said and is not there`);
        if (what === "done") assert.equal(found.status, "done");
      }
      assert.ok(store.operations({ status: "open" }).length <= 1);
      assert.equal(store.proofs({ mint: MINT_A, state: "reserved" }).length > 0, reserved > 0n);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
