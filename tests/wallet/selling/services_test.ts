import assert from "node:assert/strict";
import type { Hash } from "../../../src/core/hash.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { OFFERED_MINTS_MAX } from "../../../wallet/selling/limits.ts";
import { parseServiceId } from "../../../wallet/selling/seller.ts";
import type { SellerOptions } from "../../../wallet/selling/selling_api.ts";
import { defaultTopUpSat, Services } from "../../../wallet/selling/services.ts";
import { MemoryWalletStore } from "../../../wallet/store/mod.ts";
import { FINGERPRINT, MINT_A, MINT_B } from "../store/fixture.ts";
import { hashOf } from "./selling_world.ts";

const [FILM, REEL, SONG] = [hashOf("film"), hashOf("reel"), hashOf("song")];
const [CHEAP, DEAR] = [hashOf("cheap collection"), hashOf("dear collection")];

function scene(options: SellerOptions = {}) {
  const clock = new ManualClock();
  const store = MemoryWalletStore.open({ clock, seedFingerprint: FINGERPRINT });
  store.transact((tx) => {
    tx.putMint({ url: MINT_B, trust: "accepted", addedMs: 1 });
    tx.putMint({ url: MINT_A, trust: "trusted", addedMs: 2 });
  });
  const open = () => new Services({ ...options, store, clock, paymentKey: "02".padEnd(66, "1") });
  return { store, clock, open, services: open() };
}

Deno.test("Services take the price of the content, else of its collections, its visibility, the default", () => {
  const visible: Readonly<Record<string, "public" | "fleet">> = {
    [FILM]: "public",
    [REEL]: "public",
  };
  const lists: Readonly<Record<string, readonly Hash[]>> = {
    [REEL]: [DEAR, CHEAP],
    [SONG]: [DEAR],
  };
  const { store, services } = scene({
    visibilityOf: (hash) => visible[hash],
    collectionsOf: (hash) => lists[hash] ?? [],
  });
  using _store = store;
  const prices = () => [FILM, REEL, SONG].map((hash) => services.priceOf(hash));
  assert.deepEqual(prices(), [0, 0, 0]);
  assert.equal(services.isSelling, false);
  services.set({ id: "default", priceMsatPerMiB: 5 });
  assert.deepEqual(prices(), [5, 5, 5]);
  services.set({ id: "visibility:public", priceMsatPerMiB: 7 });
  assert.deepEqual(prices(), [7, 7, 5]);
  services.set({ id: `content:${DEAR}`, priceMsatPerMiB: 90 });
  services.set({ id: `content:${CHEAP}`, priceMsatPerMiB: 20 });
  assert.deepEqual(prices(), [7, 20, 90]);
  services.set({ id: `content:${SONG}`, priceMsatPerMiB: 0 });
  assert.deepEqual(prices(), [7, 20, 0], "free is a price, too");
  services.enable(`content:${CHEAP}`, false);
  assert.deepEqual(prices(), [7, 90, 0]);
  services.remove(`content:${DEAR}`);
  assert.deepEqual(prices(), [7, 7, 0]);
  assert.throws(() => services.enable(`content:${DEAR}`, true), /no such service/);
});

Deno.test("Services are there again after a restart, and whoever listens hears of changes", () => {
  const { store, services, open } = scene();
  using _store = store;
  let heard = 0;
  const off = services.onChanged(() => heard++);
  services.onChanged(() => {
    throw new Error("a listener's own trouble");
  });
  services.set({ id: "default", priceMsatPerMiB: 5, minTopUpSat: 100, mints: [MINT_A] });
  services.set({ id: "default", priceMsatPerMiB: 6 });
  services.enable("default", false);
  off();
  services.set({ id: "visibility:fleet", priceMsatPerMiB: 1 });
  assert.equal(heard, 3);
  assert.deepEqual(open().list(), [
    { id: "default", enabled: false, priceMsatPerMiB: 6, minTopUpSat: 100, mints: [MINT_A] },
    { id: "visibility:fleet", enabled: true, priceMsatPerMiB: 1 },
  ]);
  assert.deepEqual(open().list(), services.list());
});

Deno.test("Services offer the trusted mints first, and only those that a price takes", async () => {
  const { store, services, clock } = scene();
  using _store = store;
  services.set({ id: "default", priceMsatPerMiB: 10_000 });
  assert.deepEqual(services.termsOf(FILM), {
    priceMsatPerMiB: 10_000,
    minTopUpSat: 320,
    mints: [MINT_A, MINT_B],
    p2pk: "02".padEnd(66, "1"),
    locktimeMin: 90,
  });
  store.transact((tx) => tx.putMint({ ...tx.mint(MINT_A)!, blockedReason: "it lied" }));
  await clock.advance(2_000);
  services.set({ id: `content:${SONG}`, priceMsatPerMiB: 1, mints: [MINT_A, MINT_B] });
  assert.equal(services.acceptedMints, undefined);
  services.set({ id: "default", mints: [MINT_B] });
  assert.deepEqual([...services.acceptedMints!].sort(), [MINT_A, MINT_B]);
  assert.equal(services.leastTopUpSat, 64);
  // No mint named is as before; an empty list takes all of them again, and stays so.
  assert.deepEqual(services.set({ id: "default", priceMsatPerMiB: 5 }).mints, [MINT_B]);
  assert.equal(services.set({ id: "default", mints: [] }).mints, undefined);
  assert.equal(store.services().find(({ id }) => id === "default")!.mints, undefined);
  assert.equal(services.acceptedMints, undefined);
});

Deno.test("Services refuse what no price can be", () => {
  const { store, services } = scene();
  using _store = store;
  for (const priceMsatPerMiB of [-1, 0.5, NaN, 10_000_001]) {
    assert.throws(() => services.set({ id: "default", priceMsatPerMiB }), RangeError);
  }
  assert.throws(() => services.set({ id: "default", minTopUpSat: 0 }), RangeError);
  const many = new Array(OFFERED_MINTS_MAX + 1).fill(MINT_A);
  assert.throws(() => services.set({ id: "default", mints: many }), RangeError);
  assert.throws(() => services.set({ id: "default", mints: ["ftp://mint"] }), SyntaxError);
  for (
    const id of ["", "defaults", "visibility:secret", "content:xyz", `content:${"A".repeat(64)}`]
  ) {
    assert.throws(() => parseServiceId(id), SyntaxError);
  }
  assert.deepEqual(services.list(), []);
});

Deno.test("defaultTopUpSat is what 32 MiB cost, and at least 64 sat", () => {
  assert.deepEqual([0, 1, 2_000, 2_001, 10_000_000].map(defaultTopUpSat), [
    64,
    64,
    64,
    65,
    320_000,
  ]);
});
