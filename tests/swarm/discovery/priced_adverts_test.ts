import assert from "node:assert/strict";
import type { Hash } from "../../../src/core/hash.ts";
import { tagValue } from "../../../src/nostr/nostr.ts";
import { readAdvert, readNodeAdvert } from "../../../swarm/discovery/advert.ts";
import { verifyBinding } from "../../../swarm/discovery/binding.ts";
import { termsOf } from "../../../swarm/discovery/peer_offer.ts";
import type { ManualClock } from "../../support/manual_clock.ts";
import { ann, hashesIn, nowS, setUp } from "./announcer_scene.ts";
import { type FakePool, hashOf } from "./support.ts";

const KEY = `02${"a".repeat(64)}`;
const TERMS = {
  priceMsatPerMiB: 5,
  mints: ["https://mint.example"],
  p2pk: KEY,
  minTopUpSat: 64,
  locktimeMin: 90,
};

/** The newest advert of a blob there. */
function newestOf(pool: FakePool, hash: Hash, clock: ManualClock) {
  const event = pool.published.findLast((one) => one.kind === 30081 && tagValue(one, "d") === hash);
  return event === undefined ? undefined : readAdvert(event, { nowS: nowS(clock) });
}

Deno.test("NostrAnnouncer advertises each blob with its own price, free ones without", async () => {
  const priced = hashOf(1);
  const { clock, store, pool, fleetPool, start } = setUp({
    offer: () => ({ addrs: ["/ip4/192.0.2.1/tcp/1"], ...TERMS, priceMsatPerMiB: 9 }),
    offerFor: (hash) =>
      hash === priced ? TERMS : hash === hashOf(2) ? { ...TERMS, priceMsatPerMiB: 0 } : undefined,
  });
  store.put(1);
  store.put(2);
  store.put(3);
  store.put(4, { visibility: "fleet" });
  await using _announcer = start();
  await clock.advance(1000);
  const sold = newestOf(pool, priced, clock)!;
  assert.deepEqual(termsOf(sold), TERMS);
  const claim = { nostrKey: ann.nostrKey, peerId: ann.peerId, p2pk: KEY };
  assert.ok(await verifyBinding(sold.binding!, claim, { nowS: nowS(clock) }));
  for (const hash of [hashOf(2), hashOf(3)]) {
    const free = newestOf(pool, hash, clock)!;
    assert.deepEqual(termsOf(free), {});
    assert.ok(
      await verifyBinding(free.binding!, { ...claim, p2pk: undefined }, { nowS: nowS(clock) }),
    );
  }
  assert.equal(newestOf(fleetPool, hashOf(4), clock)!.priceMsatPerMiB, undefined);
  const nodes = [pool, fleetPool].map((one) =>
    readNodeAdvert(one.published.find(({ kind }) => kind === 13081)!, { nowS: nowS(clock) })!
  );
  assert.equal(nodes[0]!.priceMsatPerMiB, 9);
  assert.deepEqual(termsOf(nodes[1]!), {}, "the fleet is never charged");
});

Deno.test("NostrAnnouncer publishes a blob anew when its terms change, and no other", async () => {
  const prices = new Map([[hashOf(1), 5]]);
  const { clock, store, pool, start } = setUp({
    offerFor: (hash) => ({ ...TERMS, priceMsatPerMiB: prices.get(hash) ?? 0 }),
  });
  store.put(1);
  store.put(2);
  store.put(3);
  await using announcer = start();
  await clock.advance(1000);
  const { length } = pool.published;
  announcer.offerChanged();
  await clock.advance(1000);
  assert.deepEqual(pool.published.slice(length).map(({ kind }) => kind), [13081]);
  prices.set(hashOf(1), 7).set(hashOf(2), 1);
  announcer.offerChanged();
  await clock.advance(1000);
  assert.deepEqual(hashesIn(pool.published.slice(length + 1)).sort(), [hashOf(1), hashOf(2)]);
  assert.equal(newestOf(pool, hashOf(1), clock)!.priceMsatPerMiB, 7);
  prices.delete(hashOf(1));
  announcer.announce(hashOf(1));
  await clock.advance(1000);
  assert.equal(newestOf(pool, hashOf(1), clock)!.priceMsatPerMiB, undefined);
  assert.deepEqual(announcer.status(), { advertCount: 3, pendingCount: 0 });
});
