import assert from "node:assert/strict";
import fc from "fast-check";
import type { Sha256 } from "../../../src/core/hash.ts";
import {
  type CatalogFinder,
  CatalogPins,
  type Follow,
  Follower,
  FollowState,
  type FoundPublication,
  REFRESH_MS,
  WAVE_MS,
  waveDelayMs,
  waveOf,
  WAVES,
} from "../../../trust/follow/mod.ts";
import type { Catalog } from "../../../trust/catalog/mod.ts";
import { delegation, isPinScope } from "../../../trust/root/mod.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { keysOf, NOW_MS, Publisher, type Sealed } from "../publisher.ts";
import { World } from "./world.ts";

/** A follower that looks by itself, with one finder that a test can make tell of news. */
async function running(publisher: Publisher) {
  const clock = new ManualClock(NOW_MS);
  const state = FollowState.open(":memory:");
  const shown: { sealed: Sealed[]; isFailing: boolean } = { sealed: [], isFailing: false };
  const listeners = new Set<() => void>();
  let lookCount = 0;
  const finder: CatalogFinder = {
    name: "test",
    async *find(): AsyncGenerator<FoundPublication> {
      lookCount++;
      if (shown.isFailing) throw new Error("the relay is away");
      for (const { seal } of shown.sealed) {
        yield { seal, roots: publisher.chain, urls: [], from: "test" };
      }
    },
    watch: (_, onNews) => {
      listeners.add(onNews);
      return () => listeners.delete(onNews);
    },
  };
  const accepted: number[] = [];
  const follower = new Follower({
    state,
    finders: [finder],
    bytes: {
      fetch: ({ blake3 }) =>
        Promise.resolve(shown.sealed.find(({ seal }) => seal.signed.blake3 === blake3)!.bytes),
    },
    clock,
    random: seededRandom(3),
    development: false,
    onAccepted: ({ catalog }) => accepted.push(catalog.sequence),
  });
  const { id: root } = await follower.pin(publisher.chain);
  const follow: Follow = { root, name: "tools", publishers: [], selectors: [] };
  return { clock, follower, state, shown, listeners, accepted, follow, looks: () => lookCount };
}

Deno.test("a follower looks soon after its start, then from time to time, and at once upon news", async () => {
  const publisher = await Publisher.begin();
  const world = await running(publisher);
  const { clock, follower, shown, accepted } = world;
  follower.configure([world.follow]);
  shown.sealed = [await publisher.seal()];
  follower.start();
  await clock.advance(5000);
  assert.deepEqual(accepted, [1]);
  assert.equal(world.looks(), 1);
  shown.sealed = [await publisher.seal({ sequence: 2 })];
  await clock.advance(REFRESH_MS * 1.3);
  assert.deepEqual(accepted, [1, 2]);
  shown.sealed = [await publisher.seal({ sequence: 3 })];
  for (const tell of world.listeners) tell();
  await clock.advance(10_000);
  assert.deepEqual(accepted, [1, 2, 3]);
  await follower[Symbol.asyncDispose]();
  assert.equal(world.listeners.size, 0);
  assert.equal(clock.timerCount, 0);
  world.state[Symbol.dispose]();
});

Deno.test("a follower whose ways all fail goes on, says so, and keeps what it has", async () => {
  const publisher = await Publisher.begin();
  const world = await running(publisher);
  const { clock, follower, shown, accepted } = world;
  follower.follow(world.follow);
  shown.sealed = [await publisher.seal()];
  await follower.refresh(world.follow);
  follower.start();
  shown.isFailing = true;
  await clock.advance(REFRESH_MS);
  const [status] = follower.status();
  assert.match(status!.problems.join(), /the relay is away/);
  assert.equal(status!.accepted!.catalog.sequence, 1);
  shown.isFailing = false;
  shown.sealed = [await publisher.seal({ sequence: 2 })];
  await clock.advance(REFRESH_MS * 1.3);
  // What counted before was told of once more at the start.
  assert.deepEqual(accepted, [1, 1, 2]);
  assert.deepEqual(follower.status()[0]!.problems, []);
  await follower[Symbol.asyncDispose]();
  world.state[Symbol.dispose]();
});

Deno.test("two who ask at once share one look", async () => {
  const publisher = await Publisher.begin();
  const world = await running(publisher);
  world.follower.follow(world.follow);
  world.shown.sealed = [await publisher.seal()];
  const [a, b] = await Promise.all([
    world.follower.refresh(world.follow),
    world.follower.refresh(world.follow),
  ]);
  assert.equal(a, b);
  assert.deepEqual(world.accepted, [1]);
  const abort = new AbortController();
  abort.abort(new Error("enough"));
  await assert.rejects(world.follower.refresh(world.follow, { signal: abort.signal }), /enough/);
  await world.follower[Symbol.asyncDispose]();
  world.state[Symbol.dispose]();
});

Deno.test("what the settings follow cannot be changed or ended by a verb", async () => {
  const publisher = await Publisher.begin();
  const world = await running(publisher);
  const { follower, follow } = world;
  follower.configure([follow]);
  assert.throws(() => follower.follow({ ...follow, selectors: ["*"] }), /settings of this node/);
  assert.throws(() => follower.unfollow(follow), /settings of this node/);
  assert.equal(follower.follows().length, 1);
  world.state[Symbol.dispose]();
});

Deno.test("keyOf() reads a name alone where one root is pinned, and asks for the root where two are", async () => {
  const publisher = await Publisher.begin();
  await using world = await World.of(publisher);
  const { id } = publisher.newest.signed;
  assert.deepEqual(world.follower.keyOf("tools"), { root: id, name: "tools" });
  assert.deepEqual(world.follower.keyOf("acme/tools"), { root: id, name: "tools" });
  assert.throws(() => world.follower.keyOf("other/tools"), /pinned are: acme/);
  await world.follower.pin((await Publisher.begin({ name: "other", id: 9 })).chain);
  assert.throws(() => world.follower.keyOf("tools"), /Write ROOT\/NAME/);
  assert.notEqual(world.follower.keyOf("other/tools").root, id);
});

Deno.test("a root that a follower knows further than the pinned file stays as far", async () => {
  const path = await Deno.makeTempFile();
  const publisher = await Publisher.begin();
  const { rotation } = await import("../../../trust/root/mod.ts");
  const first = publisher.chain;
  await publisher.change(rotation({ add: [], remove: [], expiresS: NOW_MS }));
  {
    await using world = await World.of(publisher, { state: FollowState.open(path), pinned: first });
    world.show(publisher, await publisher.seal());
    assert.equal((await world.look()).rootVersion, 2);
  }
  await using world = await World.of(publisher, { state: FollowState.open(path), pinned: first });
  assert.equal(world.follower.roots()[0]!.root.version, 2);
  await Deno.remove(path);
});

Deno.test("CatalogPins answers from what counts, and forgets what does not", async () => {
  const publisher = await Publisher.begin();
  const blob = { sha256: "11".repeat(32), blake3: "22".repeat(32), size: 3 };
  const { catalog } = await publisher.seal({
    change: (one) => ({
      ...one,
      images: [{
        reference: "ghcr.io/acme/web:1",
        digest: `sha256:${"aa".repeat(32)}`,
        price: "free",
        platforms: [],
        blobs: [blob as never],
      }],
    }),
  });
  const pins = new CatalogPins();
  pins.replace([{ catalog, scopes: ["*"] }]);
  assert.equal(pins.digestOf("ghcr.io/acme/web:1"), `sha256:${"aa".repeat(32)}`);
  assert.equal(pins.digestOf("ghcr.io/acme/web:2"), undefined);
  assert.deepEqual(pins.mappingOf(blob.sha256 as Sha256), {
    sha256: blob.sha256,
    hash: blob.blake3,
    size: 3,
  });
  const [file] = catalog.releases[0]!.files;
  assert.equal(pins.mappingOf(file!.sha256)!.hash, file!.blake3);
  assert.deepEqual(pins.counts, { pins: 1, mappings: 2 });
  for (const scopes of [["ghcr.io/acme/"], ["ghcr.io/acme/web"], ["quay.io/", "ghcr.io/"]]) {
    pins.replace([{ catalog, scopes }]);
    assert.deepEqual(pins.counts, { pins: 1, mappings: 2 }, scopes.join());
  }
  for (const scopes of [["ghcr.io/acm"], ["ghcr.io/acme/web/"], ["acme/"], ["docker.io/"]]) {
    pins.replace([{ catalog, scopes }]);
    assert.equal(pins.digestOf("ghcr.io/acme/web:1"), undefined, scopes.join());
    assert.equal(pins.mappingOf(blob.sha256 as Sha256), undefined);
  }
  pins.replace([{ catalog, scopes: [] }]);
  assert.deepEqual(pins.counts, { pins: 0, mappings: 0 });
});

Deno.test("a catalog pins no image of which its follower does not let it speak, whatever it lists", async () => {
  const publisher = await Publisher.begin();
  await using world = await World.of(publisher);
  const [nginx, film] = ["docker.io/library/nginx:latest", "registry.film.example/player:1"];
  const images = [nginx, film].map((reference) => ({
    reference: reference!,
    digest: `sha256:${"66".repeat(32)}` as const,
    price: "free" as const,
    platforms: [],
    blobs: [],
  }));
  world.show(publisher, await publisher.seal({ change: (one) => ({ ...one, images }) }));
  assert.equal((await world.look()).outcome, "new");
  const { pins } = world.follower;
  assert.deepEqual(pins.counts, { pins: 0, mappings: 0 });
  const [follow] = world.follower.follows();
  world.follower.follow({ ...follow!, pins: ["registry.film.example/"] });
  assert.ok(pins.digestOf(film!) !== undefined);
  assert.equal(pins.digestOf(nginx!), undefined);
  assert.deepEqual(world.follower.follows()[0]!.pins, ["registry.film.example/"]);
});

Deno.test("a role pins no image that its root does not let it, whatever its followers do", async () => {
  const publisher = await Publisher.begin();
  const { ci } = await keysOf("ci");
  const role = { keys: [ci], threshold: 1, catalogs: ["tools"] };
  await publisher.change(delegation("ci", { ...role, images: ["quay.io/", "ghcr.io/acme/"] }));
  await using world = await World.of(publisher, { pins: ["*"] });
  const images = ["docker.io/library/nginx:1", "ghcr.io/acme/web:1"].map((reference) => ({
    reference,
    digest: `sha256:${"66".repeat(32)}` as const,
    price: "free" as const,
    platforms: [],
    blobs: [],
  }));
  const change = (one: Catalog) => ({ ...one, images });
  world.show(publisher, await publisher.seal({ labels: ["ci"], change }));
  assert.equal((await world.look()).outcome, "new");
  assert.equal(world.follower.pins.digestOf("docker.io/library/nginx:1"), undefined);
  assert.ok(world.follower.pins.digestOf("ghcr.io/acme/web:1") !== undefined);
  for (const bad of [["Ghcr.io/"], ["ghcr.io"], []]) {
    await assert.rejects(publisher.change(delegation("ci", { ...role, images: bad })));
  }
});

Deno.test("a scope of images is a repository, a path, a registry, or everything", () => {
  const good = ["*", "ghcr.io/", "ghcr.io/acme/", "ghcr.io/acme/web", "127.0.0.1:5000/a/b-c_d/"];
  for (const text of good) assert.ok(isPinScope(text), text);
  const bad = ["", "/", "ghcr.io", "ghcr.io//", "/acme/", "ghcr.io/acme/*", "Ghcr.io/a", "a b/c"];
  for (const text of [...bad, "ghcr.io/a:1", `a/${"b".repeat(400)}`]) {
    assert.ok(!isPinScope(text), text);
  }
});

Deno.test("waves are a sixteenth, a sixteenth, an eighth, a quarter and a half of a fleet", () => {
  const counts = new Array<number>(WAVES).fill(0);
  const all = 20_000;
  for (let node = 0; node < all; node++) {
    counts[waveOf({ node: `node ${node}`, content: "x" })]!++;
  }
  for (const [wave, share] of [1 / 16, 1 / 16, 1 / 8, 1 / 4, 1 / 2].entries()) {
    assert.ok(Math.abs(counts[wave]! / all - share) < 0.01, `wave ${wave}: ${counts[wave]}`);
  }
});

Deno.test("a node's wave is its own for each content, and chance spreads those of one wave", () => {
  const nodes = Array.from({ length: 200 }, (_, index) => `node ${index}`);
  const first = (content: string) => nodes.filter((node) => waveOf({ node, content }) === 0);
  assert.notDeepEqual(first("a"), first("b"));
  fc.assert(fc.property(fc.string(), fc.string(), fc.nat(), (node, content, seed) => {
    const delay = waveDelayMs({ node, content }, seededRandom(seed));
    const wave = waveOf({ node, content });
    assert.ok(delay >= wave * WAVE_MS && delay <= (wave + 0.5) * WAVE_MS);
  }));
});
