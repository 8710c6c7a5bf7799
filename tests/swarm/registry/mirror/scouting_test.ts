import assert from "node:assert/strict";
import type { Hash, Sha256 } from "../../../../src/core/hash.ts";
import type { ProviderHint } from "../../../../swarm/ports.ts";
import { RegistryIndex } from "../../../../swarm/registry/index/mod.ts";
import { Claims } from "../../../../swarm/registry/mirror/claims.ts";
import { HINTS_MAX, MIRROR_LIMITS } from "../../../../swarm/registry/mirror/limits.ts";
import { Scouting } from "../../../../swarm/registry/mirror/scouting.ts";
import type { DigestMapping, SignedPins, SwarmFetch } from "../../../../swarm/registry/ports.ts";
import { testBytes } from "../../fetch/fakes.ts";
import {
  digestBytes,
  GET,
  imageOf,
  NGINX,
  PATIENT,
  readAll,
  sha256Of,
  ShiftClock,
  world,
} from "./kit.ts";

const SHA256 = "a".repeat(64) as Sha256;
const HASH = "b".repeat(64) as Hash;
const OTHER_HASH = "c".repeat(64) as Hash;
const MAPPING: DigestMapping = { sha256: SHA256, hash: HASH, size: 100 };
const WANTED = { anchors: [SHA256], digests: [SHA256] };

const hintOf = (peerId: string, rest: Partial<ProviderHint> = {}): ProviderHint => ({
  peerId,
  addrs: [],
  via: "advert",
  bound: false,
  ...rest,
});

/** Searches over a swarm that does what a test says. */
function scene(
  swarm: Partial<SwarmFetch>,
  options: { readonly pins?: SignedPins; readonly lookMs?: number } = {},
) {
  const clock = new ShiftClock();
  const index = RegistryIndex.open({ path: ":memory:", clock });
  const banned: string[] = [];
  const whole: SwarmFetch = {
    find: () => hints(),
    ask: () => Promise.resolve([]),
    isTrusted: () => false,
    ban: ({ peerId }) => banned.push(peerId),
    fetch: () => assert.fail("nothing is fetched here"),
    ...swarm,
  };
  const limits = { ...MIRROR_LIMITS, lookMs: options.lookMs ?? 400, askMs: 150 };
  const claims = new Claims({
    index,
    pins: options.pins,
    swarm: whole,
    clock,
    banMs: 60_000,
    onBan: () => {},
    onGone: () => {},
  });
  const holders: Sha256[] = [];
  const scouting = new Scouting({
    swarm: whole,
    claims,
    clock,
    limits,
    signal: PATIENT,
    onHolder: (sha256) => holders.push(sha256),
  });
  return {
    clock,
    claims,
    scouting,
    banned,
    holders,
    [Symbol.dispose]: () => index[Symbol.dispose](),
  };
}

async function* hints(...peers: readonly ProviderHint[]): AsyncGenerator<ProviderHint> {
  await Promise.resolve();
  yield* peers;
}

Deno.test("A digest is looked for once, whoever asks, and again only after a while", async () => {
  let findCount = 0;
  using at = scene({
    find: () => {
      findCount++;
      return hints(hintOf("a"));
    },
    ask: (_hint, sha256s) => Promise.resolve(sha256s.map(() => MAPPING)),
  });
  await Promise.all([1, 2, 3].map(() => at.scouting.look(WANTED)));
  await at.scouting.look(WANTED);
  assert.equal(findCount, 1);
  assert.deepEqual(at.claims.candidates(SHA256).map(({ mapping }) => mapping), [MAPPING]);
  at.clock.shift(MIRROR_LIMITS.lookAgainMs + 1000);
  await at.scouting.look(WANTED);
  assert.equal(findCount, 2);
});

Deno.test("A peer that does not answer holds up neither the search nor the others", async () => {
  using at = scene({
    find: () => hints(hintOf("dead"), hintOf("alive")),
    ask: ({ peerId }) =>
      peerId === "dead" ? new Promise<never>(() => {}) : Promise.resolve([MAPPING]),
  });
  const startMs = performance.now();
  const isEnough = () => at.claims.candidates(SHA256).length > 0;
  await at.scouting.lookUntil(WANTED, { isEnough, ms: 5000, signal: PATIENT });
  assert.ok(performance.now() - startMs < 100, "the first answer ends the waiting");
  await at.scouting.look(WANTED);
  assert.ok(performance.now() - startMs < 1000, "the search ends");
});

Deno.test("A discovery that never ends is left after a while, and one that floods after enough peers", async () => {
  let askedCount = 0;
  using at = scene({
    async *find() {
      for (let count = 0;; count++) {
        await Promise.resolve();
        yield hintOf(`peer ${count}`);
      }
    },
    ask: () => {
      askedCount++;
      return Promise.resolve([undefined]);
    },
  });
  await at.scouting.look(WANTED);
  assert.equal(askedCount, HINTS_MAX);
  using hung = scene({
    async *find() {
      yield hintOf("one");
      await new Promise<never>(() => {});
    },
  }, { lookMs: 100 });
  const startMs = performance.now();
  await hung.scouting.look(WANTED);
  assert.ok(performance.now() - startMs < 1000);
});

Deno.test("An answer about another digest than the one asked for is no answer", async () => {
  using at = scene({
    find: () => hints(hintOf("a")),
    ask: () => Promise.resolve([{ ...MAPPING, sha256: "d".repeat(64) as Sha256 }]),
  });
  await at.scouting.look(WANTED);
  assert.deepEqual(at.claims.candidates(SHA256), []);
  assert.deepEqual(at.holders, []);
});

Deno.test("What is believed comes first, then what most peers say", () => {
  using at = scene({ isTrusted: ({ peerId }) => peerId === "member" });
  const other = { ...MAPPING, hash: OTHER_HASH };
  at.claims.note(hintOf("a"), MAPPING);
  at.claims.note(hintOf("b"), other);
  at.claims.note(hintOf("c"), other);
  assert.deepEqual(at.claims.candidates(SHA256).map(({ mapping }) => mapping.hash), [
    OTHER_HASH,
    HASH,
  ]);
  assert.equal(at.claims.trusted(SHA256), undefined);
  at.claims.note(hintOf("member"), MAPPING);
  assert.equal(at.claims.trusted(SHA256)?.mapping.hash, HASH);
  assert.deepEqual(at.claims.candidates(SHA256).map(({ isTrusted }) => isTrusted), [true, false]);
});

Deno.test("A false word bans the peer that gave it and the key that it is bound to, for a while, and nobody else", () => {
  using at = scene({});
  const key = "e".repeat(64);
  at.claims.note(hintOf("liar", { bound: true, nostrKey: key }), MAPPING);
  at.claims.note(hintOf("dupe", { bound: false, nostrKey: "f".repeat(64) }), MAPPING);
  at.claims.note(hintOf("honest"), { ...MAPPING, hash: OTHER_HASH });
  at.claims.refute(MAPPING);
  assert.deepEqual(at.banned, ["liar", "dupe"]);
  assert.equal(at.claims.isBanned(hintOf("liar")), true);
  assert.equal(at.claims.isBanned(hintOf("another", { bound: true, nostrKey: key })), true);
  assert.equal(at.claims.isBanned(hintOf("another", { bound: false, nostrKey: key })), false);
  const framed = hintOf("framed", { bound: true, nostrKey: "f".repeat(64) });
  assert.equal(
    at.claims.isBanned(framed),
    false,
    "an advert that a peer did not sign is not its word",
  );
  assert.equal(at.claims.isBanned(hintOf("honest")), false);
  assert.deepEqual(at.claims.candidates(SHA256).map(({ mapping }) => mapping.hash), [OTHER_HASH]);
  at.claims.note(hintOf("liar"), MAPPING);
  assert.equal(at.claims.candidates(SHA256).length, 1, "it is not heard");
  at.clock.shift(61_000);
  assert.equal(at.claims.isBanned(hintOf("liar")), false);
});

Deno.test("A mapping that proved false is not believed again, though a catalog signed it", () => {
  using at = scene({}, { pins: { pinOf: () => undefined, mappingOf: () => MAPPING } });
  assert.equal(at.claims.trusted(SHA256)?.mapping.hash, HASH);
  at.claims.refute(MAPPING);
  assert.equal(at.claims.trusted(SHA256), undefined);
});

Deno.test("However many strangers lie about a digest, what a member of the fleet says is heard", async () => {
  await using at = world();
  const bytes = testBytes(90_000, 7);
  const digest = digestBytes(bytes);
  for (let liar = 0; liar < 24; liar++) {
    const node = await at.swarm.add(`liar${liar}`, [testBytes(90_000, 100 + liar)]);
    const [said] = node.says.values();
    node.says.set(sha256Of(digest), { ...said!, sha256: sha256Of(digest) });
  }
  await at.swarm.add("member", [bytes], { isTrusted: true });
  at.hub.weather.isDown = true;
  assert.deepEqual(await readAll(await at.mirror.blob(NGINX, digest, GET)), bytes);
  assert.equal(at.swarm.fetched.length, 1, "nothing was tried on a stranger's word");
  assert.ok(!at.swarm.banned.includes("member"));
});

Deno.test("Nobody makes liars of honest peers: by a wrong size, in a claim or a manifest, or by asking for a layer as a manifest", async () => {
  const bytes = testBytes(90_000, 7);
  const digest = digestBytes(bytes);
  const honest = async () => {
    const at = world();
    await at.swarm.add("honest", [bytes]);
    return at;
  };
  {
    await using at = await honest();
    const liar = await at.swarm.add("liar", [bytes]);
    const [said] = liar.says.values();
    liar.says.set(said!.sha256, { ...said!, size: 80_000 });
    at.hub.put("library/nginx", imageOf(bytes), "latest");
    assert.ok(await at.mirror.manifest(NGINX, { tag: "latest" }, GET) !== undefined);
    assert.deepEqual(await readAll(await at.mirror.blob(NGINX, digest, GET)), bytes);
    assert.ok(!at.swarm.banned.includes("honest"));
  }
  {
    await using at = await honest();
    const image = imageOf(bytes);
    const text = new TextDecoder().decode(image.manifest).replace(`:${bytes.length}`, ":80000");
    const manifest = new TextEncoder().encode(text);
    assert.notDeepEqual(manifest, image.manifest);
    at.hub.put("library/nginx", { ...image, manifest, digest: digestBytes(manifest) }, "latest");
    await at.mirror.manifest(NGINX, { tag: "latest" }, GET);
    await at.mirror.blob(NGINX, digest, GET).then(readAll).catch(() => {});
    assert.deepEqual(at.swarm.banned, []);
  }
  {
    await using at = world();
    const layer = testBytes(5 * 1024 * 1024, 8);
    await at.swarm.add("honest", [layer]);
    const asked = { digest: digestBytes(layer) };
    assert.equal(await at.mirror.manifest(NGINX, asked, GET), undefined);
    assert.deepEqual(at.swarm.banned, []);
  }
});
