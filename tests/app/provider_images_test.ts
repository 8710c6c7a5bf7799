import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { SeedmintError } from "../../src/core/errors.ts";
import type { Hash, Sha256 } from "../../src/core/hash.ts";
import { systemClock } from "../../src/host/system.ts";
import type { PartSources } from "../../src/app/lifecycle/provider/image_parts.ts";
import { publicFetch } from "../../src/app/lifecycle/provider/public_fetch.ts";
import { PublicImages } from "../../src/app/lifecycle/provider/public_images.ts";
import { PublicParts } from "../../src/app/lifecycle/provider/public_parts.ts";
import type { ProviderHint } from "../../swarm/ports.ts";
import type { SwarmFetch, Upstream } from "../../swarm/registry/ports.ts";
import { type Digest, digestOf } from "../../swarm/registry/names.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { MemoryBlobStore } from "../../swarm/store/memory_store.ts";

const signal = new AbortController().signal;
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";
const ARCH = Deno.build.arch === "aarch64" ? "arm64" : "amd64";

type Bytes = Uint8Array<ArrayBuffer>;

function sha256(bytes: Bytes): Sha256 {
  return createHash("sha256").update(bytes).digest("hex") as Sha256;
}

function json(value: object): Bytes {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** An image of two layers below an index of two platforms. */
function makeImage(seed = 1) {
  const parts = new Map<Sha256, { readonly bytes: Bytes; readonly mediaType?: string }>();
  const keep = (bytes: Bytes, mediaType?: string) => {
    const digest = sha256(bytes);
    parts.set(digest, { bytes, ...(mediaType === undefined ? {} : { mediaType }) });
    return { digest: digestOf(digest), size: bytes.length };
  };
  const tars = [new Uint8Array(3000).fill(seed), new Uint8Array(90_000).fill(seed + 1)];
  const layers = tars.map((tar) => ({
    mediaType: "application/vnd.oci.image.layer.v1.tar",
    ...keep(tar),
  }));
  const config = keep(json({
    architecture: ARCH,
    os: "linux",
    config: { Env: ["A=1"], Cmd: ["/bin/sh"], ExposedPorts: { "80/tcp": {} } },
    rootfs: { type: "layers", diff_ids: tars.map((tar) => `sha256:${sha256(tar)}`) },
  }));
  const manifest = keep(
    json({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: { mediaType: "application/vnd.oci.image.config.v1+json", ...config },
      layers,
    }),
    MANIFEST,
  );
  const index = keep(
    json({
      schemaVersion: 2,
      mediaType: INDEX,
      manifests: [
        {
          mediaType: MANIFEST,
          digest: `sha256:${"ab".repeat(32)}`,
          size: 7,
          platform: { os: "linux", architecture: "s390x" },
        },
        { mediaType: MANIFEST, ...manifest, platform: { os: "linux", architecture: ARCH } },
      ],
    }),
    INDEX,
  );
  return { parts, index: index.digest, manifest: manifest.digest, layers };
}

type Made = ReturnType<typeof makeImage>;

/** A registry that counts what it is asked. */
class FakeRegistry implements Upstream {
  readonly registry = "registry.example";
  readonly asked: string[] = [];
  isOpen = true;
  readonly #made: Made;
  /** What is sent in the place of a blob. */
  readonly lies = new Map<Sha256, Bytes>();
  /** Blobs that it does not have. */
  readonly lacks = new Set<Sha256>();

  constructor(made: Made) {
    this.#made = made;
  }

  hasCredential(): boolean {
    return false;
  }

  manifest(
    ...[, reference, options]: Parameters<Upstream["manifest"]>
  ): ReturnType<Upstream["manifest"]> {
    const digest = reference.digest ?? this.#made.index;
    this.asked.push(`${options.isHead ? "head" : "get"} ${reference.tag ?? "manifest"}`);
    const part = this.#made.parts.get(digest.slice(7) as Sha256);
    if (!this.isOpen) return Promise.resolve({ status: "denied" });
    if (part?.mediaType === undefined) return Promise.resolve({ status: "missing" });
    const { bytes, mediaType } = part;
    return Promise.resolve({ status: "found", digest, mediaType, bytes });
  }

  blobSize(_: string, digest: Digest): ReturnType<Upstream["blobSize"]> {
    this.asked.push("head blob");
    const part = this.#made.parts.get(digest.slice(7) as Sha256);
    return Promise.resolve(
      this.isOpen && part !== undefined && !this.lacks.has(digest.slice(7) as Sha256)
        ? { status: "found", size: part.bytes.length }
        : { status: "denied" },
    );
  }

  blobOrigin(_: string, digest: Digest): ReturnType<Upstream["blobOrigin"]> {
    this.asked.push("get blob");
    const hex = digest.slice(7) as Sha256;
    return {
      id: "registry.example",
      open: () => {
        const bytes = this.lies.get(hex) ?? this.#made.parts.get(hex)?.bytes;
        if (!this.isOpen || bytes === undefined || this.lacks.has(hex)) {
          return Promise.reject(new SeedmintError("denied", "401"));
        }
        return Promise.resolve({ body: new Blob([bytes]).stream(), offset: 0 });
      },
    };
  }

  tags(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  referrers(): Promise<undefined> {
    return Promise.resolve(undefined);
  }
}

/** One peer that has, and says, what the test wants. */
class FakeSwarm implements SwarmFetch {
  readonly hint = {
    peerId: "peer",
    addrs: [],
    via: "advert",
    bound: true,
  } as unknown as ProviderHint;
  readonly banned: string[] = [];
  readonly visibilities: (string | undefined)[] = [];
  readonly #store: MemoryBlobStore;
  readonly #made: Made;
  /** Digests that it says are others'. */
  readonly lies = new Map<Sha256, Bytes>();

  constructor(store: MemoryBlobStore, made: Made) {
    this.#store = store;
    this.#made = made;
  }

  async *find(digest: Sha256): AsyncGenerator<ProviderHint> {
    await Promise.resolve();
    if (this.#made.parts.has(digest)) yield this.hint;
  }

  isTrusted(): boolean {
    return false;
  }

  async ask(_: ProviderHint, digests: readonly Sha256[]) {
    const found = [];
    for (const digest of digests) {
      const bytes = this.lies.get(digest) ?? this.#made.parts.get(digest)?.bytes;
      found.push(
        bytes && { sha256: digest, hash: await hashOf(bytes), size: bytes.length },
      );
    }
    return found;
  }

  ban(_: ProviderHint, reason: string): void {
    this.banned.push(reason);
  }

  async fetch(request: Parameters<SwarmFetch["fetch"]>[0]) {
    const all = [...this.#made.parts.values()].map(({ bytes }) => bytes).concat(
      [...this.lies.values()],
    );
    for (const bytes of all) {
      if (await hashOf(bytes) !== request.hash) continue;
      this.visibilities.push(request.attributes?.visibility);
      await this.#store.importBytes(bytes, request.attributes ?? {});
      return {} as Awaited<ReturnType<SwarmFetch["fetch"]>>;
    }
    throw new SeedmintError("not-found", "nobody has it");
  }
}

async function hashOf(bytes: Bytes): Promise<Hash> {
  await using store = new MemoryBlobStore({ quotaBytes: 1 << 24, clock: systemClock });
  return (await store.importBytes(bytes)).hash;
}

async function withImages(
  work: (world: {
    readonly images: PublicImages;
    readonly store: MemoryBlobStore;
    readonly made: Made;
    readonly registry: FakeRegistry;
    readonly swarm: FakeSwarm;
    readonly known: PublicParts;
  }) => Promise<void>,
  has: {
    readonly registry?: boolean;
    readonly swarm?: boolean;
    readonly mustBeNamed?: boolean;
    /** Instead of one that knows nothing. */
    readonly known?: PublicParts;
  },
): Promise<void> {
  await using store = new MemoryBlobStore({ quotaBytes: 1 << 24, clock: systemClock });
  using fresh = PublicParts.open(":memory:", systemClock);
  const known = has.known ?? fresh;
  const made = makeImage();
  const registry = new FakeRegistry(made);
  const swarm = new FakeSwarm(store, made);
  const sources: PartSources = {
    store,
    known,
    clock: systemClock,
    ...(has.swarm ? { swarm } : {}),
    mustBeNamed: () => has.mustBeNamed === true,
    upstreamOf: (name) => has.registry && name === registry.registry ? registry : undefined,
  };
  await work({ images: new PublicImages(sources), store, made, registry, swarm, known });
}

async function bytesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function isCode(code: string, pattern: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof SeedmintError);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, pattern);
    return true;
  };
}

Deno.test("PublicImages brings an image by its digest from peers that announce it, and tells nobody", async () => {
  await withImages(async ({ images, store, made, swarm }) => {
    const reference = `seedmint.local/lab/box@${made.index}`;
    assert.equal(images.has(reference), false);
    let seen = 0;
    const image = await images.bring(reference, { signal, onProgress: (bytes) => seen = bytes });
    assert.equal(`sha256:${image.digest}`, made.manifest);
    assert.deepEqual(image.config, {
      env: ["A=1"],
      entrypoint: [],
      cmd: ["/bin/sh"],
      exposedPorts: ["80/tcp"],
    });
    assert.deepEqual(image.layers.map(({ size }) => size), [3000, 90_000]);
    for (const layer of image.layers) {
      const bytes = await bytesOf(await layer.open());
      assert.equal(sha256(bytes as Bytes), layer.sha256);
    }
    assert.ok(seen >= 93_000);
    assert.equal(images.has(reference), true);
    assert.ok([...store.list()].every(({ visibility }) => visibility === "private"));
    assert.ok(swarm.visibilities.length >= 4);
  }, { swarm: true });
});

Deno.test("PublicImages brings an image by its tag from a registry on the list, and asks it once for all", async () => {
  await withImages(async ({ images, registry, made }) => {
    const bring = () => images.bring("registry.example/box:1", { signal });
    const [one, two] = await Promise.all([bring(), bring()]);
    assert.equal(one, two);
    assert.equal(`sha256:${one.digest}`, made.manifest);
    assert.equal(`sha256:${one.listDigest}`, made.index);
    assert.equal(registry.asked.filter((one) => one === "get blob").length, 3);
    const count = registry.asked.length;
    await bring();
    assert.equal(registry.asked.length, count, "a tag counts for a minute, and the rest is here");
    assert.equal(images.has("registry.example/box:1"), true);
  }, { registry: true });
});

Deno.test("PublicImages takes tags of no other registry, and nothing that nobody gives", async () => {
  await withImages(async ({ images, registry }) => {
    const bring = (reference: string) => images.bring(reference, { signal });
    await assert.rejects(bring("other.example/box:1"), isCode("denied", /by digest only/));
    await assert.rejects(
      bring(`other.example/box@sha256:${"cd".repeat(32)}`),
      isCode("not-found", /taken from peers only/),
    );
    await assert.rejects(bring("NO/such name"), isCode("not-found", /as an image/));
    registry.isOpen = false;
    await assert.rejects(bring("registry.example/box:1"), isCode("not-found", /without a login/));
  }, { registry: true });
});

Deno.test("PublicImages gives nobody what is here for the fleet or for us, unless anybody may have it", async () => {
  await withImages(async ({ images, registry, store, made }) => {
    for (const { bytes } of made.parts.values()) {
      await store.importBytes(bytes, { visibility: "fleet", expected: { sha256: sha256(bytes) } });
    }
    for (const { hash } of store.list()) store.setAttributes(hash, { visibility: "private" });
    registry.isOpen = false;
    const reference = `registry.example/box@${made.index}`;
    const bring = () => images.bring(reference, { signal });
    await assert.rejects(bring(), isCode("not-found", /Nobody gives the manifest/));
    assert.ok(!registry.asked.includes("get blob"));
    registry.isOpen = true;
    registry.asked.length = 0;
    await bring();
    assert.ok(!registry.asked.includes("get blob"), "what is proven public is not sent again");
    assert.ok(registry.asked.includes("head blob"));
    registry.asked.length = 0;
    await bring();
    assert.deepEqual(registry.asked, [], "and is remembered");
  }, { registry: true });
});

Deno.test("a peer that knows the name of what is here for the fleet does not get it into a lease", async () => {
  await withImages(async ({ images, store, made, known }) => {
    const layer = made.layers[1]!;
    const digest = layer.digest.slice(7) as Sha256;
    // It tells digest, hash and size, which lists of the fleet have, and could send no byte of it.
    await store.importBytes(made.parts.get(digest)!.bytes, {
      visibility: "fleet",
      expected: { sha256: digest },
    });
    const reference = `lab/box@${made.index}`;
    const bring = () => images.bring(reference, { signal });
    await assert.rejects(bring(), isCode("not-found", /Nobody gives the blob/));
    assert.equal(known.has(digest), false);
    assert.equal(known.wasGiven(digest), false);
    known.add(digest);
    assert.equal((await bring()).layers.length, 2);
  }, { swarm: true });
});

Deno.test("a registry that does not have what is here for the fleet is not taken to have it", async () => {
  await withImages(async ({ images, registry, store, made, known }) => {
    const layer = made.layers[1]!;
    const digest = layer.digest.slice(7) as Sha256;
    await store.importBytes(made.parts.get(digest)!.bytes, {
      visibility: "fleet",
      expected: { sha256: digest },
    });
    // The list of the parts is a stranger's, and names what the registry never had.
    registry.lacks.add(digest);
    await assert.rejects(
      images.bring(`registry.example/box@${made.index}`, { signal }),
      isCode("not-found", /Nobody gives the blob/),
    );
    assert.equal(known.has(digest), false);
  }, { registry: true });
});

Deno.test("what strangers gave once counts for a week, and a stranger's word makes it count again", async () => {
  const clock = new ManualClock();
  using known = PublicParts.open(":memory:", clock);
  await withImages(async ({ images, store, made }) => {
    for (const [digest, { bytes }] of made.parts) {
      await store.importBytes(bytes, { visibility: "private", expected: { sha256: digest } });
      known.add(digest);
    }
    await clock.advance(8 * 86_400_000);
    const digest = made.layers[0]!.digest.slice(7) as Sha256;
    assert.deepEqual([known.has(digest), known.wasGiven(digest)], [false, true]);
    await images.bring(`lab/box@${made.index}`, { signal });
    assert.equal(known.has(digest), true);
  }, { swarm: true, known });
});

Deno.test("a part whose coming a crash cut short can be had once it is here", async () => {
  await withImages(async ({ images, store, made, known }) => {
    const digest = made.layers[0]!.digest.slice(7) as Sha256;
    const { bytes } = made.parts.get(digest)!;
    known.expect(digest);
    await store.importBytes(bytes, { visibility: "private", expected: { sha256: digest } });
    await images.bring(`lab/box@${made.index}`, { signal });
    // What did not come is a secret again, by whatever other way it comes.
    using fresh = PublicParts.open(":memory:", systemClock);
    fresh.expect(digest);
    fresh.expectNot(digest);
    assert.equal(fresh.wasGiven(digest), false);
  }, { swarm: true });
});

Deno.test("where names are taken, peers give no image under a name that its registry does not know", async () => {
  await withImages(async ({ images, registry }) => {
    const evil = makeImage(7);
    const bring = (reference: string) => images.bring(reference, { signal });
    // Peers give it, to whoever asks by its digest.
    await assert.rejects(
      bring(`registry.example/box@${evil.index}`),
      isCode("denied", /does not say that this digest is of that name/),
    );
    await assert.rejects(bring(`other.example/box@${evil.index}`), isCode("denied", /some names/));
    const { digest } = await bring("registry.example/box:1");
    const count = registry.asked.length;
    // As a lease is started whose tag was resolved.
    await bring(`registry.example/box@sha256:${digest}`);
    assert.equal(registry.asked.length, count);
  }, { registry: true, swarm: true, mustBeNamed: true });
});

Deno.test("PublicImages keeps nothing of peers and registries that send something else", async () => {
  await withImages(async ({ images, swarm, made, store }) => {
    const layer = made.layers[0]!;
    const bad = new Uint8Array(layer.size).fill(9);
    swarm.lies.set(layer.digest.slice(7) as Sha256, bad);
    await assert.rejects(
      images.bring(`lab/box@${made.index}`, { signal }),
      isCode("not-found", /Nobody gives the blob/),
    );
    assert.match(swarm.banned.join(), /is not sha256/);
    assert.equal(store.status(await hashOf(bad)), undefined);
  }, { swarm: true });
  await withImages(async ({ images, registry, made }) => {
    const layer = made.layers[0]!;
    registry.lies.set(layer.digest.slice(7) as Sha256, new Uint8Array(1 << 20));
    await assert.rejects(
      images.bring("registry.example/box:1", { signal }),
      isCode("not-found", /not those that the digest names/),
    );
    registry.lies.set(layer.digest.slice(7) as Sha256, new Uint8Array(layer.size).fill(9));
    await assert.rejects(
      images.bring("registry.example/box:1", { signal }),
      isCode("not-found", /not those that the digest names/),
    );
  }, { registry: true });
});

Deno.test("publicFetch asks HTTPS hosts of the internet alone, whatever their names lead to", async () => {
  const asked: string[] = [];
  const fetch = publicFetch({
    resolve: (host) =>
      Promise.resolve(host === "good.example" ? ["93.184.215.14"] : ["93.184.215.14", "10.0.0.7"]),
    fetch: (input, init) => {
      asked.push(String(input));
      assert.equal(init?.redirect, "manual");
      return Promise.resolve(new Response("ok"));
    },
  });
  assert.equal((await fetch("https://good.example/v2/")).status, 200);
  const refused = [
    "http://good.example/",
    "https://10.0.0.7/",
    "https://127.0.0.1:5000/",
    "https://[::1]/",
    "https://169.254.169.254/latest/meta-data",
    "https://localhost/",
    "https://registry.internal/",
    "https://rebound.example/",
    "https://user:pass@good.example/",
  ];
  for (const url of refused) {
    await assert.rejects(fetch(url), isCode("denied", /Cannot ask/), url);
  }
  assert.deepEqual(asked, ["https://good.example/v2/"]);
});
