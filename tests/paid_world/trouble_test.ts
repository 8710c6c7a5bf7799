/** A paid fetch between two processes while everything between them, and their mints, breaks. */
import assert from "node:assert/strict";
import type { FaultRule } from "../../devnet/fault_proxy/mod.ts";
import { ChildError, Killed } from "../support/wallet_process.ts";
import type { WireTrouble } from "./commands.ts";
import type { TraderProcess } from "./trader.ts";
import { CLIP, type FetchOptions, FILM, type Home, PaidWorld } from "./world.ts";

const MIB = 2 ** 20;

/** Fetches asked for until one goes through. */
const TRIES_MAX = 12;

/** Fetches until everything is here. */
async function persist(
  world: PaidWorld,
  buyer: TraderProcess,
  options: () => FetchOptions = () => ({}),
): Promise<void> {
  for (let tries = 1;; tries++) {
    try {
      await world.fetch(buyer, options());
      return;
    } catch (error) {
      if (!(error instanceof ChildError) || tries === TRIES_MAX) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** Holds all that is promised of a trade that came to its end. */
async function assertGood(world: PaidWorld, home: Home, buyer: TraderProcess): Promise<void> {
  await world.assertVerified(buyer);
  await world.settleSeller(home);
  await world.settleBuyer(home, buyer);
  world.assertFair(home);
  await world.assertConserved();
}

/** Calls `action` once, when so much is here. */
function once(buyer: TraderProcess, mib: number, action: () => Promise<unknown> | void) {
  const done = Promise.withResolvers<void>();
  let isDue = true;
  const before = buyer.onEvent;
  buyer.onEvent = (event) => {
    before(event);
    if (!isDue || event.event !== "progress" || event.bytes < mib * MIB) return;
    isDue = false;
    Promise.resolve(action()).then(() => done.resolve(), done.reject);
  };
  return done.promise;
}

const MESSAGES: Readonly<Record<"buyer" | "seller", readonly WireTrouble[]>> = {
  buyer: [
    { message: "top-up", what: "drop", every: 2, count: 1 },
    { message: "top-up", what: "cut-after", every: 3, count: 1 },
    { message: "top-up", what: "twice", every: 4, count: 1 },
    { message: "top-up", what: "late", every: 5, count: 1 },
    { message: "want", what: "cut-after", every: 3, count: 1 },
  ],
  seller: [
    { message: "credited", what: "drop", every: 2, count: 1 },
    { message: "credited", what: "cut-after", every: 3, count: 1 },
    { message: "credited", what: "twice", every: 4, count: 1 },
    { message: "credited", what: "late", every: 5, count: 1 },
    { message: "low", what: "drop", every: 3, count: 1 },
    { message: "granted", what: "drop", every: 3, count: 1 },
  ],
};

for (const side of ["buyer", "seller"] as const) {
  Deno.test(`a paid fetch ends well although messages of its ${side} are lost, doubled, late and cut`, async () => {
    await using world = await PaidWorld.start(
      CLIP,
      side === "seller" ? { wire: MESSAGES.seller } : {},
    );
    const home = await world.buyer("ben");
    const buyer = await world.startBuyer(home, side === "buyer" ? { wire: MESSAGES.buyer } : {});
    await persist(world, buyer);
    await assertGood(world, home, buyer);
  });
}

Deno.test("a paid fetch ends well although its connection is cut again and again", async () => {
  await using world = await PaidWorld.start(CLIP);
  const home = await world.buyer("ben");
  const buyer = await world.startBuyer(home);
  const link = world.link();
  const cuts = [3, 8].map((mib) => once(buyer, mib, () => link.close()));
  await persist(world, buyer, () => ({ port: link.port }));
  await Promise.all(cuts);
  await assertGood(world, home, buyer);
});

Deno.test("a paid fetch over the direct path ends well though its seller dies in the middle", async () => {
  await using world = await PaidWorld.start(CLIP, { isDirect: true });
  const home = await world.buyer("ben");
  const buyer = await world.startBuyer(home);
  const killed = once(buyer, 5, () => world.seller.kill());
  await assert.rejects(world.fetch(buyer, { isDirect: true }), ChildError);
  await killed;
  await world.seller[Symbol.asyncDispose]();
  await world.startSeller({ isDirect: true });
  await persist(world, buyer, () => ({ isDirect: true }));
  await world.assertVerified(buyer);
  await world.settleSeller(home);
  await world.settleBuyer(home, buyer);
  world.assertFair(home, { sellerKills: 1 });
  await world.assertConserved();
});

const MINT_FAULTS: readonly FaultRule[] = [
  { action: "drop-response", match: { path: "/v1/swap" } },
  { action: "duplicate", match: { path: "/v1/swap" } },
  { action: "drop-request", match: { path: "/v1/swap" } },
  { action: "delay-response", ms: 1_000, match: { path: "/v1/swap" } },
  { action: "drop-response", match: { path: "/v1/melt/bolt11" } },
  { action: "duplicate", match: { path: "/v1/mint/bolt11" } },
  { action: "reset", match: { path: "/v1/mint/bolt11" } },
  { action: "status", status: 503, match: { path: "/v1/mint/quote/*" } },
];

Deno.test("a paid fetch ends well although answers of both mints are lost, doubled and late", async () => {
  await using world = await PaidWorld.start(CLIP);
  const home = await world.buyer("ben");
  const buyer = await world.startBuyer(home);
  for (const proxy of world.matrix.proxies) {
    for (const rule of MINT_FAULTS) proxy.fault(rule);
  }
  await persist(world, buyer);
  for (const proxy of world.matrix.proxies) proxy.clear();
  await assertGood(world, home, buyer);
});

Deno.test("a paid fetch ends well although a mint goes away, comes back, and both change their keys", async () => {
  await using world = await PaidWorld.start(FILM);
  const home = await world.buyer("ben");
  const buyer = await world.startBuyer(home);
  const [buyers, sellers] = world.matrix.proxies;
  const troubles = [
    once(buyer, 6, async () => {
      sellers!.offline(true);
      buyers!.offline(true);
      await new Promise((resolve) => setTimeout(resolve, 4_000));
      sellers!.offline(false);
      buyers!.offline(false);
    }),
    once(buyer, 24, () => {
      for (const mint of world.matrix.kit.mints) mint.admin.rotateKeyset();
    }),
  ];
  await persist(world, buyer);
  await Promise.all(troubles);
  await assertGood(world, home, buyer);
});

/** Kills who is buying when so much is here, and waits for its end. */
async function killedAt(world: PaidWorld, buyer: TraderProcess, mib: number): Promise<void> {
  const killed = once(buyer, mib, () => buyer.kill());
  await assert.rejects(world.fetch(buyer), Killed);
  await killed;
  await buyer[Symbol.asyncDispose]();
}

Deno.test("a seller that comes back with a higher price is paid it within price-max, and left above", async () => {
  await using world = await PaidWorld.start(CLIP);
  const home = await world.buyer("ben");
  const buyer = await world.startBuyer(home);
  const restarted = once(buyer, 4, async () => {
    world.seller.kill();
    await world.seller[Symbol.asyncDispose]();
  });
  await assert.rejects(world.fetch(buyer), ChildError);
  await restarted;
  const { priceMsatPerMiB, minTopUpSat } = world.goods;
  const old = world.terms!;
  await world.startSeller();
  await world.setPrice({ priceMsatPerMiB: priceMsatPerMiB * 2, minTopUpSat });
  // The advert still has the old price.
  world.terms = old;
  await assert.rejects(world.fetch(buyer), (error) => {
    assert.ok(error instanceof ChildError && error.code === "payment-required", String(error));
    return true;
  });
  await persist(world, buyer, () => ({ priceMaxMsatPerMiB: priceMsatPerMiB * 2 }));
  await world.assertVerified(buyer);
  await world.settleSeller(home);
  await world.settleBuyer(home, buyer);
  const { used } = world.reckon(home).account;
  const least = BigInt(world.size) * BigInt(priceMsatPerMiB);
  assert.ok(used > least && used < 2n * least + world.leastUnits, `${used}`);
  world.assertFair(home, { cost: used, priceMsatPerMiB: priceMsatPerMiB * 2, sellerKills: 1 });
  await world.assertConserved();
});

Deno.test("a buyer that comes back without a budget pays nothing more, and goes on once it has one", async () => {
  // So slow that little is on its way when the buyer dies.
  await using world = await PaidWorld.start(CLIP, { bytesPerSecond: 6 * MIB });
  const home = await world.buyer("ben");
  await killedAt(world, await world.startBuyer(home), 4);
  const poor = await world.startBuyer(home, { budgetSat: 1 });
  const before = world.reckon(home);
  await assert.rejects(world.fetch(poor), (error) => {
    assert.ok(error instanceof ChildError && /above the budget of 1 sat/.test(error.message));
    return true;
  });
  await poor[Symbol.asyncDispose]();
  const after = world.reckon(home);
  const handed = ({ account }: typeof after) =>
    ["revealed", "credited", "claimed"].reduce(
      (sum, state) => sum + (account.parts[state]?.netSat ?? 0),
      0,
    );
  assert.equal(handed(after), handed(before), "nothing more was handed over");
  const buyer = await world.startBuyer(home);
  await persist(world, buyer);
  await assertGood(world, home, buyer);
});
