import assert from "node:assert/strict";
import { isSeedmintError } from "../../../../src/core/errors.ts";
import { MEDIA_TYPES, parseManifest } from "../../../../swarm/registry/manifest/mod.ts";
import { type Digest, sha256Of } from "../../../../swarm/registry/names.ts";
import type { PushedManifest } from "../../../../swarm/registry/local/mod.ts";
import { openStore, TemporaryDirectory } from "../../store/fixture.ts";
import { artifactOf, describe, imageOf, indexOf, jsonPart, layerOf } from "../manifest/fixture.ts";
import { chunkOf, LocalKit, named, NEVER, pullBlob } from "./kit.ts";

const ANY = { signal: NEVER, accept: [], isHead: false } as const;
const image = imageOf([layerOf("one"), layerOf("two", 3_000_000)]);
const other = imageOf([layerOf("one"), layerOf("three")], {
  platform: { os: "linux", architecture: "arm64" },
});

Deno.test("LocalRegistry gives back what was pushed, byte for byte, by tag and by digest", async () => {
  await using kit = await LocalKit.open();
  await kit.pushImage("team/app", image, "1.0");
  const { registry } = kit;
  for (const reference of [{ tag: "1.0" }, { digest: image.manifest.digest }]) {
    const found = await registry.manifest(named("team/app"), reference, ANY);
    assert.deepEqual(found, image.manifest);
  }
  for (const part of [image.config, ...image.layers]) {
    assert.deepEqual(await pullBlob(registry, "team/app", part.digest), part.bytes);
  }
  const layer = image.layers[1]!;
  assert.deepEqual(
    await pullBlob(registry, "team/app", layer.digest, { start: 1_000_000, end: 2_500_001 }),
    layer.bytes.subarray(1_000_000, 2_500_001),
  );
  const head = await registry.blob(named("team/app"), layer.digest, {
    signal: NEVER,
    isHead: true,
  });
  assert.equal(head?.size, layer.bytes.length);
  await head![Symbol.asyncDispose]();
});

Deno.test("LocalRegistry answers for its own registry alone, and each repository for itself", async () => {
  await using kit = await LocalKit.open();
  await kit.pushImage("library/nginx", image, "latest");
  const { registry } = kit;
  const hub = { registry: "docker.io", repository: "library/nginx" };
  assert.equal(await registry.manifest(hub, { tag: "latest" }, ANY), undefined);
  assert.equal(await registry.blob(hub, image.config.digest, ANY), undefined);
  assert.equal(await registry.tags(hub, { count: 9 }, { signal: NEVER }), undefined);
  assert.deepEqual(await registry.referrers(hub, image.manifest.digest, ANY), []);
  assert.equal(await pullBlob(registry, "library/redis", image.config.digest), undefined);
  const missing = { digest: image.manifest.digest };
  assert.equal(await registry.manifest(named("library/redis"), missing, ANY), undefined);
});

Deno.test("LocalRegistry keeps what is pushed private and pinned, and lets go of it with the last repository", async () => {
  await using kit = await LocalKit.open();
  await kit.pushImage("a", image, "1");
  const sha256 = sha256Of(image.layers[0]!.digest);
  const record = kit.store.findBySha256(sha256)!;
  assert.equal(record.visibility, "private");
  assert.equal(record.pinned, true);
  assert.ok(await kit.registry.mount("b", image.layers[0]!.digest, "a"));
  assert.ok(await kit.registry.deleteBlob("a", image.layers[0]!.digest));
  assert.ok(kit.store.findBySha256(sha256)!.pinned);
  assert.ok(await kit.registry.deleteBlob("b", image.layers[0]!.digest));
  assert.equal(kit.store.findBySha256(sha256), undefined);
  assert.equal(await kit.registry.deleteBlob("b", image.layers[0]!.digest), false);
});

Deno.test("LocalRegistry leaves alone what the store had before: its visibility, pins, tags and collections", async () => {
  await using kit = await LocalKit.open();
  const [first, second] = image.layers;
  await kit.store.importBytes(first!.bytes, { visibility: "public", pinned: true, name: "mine" });
  await kit.store.importBytes(second!.bytes, { visibility: "fleet", tag: "kept" });
  await kit.pushImage("a", image, "1");
  const firstNow = kit.store.findBySha256(sha256Of(first!.digest))!;
  assert.equal(firstNow.visibility, "public");
  assert.equal(firstNow.name, "mine");
  await kit.registry.deleteBlob("a", first!.digest);
  await kit.registry.deleteBlob("a", second!.digest);
  assert.equal(kit.store.findBySha256(sha256Of(first!.digest))?.pinned, true);
  const secondNow = kit.store.findBySha256(sha256Of(second!.digest));
  assert.deepEqual(secondNow?.tags, ["kept"]);
  assert.equal(secondNow?.pinned, false);
});

Deno.test("LocalRegistry shows nothing whose digest is not right", async () => {
  await using kit = await LocalKit.open();
  const { registry } = kit;
  const { id } = await registry.beginUpload("a");
  await registry.append("a", id, chunkOf(image.layers[0]!.bytes), { signal: NEVER });
  const wrong = image.layers[1]!.digest;
  await assert.rejects(
    registry.finishUpload("a", id, wrong),
    (error: unknown) => isSeedmintError(error, "corrupt"),
  );
  assert.equal(registry.uploadStatus("a", id), undefined);
  assert.equal(await registry.finishUpload("a", id, image.layers[0]!.digest), false);
  assert.deepEqual(kit.uploadFiles, []);
  assert.equal([...kit.store.list()].length, 0);
  await kit.pushImage("a", image);
  await assert.rejects(
    registry.putManifest("a", { digest: wrong }, image.manifest),
    (error: unknown) => isSeedmintError(error, "corrupt"),
  );
});

Deno.test("LocalRegistry refuses a manifest that lists what its repository does not have", async () => {
  await using kit = await LocalKit.open();
  const { registry } = kit;
  await kit.pushBlob("a", image.config);
  await kit.pushBlob("b", image.layers[0]!);
  const lacks = (digest: Digest) => (error: unknown) =>
    isSeedmintError(error, "not-found") && error.message.includes(digest);
  await assert.rejects(
    registry.putManifest("a", { tag: "1" }, image.manifest),
    lacks(image.layers[0]!.digest),
  );
  await assert.rejects(
    registry.putManifest("a", { tag: "1" }, indexOf([image])),
    lacks(image.manifest.digest),
  );
  const layer = { ...describe(image.config), size: 3 };
  const liar = jsonPart({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: layer,
    layers: [],
  }, MEDIA_TYPES.ociManifest);
  await assert.rejects(
    registry.putManifest("a", { tag: "1" }, liar),
    (error: unknown) => isSeedmintError(error, "invalid"),
  );
  await assert.rejects(
    registry.putManifest("A B", { tag: "1" }, liar),
    (error: unknown) => isSeedmintError(error, "invalid"),
  );
  assert.equal((await registry.tags(named("a"), { count: 9 }, { signal: NEVER }))!.items.length, 0);
});

Deno.test("LocalRegistry takes an index of manifests that it has, and tells what was pushed", async () => {
  const pushed: PushedManifest[] = [];
  await using kit = await LocalKit.open({ onPushed: (manifest) => pushed.push(manifest) });
  await kit.pushImage("a", image);
  await kit.pushImage("a", other);
  const index = indexOf([image, other]);
  assert.deepEqual(await kit.registry.putManifest("a", { tag: "multi" }, index), {
    digest: index.digest,
  });
  const found = await kit.registry.manifest(named("a"), { tag: "multi" }, ANY);
  assert.deepEqual(found, index);
  assert.deepEqual(pushed.at(-1), { repository: "a", digest: index.digest, tag: "multi" });
  const only = { ...ANY, accept: [MEDIA_TYPES.ociManifest] };
  assert.equal(await kit.registry.manifest(named("a"), { tag: "multi" }, only), undefined);
});

Deno.test("LocalRegistry lists tags and repositories in pages, in order of bytes", async () => {
  await using kit = await LocalKit.open();
  const { registry } = kit;
  for (const repository of ["b", "a/z", "a"]) await kit.pushImage(repository, image, "v1");
  for (const tag of ["v10", "V2", "v2", "a", "_x"]) {
    await registry.putManifest("a", { tag }, image.manifest);
  }
  const page = (last?: string, count = 2) =>
    registry.tags(named("a"), { count, ...(last === undefined ? {} : { last }) }, {
      signal: NEVER,
    });
  assert.deepEqual(await page(), { items: ["V2", "_x"], hasMore: true });
  assert.deepEqual(await page("_x"), { items: ["a", "v1"], hasMore: true });
  assert.deepEqual(await page("v1"), { items: ["v10", "v2"], hasMore: false });
  assert.deepEqual(await page("zzz"), { items: [], hasMore: false });
  assert.deepEqual((await page(undefined, 0))!.items, []);
  assert.equal(await registry.tags(named("nowhere"), { count: 9 }, { signal: NEVER }), undefined);
  assert.deepEqual(await registry.repositories({ count: 2 }), {
    items: ["a", "a/z"],
    hasMore: true,
  });
  assert.deepEqual(await registry.repositories({ count: 2, last: "a/z" }), {
    items: ["b"],
    hasMore: false,
  });
});

Deno.test("LocalRegistry deletes a tag alone, and a manifest with all its tags", async () => {
  await using kit = await LocalKit.open();
  const { registry } = kit;
  await kit.pushImage("a", image, "1");
  await registry.putManifest("a", { tag: "2" }, image.manifest);
  assert.equal(await registry.deleteManifest("a", { tag: "1" }), true);
  assert.equal(await registry.deleteManifest("a", { tag: "1" }), false);
  assert.ok(await registry.manifest(named("a"), { tag: "2" }, ANY));
  const { digest } = image.manifest;
  assert.equal(await registry.deleteManifest("a", { digest }), true);
  assert.equal(await registry.deleteManifest("a", { digest }), false);
  assert.equal(await registry.manifest(named("a"), { tag: "2" }, ANY), undefined);
  assert.equal(await registry.manifest(named("a"), { digest }, ANY), undefined);
  assert.equal(kit.store.findBySha256(sha256Of(digest)), undefined);
  assert.ok(await pullBlob(registry, "a", image.config.digest));
});

Deno.test("LocalRegistry mounts a blob from the repository named, or from any, and from no other registry", async () => {
  await using kit = await LocalKit.open();
  const { registry, index } = kit;
  const { digest } = image.config;
  assert.equal(await registry.mount("b", digest, "a"), false);
  await kit.pushBlob("a", image.config);
  assert.equal(await registry.mount("b", digest, "c"), false);
  assert.equal(await registry.mount("b", digest, "../a"), false);
  assert.equal(await registry.mount("b", digest, "a"), true);
  assert.equal(await registry.mount("c", digest, undefined), true);
  assert.ok(await pullBlob(registry, "c", digest));
  const pulled = layerOf("pulled");
  await kit.store.importBytes(pulled.bytes, { visibility: "private" });
  index.members.add({ registry: "ghcr.io", repository: "secret" }, pulled.digest, { kind: "blob" });
  assert.equal(await registry.mount("c", pulled.digest, undefined), false);
});

Deno.test("LocalRegistry answers what refers to a manifest, here or not, by type and under the fallback tag", async () => {
  await using kit = await LocalKit.open();
  const { registry } = kit;
  const subject = image.manifest;
  const sbom = artifactOf(subject, { artifactType: "application/x-sbom", text: "sbom" });
  const signature = artifactOf(subject, { artifactType: "application/x-signature", text: "sig" });
  const fallback = { tag: `sha256-${sha256Of(subject.digest)}` };
  assert.deepEqual(await registry.referrers(named("a"), subject.digest, ANY), []);
  assert.equal(await registry.manifest(named("a"), fallback, ANY), undefined);
  await kit.pushArtifact("a", sbom);
  const { digest } = signature.manifest;
  await kit.pushBlob("a", signature.layer);
  assert.deepEqual(await registry.putManifest("a", { digest }, signature.manifest), {
    digest,
    subject: subject.digest,
  });
  const all = await registry.referrers(named("a"), subject.digest, ANY);
  assert.deepEqual(
    all.map((entry) => entry.digest).sort(),
    [sbom.manifest.digest, digest].sort(),
  );
  const typed = await registry.referrers(named("a"), subject.digest, {
    ...ANY,
    artifactType: "application/x-sbom",
  });
  assert.deepEqual(typed.map((entry) => [entry.digest, { ...entry.annotations }]), [
    [sbom.manifest.digest, { "org.example.note": "sbom" }],
  ]);
  const index = await registry.manifest(named("a"), fallback, ANY);
  const listed = parseManifest(index!.mediaType, index!.bytes);
  assert.deepEqual(listed.children.map((entry) => entry.digest), all.map((entry) => entry.digest));
  assert.deepEqual(await registry.referrers(named("b"), subject.digest, ANY), []);
  await registry.deleteManifest("a", { digest });
  assert.equal((await registry.referrers(named("a"), subject.digest, ANY)).length, 1);
  // What a client puts under the tag itself is what the tag gives.
  await kit.pushImage("a", image);
  await registry.putManifest("a", fallback, image.manifest);
  assert.equal((await registry.manifest(named("a"), fallback, ANY))?.digest, subject.digest);
});

Deno.test("LocalRegistry drops blobs that no manifest lists, not before a push had its time", async () => {
  await using kit = await LocalKit.open({ limits: { orphanMs: 1000 } });
  await kit.pushImage("a", image, "1");
  const orphan = layerOf("orphan");
  await kit.pushBlob("a", orphan);
  assert.equal((await kit.registry.tidy()).orphanCount, 0);
  await kit.clock.advance(2000);
  assert.equal((await kit.registry.tidy()).orphanCount, 1);
  assert.equal(await pullBlob(kit.registry, "a", orphan.digest), undefined);
  assert.equal(kit.store.findBySha256(sha256Of(orphan.digest)), undefined);
  assert.ok(await pullBlob(kit.registry, "a", image.layers[0]!.digest));
  await kit.registry.deleteManifest("a", { digest: image.manifest.digest });
  assert.equal((await kit.registry.tidy()).orphanCount, 3);
  assert.equal([...kit.store.list()].length, 0);
});

Deno.test("removeImage() deletes all of an image that nothing else of its repository has", async () => {
  await using kit = await LocalKit.open();
  const { registry } = kit;
  for (const one of [image, other]) await kit.pushImage("a", one);
  const index = indexOf([image, other]);
  await registry.putManifest("a", { tag: "multi" }, index);
  const kept = imageOf([layerOf("three")]);
  await kit.pushImage("a", kept, "kept");
  await registry.putManifest("a", { tag: "arm" }, other.manifest);
  assert.equal(await registry.removeImage("a", index.digest), true);
  assert.equal(await registry.removeImage("a", index.digest), false);
  assert.ok(await registry.manifest(named("a"), { tag: "arm" }, ANY));
  assert.equal(await registry.manifest(named("a"), image.manifest, ANY), undefined);
  assert.equal(await pullBlob(registry, "a", image.layers[1]!.digest), undefined);
  assert.ok(await pullBlob(registry, "a", layerOf("one").digest));
  assert.equal(await registry.removeImage("a", other.manifest.digest), true);
  assert.equal(await pullBlob(registry, "a", layerOf("one").digest), undefined);
  assert.ok(await pullBlob(registry, "a", layerOf("three").digest), "another image has it");
  assert.equal(await registry.removeImage("a", kept.manifest.digest), true);
  assert.equal([...kit.store.list()].length, 0);
});

Deno.test("LocalRegistry has after a restart all that it had, and pins it again if the store forgot", async () => {
  await using kit = await LocalKit.open();
  await kit.pushImage("a", image, "1");
  for (const record of kit.store.list()) kit.store.unpin(record.hash);
  await kit.reopen();
  assert.deepEqual(await kit.registry.manifest(named("a"), { tag: "1" }, ANY), image.manifest);
  assert.ok([...kit.store.list()].every(({ pinned }) => pinned));
  await kit.registry.deleteManifest("a", { digest: image.manifest.digest });
  for (const part of [image.config, ...image.layers]) {
    await kit.registry.deleteBlob("a", part.digest);
  }
  assert.equal([...kit.store.list()].length, 0);
  assert.deepEqual(await kit.registry.repositories({ count: 9 }), { items: [], hasMore: false });
});

Deno.test("A manifest pins what it lists, even what its repository had without a push", async () => {
  await using kit = await LocalKit.open();
  for (const part of [image.config, ...image.layers]) {
    await kit.store.importBytes(part.bytes);
    kit.index.members.add(named("a"), part.digest, { kind: "blob" });
  }
  await kit.reopen();
  assert.ok([...kit.store.list()].every(({ pinned }) => !pinned), "what was fetched is evictable");
  await kit.registry.putManifest("a", { tag: "1" }, image.manifest);
  assert.ok([...kit.store.list()].every(({ pinned }) => pinned), "what was pushed is not");
});

Deno.test("LocalRegistry is as if a blob were not there when the store lost it, and takes it again", async () => {
  await using kit = await LocalKit.open();
  await kit.pushImage("a", image, "1");
  const layer = image.layers[0]!;
  await kit.store.remove(kit.store.findBySha256(sha256Of(layer.digest))!.hash);
  assert.equal(await pullBlob(kit.registry, "a", layer.digest), undefined);
  assert.equal(await kit.registry.mount("b", layer.digest, "a"), false);
  await kit.store.remove(kit.store.findBySha256(sha256Of(image.manifest.digest))!.hash);
  assert.equal(await kit.registry.manifest(named("a"), { tag: "1" }, ANY), undefined);
  await kit.pushImage("a", image, "1");
  assert.deepEqual(await pullBlob(kit.registry, "a", layer.digest), layer.bytes);
  assert.ok(await kit.registry.manifest(named("a"), { tag: "1" }, ANY));
});

Deno.test("LocalRegistry takes the same layers from many clients at one time, over a store on disk", async () => {
  using directory = new TemporaryDirectory();
  await using kit = await LocalKit.open({ store: await openStore(directory.path) });
  const shared = layerOf("shared", 200_000);
  const images = ["a", "b", "c"].map((text) => imageOf([shared, layerOf(text, 30_000)]));
  await Promise.all(
    ["one", "two", "two", "three/four"].flatMap((repository, client) =>
      images.map((one, at) => kit.pushImage(repository, one, `t${client}-${at}`))
    ),
  );
  for (const [at, one] of images.entries()) {
    for (const repository of ["one", "two", "three/four"]) {
      const client = repository === "one" ? 0 : repository === "two" ? 2 : 3;
      const tag = `t${client}-${at}`;
      const found = await kit.registry.manifest(named(repository), { tag }, ANY);
      assert.equal(found?.digest, one.manifest.digest);
      for (const { digest, bytes } of [one.config, ...one.layers]) {
        assert.deepEqual(await pullBlob(kit.registry, repository, digest), bytes);
      }
    }
  }
  assert.equal(kit.store.usage().blobCount, 1 + 3 * 3, "each blob lies in the store once");
  assert.deepEqual(kit.uploadFiles, []);
});
