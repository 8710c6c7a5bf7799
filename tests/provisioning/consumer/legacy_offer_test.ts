/** Providers of the oldest kind (999) on the market. */
import assert from "node:assert/strict";
import { nostrPublicKey, signEvent } from "../../../src/nostr/mod.ts";
import { Market } from "../../../provisioning/consumer/mod.ts";
import { buildOffer, KIND_LEGACY_OFFER } from "../../../provisioning/wire/mod.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { BASIC } from "../../support/provisioning/lease_world.ts";
import { MemoryRelay } from "../../support/provisioning/post_world.ts";
import { CONTENTS } from "../wire/fixtures.ts";

const SIGNAL = new AbortController().signal;
const SECRET = new Uint8Array(32).fill(31);
const PROVIDER = nostrPublicKey(SECRET);

function legacyOffer(createdAtS: number) {
  const tags = [["t", "paygress"], ["t", "offer"]];
  const template = { kind: KIND_LEGACY_OFFER, tags, content: CONTENTS.legacyOffer };
  return signEvent({ ...template, created_at: createdAtS }, SECRET);
}

Deno.test("Market lists a provider that offers in the oldest way, as what it is", async () => {
  const [clock, pool] = [new ManualClock(), new MemoryRelay()];
  const nowS = Math.floor(clock.nowMs() / 1000);
  using market = new Market({ pool, clock });
  await pool.publish(legacyOffer(nowS));
  await market.refresh({ signal: SIGNAL });
  const [listing, ...others] = market.list();
  assert.deepEqual(others, []);
  assert.equal(listing?.provider, PROVIDER);
  assert.equal(listing?.isLegacy, true);
  assert.equal(listing?.isOnline, false, "it has no heartbeat");
  assert.equal(listing?.address.isOurs, false);
  assert.deepEqual(listing?.mints, ["https://mint.example"]);
  assert.deepEqual(listing?.specs.map((spec) => [spec.id, spec.rateMsatPerS]), [["basic", 100]]);
  assert.equal(market.find(PROVIDER.slice(0, 8)).provider, PROVIDER);
});

Deno.test("an offer of today's kind counts before one of the oldest, whichever came last", async () => {
  const body = {
    provider: PROVIDER,
    name: "Today",
    capabilities: ["oci"],
    specs: [BASIC],
    mints: [],
    uptimePercent: 100,
    jobsCompletedCount: 0,
    isolation: "shared-kernel",
  } as const;
  for (const isOldLast of [true, false]) {
    const [clock, pool] = [new ManualClock(), new MemoryRelay()];
    const nowS = Math.floor(clock.nowMs() / 1000);
    const today = signEvent(buildOffer(body, { createdAtS: nowS - 100 }), SECRET);
    const old = legacyOffer(nowS);
    for (const event of isOldLast ? [today, old] : [old, today]) await pool.publish(event);
    using market = new Market({ pool, clock });
    await market.refresh({ signal: SIGNAL });
    assert.deepEqual(market.list().map(({ name, isLegacy }) => [name, isLegacy]), [
      ["Today", false],
    ]);
  }
});
