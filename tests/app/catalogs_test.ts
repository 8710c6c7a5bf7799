import assert from "node:assert/strict";
import { join } from "node:path";
import { SeedmintError } from "../../src/core/errors.ts";
import type { Hash } from "../../src/core/hash.ts";
import { systemClock } from "../../src/host/system.ts";
import { encodeCollection } from "../../swarm/collection.ts";
import { Fleet } from "../../swarm/fleet.ts";
import { MemoryHub, peerIdOfSecret } from "../../swarm/net/mod.ts";
import { MemoryBlobStore } from "../../swarm/store/mod.ts";
import type { CatalogFile } from "../../trust/catalog/mod.ts";
import {
  type AcceptedCatalog,
  type FoundPublication,
  type Publication,
  WAVE_MS,
  waveOf,
} from "../../trust/follow/mod.ts";
import { writeRootChain } from "../../trust/root/mod.ts";
import { loadConfig, noInputs } from "../../src/app/config/load.ts";
import { NodeCatalogs } from "../../src/app/lifecycle/catalogs.ts";
import { CatalogFiles, catalogTag } from "../../src/app/lifecycle/catalog_files.ts";
import {
  CATALOG_PROTOCOL,
  PeerFinder,
  serveCatalogs,
} from "../../src/app/lifecycle/catalog_peers.ts";
import { Prefetcher } from "../../src/app/lifecycle/prefetch.ts";
import type { TransferReport, TransferRequest } from "../../src/app/api/transfers.ts";
import { hashBytes } from "../../swarm/bao/mod.ts";
import { sha256Of } from "../../trust/catalog/mod.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { seededRandom } from "../support/seeded_random.ts";
import { Publisher } from "../trust/publisher.ts";

const signal = new AbortController().signal;
const quiet = { signal, emit: () => {} };
const CONFIG = {
  originDelay: 10,
  originFloor: 0,
  findTimeout: 100,
  catalogVisibility: "fleet",
  policy: "swarm-first",
} as const;

/** Two peers that hear each other, one of which tells of catalogs. */
async function twoPeers(
  tell: (viewer: { readonly fleet: boolean }) => Publication | undefined,
  members: readonly string[] = [],
) {
  const clock = systemClock;
  const hub = new MemoryHub({ clock });
  const [ann, ben] = await Promise.all(
    [1, 2].map(async (byte) => hub.join(await peerIdOfSecret(new Uint8Array(32).fill(byte)))),
  );
  const asked: string[] = [];
  await serveCatalogs({
    network: ann!,
    fleet: new Fleet({ peerIds: members.length === 0 ? [] : [ben!.peerId], clock }),
    clock,
    tell: ({ root, name }, viewer) => {
      asked.push(`${root}/${name}`);
      return tell(viewer);
    },
  });
  const finder = new PeerFinder({
    network: ben!,
    clock,
    configured: [{ peerId: ann!.peerId, addrs: ann!.addresses() }],
    isMember: () => false,
  });
  return {
    ann: ann!,
    ben: ben!,
    finder,
    asked,
    [Symbol.asyncDispose]: async () => {
      await ben![Symbol.asyncDispose]();
      await ann![Symbol.asyncDispose]();
    },
  };
}

async function foundBy(finder: PeerFinder, publisher: Publisher): Promise<FoundPublication[]> {
  const query = {
    root: publisher.newest.signed.id,
    catalog: "tools",
    rootVersion: 1,
    publishers: [],
  };
  return await Array.fromAsync(finder.find(query, { signal }));
}

Deno.test("a peer is asked for a catalog, and what it tells names it as a source of the bytes", async () => {
  const publisher = await Publisher.begin();
  const { seal } = await publisher.seal();
  await using peers = await twoPeers(() => ({ seal, roots: publisher.chain, urls: [] }));
  const [found, ...more] = await foundBy(peers.finder, publisher);
  assert.deepEqual(found!.seal, seal);
  assert.equal(found!.peer!.peerId, peers.ann.peerId);
  assert.deepEqual(more, []);
  assert.deepEqual(peers.asked, [`${publisher.newest.signed.id}/tools`]);
});

Deno.test("a peer that has nothing to tell, or to this viewer, yields nothing", async () => {
  const publisher = await Publisher.begin();
  const { seal } = await publisher.seal();
  const own = { seal, roots: publisher.chain, urls: [] };
  await using stranger = await twoPeers((viewer) => viewer.fleet ? own : undefined);
  assert.deepEqual(await foundBy(stranger.finder, publisher), []);
  await using member = await twoPeers((viewer) => viewer.fleet ? own : undefined, ["ben"]);
  assert.equal((await foundBy(member.finder, publisher)).length, 1);
});

Deno.test("a question that is none is not answered, and one that is too long ends the stream", async () => {
  const publisher = await Publisher.begin();
  await using peers = await twoPeers(() => ({ roots: publisher.chain, urls: [] }));
  const ask = async (question: string) => {
    const stream = await peers.ben.openStream(
      { peerId: peers.ann.peerId, addrs: peers.ann.addresses() },
      CATALOG_PROTOCOL,
    );
    try {
      await stream.write(new TextEncoder().encode(question));
      await stream.closeWrite();
      const answer = await stream.read();
      return answer === undefined ? "nothing" : "an answer";
    } catch {
      return "reset";
    } finally {
      stream.abort(new Error("done"));
    }
  };
  const root = publisher.newest.signed.id;
  assert.equal(await ask(JSON.stringify({ root, catalog: "tools" })), "an answer");
  for (
    const bad of ["", "{", "[]", JSON.stringify({ root: "x", catalog: "tools" }), "null"]
  ) assert.equal(await ask(bad), "nothing", bad);
  assert.equal(await ask("x".repeat(100_000)), "reset");
});

/** Transfers that bring what `content` has for the origin asked, or for the swarm. */
function transfersOf(
  store: MemoryBlobStore,
  content: (request: TransferRequest) => Uint8Array | undefined,
) {
  const requests: TransferRequest[] = [];
  const report = (size: number, kind: "peer" | "origin"): TransferReport => ({
    size,
    sources: [{ kind, id: "x", bytes: size }],
    wastedBytes: 0,
    failures: [],
  });
  return {
    requests,
    fetchBlob: async (request: TransferRequest) => {
      requests.push(request);
      const bytes = content(request);
      if (bytes === undefined) throw new SeedmintError("unavailable", "nobody has it");
      const { hash } = await store.importBytes(bytes, request.attributes);
      if (hash !== request.hash) throw new SeedmintError("corrupt", "other bytes");
      return report(bytes.length, request.origin === undefined ? "peer" : "origin");
    },
    fetchChildren: (request: TransferRequest) => {
      requests.push(request);
      return Promise.resolve(report(1, "origin"));
    },
  };
}

function fileOf(bytes: Uint8Array, more: Partial<CatalogFile> = {}): CatalogFile {
  return {
    name: "tool",
    size: bytes.length,
    blake3: hashBytes(bytes),
    sha256: sha256Of(bytes),
    origins: [],
    ...more,
  };
}

function filesOver(store: MemoryBlobStore, transfers: ReturnType<typeof transfersOf>) {
  return new CatalogFiles({
    store,
    transfers,
    clock: systemClock,
    config: CONFIG,
    hasNetwork: true,
    trustedOrigins: () => new Set(),
  });
}

Deno.test("CatalogFiles never pays, and goes from origin to origin until one delivers", async () => {
  await using store = new MemoryBlobStore({ clock: systemClock });
  const bytes = new TextEncoder().encode("a tool");
  const transfers = transfersOf(
    store,
    ({ origin }) => origin?.url === "https://b.example/tool" ? bytes : undefined,
  );
  const file = fileOf(bytes, { origins: ["https://a.example/tool", "https://b.example/tool"] });
  const report = await filesOver(store, transfers).file(file, quiet, "kept");
  assert.equal(report.sources[0]!.kind, "origin");
  assert.deepEqual(transfers.requests.map(({ origin }) => origin?.url), file.origins);
  for (const { payment, policy, attributes } of transfers.requests) {
    assert.deepEqual(payment, { pays: false });
    assert.equal(policy, "swarm-first");
    assert.equal(attributes.visibility, "fleet");
  }
  const record = store.status(file.blake3)!;
  assert.deepEqual(record.tags, ["kept"]);
  assert.equal(record.sha256, file.sha256);
  // Once it is here, nobody is asked.
  assert.equal((await filesOver(store, transfers).file(file, quiet)).sources[0]!.kind, "store");
  assert.equal(transfers.requests.length, 2);
});

Deno.test("CatalogFiles refuses a file whose SHA-256 or size is another than the catalog says", async () => {
  await using store = new MemoryBlobStore({ clock: systemClock });
  const bytes = new TextEncoder().encode("a tool");
  const files = filesOver(store, transfersOf(store, () => bytes));
  const wrong = sha256Of(new TextEncoder().encode("another"));
  await assert.rejects(
    files.file(fileOf(bytes, { sha256: wrong }), quiet),
    (error: SeedmintError) => error.code === "corrupt",
  );
  await assert.rejects(
    files.file(fileOf(bytes, { size: 7 }), quiet),
    (error: SeedmintError) => error.code === "corrupt" && /7/.test(error.message),
  );
});

Deno.test("CatalogFiles fetches a collection's list beside its files, then the files", async () => {
  await using store = new MemoryBlobStore({ clock: systemClock });
  const list = encodeCollection([{ name: "index.m3u8", hash: "ab".repeat(32) as Hash, size: 3 }]);
  const transfers = transfersOf(store, () => list);
  const file = fileOf(list, {
    kind: "collection",
    origins: ["https://a.example/film/"],
  });
  await filesOver(store, transfers).file(file, quiet);
  assert.deepEqual(transfers.requests.map(({ origin }) => origin?.url), [
    "https://a.example/film/collection.cbor",
    "https://a.example/film/",
  ]);
  assert.equal(store.status(file.blake3)!.kind, "collection");
});

Deno.test("the bytes of a catalog come from peers, else from any URL: one that hangs keeps nobody", async () => {
  await using store = new MemoryBlobStore({ clock: systemClock });
  const publisher = await Publisher.begin();
  const { seal: { signed }, bytes } = await publisher.seal();
  const hanging = Promise.withResolvers<Response>();
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/hangs") return hanging.promise;
      return new Response(pathname === "/wrong" ? "x".repeat(signed.size) : bytes);
    },
  );
  const origin = `http://127.0.0.1:${server.addr.port}`;
  const files = new CatalogFiles({
    store,
    transfers: transfersOf(store, () => undefined),
    clock: systemClock,
    config: CONFIG,
    hasNetwork: true,
    trustedOrigins: () => new Set([origin]),
  });
  const urls = ["/hangs", "/wrong", "/right"].map((path) => `${origin}${path}`);
  assert.deepEqual(await files.fetch(signed, { urls, signal }), bytes);
  hanging.resolve(new Response());
  const record = store.status(signed.blake3)!;
  assert.deepEqual([record.visibility, record.tags], ["fleet", [
    catalogTag({ root: signed.root, name: "tools" }),
  ]]);
});

Deno.test("a URL of a stranger's naming that leads into our network is not asked", async () => {
  await using store = new MemoryBlobStore({ clock: systemClock });
  const publisher = await Publisher.begin();
  const { seal: { signed } } = await publisher.seal();
  let asked = 0;
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    asked++;
    return new Response();
  });
  const files = filesOver(store, transfersOf(store, () => undefined));
  await assert.rejects(
    files.fetch(signed, { urls: [`http://127.0.0.1:${server.addr.port}/`], signal }),
    (error: SeedmintError) => error.code === "denied",
  );
  assert.equal(asked, 0);
});

/** A catalog that counts, with one file in one release. */
async function acceptedOf(bytes: Uint8Array): Promise<AcceptedCatalog> {
  const publisher = await Publisher.begin();
  const made = await publisher.seal({
    change: (catalog) => ({
      ...catalog,
      releases: [{ name: "tool", version: "1", price: "free", files: [fileOf(bytes)] }],
    }),
  });
  return {
    ...made,
    role: "root",
    signers: [],
    threshold: 1,
    acceptedS: 0,
    urls: [],
  };
}

/** A prefetcher whose fetches a test watches. */
function prefetcherOf(
  store: MemoryBlobStore,
  clock: ManualClock,
  fetch: (file: CatalogFile, tag: string | undefined) => Promise<TransferReport>,
): Prefetcher {
  return new Prefetcher({
    store,
    files: { file: (file, _, tag) => fetch(file, tag) },
    node: "me",
    clock,
    random: seededRandom(2),
    pullImage: () => Promise.resolve(false),
    log: () => {},
  });
}

Deno.test("Prefetcher waits for its wave, tries again, and lets go of what is not chosen any more", async () => {
  const clock = new ManualClock();
  await using store = new MemoryBlobStore({ clock });
  const bytes = new TextEncoder().encode("another tool");
  const accepted = await acceptedOf(bytes);
  const follow = {
    root: accepted.catalog.root,
    name: "tools",
    publishers: [],
    selectors: ["release:*"],
  };
  const tag = catalogTag(follow);
  const old = await store.importBytes(new TextEncoder().encode("old"), { tag });
  const kept = await store.importBytes(accepted.bytes, { tag });
  let tryCount = 0;
  const prefetcher = prefetcherOf(store, clock, async (file, asTag) => {
    tryCount++;
    if (tryCount === 1) throw new SeedmintError("unavailable", "not yet", { retryable: true });
    await store.importBytes(bytes, { tag: asTag! });
    return { size: file.size, sources: [], wastedBytes: 0, failures: [] };
  });
  prefetcher.accepted(accepted, follow);
  const wave = waveOf({ node: "me", content: fileOf(bytes).blake3 });
  assert.ok(wave > 0, "choose another content for this test");
  await clock.advance(wave * WAVE_MS - 1);
  assert.equal(tryCount, 0);
  await clock.advance(WAVE_MS);
  assert.equal(tryCount, 1);
  await clock.advance(100_000);
  assert.equal(tryCount, 2);
  assert.deepEqual(store.status(hashBytes(bytes))!.tags, [tag]);
  assert.deepEqual(store.status(kept.hash)!.tags, [tag]);
  assert.deepEqual(store.status(old.hash)!.tags, []);
  // What is here already is not waited for.
  prefetcher.accepted(accepted, follow);
  await clock.settle();
  assert.equal(tryCount, 3);
  await prefetcher[Symbol.asyncDispose]();
  assert.equal(clock.timerCount, 0);
});

Deno.test("Prefetcher ends what it waits for when another catalog counts, or the node stops", async () => {
  const clock = new ManualClock();
  await using store = new MemoryBlobStore({ clock });
  const accepted = await acceptedOf(new TextEncoder().encode("a tool"));
  const follow = { root: accepted.catalog.root, name: "tools", publishers: [], selectors: ["*"] };
  let fetchCount = 0;
  const prefetcher = prefetcherOf(store, clock, (file) => {
    fetchCount++;
    return Promise.resolve({ size: file.size, sources: [], wastedBytes: 0, failures: [] });
  });
  prefetcher.accepted(accepted, follow);
  prefetcher.accepted(accepted, { ...follow, selectors: [] });
  await clock.advance(10 * WAVE_MS);
  assert.equal(fetchCount, 0);
  prefetcher.accepted(accepted, follow);
  await prefetcher[Symbol.asyncDispose]();
  await clock.advance(10 * WAVE_MS);
  assert.equal(fetchCount, 0);
});

Deno.test("NodeCatalogs tells members of the fleet what it follows, and everybody what it publishes", async () => {
  const data = await Deno.makeTempDir({ prefix: "seedmint-catalogs-" });
  const publisher = await Publisher.begin({ expiresS: 4e9 });
  const nowS = Math.floor(Date.now() / 1000);
  const made = await publisher.seal({ issuedS: nowS, expiresS: nowS + 1000 });
  const own = await publisher.seal({ name: "own", issuedS: nowS, expiresS: nowS + 1000 });
  const root = join(data, "root.json");
  await Deno.writeTextFile(root, writeRootChain(publisher.chain));
  await using store = new MemoryBlobStore({ clock: systemClock });
  const { values } = await loadConfig({
    ...noInputs,
    flags: { data, releaseRoot: [root], catalog: ["tools"] },
  });
  await using catalogs = new NodeCatalogs({
    config: values,
    store,
    clock: systemClock,
    random: seededRandom(4),
    nostrSecret: new Uint8Array(32).fill(6),
    finders: [{
      name: "test",
      async *find({ catalog }) {
        if (catalog === "tools") yield { seal: made.seal, roots: [], urls: [], from: "test" };
      },
    }],
    files: filesOver(store, transfersOf(store, () => made.bytes)),
    log: () => {},
  });
  const desk = await catalogs.open();
  const key = desk.keyOf("tools");
  assert.equal((await desk.refresh(key, { signal })).outcome, "new");
  const tell = (name: string, fleet: boolean) =>
    catalogs.tell({ ...key, name }, { fleet })?.seal?.signed.sequence;
  assert.deepEqual([tell("tools", true), tell("tools", false)], [1, undefined]);
  const { catalog, bytes, seal } = own;
  const told = await desk.publish(
    { catalog, bytes, seal, roots: publisher.chain, urls: [] },
    quiet,
  );
  assert.deepEqual([told.hash, told.relayCountAll], [seal.signed.blake3, 0]);
  assert.deepEqual([tell("own", true), tell("own", false)], [1, 1]);
  const record = store.status(seal.signed.blake3)!;
  assert.deepEqual([record.visibility, record.pinned], ["public", true]);
  assert.equal(tell("none", true), undefined);
  await Deno.remove(data, { recursive: true });
});

Deno.test("NodeCatalogs tells as a problem what keeps it from following, and nothing ends by it", async () => {
  await using store = new MemoryBlobStore({ clock: systemClock });
  const { values } = await loadConfig({
    ...noInputs,
    flags: { data: "/nowhere", releaseRoot: ["/nowhere/root.json"] },
  });
  await using catalogs = new NodeCatalogs({
    config: values,
    store,
    clock: systemClock,
    random: seededRandom(4),
    nostrSecret: new Uint8Array(32).fill(6),
    finders: [],
    files: filesOver(store, transfersOf(store, () => undefined)),
    log: () => {},
  });
  await catalogs.start();
  assert.match(
    catalogs.problems().join(),
    /not followed: .*\/nowhere\/root\.json: there is no such/,
  );
  await assert.rejects(catalogs.open(), /no such file/);
});
