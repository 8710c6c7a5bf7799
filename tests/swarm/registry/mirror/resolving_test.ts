import assert from "node:assert/strict";
import { LOCAL_REGISTRY } from "../../../../swarm/registry/index/mod.ts";
import { MEDIA_TYPES } from "../../../../swarm/registry/manifest/mod.ts";
import { testBytes } from "../../fetch/fakes.ts";
import { GET, HEAD, imageOf, indexOf, LINUX, NGINX, sha256Of, world } from "./kit.ts";

const IMAGE = imageOf(testBytes(40_000, 1));
const NEWER = imageOf(testBytes(40_000, 2));
const LATEST = { tag: "latest" } as const;

function begun(...args: Parameters<typeof world>) {
  const at = world(...args);
  at.hub.put("library/nginx", IMAGE, "latest");
  return at;
}

Deno.test("A tag is asked of its registry once, and then answered from memory for its cache time", async () => {
  await using at = begun();
  for (let time = 0; time < 3; time++) {
    const found = await at.mirror.manifest(NGINX, LATEST, GET);
    assert.equal(found?.digest, IMAGE.digest);
    assert.deepEqual(found.bytes, IMAGE.manifest);
    assert.equal(found.mediaType, IMAGE.mediaType);
    assert.equal(found.isStale, undefined);
  }
  assert.deepEqual(at.hub.asked.filter((one) => one.includes("manifest")), [
    "HEAD manifest latest",
    `GET manifest ${IMAGE.digest}`,
  ]);
});

Deno.test("After its cache time a tag is asked about again, by its ETag, and follows its registry", async () => {
  await using at = begun();
  await at.mirror.manifest(NGINX, LATEST, GET);
  at.clock.shift(61_000);
  assert.equal((await at.mirror.manifest(NGINX, LATEST, GET))?.digest, IMAGE.digest);
  assert.equal(at.hub.count("HEAD manifest latest"), 2);
  assert.equal(
    at.hub.count(`GET manifest ${IMAGE.digest}`),
    1,
    "unchanged bytes do not come again",
  );
  at.hub.put("library/nginx", NEWER, "latest");
  assert.equal((await at.mirror.manifest(NGINX, LATEST, GET))?.digest, IMAGE.digest);
  at.clock.shift(61_000);
  assert.equal((await at.mirror.manifest(NGINX, LATEST, GET))?.digest, NEWER.digest);
});

Deno.test("A clock that was set back does not keep a tag where it was", async () => {
  await using at = begun();
  await at.mirror.manifest(NGINX, LATEST, GET);
  at.hub.put("library/nginx", NEWER, "latest");
  at.clock.shift(-3_600_000);
  assert.equal((await at.mirror.manifest(NGINX, LATEST, GET))?.digest, NEWER.digest);
});

Deno.test("What a signed catalog pins is answered without asking the registry where the tag points", async () => {
  await using at = begun({ pins: { pinOf: () => NEWER.digest, mappingOf: () => undefined } });
  at.hub.put("library/nginx", NEWER);
  assert.equal((await at.mirror.manifest(NGINX, LATEST, GET))?.digest, NEWER.digest);
  assert.equal(at.hub.count("manifest latest"), 0);
});

Deno.test("While a registry is down the last good answer for a tag is given, and marked stale", async () => {
  await using at = begun();
  await at.mirror.manifest(NGINX, LATEST, GET);
  for (const digest of IMAGE.blobs.keys()) await at.mirror.blob(NGINX, digest, GET);
  at.hub.weather.isDown = true;
  at.clock.shift(3_600_000);
  const found = await at.mirror.manifest(NGINX, LATEST, GET);
  assert.equal(found?.digest, IMAGE.digest);
  assert.equal(found.isStale, true);
  assert.equal(await at.mirror.manifest(NGINX, { tag: "other" }, GET), undefined);
});

Deno.test("A registry that does not answer is waited for no longer than a moment when the last answer is known", async () => {
  await using at = begun({ limits: { upstreamMs: 30_000 } });
  await at.mirror.manifest(NGINX, LATEST, GET);
  for (const digest of IMAGE.blobs.keys()) await at.mirror.blob(NGINX, digest, GET);
  at.hub.weather.hangs = true;
  at.clock.shift(61_000);
  const startMs = performance.now();
  const found = await at.mirror.manifest(NGINX, LATEST, GET);
  assert.equal(found?.isStale, true);
  assert.ok(performance.now() - startMs < 10_000, `${performance.now() - startMs} ms`);
});

Deno.test("A registry that limits us is treated as one that is down: stale if known, else 404", async () => {
  await using at = begun();
  at.hub.weather.limits = true;
  assert.equal(await at.mirror.manifest(NGINX, LATEST, GET), undefined);
  at.hub.weather.limits = false;
  await at.mirror.manifest(NGINX, LATEST, GET);
  for (const digest of IMAGE.blobs.keys()) await at.mirror.blob(NGINX, digest, GET);
  at.hub.weather.limits = true;
  at.clock.shift(61_000);
  assert.equal((await at.mirror.manifest(NGINX, LATEST, GET))?.isStale, true);
});

Deno.test("Peers never resolve a tag, whatever they have", async () => {
  await using at = world();
  await at.swarm.add("peer", [IMAGE.manifest, ...IMAGE.blobs.values()], { isTrusted: true });
  assert.equal(await at.mirror.manifest(NGINX, LATEST, GET), undefined);
  assert.deepEqual(at.swarm.found, []);
});

Deno.test("A tag that its registry took away is gone here, too, and does not come back stale", async () => {
  await using at = begun();
  await at.mirror.manifest(NGINX, LATEST, GET);
  at.hub.untag("library/nginx", "latest");
  at.clock.shift(61_000);
  assert.equal(await at.mirror.manifest(NGINX, LATEST, GET), undefined);
  at.hub.weather.isDown = true;
  assert.equal(await at.mirror.manifest(NGINX, LATEST, GET), undefined);
});

Deno.test("Many clients asking for one tag ask its registry once", async () => {
  await using at = begun();
  const found = await Promise.all(
    Array.from({ length: 40 }, () => at.mirror.manifest(NGINX, LATEST, GET)),
  );
  assert.ok(found.every((one) => one?.digest === IMAGE.digest));
  assert.equal(at.hub.count("manifest latest"), 1);
  assert.equal(at.hub.count(`GET manifest ${IMAGE.digest}`), 1);
});

Deno.test("A client that goes away while a tag is resolved spoils it for nobody", async () => {
  await using at = begun();
  const leaving = new AbortController();
  const first = at.mirror.manifest(NGINX, LATEST, { ...GET, signal: leaving.signal });
  const second = at.mirror.manifest(NGINX, LATEST, GET);
  leaving.abort(new Error("gone"));
  await assert.rejects(first, /gone/);
  assert.equal((await second)?.digest, IMAGE.digest);
});

Deno.test("HEAD brings the manifest's bytes first, so that the GET by digest after it never fails", async () => {
  await using at = begun();
  assert.equal((await at.mirror.manifest(NGINX, LATEST, HEAD))?.digest, IMAGE.digest);
  assert.equal(at.store.findBySha256(sha256Of(IMAGE.digest))?.state, "complete");
  at.hub.weather.isDown = true;
  const again = await at.mirror.manifest(NGINX, { digest: IMAGE.digest }, GET);
  assert.deepEqual(again?.bytes, IMAGE.manifest);
});

Deno.test("A manifest that a client does not take is not there for it", async () => {
  await using at = begun();
  const accept = [MEDIA_TYPES.dockerManifest];
  assert.equal(await at.mirror.manifest(NGINX, LATEST, { ...GET, accept }), undefined);
  for (const taken of [[IMAGE.mediaType], ["*/*"], [MEDIA_TYPES.ociIndex, IMAGE.mediaType]]) {
    assert.ok(await at.mirror.manifest(NGINX, LATEST, { ...GET, accept: taken }) !== undefined);
  }
});

Deno.test("A registry that is not mirrored, and the one of pushed images, are 404 without a request", async () => {
  await using at = begun();
  for (const registry of ["evil.example", LOCAL_REGISTRY]) {
    const name = { registry, repository: "library/nginx" };
    assert.equal(await at.mirror.manifest(name, LATEST, GET), undefined);
    assert.equal(await at.mirror.blob(name, IMAGE.digest, GET), undefined);
    assert.equal(await at.mirror.tags(name, { count: 10 }, GET), undefined);
    assert.deepEqual(await at.mirror.referrers(name, IMAGE.digest, GET), []);
  }
  assert.deepEqual(at.hub.asked, []);
});

Deno.test("An index needs its own bytes alone", async () => {
  await using at = world();
  const index = indexOf([[LINUX, IMAGE]]);
  at.hub.put("library/nginx", index, "multi");
  assert.equal((await at.mirror.manifest(NGINX, { tag: "multi" }, GET))?.digest, index.digest);
  assert.equal(at.hub.count("blob"), 0);
});

Deno.test("A manifest by digest comes from peers before its registry is asked for it", async () => {
  await using at = begun();
  await at.swarm.add("peer", [IMAGE.manifest, ...IMAGE.blobs.values()]);
  assert.equal((await at.mirror.manifest(NGINX, LATEST, GET))?.digest, IMAGE.digest);
  assert.equal(at.hub.count("GET manifest"), 0);
  assert.equal(at.swarm.fetched.length, 1);
});

Deno.test("A peer that lies about a manifest is banned, and its registry gives the true one", async () => {
  await using at = begun();
  const liar = await at.swarm.add("liar", [NEWER.manifest]);
  const sha256 = sha256Of(IMAGE.digest);
  const [said] = liar.says.values();
  liar.says.set(sha256, { ...said!, sha256 });
  const found = await at.mirror.manifest(NGINX, { digest: IMAGE.digest }, GET);
  assert.deepEqual(found?.bytes, IMAGE.manifest);
  assert.deepEqual(at.swarm.banned, ["liar"]);
  assert.equal(at.store.status(said!.hash), undefined, "the lie is not kept");
});

Deno.test("A registry that sends another manifest than the digest names is not believed", async () => {
  await using at = world();
  at.hub.put("library/nginx", { ...IMAGE, manifest: NEWER.manifest });
  assert.equal(await at.mirror.manifest(NGINX, { digest: IMAGE.digest }, GET), undefined);
  assert.equal(at.store.findBySha256(sha256Of(NEWER.digest)), undefined);
});

Deno.test("What nobody has is 404 quickly, also while the registry hangs", async () => {
  await using at = world({ limits: { upstreamMs: 300 } });
  at.hub.weather.hangs = true;
  const startMs = performance.now();
  assert.equal(await at.mirror.manifest(NGINX, { digest: IMAGE.digest }, GET), undefined);
  assert.equal(await at.mirror.manifest(NGINX, LATEST, GET), undefined);
  assert.ok(performance.now() - startMs < 5000, `${performance.now() - startMs} ms`);
});
