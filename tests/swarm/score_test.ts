import assert from "node:assert/strict";
import { join } from "node:path";
import { HALF_LIFE_MS, PROVIDERS_MAX, ProviderScores } from "../../swarm/score.ts";

class Time {
  ms = 1_700_000_000_000;
  nowMs(): number {
    return this.ms;
  }
}

Deno.test("ProviderScores knows nothing of a stranger", async () => {
  await using scores = new ProviderScores({ path: ":memory:", clock: new Time() });
  assert.equal(scores.priorOf("stranger"), undefined);
});

Deno.test("ProviderScores prefers who delivers to who fails, and both to who lies", async () => {
  await using scores = new ProviderScores({ path: ":memory:", clock: new Time() });
  scores.record("good", { bytes: 1000, latencyMs: 10, throughput: 5e6 });
  scores.record("bad", { bytes: 0, failed: true });
  scores.record("liar", { bytes: 1000, lied: true });
  const [good, bad, liar] = ["good", "bad", "liar"].map((id) => scores.priorOf(id)!);
  assert.ok(good!.score > 0.5 && bad!.score < 0.5 && liar!.score < bad!.score);
  assert.ok(liar!.score < 0.05);
  assert.equal(good!.latencyMs, 10);
  assert.equal(good!.throughput, 5e6);
  assert.deepEqual([...scores.list()].map((one) => one.peerId), ["good", "bad", "liar"]);
});

Deno.test("ProviderScores averages what it measures", async () => {
  await using scores = new ProviderScores({ path: ":memory:", clock: new Time() });
  scores.record("peer", { bytes: 10, latencyMs: 10, throughput: 1000 });
  scores.record("peer", { bytes: 20, latencyMs: 20 });
  const { latencyMs, throughput, bytes } = scores.priorOf("peer")!;
  assert.ok(latencyMs! > 10 && latencyMs! < 20);
  assert.equal(throughput, 1000);
  assert.equal(bytes, 30);
});

Deno.test("ProviderScores forgives with time, lies much later than failures", async () => {
  const clock = new Time();
  await using scores = new ProviderScores({ path: ":memory:", clock });
  for (let count = 0; count < 8; count++) scores.record("bad", { bytes: 0, failed: true });
  scores.record("liar", { bytes: 0, lied: true });
  const [before, lied] = [scores.priorOf("bad")!.score, scores.priorOf("liar")!.score];
  clock.ms += 4 * HALF_LIFE_MS;
  assert.ok(scores.priorOf("bad")!.score > 2 * before);
  assert.ok(scores.priorOf("liar")!.score < 2 * lied);
  // A clock that is set back makes nothing heavier.
  clock.ms -= 40 * HALF_LIFE_MS;
  assert.ok(scores.priorOf("bad")!.score >= before);
});

Deno.test("ProviderScores keeps what it knows across restarts", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const path = join(directory, "scores.sqlite");
    const clock = new Time();
    {
      await using scores = new ProviderScores({ path, clock });
      scores.record("peer", { bytes: 5, throughput: 77 });
    }
    await using scores = new ProviderScores({ path, clock });
    assert.equal(scores.priorOf("peer")!.throughput, 77);
    await Deno.writeTextFile(
      join(directory, "broken"),
      "this is no database, not at all ".repeat(99),
    );
    assert.throws(() => new ProviderScores({ path: join(directory, "broken"), clock }), {
      code: "storage",
      message: /delete the file/,
    });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("ProviderScores remembers a bounded number of providers, the latest", async () => {
  const clock = new Time();
  await using scores = new ProviderScores({ path: ":memory:", clock });
  for (let index = 0; index < PROVIDERS_MAX + 10; index++) {
    clock.ms++;
    scores.record(`peer${index}`, { bytes: 1 });
  }
  assert.equal([...scores.list()].length, PROVIDERS_MAX);
  assert.equal(scores.priorOf("peer0"), undefined);
  assert.ok(scores.priorOf(`peer${PROVIDERS_MAX + 9}`));
  scores.record("x".repeat(1000), { bytes: 1 });
  assert.equal(scores.priorOf("x".repeat(1000)), undefined);
});
