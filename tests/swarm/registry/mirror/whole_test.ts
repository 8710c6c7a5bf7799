/**
 * The mirror with all that it is made of in a node: a store on disk, the index, images, the client of
 * real registries, the intake and the HTTP front; its upstream is another node's push registry.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { ProviderHint } from "../../../../swarm/ports.ts";
import { systemClock, systemRandom } from "../../../../src/host/system.ts";
import { Cascade } from "../../../../swarm/cascade/mod.ts";
import { fetchBlob } from "../../../../swarm/fetch/mod.ts";
import { RegistryServer } from "../../../../swarm/registry/http/mod.ts";
import { Images } from "../../../../swarm/registry/images/mod.ts";
import { RegistryIndex } from "../../../../swarm/registry/index/mod.ts";
import { Mirror, type MirrorEvent } from "../../../../swarm/registry/mirror/mod.ts";
import { digestOf, sha256Of } from "../../../../swarm/registry/names.ts";
import type { SwarmFetch } from "../../../../swarm/registry/ports.ts";
import { RegistryClient } from "../../../../swarm/registry/upstream/mod.ts";
import { FileBlobStore, MemoryBlobStore } from "../../../../swarm/store/mod.ts";
import { decodeCollection } from "../../../../swarm/collection.ts";
import { readWhole } from "../../../../swarm/read_whole.ts";
import { FakePeer, testBytes } from "../../fetch/fakes.ts";
import { startPush } from "../http/support.ts";
import { imageOf, PATIENT, sha256Bytes, type TestImage, until } from "./kit.ts";

const MIB = 1024 * 1024;
const LAYER_BYTES = testBytes(12 * MIB + 5, 21);
const IMAGE = imageOf(LAYER_BYTES, testBytes(400_000, 22));
const REPOSITORY = "acme/web";

/** Pushes an image to a registry. */
async function push(client: RegistryClient, image: TestImage, tag: string): Promise<void> {
  for (const [digest, bytes] of image.blobs) {
    await client.pushBlob(REPOSITORY, {
      digest,
      size: bytes.length,
      async *read({ start, end }: { readonly start: number; readonly end: number }) {
        yield await Promise.resolve(bytes.slice(start, end));
      },
    }, { signal: PATIENT });
  }
  const manifest = { mediaType: image.mediaType, bytes: image.manifest };
  await client.pushManifest(REPOSITORY, { tag }, manifest, { signal: PATIENT });
}

/** A node's mirror of the registry behind `client`. */
async function node(
  client: RegistryClient,
  peers: readonly { readonly id: string; readonly store: MemoryBlobStore }[] = [],
) {
  await using stack = new AsyncDisposableStack();
  const directory = await Deno.makeTempDir();
  stack.defer(() => Deno.remove(directory, { recursive: true }));
  const common = { clock: systemClock, random: systemRandom };
  const store = stack.use(await FileBlobStore.open({ directory, clock: systemClock }));
  const path = join(directory, "registry.sqlite");
  const index = stack.use(RegistryIndex.open({ path, clock: systemClock }));
  const images = stack.use(await Images.open({ store, index, clock: systemClock }));
  const intake = stack.use(
    await Cascade.start({
      ...common,
      store,
      fleet: { viewerOf: (peerId) => Promise.resolve({ peerId, fleet: false }) },
      directory: join(directory, "cascade"),
    }),
  );
  const events: MirrorEvent[] = [];
  const mirror = stack.use(
    new Mirror({
      store,
      index,
      images,
      upstreamOf: (registry) => registry === client.registry ? client : undefined,
      swarm: swarmOf(store, peers),
      intake,
      clock: systemClock,
      onEvent: (event) => events.push(event),
    }),
  );
  const server = stack.use(
    await RegistryServer.start({
      ...common,
      port: 0,
      store,
      reader: mirror,
      naming: "mirror",
      mirrorOptions: { defaultRegistry: "docker.io", isMirrored: () => true },
    }),
  );
  const owned = stack.move();
  return {
    store,
    index,
    images,
    mirror,
    events,
    base: `${server.url}/v2/${client.registry}/${REPOSITORY}`,
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** Trusted peers with stores in memory. */
function swarmOf(
  to: FileBlobStore,
  peers: readonly { readonly id: string; readonly store: MemoryBlobStore }[],
): SwarmFetch {
  const storeOf = (id: string) => peers.find((peer) => peer.id === id)!.store;
  return {
    async *find(): AsyncGenerator<ProviderHint> {
      await Promise.resolve();
      for (const { id } of peers) yield { peerId: id, addrs: [], via: "peer", bound: false };
    },
    ask: ({ peerId }, sha256s) =>
      Promise.resolve(sha256s.map((sha256) => {
        const record = storeOf(peerId).findBySha256(sha256);
        return record && { sha256, hash: record.hash, size: record.size };
      })),
    isTrusted: () => true,
    ban: () => assert.fail("nobody lied"),
    fetch: ({ hints, ...request }) =>
      fetchBlob({
        ...request,
        store: to,
        clock: systemClock,
        random: systemRandom,
        sources: hints.map(({ peerId }) =>
          new FakePeer(peerId, { from: storeOf(peerId), to, throughput: 80 * MIB })
        ),
      }),
  };
}

async function pull(base: string, image: TestImage = IMAGE): Promise<void> {
  const answer = await fetch(`${base}/manifests/v1`);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("docker-content-digest"), image.digest);
  assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), image.manifest);
  await Promise.all([...image.blobs].map(async ([digest, bytes]) => {
    const blob = await fetch(`${base}/blobs/${digest}`);
    assert.equal(blob.status, 200);
    assert.deepEqual(new Uint8Array(await blob.arrayBuffer()), bytes);
  }));
}

Deno.test("A node pulls an image through from a real registry, keeps it as a collection, and serves it when the registry is gone", async () => {
  const upstream = await startPush();
  const { host } = new URL(upstream.server.url);
  const options = { registry: host, url: upstream.server.url, clock: systemClock };
  const client = new RegistryClient(options);
  await push(client, IMAGE, "v1");
  await using at = await node(client);
  await Promise.all([1, 2, 3].map(() => pull(at.base)));
  await until(() => at.images.list().length === 1, "the image is kept");
  const [image] = at.images.list();
  assert.equal(image!.digest, IMAGE.digest);
  assert.deepEqual(image!.tags, ["v1"]);
  assert.equal(image!.isWhole, true);
  assert.equal(image!.visibility, "fleet");
  const children = decodeCollection(await readWhole(at.store, image!.collection, MIB));
  for (const digest of [IMAGE.digest, ...IMAGE.blobs.keys()]) {
    assert.ok(children.some(({ name }) => name === `blobs/sha256/${sha256Of(digest)}`), digest);
  }
  const brought = at.events.filter(({ type }) => type === "blob");
  assert.equal(brought.length, IMAGE.blobs.size, "each blob came once");
  await upstream[Symbol.asyncDispose]();
  at.index.tags.set({ registry: host, repository: REPOSITORY }, "v1", {
    digest: IMAGE.digest,
    checkedMs: 0,
  });
  await pull(at.base);
  const stale = await fetch(`${at.base}/manifests/v1`, { method: "HEAD" });
  assert.equal(stale.headers.get("x-seedmint-stale"), "true");
  const ranged = await fetch(`${at.base}/blobs/${IMAGE.layers[0]}`, {
    headers: { range: "bytes=12582900-" },
  });
  assert.equal(ranged.status, 206);
  assert.deepEqual(new Uint8Array(await ranged.arrayBuffer()), LAYER_BYTES.subarray(12_582_900));
});

Deno.test("A node pulls an image that is here from a peer's store as it arrives, the registry asked about the tag alone", async () => {
  await using upstream = await startPush();
  const { host } = new URL(upstream.server.url);
  const client = new RegistryClient({
    registry: host,
    url: upstream.server.url,
    clock: systemClock,
  });
  await push(client, IMAGE, "v1");
  const peer = { id: "peer", store: new MemoryBlobStore({ clock: systemClock }) };
  for (const bytes of [IMAGE.manifest, ...IMAGE.blobs.values()]) {
    await peer.store.importBytes(bytes);
  }
  await using at = await node(client, [peer]);
  await pull(at.base);
  await until(() => at.images.list().length === 1, "the image is kept");
  for (const event of at.events) {
    if (event.type === "blob" || event.type === "manifest") assert.equal(event.from, "swarm");
  }
  const record = at.store.findBySha256(sha256Bytes(LAYER_BYTES));
  assert.equal(record?.state, "complete");
  assert.equal(digestOf(record.sha256!), IMAGE.layers[0]);
});

Deno.test("A manifest of twenty layers that is in use is answered within three milliseconds", async () => {
  await using upstream = await startPush();
  const { host } = new URL(upstream.server.url);
  const client = new RegistryClient({
    registry: host,
    url: upstream.server.url,
    clock: systemClock,
  });
  const many = imageOf(...Array.from({ length: 20 }, (_, index) => testBytes(2000, 40 + index)));
  await push(client, many, "v1");
  await using at = await node(client);
  await pull(at.base, many);
  await until(() => at.images.list().length === 1, "the image is kept");
  const name = { registry: host, repository: REPOSITORY };
  const options = { signal: PATIENT, accept: [], isHead: false };
  let leastMs = Infinity;
  for (let time = 0; time < 30; time++) {
    const startMs = performance.now();
    await at.mirror.manifest(name, { tag: "v1" }, options);
    leastMs = Math.min(leastMs, performance.now() - startMs);
  }
  // The least of many: the machine is shared, and what is measured is the work.
  assert.ok(leastMs < 3, `${leastMs} ms`);
});
