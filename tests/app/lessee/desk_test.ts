/** The node's side of renting: what a person agreed to is what is paid. */
import assert from "node:assert/strict";
import { Agreements } from "../../../src/app/lifecycle/lessee/agreement.ts";
import { LesseeDesk } from "../../../src/app/lifecycle/lessee/desk.ts";
import type { PaymentAsked } from "../../../src/app/lifecycle/lessee/purse.ts";
import { BASIC } from "../../support/provisioning/lease_world.ts";
import { FUNDED_SAT, LesseeWorld } from "../../support/provisioning/lessee_world.ts";
import { ScriptedProvider } from "../../support/provisioning/scripted_provider.ts";

const WORK = { signal: new AbortController().signal, emit: () => {} };

/** A desk over the world's lessee, whose purse asks what was agreed to. */
async function deskOf(world: LesseeWorld) {
  const run = await world.lessee();
  const { lessee, market, book } = run;
  const { clock, purse } = world;
  const budgets = { lesseeBudget: 200, lesseeBudgetDay: 200 };
  const agreements = new Agreements({ book, clock, budgets });
  const pay = purse.pay.bind(purse);
  purse.pay = (request: PaymentAsked) => {
    const agreement = agreements.agree(request);
    return agreement.status === "declined" ? Promise.resolve(agreement) : pay(request);
  };
  const config = {
    lesseePolicy: "price",
    lesseeIsolation: undefined,
    lesseeRateMax: 60,
    ...{ lesseeStep: 3_600_000, lesseeLead: 600_000, lesseeTimeout: 180_000 },
  } as const;
  const relays = () => [
    { url: "wss://relay.example", state: "open" } as ReturnType<
      ConstructorParameters<typeof LesseeDesk>[0]["relays"]
    >[number],
  ];
  return new LesseeDesk({
    ...{ lessee, market, agreements, clock, config, relays },
    isAlone: false,
  });
}

Deno.test("a price that was raised after it was agreed to is not paid", async () => {
  await using world = new LesseeWorld();
  using provider = new ScriptedProvider(world, {
    isOurs: true,
    script: async (request, provider) => {
      if (request.type !== "spawn") return undefined;
      await provider.take(request);
      return provider.access({ requestId: request.requestId! });
    },
  });
  const desk = await deskOf(world);
  await world.pass(3_000);
  const wish = { image: "alpine", provider: provider.key };
  const quote = await world.during(desk["market.quote"]({ ...wish, durationS: 7_200 }, WORK));
  assert.equal(quote.amountSat, 360);
  const agreed = {
    ...{ ...wish, tier: quote.tier.id, durationS: 7_200, budgetSat: quote.amountSat },
    confirmed: true,
  };
  await provider.announce({ specs: [{ ...BASIC, rateMsatPerS: 50_000 }] });
  await world.clock.advance(31_000);
  await assert.rejects(world.during(desk["lease.spawn"](agreed, WORK)), {
    code: "usage",
    message: /360000 sat, more than the budget of 360/,
  });
  assert.equal(world.purse.balanceSat, FUNDED_SAT);
  await provider.announce();
  await world.clock.advance(31_000);
  const lease = await world.during(desk["lease.spawn"](agreed, WORK));
  assert.equal(lease.paidSat, 360, "the sum that was agreed to, above the budgets");
});

Deno.test("a top-up that a person agreed to is above the budgets, another one is not", async () => {
  await using world = new LesseeWorld();
  await world.lender();
  const desk = await deskOf(world);
  await world.pass(3_000);
  const { id } = await world.during(
    desk["lease.spawn"]({ image: "alpine", durationS: 3_600 }, WORK),
  );
  const topUp = { lease: id, durationS: 3_600 };
  await assert.rejects(world.during(desk["lease.topup"](topUp, WORK)), /above the budget/);
  const { paidSat } = await world.during(
    desk["lease.topup"]({ ...topUp, confirmed: true }, WORK),
  );
  assert.equal(paidSat, 180);
});

Deno.test("the settings of a choice are not those of a provider that is named", async () => {
  await using world = new LesseeWorld();
  using dear = new ScriptedProvider(world, {
    isOurs: true,
    offer: { specs: [{ ...BASIC, rateMsatPerS: 70 }] },
    script: () => undefined,
  });
  const desk = await deskOf(world);
  await world.pass(3_000);
  const quote = (params: Parameters<typeof desk["market.quote"]>[0]) =>
    world.during(desk["market.quote"](params, WORK));
  await assert.rejects(quote({ durationS: 60 }), { code: "not-found" });
  assert.equal((await quote({ provider: dear.key, durationS: 60 })).amountSat, 5);
  const filter = { rateMsatPerSMax: 65 };
  await assert.rejects(quote({ provider: dear.key, durationS: 60, filter }), {
    code: "usage",
    message: /does not have a price of 65 msat a second or less/,
  });
});
