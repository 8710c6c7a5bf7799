import assert from "node:assert/strict";
import fc from "fast-check";
import {
  AVERAGE_WEIGHT,
  COOLDOWN_MS_MAX,
  COOLDOWN_MS_MIN,
  FEE_PPM_MAX,
  feePpmOf,
  OBSERVATION_AGE_MS_MAX,
  orderRoutes,
  routeAfterFailure,
  routeAfterSuccess,
  routeOutlook,
  UNTRIED_PERMILLE,
} from "../../../wallet/routes/mod.ts";
import type { RouteRecord } from "../../../wallet/store/wallet_store.ts";
import type { MintUrl } from "../../../wallet/types.ts";

const a = "https://a.example" as MintUrl;
const b = "https://b.example" as MintUrl;
const c = "https://c.example" as MintUrl;
const key = { from: a, to: b };
const ok = { amount: 1000n, fee: 3n, latencyMs: 800 };

Deno.test("routeAfterSuccess takes fee and latency of the first swap as they are", () => {
  const route = routeAfterSuccess(key, undefined, { ...ok, nowMs: 5 });
  assert.deepEqual(route, {
    ...key,
    successPermille: UNTRIED_PERMILLE + (1000 - UNTRIED_PERMILLE) / AVERAGE_WEIGHT,
    feePpm: 3000,
    latencyMs: 800,
    cooldownUntilMs: 0,
    updatedMs: 5,
  });
});

Deno.test("routeAfterSuccess moves the averages of a known route by a quarter of the gap", () => {
  const first = routeAfterSuccess(key, undefined, { ...ok, nowMs: 0 });
  const second = routeAfterSuccess(key, first, {
    amount: 1000n,
    fee: 7n,
    latencyMs: 1600,
    nowMs: 1,
  });
  assert.equal(second.feePpm, 4000);
  assert.equal(second.latencyMs, 1000);
});

Deno.test("routeAfterSuccess takes fee and latency as they are after nothing but failures", () => {
  const failed = routeAfterFailure(key, undefined, 0);
  const route = routeAfterSuccess(key, failed, { ...ok, nowMs: 1 });
  assert.equal(route.feePpm, 3000);
  assert.equal(route.latencyMs, 800);
  assert.equal(route.cooldownUntilMs, 0);
});

Deno.test("routeAfterFailure doubles the rest with each failure in a row, up to the longest", () => {
  let route: RouteRecord | undefined;
  const rests: number[] = [];
  for (let index = 0; index < 12; index++) {
    const nowMs = route === undefined ? 1000 : route.cooldownUntilMs + 1;
    route = routeAfterFailure(key, route, nowMs);
    rests.push(route.cooldownUntilMs - nowMs);
  }
  assert.equal(rests[0], COOLDOWN_MS_MIN);
  assert.equal(rests[1], 2 * COOLDOWN_MS_MIN);
  assert.equal(rests.at(-1), COOLDOWN_MS_MAX);
});

Deno.test("routeAfterFailure starts with the shortest rest again after a success", () => {
  const twice = routeAfterFailure(key, routeAfterFailure(key, undefined, 0), 1);
  const well = routeAfterSuccess(key, twice, { ...ok, nowMs: 2 });
  assert.equal(routeAfterFailure(key, well, 3).cooldownUntilMs, 3 + COOLDOWN_MS_MIN);
});

Deno.test("routeOutlook forgets what is older than the longest age, also of a clock that was ahead", () => {
  const route = routeAfterFailure(key, undefined, 0);
  assert.equal(routeOutlook(route, 1).isCooling, true);
  const late = routeOutlook(route, OBSERVATION_AGE_MS_MAX + 1);
  assert.deepEqual(late, routeOutlook(undefined, 0));
  const ahead = { ...route, updatedMs: 10 * OBSERVATION_AGE_MS_MAX, cooldownUntilMs: 1e15 };
  assert.equal(routeOutlook(ahead, 0).isCooling, false);
});

Deno.test("feePpmOf rounds up and is capped", () => {
  assert.equal(feePpmOf({ amount: 3n, fee: 1n }), 333_334);
  assert.equal(feePpmOf({ amount: 1n, fee: 50n }), FEE_PPM_MAX);
  assert.equal(feePpmOf({ amount: 0n, fee: 1n }), 0);
});

Deno.test("orderRoutes puts proven before untried before failing before resting routes", () => {
  const proven = routeAfterSuccess({ from: a, to: c }, undefined, { ...ok, fee: 1n, nowMs: 0 });
  const resting = routeAfterFailure({ from: a, to: b }, undefined, 0);
  const untried = { from: b, to: c };
  const failing: RouteRecord = { ...resting, from: b, to: a, cooldownUntilMs: 0 };
  const candidates = [{ from: a, to: b }, { from: b, to: a }, untried, { from: a, to: c }];
  assert.deepEqual(orderRoutes(candidates, [proven, resting, failing], 1), [
    { from: a, to: c },
    untried,
    { from: b, to: a },
    { from: a, to: b },
  ]);
});

Deno.test("orderRoutes prefers the cheaper of two routes that succeed alike", () => {
  const cheap = routeAfterSuccess({ from: a, to: c }, undefined, { ...ok, fee: 1n, nowMs: 0 });
  const dear = routeAfterSuccess({ from: a, to: b }, undefined, { ...ok, fee: 9n, nowMs: 0 });
  const order = orderRoutes([{ from: a, to: b }, { from: a, to: c }], [dear, cheap], 1);
  assert.equal(order[0]!.to, c);
});

Deno.test("orderRoutes gives the same order for every order of its input", () => {
  const mints = [a, b, c];
  const keys = mints.flatMap((from) => mints.map((to) => ({ from, to })))
    .filter((one) => one.from !== one.to);
  const routes = [
    routeAfterSuccess(keys[0]!, undefined, { ...ok, nowMs: 0 }),
    routeAfterFailure(keys[3]!, undefined, 0),
  ];
  const wanted = orderRoutes(keys, routes, 10);
  fc.assert(fc.property(fc.shuffledSubarray(keys, { minLength: keys.length }), (shuffled) => {
    assert.deepEqual(orderRoutes(shuffled, routes.toReversed(), 10), wanted);
  }));
});

Deno.test("a route's figures stay whole and within their limits whatever happens", () => {
  const step = fc.oneof(
    fc.record({ isOk: fc.constant(false), gapMs: fc.nat(1e9) }),
    fc.record({
      isOk: fc.constant(true),
      gapMs: fc.nat(1e9),
      fee: fc.bigInt({ min: -5n, max: 1n << 53n }),
      amount: fc.bigInt({ min: 0n, max: 1n << 53n }),
      latencyMs: fc.double({ min: -1, max: 1e12, noNaN: true }),
    }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
    let route: RouteRecord | undefined;
    let nowMs = 0;
    for (const one of steps) {
      nowMs += one.gapMs;
      route = "fee" in one
        ? routeAfterSuccess(key, route, { ...one, nowMs })
        : routeAfterFailure(key, route, nowMs);
      for (const figure of [route.successPermille, route.feePpm, route.latencyMs]) {
        assert.ok(Number.isSafeInteger(figure) && figure >= 0);
      }
      assert.ok(route.successPermille <= 1000);
      assert.ok(route.feePpm <= FEE_PPM_MAX);
      assert.ok(route.cooldownUntilMs <= nowMs + COOLDOWN_MS_MAX);
      assert.ok(routeOutlook(route, nowMs).costPpm >= 0);
    }
  }));
});
