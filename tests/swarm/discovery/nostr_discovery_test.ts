import assert from "node:assert/strict";
import type { Hash, Sha256 } from "../../../src/core/hash.ts";
import { type EventTemplate, type NostrEvent, signEvent } from "../../../src/nostr/nostr.ts";
import { buildAdvert, buildNodeAdvert, buildWithdrawal } from "../../../swarm/discovery/advert.ts";
import { signBinding } from "../../../swarm/discovery/binding.ts";
import { type EventSource, NostrDiscovery } from "../../../swarm/discovery/nostr_discovery.ts";
import type { PeerOffer } from "../../../swarm/discovery/peer_offer.ts";
import type { ProviderHint } from "../../../swarm/ports.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { digestOf, FakePool, hashOf, type Identity, identity } from "./support.ts";

const [ann, bob, cid] = await Promise.all([1, 2, 3].map(identity)) as [
  Identity,
  Identity,
  Identity,
];
const HASH = hashOf(1);
const clock = new ManualClock();
const NOW_S = clock.nowMs() / 1000;

const sign = (who: Identity, template: EventTemplate) => signEvent(template, who.nostrSecretKey);

function advert(
  who: Identity,
  fields: { offer?: Partial<PeerOffer>; hash?: Hash; sha256s?: Sha256[]; createdAtS?: number } = {},
): NostrEvent {
  const { hash = HASH, sha256s = [], createdAtS = NOW_S } = fields;
  const offer = { peerId: who.peerId, addrs: [], ...fields.offer };
  return sign(who, buildAdvert({ offer, hash, sha256s, createdAtS, size: 9 }));
}

function nodeAdvert(who: Identity): NostrEvent {
  const offer = { peerId: who.peerId, addrs: ["/node"] };
  return sign(who, buildNodeAdvert({ offer, createdAtS: NOW_S }));
}

function discovery(pool: EventSource, more: { selfPeerId?: string; limits?: object } = {}) {
  return new NostrDiscovery({ pool, clock, random: seededRandom(1), ...more });
}

async function find(
  of: NostrDiscovery,
  query: { hash: Hash } | { sha256: Sha256 } = { hash: HASH },
): Promise<ProviderHint[]> {
  const found: ProviderHint[] = [];
  for await (const hint of of.find(query)) found.push(hint);
  return found;
}

function poolWith(...events: NostrEvent[]): FakePool {
  const pool = new FakePool();
  pool.stored = events;
  return pool;
}

Deno.test("find gives who advertises the hash, and says that an unsigned claim is unbound", async () => {
  const pool = poolWith(advert(ann, { offer: { addrs: ["/a"], priceMsatPerMiB: 5 } }));
  assert.deepEqual(await find(discovery(pool)), [{
    peerId: ann.peerId,
    addrs: ["/a"],
    via: "advert",
    bound: false,
    nostrKey: ann.nostrKey,
    priceMsatPerMiB: 5,
    hash: HASH,
    size: 9,
  }]);
  assert.deepEqual(pool.queries[0], [{ kinds: [30081], limit: 64, "#d": [HASH] }]);
});

Deno.test("find says bound only for a signature of the peer itself over this author", async () => {
  const claim = { nostrKey: ann.nostrKey, peerId: ann.peerId, p2pk: undefined };
  const binding = await signBinding(claim, {
    secretKey: ann.libp2pSecretKey,
    expiresS: NOW_S + 1000,
  });
  const offer = { peerId: ann.peerId, binding };
  const [hint] = await find(discovery(poolWith(advert(ann, { offer }))));
  assert.equal(hint!.bound, true);
  const [copied] = await find(discovery(poolWith(advert(bob, { offer }))));
  assert.equal(copied!.bound, false, "a copied signature binds nobody else");
  const [repriced] = await find(
    discovery(poolWith(advert(ann, { offer: { ...offer, p2pk: `02${"a".repeat(64)}` } }))),
  );
  assert.equal(repriced!.bound, false, "another payment key is another claim");
});

Deno.test("find gives what a bound author says of a peer, whatever others say of it", async () => {
  const claim = { nostrKey: ann.nostrKey, peerId: ann.peerId, p2pk: undefined };
  const binding = await signBinding(claim, {
    secretKey: ann.libp2pSecretKey,
    expiresS: NOW_S + 1000,
  });
  const truth = advert(ann, { offer: { binding, priceMsatPerMiB: 7, addrs: ["/true"] } });
  const lie = advert(bob, { offer: { peerId: ann.peerId, priceMsatPerMiB: 0, addrs: ["/lie"] } });
  for (const order of [[truth, lie], [lie, truth]]) {
    const last = (await find(discovery(poolWith(...order)))).at(-1)!;
    assert.equal(last.priceMsatPerMiB, 7);
    assert.equal(last.bound, true);
    assert.equal(last.nostrKey, ann.nostrKey);
  }
});

Deno.test("find looks up by SHA-256, tells the hash, and believes no more than a few", async () => {
  const sha256s = [digestOf(1)];
  const events = Array.from(
    { length: 10 },
    (_, index) => advert([ann, bob, cid][index % 3]!, { hash: hashOf(index), sha256s }),
  );
  const pool = poolWith(...events);
  const found = await find(discovery(pool), { sha256: digestOf(1) });
  assert.deepEqual(pool.queries[0], [{ kinds: [30081], limit: 64, "#x": [digestOf(1)] }]);
  const hashes = new Set(found.map((hint) => hint.hash));
  assert.ok(hashes.size >= 1 && hashes.size <= 4);
  assert.ok([...hashes].every((hash) => events.some((one) => one.tags[0]![1] === hash)));
});

Deno.test("find takes the newest of each author, a withdrawal too", async () => {
  const [replacement] = buildWithdrawal({
    kind: 30081,
    d: HASH,
    nostrKey: ann.nostrKey,
    createdAtS: NOW_S,
  });
  const old = advert(ann, { createdAtS: NOW_S - 5 });
  const pool = poolWith(sign(ann, replacement), old, advert(bob));
  assert.deepEqual((await find(discovery(pool))).map((hint) => hint.peerId), [bob.peerId]);
});

Deno.test("find leaves out our own adverts, and what does not answer the question", async () => {
  const pool = poolWith(advert(ann), advert(bob), nodeAdvert(ann));
  const found = await find(discovery(pool, { selfPeerId: ann.peerId }));
  assert.deepEqual(found.map((hint) => hint.peerId), [bob.peerId]);
  const liar: EventSource = {
    async *query() {
      yield await Promise.resolve(advert(cid, { hash: hashOf(2) }));
    },
  };
  assert.deepEqual(await find(discovery(liar)), []);
});

Deno.test("find looks at no more authors than the limit", async () => {
  const many = await Promise.all(Array.from({ length: 20 }, (_, index) => identity(index + 1)));
  const pool = poolWith(...many.map((who) => advert(who)));
  const found = await find(discovery(pool, { limits: { authorsMax: 5 } }));
  assert.equal(found.length, 5);
});

Deno.test("find gives nodes that can be asked after those that advertise the blob", async () => {
  const pool = poolWith(nodeAdvert(ann), nodeAdvert(bob), advert(bob));
  const found = await find(discovery(pool));
  assert.equal(found[0]!.peerId, bob.peerId);
  const last = new Map(found.map((hint) => [hint.peerId, hint]));
  assert.equal(last.get(ann.peerId)!.via, "node-advert");
  assert.equal(last.get(bob.peerId)!.via, "advert");
  assert.deepEqual(last.get(bob.peerId)!.addrs, ["/node"], "told again, with what became known");
  assert.equal(found.length, 3);
  const limited = await find(discovery(pool, { limits: { nodeHintsMax: 0 } }));
  assert.deepEqual(limited.map((hint) => hint.peerId), [bob.peerId]);
});

Deno.test("find gives nodes soon even if a relay never answers for the adverts", async () => {
  const source: EventSource = {
    async *query([filter], { signal } = {}) {
      if (filter!.kinds![0] === 13081) yield nodeAdvert(ann);
      else await new Promise<void>((resolve) => signal!.addEventListener("abort", () => resolve()));
    },
  };
  const controller = new AbortController();
  const iterator = discovery(source).find({ hash: HASH }, { signal: controller.signal })
    [Symbol.asyncIterator]();
  const first = iterator.next();
  await clock.advance(300);
  assert.equal(((await first).value as ProviderHint).peerId, ann.peerId);
  controller.abort();
  assert.equal((await iterator.next()).done, true);
});

Deno.test("find asks again only after a while: longer when something was found", async () => {
  const pool = new FakePool();
  const of = discovery(pool);
  const asked = () => pool.queries.filter(([filter]) => filter!.kinds![0] === 30081).length;
  assert.deepEqual(await find(of), []);
  pool.stored = [advert(ann)];
  assert.deepEqual(await find(of), []);
  assert.equal(asked(), 1);
  await clock.advance(2000);
  assert.equal((await find(of)).length, 1);
  assert.equal(asked(), 2);
  await clock.advance(19_000);
  assert.equal((await find(of)).length, 1);
  assert.equal(asked(), 2);
  await clock.advance(2000);
  await find(of);
  assert.equal(asked(), 3);
});

Deno.test("find remembers no answer that was cut short", async () => {
  const pool = poolWith(advert(ann), advert(bob));
  const of = discovery(pool);
  for await (const _ of of.find({ hash: HASH })) break;
  assert.equal((await find(of)).length, 2);
});

Deno.test("find remembers no more questions than the limit", async () => {
  const pool = new FakePool();
  const of = discovery(pool, { limits: { cacheEntriesMax: 2 } });
  for (const number of [1, 2, 3, 1]) await find(of, { hash: hashOf(number) });
  const asked = pool.queries.filter(([filter]) => filter!.kinds![0] === 30081);
  assert.equal(asked.length, 4);
});
