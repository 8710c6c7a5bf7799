import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Holding,
  type PaymentLeg,
  planPayment,
  type PlanTerms,
  rankPlans,
} from "../../../wallet/planner/plan_payment.ts";
import type { RouteRecord } from "../../../wallet/store/wallet_store.ts";
import type { MintTrust, MintUrl } from "../../../wallet/types.ts";

const A = "https://a.example" as MintUrl;
const B = "https://b.example" as MintUrl;
const C = "https://c.example" as MintUrl;
const D = "https://d.example" as MintUrl;

const TRUST: Readonly<Record<string, MintTrust>> = {
  [A]: "trusted",
  [B]: "trusted",
  [C]: "accepted",
};

function terms(more: Partial<PlanTerms> = {}): PlanTerms {
  return {
    trust: (mint) => TRUST[mint],
    feeOf: (leg) => leg.kind === "direct" ? 1n : 5n,
    ...more,
  };
}

function held(...holdings: readonly (readonly [MintUrl, bigint])[]): Holding[] {
  return holdings.map(([mint, free]) => ({ mint, free }));
}

function route(
  from: MintUrl,
  to: MintUrl,
  successPermille: number,
  cooldownUntilMs = 0,
): RouteRecord {
  return { from, to, successPermille, feePpm: 0, latencyMs: 0, cooldownUntilMs, updatedMs: 0 };
}

Deno.test("planPayment pays directly even where a swap would go through the home mint", () => {
  const plan = planPayment(held([A, 1000n], [C, 200n]), [A, C], 100n, terms({ homeMint: B }));
  assert.equal(plan.kind, "direct");
});

Deno.test("planPayment pays directly with ecash of a mint that is only accepted", () => {
  assert.deepEqual(planPayment(held([C, 200n]), [C], 100n, terms()), {
    kind: "direct",
    mint: C,
    amount: 100n,
    feeMax: 1n,
  });
});

Deno.test("planPayment swaps into a trusted mint when the accepted one holds too little", () => {
  assert.deepEqual(planPayment(held([A, 1000n], [B, 100n]), [B], 100n, terms()), {
    kind: "swap",
    from: A,
    to: B,
    amount: 100n,
    feeMax: 5n,
  });
});

Deno.test("planPayment never swaps into a mint that is only accepted, or not listed", () => {
  for (const target of [C, D]) {
    const plan = planPayment(held([A, 1000n]), [target], 100n, terms());
    assert.equal(plan.kind, "insufficient");
  }
});

Deno.test("planPayment counts balances after fees, to the sat", () => {
  assert.equal(planPayment(held([A, 101n]), [A], 100n, terms()).kind, "direct");
  assert.equal(planPayment(held([A, 100n]), [A], 100n, terms()).kind, "insufficient");
  assert.equal(planPayment(held([A, 105n]), [B], 100n, terms()).kind, "swap");
  assert.equal(planPayment(held([A, 104n]), [B], 100n, terms()).kind, "insufficient");
});

Deno.test("planPayment breaks ties by the home mint, on both ends of a swap", () => {
  const direct = planPayment(held([A, 500n], [B, 500n]), [A, B], 100n, terms({ homeMint: B }));
  assert.deepEqual(direct.kind === "direct" && direct.mint, B);
  const into = planPayment(held([C, 500n]), [A, B], 100n, terms({ homeMint: B }));
  assert.deepEqual(into.kind === "swap" && into.to, B);
  const from = planPayment(held([A, 500n], [C, 500n]), [B], 100n, terms({ homeMint: C }));
  assert.deepEqual(from.kind === "swap" && from.from, C);
});

Deno.test("planPayment prefers routes that worked, and tries those that cool down last", () => {
  const routes = [route(C, A, 200), route(C, B, 900)];
  const plan = planPayment(held([C, 500n]), [A, B], 100n, terms({ routes }));
  assert.deepEqual(plan.kind === "swap" && plan.to, B);
  const cooling = [route(C, A, 200), route(C, B, 900, 60_000)];
  const other = planPayment(held([C, 500n]), [A, B], 100n, terms({ routes: cooling, nowMs: 1 }));
  assert.deepEqual(other.kind === "swap" && other.to, A);
  const home = { routes: cooling, nowMs: 1, homeMint: B };
  const notHome = planPayment(held([C, 500n]), [A, B], 100n, terms(home));
  assert.deepEqual(notHome.kind === "swap" && notHome.to, A);
  const only = planPayment(held([C, 500n]), [B], 100n, terms(home));
  assert.equal(only.kind, "swap");
});

Deno.test("rankPlans orders swaps by how routes worked, what they cost and how long they took", () => {
  const targets = [A, B];
  const best = (one: Partial<RouteRecord>, other: Partial<RouteRecord>) => {
    const routes = [{ ...route(C, A, 900), ...one }, { ...route(C, B, 900), ...other }];
    const plans = rankPlans(held([C, 500n]), targets, 100n, terms({ routes }));
    assert.equal(plans.length, 2);
    const [first] = plans;
    return first?.kind === "swap" ? first.to : undefined;
  };
  assert.equal(best({ successPermille: 500 }, {}), B);
  assert.equal(best({ feePpm: 9_000 }, { feePpm: 3_000 }), B);
  assert.equal(best({ latencyMs: 60_000 }, { latencyMs: 1_000 }), B);
  assert.equal(best({ cooldownUntilMs: 60_000 }, { successPermille: 100 }), B);
  // A fee that is high for certain counts more than a little risk.
  assert.equal(best({ successPermille: 800 }, { feePpm: 50_000 }), A);
  assert.equal(best({}, {}), A, "the address decides when nothing else does");
});

Deno.test("rankPlans breaks ties of liquidity by the fee, then by the larger holding", () => {
  const holdings = held([C, 500n], [B, 900n]);
  const cheaper = terms({ feeOf: (leg) => leg.kind === "swap" && leg.from === C ? 4n : 5n });
  const [first] = rankPlans(holdings, [A], 100n, cheaper);
  assert.equal(first?.kind === "swap" && first.from, C);
  const [larger] = rankPlans(holdings, [A], 100n, terms());
  assert.equal(larger?.kind === "swap" && larger.from, B);
  const routes = [route(C, A, 900)];
  const [proven] = rankPlans(holdings, [A], 100n, terms({ routes }));
  assert.equal(proven?.kind === "swap" && proven.from, C, "liquidity counts more than either");
});

Deno.test("planPayment says what is missing when the origin must be used", () => {
  const reasonOf = (holdings: Holding[], accepted: MintUrl[], more: Partial<PlanTerms> = {}) => {
    const plan = planPayment(holdings, accepted, 100n, terms(more));
    return plan.kind === "insufficient" ? plan.reason : assert.fail("insufficient wanted");
  };
  assert.match(reasonOf(held([A, 40n]), [A]), /100 sat wanted and 40 sat are free/);
  assert.match(reasonOf(held([A, 60n], [B, 60n]), [A]), /no single mint .* more than 60 sat/);
  assert.match(reasonOf(held([D, 500n]), [A]), /takes no mint/);
  assert.match(reasonOf(held([A, 500n]), [A], { feeMax: 0n }), /fees of at least 1 sat/);
  assert.match(reasonOf(held([A, 500n]), [A], { feeOf: () => undefined }), /reachable/);
});

Deno.test("planPayment refuses an amount that is not positive", () => {
  assert.throws(() => planPayment([], [A], 0n, terms()), RangeError);
});

const mints = fc.constantFrom(A, B, C, D);
const scene = fc.record({
  holdings: fc.uniqueArray(fc.tuple(mints, fc.bigInt(0n, 300n)), { selector: ([mint]) => mint }),
  accepted: fc.array(mints, { maxLength: 5 }),
  amount: fc.bigInt(1n, 200n),
  directFee: fc.bigInt(0n, 4n),
  swapFee: fc.bigInt(0n, 20n),
  homeMint: fc.option(mints, { nil: undefined }),
  feeMax: fc.option(fc.bigInt(0n, 20n), { nil: undefined }),
  costMax: fc.option(fc.bigInt(1n, 250n), { nil: undefined }),
  routes: fc.array(
    fc.tuple(mints, mints, fc.integer({ min: 0, max: 1000 }), fc.integer({ min: 0, max: 2 })),
    { maxLength: 6 },
  ),
});

Deno.test("rankPlans lists exactly the ways to pay that its rules allow, directs first", () => {
  fc.assert(fc.property(scene, (drawn) => {
    const holdings = held(...drawn.holdings);
    const feeOf = (leg: PaymentLeg) => leg.kind === "direct" ? drawn.directFee : drawn.swapFee;
    const routes = drawn.routes.filter(([from, to]) => from !== to)
      .map(([from, to, permille, coolMs]) => route(from, to, permille, coolMs));
    const plans = rankPlans(holdings, drawn.accepted, drawn.amount, {
      trust: (mint) => TRUST[mint],
      feeOf,
      routes,
      nowMs: 1,
      ...drawn.homeMint === undefined ? {} : { homeMint: drawn.homeMint },
      ...drawn.feeMax === undefined ? {} : { feeMax: drawn.feeMax },
      ...drawn.costMax === undefined ? {} : { costMax: drawn.costMax },
    });
    const wanted = new Set<string>();
    const allowed = (mint: MintUrl, fee: bigint) =>
      (holdings.find((one) => one.mint === mint)?.free ?? 0n) >= drawn.amount + fee &&
      TRUST[mint] !== undefined && fee <= (drawn.feeMax ?? fee) &&
      drawn.amount + fee <= (drawn.costMax ?? drawn.amount + fee);
    for (const to of drawn.accepted) {
      if (TRUST[to] !== undefined && allowed(to, drawn.directFee)) wanted.add(`direct ${to}`);
      for (const from of [A, B, C, D]) {
        if (TRUST[to] !== "trusted" || from === to) continue;
        if (allowed(from, drawn.swapFee)) wanted.add(`swap ${from} ${to}`);
      }
    }
    const found = plans.map((plan) =>
      plan.kind === "direct" ? `direct ${plan.mint}` : `swap ${plan.from} ${plan.to}`
    );
    assert.deepEqual(new Set(found), wanted);
    assert.equal(found.length, wanted.size);
    const kinds = plans.map((plan) => plan.kind);
    assert.deepEqual(kinds, [...kinds].sort());
    const cooling = (from: MintUrl, to: MintUrl) =>
      (routes.find((one) => one.from === from && one.to === to)?.cooldownUntilMs ?? 0) > 1;
    const rests = plans.map((plan) => plan.kind === "swap" && cooling(plan.from, plan.to));
    assert.deepEqual(rests, [...rests].sort((a, b) => Number(a) - Number(b)));
    const homes = plans.filter((plan, at) => plan.kind === kinds[0] && rests[at] === rests[0])
      .map((plan) => (plan.kind === "direct" ? plan.mint : plan.to) === drawn.homeMint);
    assert.deepEqual(homes, [...homes].sort((a, b) => Number(b) - Number(a)));
  }));
});

Deno.test("planPayment gives the same plan whatever the order of holdings and mints", () => {
  fc.assert(fc.property(scene, (drawn) => {
    const holdings = held(...drawn.holdings);
    const plan = planPayment(holdings, drawn.accepted, drawn.amount, terms());
    const again = planPayment(
      [...holdings].reverse(),
      [...drawn.accepted].reverse(),
      drawn.amount,
      terms(),
    );
    assert.deepEqual(again, plan);
  }));
});
