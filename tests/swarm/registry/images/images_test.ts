import assert from "node:assert/strict";
import fc from "fast-check";
import { isSeedmintError, SeedmintError } from "../../../../src/core/errors.ts";
import { readCollection } from "../../../../swarm/read_whole.ts";
import { layoutBlobs, layoutName } from "../../../../swarm/registry/images/mod.ts";
import {
  formatPlatform,
  INDEX_DEPTH_MAX,
  MEDIA_TYPES,
  parsePlatform,
} from "../../../../swarm/registry/manifest/mod.ts";
import { RegistryIndex } from "../../../../swarm/registry/index/mod.ts";
import { sha256Of } from "../../../../swarm/registry/names.ts";
import { describe, imageOf, indexOf, jsonPart, layerOf, type Part } from "../manifest/fixture.ts";
import { ImagesKit, NGINX, REDIS } from "./kit.ts";

const base = layerOf("base", 5000);
const amd64 = imageOf([base, layerOf("amd64")]);
const arm64 = imageOf([base, layerOf("arm64")], { platform: parsePlatform("linux/arm64/v8") });
const s390x = imageOf([base, layerOf("s390x")], { platform: parsePlatform("linux/s390x") });
const index = indexOf([amd64, arm64, s390x]);

Deno.test("Images.collect() makes one collection of an image in the form of an OCI layout", async () => {
  await using kit = await ImagesKit.open();
  await kit.bringImage(NGINX, amd64);
  const hash = await kit.images.collect(NGINX, amd64.manifest.digest);
  const children = await readCollection(kit.store, hash);
  const names = [amd64.manifest, amd64.config, ...amd64.layers].map(({ digest }) =>
    layoutName(digest)
  );
  assert.deepEqual(
    children.map(({ name }) => name),
    [...names.sort(), "index.json", "oci-layout"],
  );
  const blobs = layoutBlobs(children);
  assert.equal(blobs.get(amd64.config.digest)?.mediaType, amd64.config.mediaType);
  assert.equal(blobs.size, 4);
  const record = kit.store.status(hash)!;
  assert.equal(record.kind, "collection");
  assert.equal(record.visibility, "fleet");
  assert.equal(record.tags.length, 1);
  await kit.store.collectGarbage();
  assert.ok(kit.has(base));
  const [info] = kit.images.list();
  assert.equal(info?.isWhole, true);
  assert.equal(info?.collection, hash);
  assert.deepEqual(info?.platforms.map(formatPlatform), ["linux/amd64"]);
  assert.deepEqual(kit.images.digestsOf(hash), [sha256Of(amd64.manifest.digest)]);
  assert.deepEqual(kit.images.digestsOf(record.hash.replace(/./, "0") as typeof hash), []);
});

Deno.test("The advert of an image stands for all that it is made of, not for what its user keeps", async () => {
  await using kit = await ImagesKit.open();
  await kit.bringImage(NGINX, amd64, { visibility: "public" });
  const recordOf = ({ digest }: Part) => kit.store.findBySha256(sha256Of(digest))!;
  const parts = [amd64.manifest, amd64.config, ...amd64.layers];
  for (const part of parts) assert.ok(kit.images.isPart(recordOf(part)), "known from the manifest");
  const other = await kit.store.importBytes(layerOf("no part of it").bytes);
  assert.ok(!kit.images.isPart(other));
  const hash = await kit.images.collect(NGINX, amd64.manifest.digest, { visibility: "public" });
  for (const child of await readCollection(kit.store, hash)) {
    assert.ok(kit.images.isPart(kit.store.status(child.hash)!), child.name);
  }
  assert.ok(!kit.images.isPart(kit.store.status(hash)!));
  kit.store.tag(recordOf(base).hash, "mine");
  assert.ok(!kit.images.isPart(recordOf(base)));
  kit.store.pin(recordOf(amd64.config).hash);
  assert.ok(!kit.images.isPart(recordOf(amd64.config)));
  kit.index.pinned.add(recordOf(amd64.config).hash);
  assert.ok(kit.images.isPart(recordOf(amd64.config)), "pushed here, not pinned by its user");
});

Deno.test("Images.collect() gives the same collection on every node and for every name", async () => {
  await using first = await ImagesKit.open();
  await using second = await ImagesKit.open();
  await first.bringImage(NGINX, amd64);
  await second.bringImage(REDIS, amd64);
  const hash = await first.images.collect(NGINX, amd64.manifest.digest);
  assert.equal(await second.images.collect(REDIS, amd64.manifest.digest), hash);
  await first.bringImage(REDIS, amd64);
  assert.equal(await first.images.collect(REDIS, amd64.manifest.digest), hash);
  assert.equal(first.images.list().length, 2);
  await first.images.remove(NGINX, amd64.manifest.digest);
  assert.equal(first.store.status(hash)?.tags.length, 1);
  assert.ok(first.has(base));
});

Deno.test("Images.collect() takes of an index the wanted platforms, or those that are here", async () => {
  await using kit = await ImagesKit.open();
  await kit.bring(NGINX, [index]);
  const missing = (error: unknown) => isSeedmintError(error, "not-found");
  await assert.rejects(kit.images.collect(NGINX, index.digest), missing);
  await kit.bringImage(NGINX, amd64);
  await kit.bring(NGINX, [arm64.manifest]);
  const one = await kit.images.collect(NGINX, index.digest);
  assert.deepEqual(kit.images.list()[0]!.platforms.map(formatPlatform), ["linux/amd64"]);
  await assert.rejects(
    kit.images.collect(NGINX, index.digest, { platforms: [parsePlatform("linux/arm64")] }),
    missing,
  );
  await assert.rejects(
    kit.images.collect(NGINX, index.digest, { platforms: [parsePlatform("plan9/mips")] }),
    /plan9\/mips.*linux\/amd64, linux\/arm64\/v8, linux\/s390x/,
  );
  await kit.bringImage(NGINX, arm64);
  const two = await kit.images.collect(NGINX, index.digest);
  assert.notEqual(two, one);
  assert.equal(kit.store.status(one), undefined, "the smaller collection is gone");
  assert.deepEqual(kit.images.list()[0]!.platforms.map(formatPlatform), [
    "linux/amd64",
    "linux/arm64/v8",
  ]);
  assert.deepEqual(
    kit.images.digestsOf(two),
    [
      index,
      ...[amd64, arm64].map(({ manifest }) => manifest).sort((a, b) =>
        a.digest < b.digest ? -1 : 1
      ),
    ].map(({ digest }) => sha256Of(digest)),
  );
  const only = { platforms: [parsePlatform("amd64")] };
  assert.equal(await kit.images.collect(NGINX, index.digest, only), two, "the other one stays");
  const back = await kit.images.collect(NGINX, index.digest, { ...only, isExact: true });
  assert.equal(back, one);
  assert.ok(!kit.has(arm64.layers[1]!), "what no platform that is kept needs is gone");
  assert.ok(kit.has(base));
});

Deno.test("Images.collect() refuses a manifest that says another size, and indexes that lie too deep", async () => {
  await using kit = await ImagesKit.open();
  const invalid = (error: unknown) => isSeedmintError(error, "invalid");
  await kit.bring(NGINX, [base, amd64.config]);
  const liar = jsonPart({
    schemaVersion: 2,
    config: describe(amd64.config),
    layers: [{ ...describe(base), size: 1 }],
  }, MEDIA_TYPES.ociManifest);
  await kit.bring(NGINX, [liar]);
  await assert.rejects(kit.images.collect(NGINX, liar.digest), invalid);
  let nested: Part = amd64.manifest;
  for (let depth = 0; depth <= INDEX_DEPTH_MAX; depth++) {
    nested = jsonPart({ schemaVersion: 2, manifests: [describe(nested)] }, MEDIA_TYPES.ociIndex);
    await kit.bring(NGINX, [nested]);
  }
  await kit.bringImage(NGINX, amd64);
  await assert.rejects(kit.images.collect(NGINX, nested.digest), invalid);
  assert.deepEqual(kit.images.list(), []);
});

Deno.test("A layer of several images is one blob, and goes with the last of them", async () => {
  await using kit = await ImagesKit.open();
  await kit.bringImage(NGINX, amd64);
  await kit.bringImage(REDIS, arm64);
  await kit.images.collect(NGINX, amd64.manifest.digest);
  await kit.images.collect(REDIS, arm64.manifest.digest);
  const [nginx, redis] = kit.images.list();
  const shared = base.bytes.length;
  assert.equal(nginx!.size - nginx!.ownSize, shared);
  assert.equal(redis!.size - redis!.ownSize, shared);
  const freed = await kit.images.remove(NGINX, amd64.manifest.digest);
  assert.equal(freed, nginx!.ownSize);
  assert.ok(kit.has(base));
  assert.ok(!kit.has(amd64.layers[1]!));
  await kit.images.remove(REDIS, arm64.manifest.digest);
  assert.equal([...kit.store.list()].length, 0, "nothing of it is left");
  assert.equal(await kit.images.remove(REDIS, arm64.manifest.digest), undefined);
});

Deno.test("Images.remove() leaves what something else keeps", async () => {
  await using kit = await ImagesKit.open();
  await kit.bringImage(NGINX, amd64);
  const own = amd64.layers[1]!;
  const record = kit.store.findBySha256(sha256Of(own.digest))!;
  kit.store.tag(record.hash, "mine");
  kit.index.tags.set(NGINX, "latest", { digest: amd64.manifest.digest });
  await kit.images.collect(NGINX, amd64.manifest.digest);
  assert.deepEqual(kit.images.find(NGINX, { tag: "latest" })?.tags, ["latest"]);
  await kit.images.remove(NGINX, amd64.manifest.digest);
  assert.deepEqual([...kit.store.list()].map(({ hash }) => hash), [record.hash]);
  assert.equal(kit.index.tags.get(NGINX, "latest"), undefined);
  assert.equal(kit.index.manifests.get(amd64.manifest.digest), undefined);
  assert.equal(kit.images.find(NGINX, { tag: "latest" }), undefined);
});

Deno.test("Images.remove() leaves a layer that a manifest which came just now lists", async () => {
  await using kit = await ImagesKit.open();
  await kit.bringImage(NGINX, amd64);
  await kit.images.collect(NGINX, amd64.manifest.digest);
  await kit.bring(REDIS, [arm64.manifest]);
  await kit.images.remove(NGINX, amd64.manifest.digest);
  assert.ok(kit.has(base), "redis is being pulled and needs it");
  assert.ok(!kit.has(amd64.layers[1]!));
});

Deno.test("setVisibility() shows and hides an image with all its blobs, as far as no other shows them", async () => {
  await using kit = await ImagesKit.open();
  await kit.bringImage(NGINX, amd64);
  await kit.bringImage(REDIS, arm64);
  const hash = await kit.images.collect(NGINX, amd64.manifest.digest);
  await kit.images.collect(REDIS, arm64.manifest.digest);
  const shown = await kit.images.setVisibility(NGINX, amd64.manifest.digest, "public");
  assert.equal(shown.visibility, "public");
  assert.equal(shown.collection, hash);
  assert.equal(kit.store.status(hash)?.visibility, "public");
  for (const child of await readCollection(kit.store, hash)) {
    assert.equal(kit.store.status(child.hash)?.visibility, "public", child.name);
  }
  assert.equal(kit.visibilityOf(arm64.layers[1]!), "fleet");
  await kit.images.collect(NGINX, amd64.manifest.digest, { visibility: "fleet" });
  assert.equal(kit.store.status(hash)?.visibility, "public", "a pull undoes nothing");
  await kit.images.setVisibility(REDIS, arm64.manifest.digest, "private");
  assert.equal(kit.visibilityOf(base), "public");
  assert.equal(kit.visibilityOf(arm64.layers[1]!), "private");
  await kit.images.setVisibility(NGINX, amd64.manifest.digest, "private");
  assert.equal(kit.visibilityOf(base), "private");
  await assert.rejects(
    kit.images.setVisibility(NGINX, index.digest, "public"),
    (error: unknown) => isSeedmintError(error, "not-found"),
  );
});

Deno.test("A manifest that lists a private blob of another repository does not show it", async () => {
  await using kit = await ImagesKit.open();
  const secret = layerOf("secret");
  const name = { registry: "ghcr.io", repository: "acme/secret" };
  await kit.store.importBytes(secret.bytes, { visibility: "private" });
  kit.index.members.add(name, secret.digest, { kind: "blob", isPrivate: true });
  const thief = imageOf([secret]);
  await kit.bring(NGINX, [thief.manifest, thief.config]);
  await kit.images.collect(NGINX, thief.manifest.digest, { visibility: "public" });
  assert.equal(kit.visibilityOf(secret), "private");
  assert.equal(kit.visibilityOf(thief.config), "public");
  // Had without a credential it is anybody's.
  kit.index.members.add(NGINX, secret.digest, { kind: "blob" });
  await kit.images.collect(NGINX, thief.manifest.digest);
  assert.equal(kit.visibilityOf(secret), "public");
});

for (const isOnDisk of [false, true]) {
  const where = isOnDisk ? "on disk" : "in memory";
  Deno.test(`The quota takes whole images, the least recently used first, ${where}`, async () => {
    const image = (text: string) =>
      imageOf([layerOf(`${text} 1`, 40_000), layerOf(`${text} 2`, 40_000)]);
    await using kit = await ImagesKit.open({ quotaBytes: 300_000, isOnDisk });
    const [a, b, c, d] = ["a", "b", "c", "d"].map(image);
    const names = new Map(
      [a, b, c, d].map((one, at) => [one, { ...NGINX, repository: `x/${at}` }]),
    );
    for (const one of [a!, b!, c!]) {
      await kit.bringImage(names.get(one)!, one);
      await kit.images.collect(names.get(one)!, one.manifest.digest);
      await kit.clock.advance(120_000);
    }
    kit.images.used(a!.manifest.digest);
    await kit.clock.advance(120_000);
    await kit.bringImage(names.get(d)!, d!);
    await kit.clock.settle();
    await kit.images.settled();
    await kit.images.collect(names.get(d)!, d!.manifest.digest);
    assert.deepEqual(kit.images.list().map(({ name }) => name.repository), ["x/0", "x/2", "x/3"]);
    assert.deepEqual(kit.broken.map(({ name }) => name.repository), ["x/1"]);
    for (const part of [b!.manifest, b!.config, ...b!.layers]) assert.ok(!kit.has(part));
    for (const one of [a!, c!, d!]) {
      for (const part of [one.manifest, one.config, ...one.layers]) assert.ok(kit.has(part));
    }
    assert.deepEqual(kit.errors, []);
  });
}

Deno.test("A pinned image stays whatever the quota says, and stays pinned when a platform joins", async () => {
  await using kit = await ImagesKit.open({ quotaBytes: 100_000 });
  await kit.bring(NGINX, [index]);
  await kit.bringImage(NGINX, amd64);
  await kit.images.collect(NGINX, index.digest, { isPinned: true });
  await kit.bringImage(NGINX, arm64);
  await kit.images.collect(NGINX, index.digest);
  assert.equal(kit.images.list()[0]?.isPinned, true);
  await kit.clock.advance(120_000);
  for (let count = 0; count < 12; count++) {
    await kit.store.importBytes(layerOf(`filler ${count}`, 20_000).bytes);
  }
  await kit.clock.settle();
  assert.equal(kit.images.list()[0]?.isWhole, true);
  await kit.images.collect(NGINX, index.digest, { isPinned: false });
  await kit.clock.advance(120_000);
  for (let count = 0; count < 12; count++) {
    await kit.store.importBytes(layerOf(`more ${count}`, 20_000).bytes);
  }
  await kit.clock.settle();
  await kit.images.settled();
  assert.deepEqual(kit.images.list(), []);
});

Deno.test("What peers read of an image keeps all of it young", async () => {
  await using kit = await ImagesKit.open();
  await kit.bringImage(NGINX, amd64);
  await kit.images.collect(NGINX, amd64.manifest.digest);
  const hash = kit.store.findBySha256(sha256Of(amd64.layers[1]!.digest))!.hash;
  await kit.clock.advance(60 * 60_000);
  const before = kit.store.findBySha256(sha256Of(base.digest))!.lastUsedMs;
  await (await kit.store.openReader(hash))[Symbol.asyncDispose]();
  await kit.clock.advance(11 * 60_000);
  const after = kit.store.findBySha256(sha256Of(base.digest))!.lastUsedMs;
  assert.ok(after - before > 30 * 60_000);
});

Deno.test("Images.open() makes again what a crash kept from being made, and forgets what cannot be", async () => {
  await using kit = await ImagesKit.open();
  await kit.bringImage(NGINX, amd64);
  await kit.bringImage(REDIS, arm64);
  const kept = await kit.images.collect(NGINX, amd64.manifest.digest, { visibility: "public" });
  const lost = await kit.images.collect(REDIS, arm64.manifest.digest);
  await kit.reopen(async () => {
    // As when the process died after it wrote what it meant to do.
    await kit.store.remove(kept);
    await kit.store.remove(kit.store.findBySha256(sha256Of(arm64.layers[1]!.digest))!.hash);
  });
  assert.deepEqual(kit.images.list().map(({ collection }) => collection), [kept]);
  assert.equal(kit.store.status(kept)?.visibility, "public");
  assert.deepEqual(kit.broken.map(({ collection }) => collection), [lost]);
  assert.equal(kit.store.status(lost), undefined);
  assert.ok(!kit.has(arm64.config));
  assert.ok(kit.has(base));
});

Deno.test("An image that cannot be kept, or changed, for want of room is as it was", async () => {
  await using kit = await ImagesKit.open();
  await kit.bring(NGINX, [index]);
  await kit.bringImage(NGINX, amd64);
  const { store } = kit;
  const importBytes = store.importBytes.bind(store);
  const full = () => Promise.reject(new SeedmintError("no-space", "full"));
  const isFull = (error: unknown) => isSeedmintError(error, "no-space");
  store.importBytes = full;
  await assert.rejects(kit.images.collect(NGINX, index.digest), isFull);
  assert.deepEqual(kit.images.list(), []);
  store.importBytes = importBytes;
  const one = await kit.images.collect(NGINX, index.digest);
  await kit.bringImage(NGINX, arm64);
  store.importBytes = full;
  await assert.rejects(kit.images.collect(NGINX, index.digest), isFull);
  assert.deepEqual(kit.images.list().map(({ collection }) => collection), [one]);
  assert.equal(kit.images.list()[0]!.isWhole, true);
  assert.deepEqual(kit.index.images.abandoned(), []);
  store.importBytes = importBytes;
});

Deno.test("Images.open() finishes a removal, and a change, that a crash cut short", async () => {
  await using kit = await ImagesKit.open();
  await kit.bring(NGINX, [index]);
  await kit.bringImage(NGINX, amd64);
  await kit.bringImage(REDIS, s390x);
  const one = await kit.images.collect(NGINX, index.digest);
  await kit.images.collect(REDIS, s390x.manifest.digest);
  await kit.bringImage(NGINX, arm64);
  const { digest } = index;
  await kit.reopen(() => {
    // As when the process died right after it wrote that the image is gone, or is another one.
    using before = RegistryIndex.open({ path: kit.path("registry.sqlite"), clock: kit.clock });
    before.images.remove(REDIS, s390x.manifest.digest);
    const row = before.images.get(NGINX, digest)!;
    const blobs = before.images.blobsOf(one);
    const lost = "0".repeat(64) as typeof one;
    const platforms = [amd64.platform, arm64.platform];
    before.images.put(NGINX, { ...row, platforms, collection: lost }, blobs);
  });
  const [nginx, ...others] = kit.images.list();
  assert.deepEqual(others, []);
  assert.equal(nginx?.isWhole, true);
  assert.equal(nginx?.platforms.length, 2);
  assert.notEqual(nginx?.collection, one);
  assert.equal(kit.store.status(one), undefined);
  assert.ok(!kit.has(s390x.layers[1]!));
  assert.ok(kit.has(base));
  const collections = [...kit.store.list()].filter(({ kind }) => kind === "collection");
  assert.deepEqual(collections.map(({ hash }) => hash), [nginx?.collection]);
  assert.deepEqual(kit.index.images.abandoned(), []);
});

Deno.test("However images come and go, the store holds exactly what the images left need", async () => {
  const layers = Array.from({ length: 4 }, (_, at) => layerOf(`layer ${at}`, 100 + at));
  const images = [[0, 1], [1, 2], [0, 3], [2, 3]].map((list, at) =>
    imageOf(list.map((layer) => layers[layer]!), {
      platform: { os: "linux", architecture: `a${at}` },
    })
  );
  const roots: readonly {
    readonly root: Part;
    readonly needs: readonly (typeof images)[number][];
  }[] = [
    ...images.map((image) => ({ root: image.manifest, needs: [image] })),
    { root: indexOf(images.slice(0, 2)), needs: images.slice(0, 2) },
    { root: indexOf(images.slice(1, 4)), needs: images.slice(1, 4) },
  ];
  const deed = fc.record({
    isRemoval: fc.boolean(),
    root: fc.nat({ max: roots.length - 1 }),
    name: fc.constantFrom(NGINX, REDIS),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { maxLength: 14 }), async (deeds) => {
      await using kit = await ImagesKit.open({ hasIndexInMemory: true });
      const model = new Map<string, number>();
      for (const { isRemoval, root: at, name } of deeds) {
        const { root, needs } = roots[at]!;
        const key = `${name.repository} ${at}`;
        if (isRemoval) {
          const freed = await kit.images.remove(name, root.digest);
          assert.equal(freed !== undefined, model.delete(key));
        } else {
          await kit.bring(name, [root]);
          for (const image of needs) await kit.bringImage(name, image);
          await kit.images.collect(name, root.digest);
          model.set(key, at);
        }
        // Manifests that came just now keep what they list: let them grow old.
        await kit.clock.advance(11 * 60_000);
      }
      for (const name of [NGINX, REDIS]) {
        for (const [at, { root }] of roots.entries()) {
          const isKept = model.has(`${name.repository} ${at}`);
          assert.equal(kit.images.find(name, root)?.isWhole, isKept ? true : undefined);
        }
      }
      const needed = new Set([...model.values()].flatMap((at) => {
        const { root, needs } = roots[at]!;
        return [root, ...needs.flatMap((image) => [image.manifest, image.config, ...image.layers])]
          .map(({ digest }) => digest);
      }));
      const all = roots.flatMap(({ root, needs }) => [
        root,
        ...needs.flatMap((image) => [image.manifest, image.config, ...image.layers]),
      ]);
      for (const part of all) assert.equal(kit.has(part), needed.has(part.digest));
      if (model.size === 0) assert.equal([...kit.store.list()].length, 0);
    }),
    { numRuns: 25 },
  );
});
