import assert from "node:assert/strict";
import { utf8 } from "../../../../src/core/bytes.ts";
import { testBytes } from "../../fetch/fakes.ts";
import {
  digestBytes,
  GET,
  HEAD,
  imageOf,
  indexOf,
  LINUX,
  NGINX,
  readAll,
  sha256Of,
  until,
  world,
} from "./kit.ts";

const IMAGE = imageOf(testBytes(300_000, 1), testBytes(200_000, 2));
const BY_DIGEST = { digest: IMAGE.digest } as const;
const MINUTE = 60_000;

function begun(...args: Parameters<typeof world>) {
  const at = world(...args);
  at.hub.put("library/nginx", IMAGE, "latest");
  return at;
}

Deno.test("A manifest whose registry lacks one of its blobs is not answered, neither to GET nor to HEAD", async () => {
  await using at = begun();
  at.hub.remove("library/nginx", IMAGE.layers[1]!);
  assert.equal(await at.mirror.manifest(NGINX, BY_DIGEST, GET), undefined);
  assert.equal(await at.mirror.manifest(NGINX, { tag: "latest" }, HEAD), undefined);
  const refused = at.events.filter((event) => event.type === "refused");
  assert.match(refused[0]!.reason, /no source could be confirmed/);
});

Deno.test("A manifest is answered when peers hold the blobs that its registry does not give", async () => {
  await using at = begun();
  at.hub.remove("library/nginx", IMAGE.layers[1]!);
  await at.swarm.add("peer", [IMAGE.blobs.get(IMAGE.layers[1]!)!]);
  assert.equal((await at.mirror.manifest(NGINX, BY_DIGEST, GET))?.digest, IMAGE.digest);
});

Deno.test("A blob that its registry has in another size is not confirmed by that", async () => {
  await using at = world();
  const blobs = new Map(IMAGE.blobs);
  blobs.set(IMAGE.layers[0]!, testBytes(299_999, 1));
  at.hub.put("library/nginx", { ...IMAGE, blobs }, "latest");
  assert.equal(await at.mirror.manifest(NGINX, BY_DIGEST, GET), undefined);
});

Deno.test("When peers say at once that they hold all, the registry is not asked about blobs", async () => {
  await using at = begun();
  await at.swarm.add("peer", [IMAGE.manifest, ...IMAGE.blobs.values()]);
  assert.ok(await at.mirror.manifest(NGINX, BY_DIGEST, GET) !== undefined);
  assert.equal(at.hub.count("blob"), 0);
});

Deno.test("A source that was confirmed counts for ten minutes, and then is asked again", async () => {
  await using at = begun();
  assert.ok(await at.mirror.manifest(NGINX, BY_DIGEST, GET) !== undefined);
  at.hub.weather.isDown = true;
  at.clock.shift(9 * MINUTE);
  assert.ok(await at.mirror.manifest(NGINX, BY_DIGEST, GET) !== undefined);
  at.clock.shift(2 * MINUTE);
  assert.equal(await at.mirror.manifest(NGINX, BY_DIGEST, GET), undefined);
  at.hub.weather.isDown = false;
  assert.ok(await at.mirror.manifest(NGINX, BY_DIGEST, GET) !== undefined);
});

Deno.test("What is complete here needs nobody, however long ago it came", async () => {
  await using at = begun();
  await at.mirror.manifest(NGINX, BY_DIGEST, GET);
  for (const digest of IMAGE.blobs.keys()) await readAll(await at.mirror.blob(NGINX, digest, GET));
  at.hub.weather.isDown = true;
  at.clock.shift(30 * 24 * 60 * MINUTE);
  assert.deepEqual((await at.mirror.manifest(NGINX, BY_DIGEST, GET))?.bytes, IMAGE.manifest);
  for (const [digest, bytes] of IMAGE.blobs) {
    assert.deepEqual(await readAll(await at.mirror.blob(NGINX, digest, GET)), bytes);
  }
});

Deno.test("A blob that failed to come is confirmed anew before its manifest is answered again", async () => {
  await using at = begun();
  await at.mirror.manifest(NGINX, BY_DIGEST, GET);
  at.hub.weather.isDown = true;
  assert.equal(await at.mirror.blob(NGINX, IMAGE.layers[0]!, GET), undefined);
  assert.equal(await at.mirror.manifest(NGINX, BY_DIGEST, GET), undefined);
});

Deno.test("A blob of which the registry gave wrong bytes is not confirmed by it for ten minutes, but by a peer", async () => {
  await using at = begun();
  const [layer] = IMAGE.layers;
  await at.mirror.manifest(NGINX, BY_DIGEST, GET);
  at.hub.weather.corrupts = true;
  assert.equal(await at.mirror.blob(NGINX, layer!, GET), undefined);
  at.hub.weather.corrupts = false;
  assert.equal(await at.mirror.manifest(NGINX, BY_DIGEST, GET), undefined);
  await at.swarm.add("peer", [IMAGE.blobs.get(layer!)!]);
  at.clock.shift(MINUTE);
  assert.ok(await at.mirror.manifest(NGINX, BY_DIGEST, GET) !== undefined);
});

Deno.test("A registry that gave wrong bytes is believed again after ten minutes", async () => {
  await using at = begun();
  const [layer] = IMAGE.layers;
  await at.mirror.manifest(NGINX, BY_DIGEST, GET);
  at.hub.weather.corrupts = true;
  assert.equal(await at.mirror.blob(NGINX, layer!, GET), undefined);
  at.hub.weather.corrupts = false;
  at.clock.shift(9 * MINUTE);
  assert.equal(await at.mirror.manifest(NGINX, BY_DIGEST, GET), undefined);
  at.clock.shift(2 * MINUTE);
  assert.ok(await at.mirror.manifest(NGINX, BY_DIGEST, GET) !== undefined);
});

Deno.test("A manifest whose blobs do not fit into the store is left to the client", async () => {
  await using at = begun({ quotaBytes: 400_000 });
  assert.equal(await at.mirror.manifest(NGINX, BY_DIGEST, GET), undefined);
  const small = imageOf(testBytes(100_000, 3));
  at.hub.put("library/nginx", small);
  assert.ok(await at.mirror.manifest(NGINX, { digest: small.digest }, GET) !== undefined);
});

Deno.test("Many clients asking for one manifest confirm each of its blobs once", async () => {
  await using at = begun();
  await Promise.all(Array.from({ length: 30 }, () => at.mirror.manifest(NGINX, BY_DIGEST, GET)));
  for (const digest of IMAGE.blobs.keys()) assert.equal(at.hub.count(`HEAD blob ${digest}`), 1);
});

Deno.test("After a GET of a manifest its blobs are fetched ahead, each once, and the image is kept for the fleet", async () => {
  await using at = begun({ policy: { prefetches: true } });
  await at.mirror.manifest(NGINX, { tag: "latest" }, HEAD);
  assert.equal(at.mirror.fetchingCount, 0, "a HEAD fetches nothing");
  await Promise.all([1, 2].map(() => at.mirror.manifest(NGINX, { tag: "latest" }, GET)));
  const reading = [...IMAGE.blobs].map(async ([digest, bytes]) => {
    assert.deepEqual(await readAll(await at.mirror.blob(NGINX, digest, GET)), bytes);
  });
  await Promise.all(reading);
  await until(() => at.kept.length > 0, "the image is kept");
  assert.deepEqual(at.kept, [
    { name: "docker.io/library/nginx", digest: IMAGE.digest, visibility: "fleet" },
  ]);
  for (const digest of IMAGE.blobs.keys()) {
    assert.equal(at.hub.count(`GET blob ${digest}`), 1);
    assert.equal(at.store.findBySha256(sha256Of(digest))?.visibility, "fleet");
  }
});

Deno.test("An image is kept when clients brought its last blob, also where nothing is fetched ahead", async () => {
  await using at = begun();
  await at.mirror.manifest(NGINX, BY_DIGEST, GET);
  const [first, ...rest] = IMAGE.blobs.keys();
  for (const digest of rest) await readAll(await at.mirror.blob(NGINX, digest, GET));
  assert.deepEqual(at.kept, []);
  await readAll(await at.mirror.blob(NGINX, first!, GET));
  await until(() => at.kept.length === 1, "the image is kept");
});

Deno.test("Of an index the platform that is pulled alone is fetched, and kept as a part of the index", async () => {
  await using at = world({ policy: { prefetches: true, visibility: "public" } });
  const arm = imageOf(testBytes(150_000, 7));
  const index = indexOf([[LINUX, IMAGE], [{ os: "linux", architecture: "arm64" }, arm]]);
  for (const image of [IMAGE, arm]) at.hub.put("library/nginx", image);
  at.hub.put("library/nginx", index, "multi");
  await at.mirror.manifest(NGINX, { tag: "multi" }, GET);
  await at.mirror.manifest(NGINX, BY_DIGEST, GET);
  await until(() => at.kept.length > 0, "the image is kept");
  assert.deepEqual(at.kept, [
    { name: "docker.io/library/nginx", digest: index.digest, visibility: "public" },
  ]);
  for (const digest of arm.blobs.keys()) assert.equal(at.hub.count(digest), 0);
});

Deno.test("With the policy none what is pulled is seen by nobody else", async () => {
  await using at = begun({ policy: { prefetches: true, visibility: "none" } });
  await at.mirror.manifest(NGINX, BY_DIGEST, GET);
  await until(() => at.kept.length > 0, "the image is kept");
  assert.equal(at.kept[0]!.visibility, "private");
  for (const digest of [IMAGE.digest, ...IMAGE.blobs.keys()]) {
    assert.equal(at.store.findBySha256(sha256Of(digest))?.visibility, "private");
  }
});

Deno.test("An artifact that lists an empty layer is answered like an image", async () => {
  await using at = begun();
  const chart = imageOf(utf8("{}"));
  at.hub.put("library/chart", chart, "1");
  const name = { registry: "docker.io", repository: "library/chart" };
  assert.ok(await at.mirror.manifest(name, { tag: "1" }, GET) !== undefined);
  assert.deepEqual(
    await readAll(await at.mirror.blob(name, digestBytes(utf8("{}")), GET)),
    Uint8Array.from(utf8("{}")),
  );
});
