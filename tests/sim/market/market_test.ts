import assert from "node:assert/strict";
import { seedOfEnvironment } from "../run.ts";
import { faultsOfMarket, Market, type MarketOptions, reportOf } from "./mod.ts";

/** A market that ran, or its seed's if one is replayed. */
async function run(options: MarketOptions, look: (market: Market) => void): Promise<void> {
  const seed = seedOfEnvironment() ?? options.seed;
  await using market = new Market({ ...options, seed }).run();
  look(market);
}

Deno.test("In a market of 1,000 nodes who is honest earns most, and nobody loses more than the bounds", async () => {
  await run({ seed: 1, days: 5 }, (market) => {
    assert.equal(market.sellers.length + market.buyers.length, 1000);
    assert.deepEqual(faultsOfMarket(market), [], "replay with SIM_SEED=1");
    const { sellers, buyers } = reportOf(market);
    for (const { conduct, count } of [...sellers, ...buyers]) {
      assert.ok(count >= 5, `${count} of ${conduct}: too few to tell`);
    }
    const honest = sellers[0]!;
    assert.ok(honest.deliveredMiB > 200, "nothing was sold");
  });
});

Deno.test("A market is the same again for the same seed, and another for another", async () => {
  const told: string[] = [];
  for (const seed of [3, 3, 4]) {
    await using market = new Market({ seed, nodeCount: 80, days: 3 }).run();
    told.push(JSON.stringify(reportOf(market)));
  }
  assert.equal(told[0], told[1]);
  assert.notEqual(told[0], told[2]);
});

/** What the checks say of a market whose nodes do not hold to one of the rules. */
async function faultsWithout(rules: MarketOptions["rules"]): Promise<string> {
  await using market = new Market({ seed: 1, nodeCount: 250, days: 6, ...(rules && { rules }) })
    .run();
  return faultsOfMarket(market).join("; ");
}

Deno.test("The checks find buyers that prepay more than two least payments", async () => {
  assert.match(await faultsWithout({ boundsRisk: false }), /more than two least payments/);
});

Deno.test("The checks find sellers that serve more than one chunk group unpaid", async () => {
  assert.match(await faultsWithout({ graceGroups: 32 }), /more than one chunk group/);
});

Deno.test("The checks find sellers that do not look at what they are paid with", async () => {
  assert.match(await faultsWithout({ checksTokens: false }), /the books do not balance/);
});

Deno.test("The checks find buyers that learn nothing: then cheating goes on to pay", async () => {
  assert.match(await faultsWithout({ remembers: false }), /of who knows them/);
});
