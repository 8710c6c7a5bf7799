import assert from "node:assert/strict";
import { LOCAL_REGISTRY } from "../../../../swarm/registry/index/mod.ts";
import { testBytes } from "../../fetch/fakes.ts";
import {
  digestBytes,
  GET,
  HEAD,
  imageOf,
  NGINX,
  readAll,
  SECRET,
  sha256Of,
  until,
  type World,
  world,
} from "./kit.ts";

const IMAGE = imageOf(testBytes(120_000, 1));
const BY_DIGEST = { digest: IMAGE.digest } as const;
const LAYER = IMAGE.layers[0]!;
const OTHER = { registry: "ghcr.io", repository: "acme/other" };
const HOUR = 60 * 60_000;

/** A mirror that pulled a private image with this node's credential. */
async function pulled(...args: Parameters<typeof world>): Promise<World> {
  const at = world(...args);
  at.ghcr.withCredential.add(SECRET.repository);
  at.ghcr.put(SECRET.repository, IMAGE, "v1");
  assert.ok(await at.mirror.manifest(SECRET, { tag: "v1" }, GET) !== undefined);
  for (const [digest, bytes] of IMAGE.blobs) {
    assert.deepEqual(await readAll(await at.mirror.blob(SECRET, digest, GET)), bytes);
  }
  return at;
}

Deno.test("What only our credential may pull is private in the store, unless the operator shares it with the fleet", async () => {
  for (const privateVisibility of ["private", "fleet"] as const) {
    await using at = await pulled({ policy: { privateVisibility, visibility: "public" } });
    for (const digest of [IMAGE.digest, ...IMAGE.blobs.keys()]) {
      assert.equal(at.store.findBySha256(sha256Of(digest))?.visibility, privateVisibility);
    }
    await until(() => at.kept.length > 0, "the image is kept");
    assert.equal(at.kept[0]!.visibility, privateVisibility);
  }
});

Deno.test("Private content is answered for no other repository, on the same registry or another, although it is here", async () => {
  await using at = await pulled();
  for (const name of [NGINX, OTHER]) {
    for (const options of [GET, HEAD]) {
      assert.equal(await at.mirror.manifest(name, BY_DIGEST, options), undefined);
      assert.equal(await at.mirror.blob(name, LAYER, options), undefined);
      assert.equal(await at.mirror.blob(name, IMAGE.digest, options), undefined);
    }
  }
});

Deno.test("Nor while the other repository's registry is down, limits us, or hangs", async () => {
  for (const weather of [{ isDown: true }, { limits: true }, { hangs: true }]) {
    await using at = await pulled({ limits: { upstreamMs: 100 } });
    Object.assign(at.hub.weather, weather);
    assert.equal(await at.mirror.manifest(NGINX, BY_DIGEST, GET), undefined);
    assert.equal(await at.mirror.blob(NGINX, LAYER, GET), undefined);
  }
});

Deno.test("Within the hour private content is answered without asking; after it, only once the registry took the credential again", async () => {
  await using at = await pulled();
  at.clock.shift(HOUR - 60_000);
  const askedBefore = at.ghcr.asked.length;
  assert.ok(await at.mirror.manifest(SECRET, BY_DIGEST, GET) !== undefined);
  assert.deepEqual(await readAll(await at.mirror.blob(SECRET, LAYER, GET)), IMAGE.blobs.get(LAYER));
  assert.equal(at.ghcr.asked.length, askedBefore);
  at.clock.shift(120_000);
  assert.ok(await at.mirror.blob(SECRET, LAYER, GET) !== undefined);
  assert.equal(at.ghcr.count(`HEAD blob ${LAYER}`), 2, "once to confirm it, once to be authorised");
  assert.ok(await at.mirror.manifest(SECRET, BY_DIGEST, GET) !== undefined);
});

Deno.test("After the hour nothing private is answered while its registry is down or refuses us", async () => {
  for (const weather of [{ isDown: true }, { denies: true }, { limits: true }]) {
    await using at = await pulled();
    at.clock.shift(HOUR + 1000);
    Object.assign(at.ghcr.weather, weather);
    assert.equal(await at.mirror.manifest(SECRET, BY_DIGEST, GET), undefined);
    assert.equal(await at.mirror.manifest(SECRET, { tag: "v1" }, GET), undefined);
    assert.equal(await at.mirror.blob(SECRET, LAYER, GET), undefined);
  }
});

Deno.test("A clock that was set back does not make an authorisation last", async () => {
  await using at = await pulled();
  at.ghcr.weather.isDown = true;
  at.clock.shift(-24 * HOUR);
  assert.equal(await at.mirror.blob(SECRET, LAYER, GET), undefined);
});

Deno.test("A refusal counts from that moment on, within the hour, too, and is a 404 to the client", async () => {
  await using at = await pulled({ policy: { tagCacheMs: 0 } });
  at.ghcr.weather.denies = true;
  assert.equal(await at.mirror.manifest(SECRET, { tag: "v1" }, GET), undefined);
  assert.equal(await at.mirror.manifest(SECRET, BY_DIGEST, GET), undefined);
  assert.equal(await at.mirror.blob(SECRET, LAYER, GET), undefined);
});

Deno.test("A 401 of a registry that we have no login for is a 404, and nothing is kept", async () => {
  await using at = world();
  at.hub.put("library/nginx", IMAGE, "latest");
  at.hub.weather.denies = true;
  assert.equal(await at.mirror.manifest(NGINX, { tag: "latest" }, GET), undefined);
  assert.equal(await at.mirror.manifest(NGINX, BY_DIGEST, GET), undefined);
  assert.equal(await at.mirror.blob(NGINX, LAYER, GET), undefined);
  assert.equal(at.store.usage().blobCount, 0);
});

Deno.test("Fleet members do not help around a refusal: what they give is not answered", async () => {
  await using at = world();
  await at.swarm.add("member", [IMAGE.manifest, ...IMAGE.blobs.values()], { isTrusted: true });
  at.hub.weather.denies = true;
  assert.equal(await at.mirror.manifest(NGINX, BY_DIGEST, GET), undefined);
  assert.equal(await at.mirror.blob(NGINX, LAYER, GET), undefined);
});

Deno.test("A repository that really has the same blob gets it, and from then on it is open", async () => {
  await using at = await pulled();
  at.hub.put("library/nginx", IMAGE, "latest");
  assert.ok(await at.mirror.manifest(NGINX, { tag: "latest" }, GET) !== undefined);
  assert.deepEqual(await readAll(await at.mirror.blob(NGINX, LAYER, GET)), IMAGE.blobs.get(LAYER));
  assert.equal(at.hub.count(`GET blob ${LAYER}`), 0, "its bytes were here");
});

Deno.test("Listing a private blob in a manifest of one's own does not give it away", async () => {
  await using at = await pulled();
  // A registry that takes manifests whose blobs it does not have.
  const bait = { ...IMAGE, blobs: new Map() };
  at.hub.put("mallory/bait", bait, "latest");
  const name = { registry: "docker.io", repository: "mallory/bait" };
  assert.equal(await at.mirror.manifest(name, { tag: "latest" }, GET), undefined);
  assert.equal(await at.mirror.blob(name, LAYER, GET), undefined);
});

Deno.test("What was pushed here privately is answered for no registry's name", async () => {
  await using at = world();
  const bytes = testBytes(5000, 9);
  await at.store.importBytes(bytes, { visibility: "private" });
  const digest = digestBytes(bytes);
  at.index.members.add({ registry: LOCAL_REGISTRY, repository: "app" }, digest, { kind: "blob" });
  assert.equal(await at.mirror.blob(NGINX, digest, GET), undefined);
  at.hub.weather.isDown = true;
  assert.equal(await at.mirror.blob(NGINX, digest, GET), undefined);
});

Deno.test("A manifest elsewhere that lists what was pushed here does not get it, until its registry says that it has it", async () => {
  await using at = world();
  for (const bytes of IMAGE.blobs.values()) {
    await at.store.importBytes(bytes, { visibility: "private" });
    const name = { registry: LOCAL_REGISTRY, repository: "app" };
    at.index.members.add(name, digestBytes(bytes), { kind: "blob" });
  }
  at.hub.put("library/nginx", { ...IMAGE, blobs: new Map() }, "latest");
  assert.equal(await at.mirror.manifest(NGINX, { tag: "latest" }, GET), undefined);
  assert.equal(await at.mirror.blob(NGINX, LAYER, GET), undefined);
  at.hub.put("library/nginx", IMAGE, "latest");
  assert.ok(await at.mirror.manifest(NGINX, { tag: "latest" }, GET) !== undefined);
  assert.deepEqual(await readAll(await at.mirror.blob(NGINX, LAYER, GET)), IMAGE.blobs.get(LAYER));
  assert.equal(at.hub.count("GET blob"), 0, "its bytes were here");
});

Deno.test("Public content that is here is answered while its registry is down, for a repository that lists it", async () => {
  await using at = world();
  at.hub.put("library/nginx", IMAGE, "latest");
  await at.mirror.manifest(NGINX, { tag: "latest" }, GET);
  await readAll(await at.mirror.blob(NGINX, LAYER, GET));
  at.hub.weather.isDown = true;
  at.clock.shift(30 * 24 * HOUR);
  assert.deepEqual(await readAll(await at.mirror.blob(NGINX, LAYER, GET)), IMAGE.blobs.get(LAYER));
});

Deno.test("With its registry switched off an image is pulled by digest from peers alone", async () => {
  await using at = world();
  at.hub.weather.isDown = true;
  await at.swarm.add("peer", [IMAGE.manifest, ...IMAGE.blobs.values()]);
  assert.ok(await at.mirror.manifest(NGINX, BY_DIGEST, GET) !== undefined);
  for (const [digest, bytes] of IMAGE.blobs) {
    assert.deepEqual(await readAll(await at.mirror.blob(NGINX, digest, GET)), bytes);
  }
});

Deno.test("In the mode miss-404 a registry is asked nothing, and nothing of it is kept that peers do not have", async () => {
  await using at = world({ policy: { modeOf: () => "miss-404" } });
  at.hub.put("library/nginx", IMAGE, "latest");
  assert.equal(await at.mirror.manifest(NGINX, { tag: "latest" }, GET), undefined);
  assert.equal(await at.mirror.manifest(NGINX, BY_DIGEST, GET), undefined);
  assert.equal(await at.mirror.blob(NGINX, LAYER, GET), undefined);
  assert.equal(await at.mirror.tags(NGINX, { count: 5 }, GET), undefined);
  assert.deepEqual(await at.mirror.referrers(NGINX, IMAGE.digest, GET), []);
  assert.equal(at.store.usage().blobCount, 0);
  await at.swarm.add("peer", [IMAGE.manifest, ...IMAGE.blobs.values()]);
  at.clock.shift(60_000);
  assert.ok(await at.mirror.manifest(NGINX, BY_DIGEST, GET) !== undefined);
  assert.deepEqual(await readAll(await at.mirror.blob(NGINX, LAYER, GET)), IMAGE.blobs.get(LAYER));
  assert.deepEqual(at.hub.asked, []);
});

Deno.test("Lists tell nothing of a private repository once its authorisation is old", async () => {
  await using at = await pulled();
  at.ghcr.put(SECRET.repository, IMAGE, "v2");
  assert.deepEqual((await at.mirror.tags(SECRET, { count: 9 }, GET))?.items, ["v1", "v2"]);
  at.ghcr.weather.isDown = true;
  assert.deepEqual((await at.mirror.tags(SECRET, { count: 9 }, GET))?.items, ["v1"]);
  at.clock.shift(HOUR + 1000);
  assert.equal(await at.mirror.tags(SECRET, { count: 9 }, GET), undefined);
});

Deno.test("What was had without a credential stays open when a login is added later and the registry is down", async () => {
  await using at = world();
  at.hub.put("library/nginx", IMAGE, "latest");
  await at.mirror.manifest(NGINX, { tag: "latest" }, GET);
  for (const digest of IMAGE.blobs.keys()) await readAll(await at.mirror.blob(NGINX, digest, GET));
  at.hub.withCredential.add("library/nginx");
  at.hub.weather.isDown = true;
  at.clock.shift(2 * HOUR);
  assert.ok(await at.mirror.manifest(NGINX, { tag: "latest" }, GET) !== undefined);
  for (const [digest, bytes] of IMAGE.blobs) {
    assert.deepEqual(await readAll(await at.mirror.blob(NGINX, digest, GET)), bytes);
  }
});

Deno.test("Repositories are listed by the images that are kept of them, private ones within their hour alone", async () => {
  await using at = await pulled();
  const image = { collection: (await at.store.importBytes(testBytes(9, 9))).hash, platforms: [] };
  const common = { ...image, digest: IMAGE.digest, visibility: "fleet" as const, size: 1 };
  for (const name of [SECRET, NGINX, { registry: LOCAL_REGISTRY, repository: "app" }]) {
    at.index.images.put(name, common, []);
  }
  const page = { count: 10 };
  const all = ["docker.io/library/nginx", "ghcr.io/acme/secret"];
  assert.deepEqual(await at.mirror.repositories(page), { items: all, hasMore: false });
  assert.deepEqual(await at.mirror.repositories({ count: 1 }), {
    items: all.slice(0, 1),
    hasMore: true,
  });
  assert.deepEqual((await at.mirror.repositories({ count: 5, last: all[0]! })).items, all.slice(1));
  at.clock.shift(HOUR + 1000);
  assert.deepEqual((await at.mirror.repositories(page)).items, all.slice(0, 1));
});

Deno.test("Referrers are those of the registry and those known here, each once; none is an empty list", async () => {
  await using at = world();
  const { digest } = IMAGE;
  assert.deepEqual(await at.mirror.referrers(NGINX, digest, GET), []);
  const one = { mediaType: IMAGE.mediaType, digest: digestBytes(testBytes(3, 1)), size: 3 };
  at.hub.referring.set(`library/nginx@${digest}`, [one, one]);
  assert.deepEqual(await at.mirror.referrers(NGINX, digest, GET), [one]);
  at.hub.weather.isDown = true;
  assert.deepEqual(await at.mirror.referrers(NGINX, digest, GET), []);
});

const BAIT = { registry: "docker.io", repository: "mallory/bait" };

/** A repository of a stranger whose manifest lists `IMAGE`'s layer, which the stranger does not have. */
function putBait(at: World): void {
  const blobs = [...IMAGE.blobs].filter(([digest]) => digest !== LAYER);
  at.hub.put(BAIT.repository, { ...IMAGE, blobs: new Map(blobs) }, "latest");
}

Deno.test("What was added here for this node or its fleet is not given away by a manifest that lists it", async () => {
  for (const visibility of ["private", "fleet"] as const) {
    for (const isLoggedIn of [false, true]) {
      await using at = world();
      await at.store.importBytes(IMAGE.blobs.get(LAYER)!, { visibility });
      if (isLoggedIn) at.hub.withCredential.add(BAIT.repository);
      putBait(at);
      assert.equal(await at.mirror.manifest(BAIT, { tag: "latest" }, GET), undefined);
      assert.equal(await at.mirror.blob(BAIT, LAYER, GET), undefined);
      at.hub.put(BAIT.repository, IMAGE, "latest");
      assert.ok(await at.mirror.manifest(BAIT, { tag: "latest" }, GET) !== undefined);
      const brought = await readAll(await at.mirror.blob(BAIT, LAYER, GET));
      assert.deepEqual(brought, IMAGE.blobs.get(LAYER), "its registry has it");
    }
  }
});

Deno.test("What was added here is public when its owner says so: then a manifest that lists it is enough", async () => {
  await using at = world();
  await at.store.importBytes(IMAGE.blobs.get(LAYER)!, { visibility: "public" });
  putBait(at);
  assert.ok(await at.mirror.manifest(BAIT, { tag: "latest" }, GET) !== undefined);
  assert.deepEqual(await readAll(await at.mirror.blob(BAIT, LAYER, GET)), IMAGE.blobs.get(LAYER));
});

Deno.test("A repository that listed a digest early, with our login, has no share in what comes later under another name", async () => {
  await using at = world();
  at.hub.withCredential.add(BAIT.repository);
  putBait(at);
  assert.equal(await at.mirror.manifest(BAIT, { tag: "latest" }, GET), undefined);
  at.ghcr.withCredential.add(SECRET.repository);
  at.ghcr.put(SECRET.repository, IMAGE, "v1");
  assert.ok(await at.mirror.manifest(SECRET, { tag: "v1" }, GET) !== undefined);
  assert.deepEqual(await readAll(await at.mirror.blob(SECRET, LAYER, GET)), IMAGE.blobs.get(LAYER));
  assert.equal(await at.mirror.manifest(BAIT, { tag: "latest" }, GET), undefined);
  assert.equal(await at.mirror.blob(BAIT, LAYER, GET), undefined);
});

Deno.test("Where nobody else may have what is pulled, it is answered again while its registry is down", async () => {
  for (const isFromPeers of [false, true]) {
    await using at = world({ policy: { visibility: "none" } });
    if (isFromPeers) {
      at.hub.weather.isDown = true;
      await at.swarm.add("peer", [IMAGE.manifest, ...IMAGE.blobs.values()]);
    } else at.hub.put("library/nginx", IMAGE, "latest");
    for (let round = 0; round < 2; round++) {
      assert.ok(await at.mirror.manifest(NGINX, BY_DIGEST, GET) !== undefined);
      for (const [digest, bytes] of IMAGE.blobs) {
        assert.deepEqual(await readAll(await at.mirror.blob(NGINX, digest, GET)), bytes);
        assert.equal(at.store.findBySha256(sha256Of(digest))?.visibility, "private");
      }
      at.hub.weather.isDown = true;
      at.swarm.nodes.length = 0;
    }
  }
});

Deno.test("Where the fleet shares what only a login gives, its content needs its registry's word for the name", async () => {
  const policy = { privateVisibility: "fleet" } as const;
  for (const weather of [{ isDown: true }, { limits: true }, {}]) {
    await using at = world({ policy });
    await at.swarm.add("member", [IMAGE.manifest, ...IMAGE.blobs.values()], { isTrusted: true });
    Object.assign(at.hub.weather, weather);
    assert.equal(await at.mirror.manifest(NGINX, BY_DIGEST, GET), undefined);
    assert.equal(await at.mirror.blob(NGINX, LAYER, GET), undefined);
    putBait(at);
    assert.equal(await at.mirror.manifest(BAIT, { tag: "latest" }, GET), undefined);
    assert.equal(await at.mirror.blob(BAIT, LAYER, GET), undefined);
  }
  await using at = world({ policy });
  await at.store.importBytes(IMAGE.blobs.get(LAYER)!, { visibility: "fleet" });
  at.hub.weather.isDown = true;
  assert.equal(await at.mirror.blob(NGINX, LAYER, GET), undefined);
});

Deno.test("There public images come from the fleet once their registry said that it has them", async () => {
  await using at = world({ policy: { privateVisibility: "fleet" } });
  await at.swarm.add("member", [IMAGE.manifest, ...IMAGE.blobs.values()], { isTrusted: true });
  at.hub.put("library/nginx", IMAGE, "latest");
  assert.ok(await at.mirror.manifest(NGINX, { tag: "latest" }, GET) !== undefined);
  at.hub.weather.isDown = true;
  for (const [digest, bytes] of IMAGE.blobs) {
    assert.deepEqual(await readAll(await at.mirror.blob(NGINX, digest, GET)), bytes);
  }
  assert.equal(at.hub.count("GET blob"), 0);
});
