/** T1 to T5: what may become of requests and answers on their way. */
import assert from "node:assert/strict";
import type { FaultRule } from "../../../devnet/fault_proxy/mod.ts";
import { assertAllDone, type Errand, inWeather, type Outcome, POSTS, trouble } from "./weather.ts";

/** No body had an effect twice: a mint answers a second 200 from its cache only. */
function assertOneEffect({ world }: Outcome): void {
  for (const mint of world.kit.mints) {
    const counts = new Map<string, number>();
    for (const { path, status, isCached, bodySha256 } of mint.admin.requests()) {
      const isPost = /^\/v1\/(swap|(mint|melt)\/bolt11)$/.test(path);
      if (!isPost || status !== 200 || isCached) continue;
      counts.set(bodySha256, (counts.get(bodySha256) ?? 0) + 1);
    }
    assert.ok([...counts.values()].every((count) => count === 1));
  }
}

async function inTrouble(rule: FaultRule): Promise<void> {
  await inWeather(trouble(rule), (outcome) => {
    assertAllDone(outcome);
    assertOneEffect(outcome);
  });
}

Deno.test("T1 an answer that comes after we gave up has no second effect", async (test) => {
  await test.step("the answer never comes", () => inTrouble({ action: "hang-response" }));
  await test.step("the answer comes late", () =>
    inTrouble({ action: "delay-response", ms: 150_000 }));
  await test.step("the mint gets it after we gave up", async () => {
    // A melt that arrives later than its fence is refused: it may end either way, whole.
    await inWeather(trouble({ action: "delay-request", ms: 150_000 }), assertOneEffect);
  });
});

Deno.test("T2 an answer that is cut off, empty or a page for people is asked for again", async (test) => {
  const rules: readonly FaultRule[] = [
    { action: "truncate" },
    { action: "truncate", bytes: 1 },
    { action: "empty" },
    { action: "html" },
    { action: "drop-response" },
    { action: "reset" },
    { action: "status", status: 502, forward: true },
  ];
  for (const rule of rules) {
    await test.step(JSON.stringify(rule), () => inTrouble(rule));
  }
});

Deno.test("T3 a request that reaches the mint twice has one effect", async (test) => {
  const rules: readonly FaultRule[] = [
    { action: "duplicate", answer: "first" },
    { action: "duplicate", answer: "last" },
    { action: "duplicate", ms: 5_000 },
  ];
  for (const rule of rules) {
    await test.step(JSON.stringify(rule), () => inTrouble(rule));
    await test.step(`${JSON.stringify(rule)}, at a mint that keeps no answers`, () =>
      inWeather((world, errand) => {
        for (const mint of world.kit.mints) mint.admin.change({ cacheTtlS: 0 });
        trouble(rule)(world, errand);
      }, (outcome) => {
        assertAllDone(outcome);
        assertOneEffect(outcome);
      }));
  }
});

Deno.test("T4 signatures in another order are never taken for what they are not", async (test) => {
  for (const disabled of [[], [12]]) {
    const mint = disabled.length === 0 ? "a mint with DLEQ" : "a mint without NUT-12";
    await test.step(mint, () =>
      inWeather(
        (world, errand) => {
          for (const [index] of POSTS[errand]) {
            const { admin } = world.kit.mints[index]!;
            for (const path of pathsOf(errand)) admin.permuteSignatures(1, { path });
          }
        },
        assertAllDone,
        ({ kit }) => {
          for (const { admin } of kit.mints) admin.disableNuts(disabled);
        },
      ));
  }
});

function pathsOf(errand: Errand): string[] {
  return POSTS[errand].map(([, path]) => path);
}

Deno.test("T5 a quote that goes back releases nothing and pays nothing again", async () => {
  await inWeather((world) => {
    for (const { admin } of world.kit.mints) {
      admin.staleQuotes(3, { path: "/v1/mint/quote/bolt11" });
      admin.staleQuotes(3, { path: "/v1/melt/quote/bolt11" });
    }
  }, (outcome) => {
    assertAllDone(outcome);
    assertOneEffect(outcome);
  });
});
