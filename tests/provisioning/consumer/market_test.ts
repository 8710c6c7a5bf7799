/** The market: whom it lists, on which evidence, in which order. */
import assert from "node:assert/strict";
import {
  type Filter,
  matchesFilter,
  type NostrEvent,
  nostrPublicKey,
  npub,
  signEvent,
} from "../../../src/nostr/mod.ts";
import { MARKET_LIMITS } from "../../../provisioning/consumer/limits.ts";
import { Market } from "../../../provisioning/consumer/mod.ts";
import {
  buildHeartbeat,
  buildOffer,
  buildPromotion,
  buildRevocation,
  type OfferBody,
} from "../../../provisioning/wire/mod.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { BASIC } from "../../support/provisioning/lease_world.ts";
import { MemoryRelay } from "../../support/provisioning/post_world.ts";

const SIGNAL = new AbortController().signal;
/** Another one for each seed below 65 536. */
const secretOf = (seed: number) => {
  const secret = new Uint8Array(32).fill(seed);
  secret[0] = seed >>> 8;
  return secret;
};
const keyOf = (seed: number) => nostrPublicKey(secretOf(seed));

/** Providers by seeds, who publish. */
class Fair {
  readonly clock = new ManualClock();
  readonly relay = new MemoryRelay();
  readonly scores = new Map<string, number>();
  readonly market = new Market({
    pool: this.relay,
    clock: this.clock,
    scores: { scoreOf: (provider) => this.scores.get(provider) },
  });

  get nowS(): number {
    return Math.floor(this.clock.nowMs() / 1000);
  }

  async offer(seed: number, more: Partial<OfferBody> = {}, createdAtS = this.nowS): Promise<void> {
    const body: OfferBody = {
      provider: keyOf(seed),
      name: `Provider ${seed}`,
      capabilities: ["oci"],
      specs: [BASIC],
      mints: ["https://mint.example"],
      uptimePercent: 100,
      jobsCompletedCount: 5,
      isolation: "shared-kernel",
      ...more,
    };
    const template = buildOffer(body, { createdAtS });
    await this.relay.publish(signEvent(template, secretOf(seed)));
  }

  async beat(seed: number, agoS = 0, provider = keyOf(seed), slots = 1): Promise<void> {
    const { stored, live } = buildHeartbeat({
      provider,
      timestampS: this.nowS - agoS,
      activeCount: 1,
      cpuMillicores: 500,
      memoryMb: 512,
      diskGb: 5,
      terms: { slots: new Map([["basic", slots]]), isDraining: false },
    });
    await this.relay.publish(signEvent(stored, secretOf(seed)));
    await this.relay.publish(signEvent(live, secretOf(seed)));
  }

  async names(options: Parameters<Market["list"]>[0] = {}): Promise<string[]> {
    await this.market.refresh({ signal: SIGNAL });
    return this.market.list(options).map(({ name }) => name);
  }
}

const TERMS = {
  paymentKey: `02${"ab".repeat(32)}`,
  specs: new Map([["basic", { diskMb: 2048, slotCount: 2 }]]),
  verbs: ["stop"],
  isDraining: false,
  arch: "amd64",
};

Deno.test("Market.list() shows who is online, and for how long, with the events that say so", async () => {
  const fair = new Fair();
  await fair.offer(1, { terms: TERMS });
  for (let minute = 0; minute < 9; minute++) await fair.beat(1, minute * 60);
  await fair.offer(2);
  await fair.beat(2, 300);
  await fair.offer(3);
  assert.deepEqual(await fair.names({ filter: { isOnline: true } }), ["Provider 1"]);
  const [one] = fair.market.list({ sort: "uptime" });
  assert.equal(one?.uptimePercent, 60);
  assert.equal(one?.evidence.heartbeats.length, 9);
  assert.equal(one?.evidence.offer.pubkey, keyOf(1));
  assert.equal(one?.address.isOurs, true);
  assert.equal(one?.specs[0]?.slotCount, 1, "the heartbeat is as new as the offer");
  assert.equal(one?.specs[0]?.diskMb, 2048);
  assert.equal(fair.market.find(keyOf(3)).uptimePercent, undefined);
});

Deno.test("Market.list() filters and sorts", async () => {
  const fair = new Fair();
  await fair.offer(1, { specs: [{ ...BASIC, rateMsatPerS: 70 }], location: "EU-West" });
  await fair.offer(2, {
    specs: [{ ...BASIC, rateMsatPerS: 90 }, {
      ...BASIC,
      id: "big",
      memoryMb: 8192,
      rateMsatPerS: 300,
    }],
    isolation: "dedicated-host",
    capabilities: ["vm", "nesting"],
    mints: ["HTTPS://Other.example/"],
    terms: TERMS,
  });
  await fair.offer(3, { specs: [{ ...BASIC, rateMsatPerS: 60 }] });
  fair.scores.set(keyOf(1), 3).set(keyOf(2), 9);
  assert.deepEqual(await fair.names(), ["Provider 3", "Provider 1", "Provider 2"]);
  assert.deepEqual(await fair.names({ sort: "score" }), ["Provider 2", "Provider 1", "Provider 3"]);
  assert.deepEqual(await fair.names({ sort: "capacity" }), [
    "Provider 2",
    "Provider 3",
    "Provider 1",
  ]);
  const cases = [
    [{ location: "eu" }, ["Provider 1"]],
    [{ isolation: "dedicated-host" }, ["Provider 2"]],
    [{ capabilities: ["vm"] }, ["Provider 2"]],
    [{ mints: ["https://other.example"] }, ["Provider 2"]],
    [{ memoryMb: 4000 }, ["Provider 2"]],
    [{ cpuMillicores: 2000 }, []],
    [{ rateMsatPerSMax: 60 }, ["Provider 3"]],
    [{ scoreMin: 4 }, ["Provider 2"]],
    [{ arch: "amd64" }, ["Provider 2"]],
    [{ verbs: ["stop"] }, ["Provider 2"]],
    [{ diskMb: 2048 }, ["Provider 2"]],
    [{ without: [keyOf(3)] }, ["Provider 1", "Provider 2"]],
    [{ uptimePercentMin: 1 }, []],
    [{ hasRoom: true }, ["Provider 2"]],
  ] as const;
  for (const [filter, names] of cases) {
    assert.deepEqual(await fair.names({ filter }), names, JSON.stringify(filter));
  }
  const [big] = fair.market.list({ filter: { memoryMb: 4000 } });
  assert.deepEqual(big?.specs.map(({ id }) => id), ["big"]);
});

Deno.test("a flood of fresh keys takes the place of no provider that is known and alive", async () => {
  const fair = new Fair();
  await fair.offer(1);
  await fair.beat(1);
  await fair.offer(2);
  fair.scores.set(keyOf(2), 1);
  await fair.names();
  fair.market.follow();
  const ahead = fair.nowS + 800;
  for (let index = 0; index < 2_300; index++) {
    const secret = new Uint8Array(32).fill(7);
    new DataView(secret.buffer).setUint32(0, index + 1);
    const body: OfferBody = {
      provider: nostrPublicKey(secret),
      name: `Flood ${index}`,
      capabilities: [],
      specs: [BASIC],
      mints: [],
      uptimePercent: 100,
      jobsCompletedCount: 5,
      isolation: "shared-kernel",
    };
    await fair.relay.publish(signEvent(buildOffer(body, { createdAtS: ahead }), secret));
  }
  const names = fair.market.list().map(({ name }) => name);
  assert.ok(names.length <= 2_200, `${names.length}`);
  assert.deepEqual(names.filter((name) => name.startsWith("Provider")).sort(), [
    "Provider 1",
    "Provider 2",
  ]);
});

Deno.test("Market takes what is said of a provider from its own key alone", async () => {
  const fair = new Fair();
  await fair.offer(1);
  // 2 speaks for 1.
  await fair.relay.publish(signEvent(
    buildOffer({
      provider: keyOf(1),
      name: "Evil",
      capabilities: [],
      specs: [],
      mints: [],
      uptimePercent: 1,
      jobsCompletedCount: 1,
      isolation: "shared-kernel",
    }, { createdAtS: fair.nowS + 5 }),
    secretOf(2),
  ));
  await fair.beat(2, 0, keyOf(1));
  const revocation = {
    workloadId: "w1",
    primary: keyOf(1),
    standbys: [],
    reason: "quorum",
    revokedAtS: fair.nowS,
  };
  const promotion = { workloadId: "w1", primary: keyOf(1), promotedAtS: fair.nowS };
  const at = { createdAtS: fair.nowS };
  for (const template of [buildRevocation(revocation, at), buildPromotion(promotion, at)]) {
    await fair.relay.publish(signEvent(template, secretOf(2)));
  }
  assert.deepEqual(await fair.names(), ["Provider 1"]);
  let one = fair.market.find("Provider 1");
  assert.equal(one.isOnline, false);
  assert.equal(one.revocations.length + one.promotions.length, 0);
  for (const template of [buildRevocation(revocation, at), buildPromotion(promotion, at)]) {
    await fair.relay.publish(signEvent(template, secretOf(1)));
  }
  await fair.market.refresh({ signal: SIGNAL });
  one = fair.market.find("Provider 1");
  assert.equal(one.revocations[0]?.reason, "quorum");
  assert.equal(one.evidence.promotions.length, 1);
});

Deno.test("Market keeps the newest offer of a provider, whatever comes in which order", async () => {
  const fair = new Fair();
  await fair.offer(1, { name: "New" }, fair.nowS - 10);
  await fair.offer(1, { name: "Old" }, fair.nowS - 20);
  await fair.offer(1, { name: "From the future" }, fair.nowS + 100_000);
  assert.deepEqual(await fair.names(), ["New"]);
  fair.market.follow();
  await fair.offer(1, { name: "Newest" });
  await fair.beat(1);
  const [one] = fair.market.list();
  assert.equal(one?.name, "Newest");
  assert.equal(one?.isOnline, true);
  fair.market[Symbol.dispose]();
});

Deno.test("Market.find() takes a key, an npub, a unique beginning or a unique name, and nothing else", async () => {
  const fair = new Fair();
  await fair.offer(1, { name: "Twin" });
  await fair.offer(2, { name: "Twin" });
  await fair.offer(3, { name: "Owl" });
  await fair.market.refresh({ signal: SIGNAL });
  const key = keyOf(3);
  for (const selector of [key, npub(key), key.slice(0, 8), "owl", key.toUpperCase()]) {
    assert.equal(fair.market.find(selector).provider, key, selector);
  }
  assert.throws(() => fair.market.find("twin"), { code: "usage" });
  assert.throws(() => fair.market.find(key.slice(0, 7)), { code: "not-found" });
  assert.throws(() => fair.market.find("nobody"), { code: "not-found" });
});

Deno.test("a provider that calls itself by another's key is not found for that one", async () => {
  const fair = new Fair();
  const [theirs, beginning] = [keyOf(3), keyOf(3).slice(0, 12)];
  // The one that is meant is not on the market now, and somebody has its names.
  await fair.offer(1, { name: beginning });
  await fair.offer(2, { name: npub(theirs).slice(0, 16) });
  await fair.market.refresh({ signal: SIGNAL });
  for (const selector of [theirs, npub(theirs), beginning, npub(theirs).slice(0, 16)]) {
    assert.throws(() => fair.market.find(selector), { code: "not-found" }, selector);
  }
  await fair.offer(3);
  await fair.market.refresh({ signal: SIGNAL });
  assert.equal(fair.market.find(beginning).provider, theirs);
});

Deno.test("Market.choose() picks by policy among those that are online and have room", async () => {
  const fair = new Fair();
  const ours = { terms: TERMS };
  await fair.offer(1, { ...ours, specs: [{ ...BASIC, rateMsatPerS: 70 }] });
  await fair.offer(2, { ...ours, specs: [{ ...BASIC, rateMsatPerS: 40 }] });
  await fair.offer(3, { ...ours, specs: [{ ...BASIC, rateMsatPerS: 30 }] });
  await fair.offer(4, { specs: [{ ...BASIC, rateMsatPerS: 10 }] });
  await fair.offer(5, { ...ours, specs: [{ ...BASIC, rateMsatPerS: 5 }] });
  for (const seed of [1, 2, 4]) await fair.beat(seed);
  await fair.beat(5, 0, keyOf(5), 0);
  await fair.market.refresh({ signal: SIGNAL });
  const chosen = (policy: Parameters<Market["choose"]>[0]) =>
    fair.market.choose(policy).map(({ listing }) => listing.name);
  assert.deepEqual(chosen({}), ["Provider 2", "Provider 1"]);
  assert.deepEqual(chosen({ allowsOld: true }), ["Provider 4", "Provider 2", "Provider 1"]);
  assert.deepEqual(chosen({ only: [keyOf(1)] }), ["Provider 1"]);
  fair.scores.set(keyOf(1), 5);
  assert.deepEqual(chosen({ prefer: "score" }), ["Provider 1", "Provider 2"]);
});

/** A pool whose relays give the newest events that fit, and cut off; `forge` is one that lies, too. */
function cuttingPool(
  stored: readonly NostrEvent[],
  options: { readonly countMax: number; readonly forge: (event: NostrEvent) => NostrEvent },
) {
  const newest = stored.toSorted((a, b) => b.created_at - a.created_at);
  const asked: (readonly Filter[])[] = [];
  return {
    asked,
    subscribe: () => () => {},
    async *query(filters: readonly Filter[]) {
      asked.push(filters);
      const isWanted = (event: NostrEvent) =>
        filters.some((filter) => matchesFilter(filter, event));
      for (const [index, event] of newest.filter(isWanted).slice(0, options.countMax).entries()) {
        yield await Promise.resolve(event);
        if (index % 2 === 0) yield options.forge(event);
      }
    },
  };
}

Deno.test("Market.refresh() reads on where relays cut off, to the last offer", async () => {
  const fair = new Fair();
  const { pageEvents, authorsMax } = MARKET_LIMITS;
  const count = pageEvents + 100;
  for (let seed = 1; seed <= count; seed++) await fair.offer(seed, {}, fair.nowS - seed);
  const pool = cuttingPool(fair.relay.stored, {
    countMax: pageEvents,
    forge: (event) => ({ ...event, id: "00".repeat(32) }),
  });
  const market = new Market({ pool, clock: fair.clock });
  await market.refresh({ signal: SIGNAL });
  assert.equal(market.list().length, count);
  // Two pages, the old kind, and heartbeats of each group of providers.
  assert.equal(pool.asked.length, 2 + 1 + Math.ceil(count / authorsMax));
  assert.equal(
    pool.asked[1]![0]!.until,
    fair.nowS - pageEvents,
    "from the oldest of the first page",
  );
});

Deno.test("Market.refresh() does not read on for ever where there is always more", async () => {
  const fair = new Fair();
  await fair.offer(1);
  const { pageEvents, pagesMax } = MARKET_LIMITS;
  const [real] = fair.relay.stored as [NostrEvent];
  const endless = Array.from({ length: pageEvents * (pagesMax + 2) }, (_, index) => ({
    ...real,
    id: index.toString(16).padStart(64, "0"),
    created_at: real.created_at - index,
  }));
  const pool = cuttingPool([real, ...endless], { countMax: pageEvents, forge: (event) => event });
  const market = new Market({ pool, clock: fair.clock });
  await market.refresh({ signal: SIGNAL });
  assert.deepEqual(market.list().map(({ provider }) => provider), [keyOf(1)]);
  assert.equal(pool.asked.length, pagesMax + 1 + 1);
});
