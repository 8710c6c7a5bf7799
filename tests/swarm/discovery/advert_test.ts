import assert from "node:assert/strict";
import fc from "fast-check";
import { compareEvents, type NostrEvent, readEvent, signEvent } from "../../../src/nostr/nostr.ts";
import {
  ADVERT_KIND,
  buildAdvert,
  buildNodeAdvert,
  buildWithdrawal,
  NewestPerAuthor,
  NODE_ADVERT_KIND,
  readAdvert,
  readNodeAdvert,
} from "../../../swarm/discovery/advert.ts";
import { ADVERT_LIMITS } from "../../../swarm/discovery/limits.ts";
import type { PeerOffer } from "../../../swarm/discovery/peer_offer.ts";
import { digestOf, hashOf, identity } from "./support.ts";

const ann = await identity(1);
const NOW_S = 1_800_000_000;
const HASH = hashOf(0xabc);
const options = { nowS: NOW_S };

const offer: PeerOffer = {
  peerId: ann.peerId,
  addrs: ["/ip4/192.0.2.1/tcp/4001"],
  priceMsatPerMiB: 1000,
  mints: ["https://mint.example"],
  p2pk: `02${"a".repeat(64)}`,
  minTopUpSat: 64,
  locktimeMin: 90,
  binding: { signature: "b".repeat(128), expiresS: NOW_S + 100 },
};

/** An event as if its signature had been checked. */
function event(fields: Partial<NostrEvent> = {}): NostrEvent {
  return {
    id: "0".repeat(64),
    pubkey: ann.nostrKey,
    created_at: NOW_S,
    kind: ADVERT_KIND,
    tags: [["d", HASH]],
    content: JSON.stringify({ v: 1, endpoint_id: ann.peerId }),
    sig: "0".repeat(128),
    ...fields,
  };
}

const withMembers = (members: Record<string, unknown>) =>
  event({ content: JSON.stringify({ v: 1, endpoint_id: ann.peerId, ...members }) });

Deno.test("buildAdvert writes the seed's format with our members after it", () => {
  const built = buildAdvert({
    offer,
    hash: HASH,
    size: 5,
    sha256s: [digestOf(1), digestOf(2), digestOf(1)],
    createdAtS: NOW_S,
    lifetimeS: 60,
  });
  assert.deepEqual(built, {
    kind: 30081,
    created_at: NOW_S,
    tags: [
      ["d", HASH],
      ["t", "seedmint"],
      ["x", digestOf(1)],
      ["x", digestOf(2)],
      ["expiration", String(NOW_S + 60)],
    ],
    content: `{"v":1,"endpoint_id":"${ann.peerId}","proto":"libp2p",` +
      `"addrs":["/ip4/192.0.2.1/tcp/4001"],"price_msat_per_mib":1000,` +
      `"mints":["https://mint.example"],"p2pk":"02${"a".repeat(64)}",` +
      `"min_top_up_sat":64,"locktime_min":90,` +
      `"bind":{"sig":"${"b".repeat(128)}","exp":${NOW_S + 100}},"size":5}`,
  });
});

Deno.test("readAdvert reads what buildAdvert writes, signed and sent as JSON", () => {
  const sha256s = [digestOf(1), digestOf(2)];
  const built = buildAdvert({ offer, hash: HASH, size: 5, sha256s, createdAtS: NOW_S });
  const signed = JSON.parse(JSON.stringify(signEvent(built, ann.nostrSecretKey)));
  assert.deepEqual(readAdvert(readEvent(signed)!, options), {
    ...offer,
    hash: HASH,
    sha256s,
    size: 5,
    nostrKey: ann.nostrKey,
    createdAtS: NOW_S,
    expiresS: NOW_S + ADVERT_LIMITS.lifetimeS,
  });
});

Deno.test("buildAdvert never writes what readAdvert refuses", () => {
  const text = fc.string({ maxLength: 300 });
  fc.assert(fc.property(
    fc.array(fc.oneof(text, fc.constant("/ip4/192.0.2.1/tcp/1")), { maxLength: 30 }),
    fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 300 }),
    (addrs, digests) => {
      const built = buildAdvert({
        offer: { peerId: ann.peerId, addrs },
        hash: HASH,
        sha256s: digests.map(digestOf),
        createdAtS: NOW_S,
      });
      assert.notEqual(readAdvert(event({ ...built }), options), undefined);
    },
  ));
});

Deno.test("readAdvert reads the seed's bare advert, and believes it for six hours", () => {
  const bare = event({ content: `{"v":1,"endpoint_id":"${ann.peerId}"}` });
  const read = readAdvert(bare, options)!;
  assert.equal(read.peerId, ann.peerId);
  assert.deepEqual(read.addrs, []);
  assert.equal(read.expiresS, NOW_S + 6 * 3600);
  assert.equal(readAdvert(bare, { nowS: NOW_S + 6 * 3600 }), undefined);
});

Deno.test("readAdvert leaves members and tags alone that it does not know", () => {
  const read = readAdvert({
    ...withMembers({ new_member: { deep: [1] } }),
    tags: [["d", HASH], ["client", "other"], [], ["y", "1", "2"]],
  }, options);
  assert.equal(read!.peerId, ann.peerId);
});

Deno.test("readAdvert refuses adverts of other programs that use the kind", () => {
  for (
    const other of [
      event({ kind: 30082 }),
      event({ tags: [] }),
      event({ tags: [["d", "tally-2024"]] }),
      event({ tags: [["d", HASH.toUpperCase().replace("0", "A")]] }),
      event({ content: "" }),
      event({ content: "I vouch for her" }),
      event({ content: "[]" }),
      event({ content: "null" }),
      event({ content: '{"v":2,"endpoint_id":"x"}' }),
      event({ content: '{"v":1}' }),
      withMembers({ endpoint_id: "" }),
      withMembers({
        endpoint_id: "ae58ff8833241ac82d6ff7611046ed67b5072d142c588d0063e942d9a75502b6",
      }),
      withMembers({ endpoint_id: `${ann.peerId}x` }),
      withMembers({ v: "1" }),
      withMembers({ proto: "iroh" }),
    ]
  ) assert.equal(readAdvert(other, options), undefined, JSON.stringify(other));
});

Deno.test("readAdvert refuses a member that it knows and that is wrong", () => {
  for (
    const members of [
      { addrs: "/ip4/1.2.3.4" },
      { addrs: ["no slash"] },
      { addrs: ["/with space x"] },
      { addrs: [`/${"x".repeat(256)}`] },
      { addrs: Array.from({ length: 17 }, () => "/x") },
      { size: -1 },
      { size: 1.5 },
      { size: "5" },
      { price_msat_per_mib: -1 },
      { price_msat_per_mib: 1e300 },
      { min_top_up_sat: -1 },
      { min_top_up_sat: "64" },
      { min_top_up_sat: 0.5 },
      { min_top_up_sat: ADVERT_LIMITS.minTopUpSatMax + 1 },
      { locktime_min: null },
      { locktime_min: ADVERT_LIMITS.locktimeMinMax + 1 },
      { mints: ["ftp://mint"] },
      { mints: [5] },
      { p2pk: "02ab" },
      { p2pk: `04${"a".repeat(64)}` },
      { bind: {} },
      { bind: null },
      { bind: { sig: "b".repeat(128), exp: "1" } },
      { bind: { sig: "B".repeat(128), exp: 1 } },
    ]
  ) assert.equal(readAdvert(withMembers(members), options), undefined, JSON.stringify(members));
  const tags = [["d", HASH], ["x", "short"]];
  assert.equal(readAdvert(event({ tags }), options), undefined);
});

Deno.test("readAdvert believes no advert past its time, or from too far ahead", () => {
  const tagged = (expiration: string, created_at = NOW_S) =>
    readAdvert(event({ created_at, tags: [["d", HASH], ["expiration", expiration]] }), options);
  assert.equal(tagged(String(NOW_S)), undefined);
  assert.equal(tagged(String(NOW_S + 1))!.expiresS, NOW_S + 1);
  assert.equal(tagged("soon"), undefined);
  assert.equal(tagged("99999999999")!.expiresS, NOW_S + 24 * 3600, "a day at most");
  assert.equal(tagged("99999999999", NOW_S - 24 * 3600), undefined);
  assert.notEqual(tagged("99999999999", NOW_S + 900), undefined);
  assert.equal(tagged("99999999999", NOW_S + 901), undefined);
});

Deno.test("readAdvert looks at no content and no list over the limit", () => {
  const fits = " ".repeat(ADVERT_LIMITS.contentCharsMax - event().content.length);
  assert.notEqual(readAdvert(event({ content: event().content + fits }), options), undefined);
  assert.equal(readAdvert(event({ content: `${event().content}${fits} ` }), options), undefined);
  const tags = (count: number, name: string) => [
    ["d", HASH],
    ...Array.from({ length: count }, (_, index) => [name, digestOf(index)]),
  ];
  assert.notEqual(readAdvert(event({ tags: tags(128, "x") }), options), undefined);
  assert.equal(readAdvert(event({ tags: tags(129, "x") }), options), undefined);
  assert.equal(readAdvert(event({ tags: tags(256, "y") }), options), undefined);
});

Deno.test("readAdvert costs little for the heaviest event that a relay may send", () => {
  const nested = "[".repeat(64_000) + "]".repeat(64_000);
  const deep = `{"v":1,"a":${"[".repeat(4000)}${"]".repeat(4000)}}`;
  const startedMs = performance.now();
  for (let round = 0; round < 200; round++) {
    readAdvert(event({ content: nested }), options);
    readAdvert(event({ content: deep }), options);
    readAdvert(event({ tags: Array.from({ length: 2500 }, () => ["x", "y"]) }), options);
  }
  const eachMs = (performance.now() - startedMs) / 600;
  assert.ok(eachMs < 2, `one took ${eachMs} ms`);
});

const hostileText = fc.oneof(
  fc.string(),
  fc.json(),
  fc.constantFrom("", "{}", "__proto__", '{"__proto__":{"v":1}}', "9".repeat(400), "-0", "1e999"),
);
const hostileMember = fc.oneof(
  fc.anything(),
  fc.constantFrom(
    1,
    ann.peerId,
    [],
    {},
    null,
    "/ip4/1.2.3.4/tcp/1",
    ["/x"],
    ["https://m"],
    Infinity,
  ),
);
const hostileContent = fc.oneof(
  hostileText,
  fc.dictionary(
    fc.constantFrom(
      "v",
      "endpoint_id",
      "addrs",
      "size",
      "price_msat_per_mib",
      "mints",
      "p2pk",
      "min_top_up_sat",
      "locktime_min",
      "bind",
      "proto",
    ),
    hostileMember,
  ).map((members) => {
    try {
      return JSON.stringify({ v: 1, endpoint_id: ann.peerId, ...members }) ?? "";
    } catch {
      return "";
    }
  }),
);
const hostileEvent = fc.record({
  kind: fc.constantFrom(ADVERT_KIND, NODE_ADVERT_KIND, 1),
  created_at: fc.oneof(fc.nat(), fc.constantFrom(NOW_S, NOW_S - 1, Number.MAX_SAFE_INTEGER)),
  tags: fc.array(
    fc.oneof(
      fc.array(hostileText, { maxLength: 4 }),
      fc.tuple(fc.constantFrom("d", "x", "expiration", "t"), hostileText),
      fc.constantFrom(["d", HASH], ["x", digestOf(1)], ["expiration", String(NOW_S + 5)]),
    ),
    { maxLength: 8 },
  ),
  content: hostileContent,
});

Deno.test("no event, however hostile, throws past readAdvert, or comes out of it half read", () => {
  fc.assert(
    fc.property(hostileEvent, (fields) => {
      const read = readAdvert(event(fields), options);
      readNodeAdvert(event(fields), options);
      if (read === undefined) return;
      assert.match(read.hash, /^[0-9a-f]{64}$/);
      assert.ok(read.addrs.length <= 16 && (read.mints ?? []).length <= 16);
      assert.ok(read.sha256s.length <= 128);
      assert.ok(read.expiresS > NOW_S && read.createdAtS <= NOW_S + 900);
      assert.ok(read.addrs.every((addr) => addr.startsWith("/") && addr.length <= 256));
      assert.equal(read.peerId, ann.peerId);
      const { minTopUpSat = 0, locktimeMin = 0, priceMsatPerMiB = 0 } = read;
      for (const count of [minTopUpSat, locktimeMin, priceMsatPerMiB]) {
        assert.ok(Number.isSafeInteger(count) && count >= 0);
      }
      assert.ok(minTopUpSat <= ADVERT_LIMITS.minTopUpSatMax);
      assert.ok(locktimeMin <= ADVERT_LIMITS.locktimeMinMax);
    }),
    { numRuns: 5000 },
  );
});

Deno.test("nothing that is no event at all throws past readEvent and readAdvert", () => {
  fc.assert(
    fc.property(fc.oneof(fc.anything(), hostileEvent.map((fields) => event(fields))), (raw) => {
      const read = readEvent(raw);
      if (read !== undefined) readAdvert(read, options);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("readNodeAdvert reads what buildNodeAdvert writes, and no blob's advert", () => {
  const built = buildNodeAdvert({ offer, createdAtS: NOW_S });
  assert.deepEqual(readNodeAdvert(event({ ...built }), options), {
    ...offer,
    nostrKey: ann.nostrKey,
    createdAtS: NOW_S,
    expiresS: NOW_S + ADVERT_LIMITS.lifetimeS,
  });
  assert.equal(readNodeAdvert(event(), options), undefined);
  assert.equal(readAdvert(event({ ...built, tags: [["d", HASH]] }), options), undefined);
});

Deno.test("buildWithdrawal leaves nothing that a reader takes for an advert", () => {
  const [replacement, deletion] = buildWithdrawal({
    kind: ADVERT_KIND,
    d: HASH,
    nostrKey: ann.nostrKey,
    createdAtS: NOW_S,
  });
  assert.equal(readAdvert(event({ ...replacement }), options), undefined);
  assert.deepEqual(replacement.tags, [["d", HASH], ["expiration", String(NOW_S + 10)]]);
  assert.deepEqual(deletion, {
    kind: 5,
    created_at: NOW_S,
    tags: [["a", `30081:${ann.nostrKey}:${HASH}`], ["k", "30081"]],
    content: "",
  });
});

Deno.test("NewestPerAuthor ends with the newest of each author, in whatever order events come", () => {
  const arbitrary = fc.array(fc.record({
    pubkey: fc.constantFrom("a", "b", "c"),
    created_at: fc.integer({ min: 0, max: 3 }),
    id: fc.constantFrom("1", "2", "3"),
  }));
  fc.assert(fc.property(arbitrary, (list) => {
    const events = list.map((fields) => event(fields));
    const newest = new NewestPerAuthor(2);
    const taken = events.filter((one) => newest.take(one));
    const authors = [...new Set(events.map((one) => one.pubkey))].slice(0, 2);
    for (const author of authors) {
      const [best] = events.filter((one) => one.pubkey === author).sort(compareEvents);
      const last = taken.filter((one) => one.pubkey === author).at(-1)!;
      assert.equal(compareEvents(last, best!), 0);
    }
    assert.deepEqual([...new Set(taken.map((one) => one.pubkey))], authors);
  }));
});
