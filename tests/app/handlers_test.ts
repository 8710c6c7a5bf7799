import assert from "node:assert/strict";
import { utf8 } from "../../src/core/bytes.ts";
import { isSeedmintError } from "../../src/core/errors.ts";
import { LocalNode } from "../../src/app/api/local.ts";
import type { AddedEvent } from "../../src/app/api/methods.ts";
import type { NodeParts } from "../../src/app/api/parts.ts";
import { readTarget } from "../../src/app/api/targets.ts";
import type { TransferRequest } from "../../src/app/api/transfers.ts";
import { loadConfig, noInputs } from "../../src/app/config/load.ts";
import { systemClock } from "../../src/host/system.ts";
import { decodeTicket, encodeTicket } from "../../src/app/ticket.ts";
import { encodeCollection } from "../../swarm/collection.ts";
import { peerIdOfPublicKey } from "../../swarm/net/peer_id.ts";
import type { Network } from "../../swarm/ports.ts";
import { MemoryBlobStore } from "../../swarm/store/memory_store.ts";

const peerId = peerIdOfPublicKey(new Uint8Array(32).fill(7));

/** A node over a memory store, whose swarm is the store of `remote`. */
async function nodeOf(change: Partial<NodeParts> = {}) {
  const store = new MemoryBlobStore({ clock: systemClock });
  const remote = new MemoryBlobStore({ clock: systemClock });
  const requests: TransferRequest[] = [];
  const copy = async (hash: TransferRequest["hash"], attributes = {}) => {
    await using reader = await remote.openReader(hash);
    const bytes = new Uint8Array(reader.size);
    await reader.read(0, bytes);
    await store.importBytes(bytes, attributes);
    return {
      size: bytes.length,
      sources: [{ kind: "peer" as const, id: peerId, bytes: bytes.length }],
    };
  };
  const parts: NodeParts = {
    config: (await loadConfig(noInputs)).values,
    clock: systemClock,
    peerId,
    npub: "npub1",
    nostrKey: "00",
    store,
    discovery: { async *find() {} },
    transfers: {
      fetchBlob: async (request) => {
        requests.push(request);
        return { ...await copy(request.hash, request.attributes), wastedBytes: 1, failures: [] };
      },
      fetchChildren: async (request) => {
        requests.push(request);
        const shares = [];
        for (const record of [...remote.list()].filter(({ kind }) => kind === "blob")) {
          shares.push(...(await copy(record.hash)).sources);
        }
        const size = shares.reduce((sum, share) => sum + share.bytes, 0);
        return { size, sources: shares, wastedBytes: 2, failures: [] };
      },
    },
    hintsOf: () => [],
    relays: () => [],
    problems: () => [],
    ...change,
  };
  return { node: new LocalNode(parts), store, remote, requests };
}

const get = {
  overwrite: false,
  policy: "swarm-first",
  originDelayMs: 1,
  originFloorBytesPerSecond: 0,
  findTimeoutMs: 1,
  peers: [],
  pinned: false,
  as: "auto",
} as const;
const ticketOf = (hash: string) =>
  encodeTicket({
    hash: hash as never,
    kind: "blob",
    peers: [{ peerId, addrs: ["/ip4/192.0.2.1/tcp/1"] }],
    relays: [],
  });

Deno.test("get fetches by ticket with its peers, then finds it in the store", async () => {
  const { node, remote, requests } = await nodeOf();
  const { hash } = await remote.importBytes(utf8("hello"));
  const target = ticketOf(hash);
  const first = await node.call("get", { ...get, target });
  assert.deepEqual(first.sources, [{ kind: "peer", id: peerId, bytes: 5 }]);
  assert.deepEqual([first.path, first.size, first.wastedBytes], [null, 5, 1]);
  assert.deepEqual(requests[0]!.hints.map(({ via, addrs }) => ({ via, addrs })), [
    { via: "ticket", addrs: ["/ip4/192.0.2.1/tcp/1"] },
  ]);
  const second = await node.call("get", { ...get, target });
  assert.deepEqual(second.sources, [{ kind: "store", id: "store", bytes: 5 }]);
  assert.equal(requests.length, 1);
});

Deno.test("get knows a collection by its bytes, marks it, and leaves it alone with --raw", async () => {
  const { node, store, remote } = await nodeOf();
  const child = await remote.importBytes(utf8("child"));
  const list = encodeCollection([{ name: "a", hash: child.hash, size: 5 }]);
  const { hash } = await remote.importBytes(list, { kind: "collection" });
  const raw = await node.call("get", { ...get, target: ticketOf(hash), as: "blob" });
  assert.deepEqual([raw.kind, raw.size], ["blob", list.length]);
  assert.equal(store.status(hash)?.kind, "blob");
  const whole = await node.call("get", { ...get, target: ticketOf(hash) });
  assert.deepEqual([whole.kind, whole.size], ["collection", 5]);
  assert.equal(store.status(hash)?.kind, "collection");
  assert.equal(store.status(child.hash)?.state, "complete");
});

Deno.test("get takes bytes that only begin like a collection for what they are", async () => {
  const { node, remote } = await nodeOf();
  const list = encodeCollection([]);
  const { hash } = await remote.importBytes(Uint8Array.of(...list, 0));
  const result = await node.call("get", { ...get, target: ticketOf(hash) });
  assert.equal(result.kind, "blob");
});

Deno.test("get refuses content with another SHA-256 than was asked for", async () => {
  const { node, remote } = await nodeOf();
  const { hash } = await remote.importBytes(utf8("hello"));
  const target = ticketOf(hash);
  await assert.rejects(
    node.call("get", { ...get, target, sha256: "0".repeat(64) }),
    (error) => isSeedmintError(error, "corrupt"),
  );
  const right = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
  assert.equal((await node.call("get", { ...get, target, sha256: right })).hash, hash);
});

Deno.test("get asks the servers of a blossom: URI for what no peer has, one after the other", async () => {
  const bytes = utf8("hello");
  const sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
  const asked: string[] = [];
  const serve = (answer: () => Response) =>
    Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
      asked.push(new URL(request.url).pathname);
      return answer();
    });
  await using empty = serve(() => new Response(null, { status: 404 }));
  await using full = serve(() => new Response(bytes));
  const servers = [empty, full].map(({ addr }) => `xs=http://127.0.0.1:${addr.port}`).join("&");
  const target = `blossom:${sha256}.txt?${servers}&sz=5`;
  for (const policy of ["swarm-first", "race", "origin-first"] as const) {
    const { node, store } = await nodeOf();
    asked.length = 0;
    const result = await node.call("get", { ...get, target, policy });
    assert.deepEqual([result.size, store.status(result.hash)?.sha256], [5, sha256]);
    assert.deepEqual(result.sources.map(({ kind }) => kind), ["origin"]);
    assert.deepEqual(asked, [`/${sha256}`, `/${sha256}`]);
  }
  const { node } = await nodeOf();
  asked.length = 0;
  await assert.rejects(
    node.call("get", { ...get, target, policy: "swarm-only" }),
    (error) => isSeedmintError(error, "not-found"),
  );
  assert.deepEqual(asked, []);
  await assert.rejects(
    node.call("get", { ...get, target: `blossom:${sha256}.txt?${servers}&sz=4` }),
    /at most 4 are wanted/,
  );
});

Deno.test("get finds the blob of a blossom: URI with a peer, and asks none of its servers", async () => {
  const bytes = utf8("hello");
  const sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
  const found: { hash?: string } = {};
  const hint = () => ({ peerId, addrs: [], via: "advert", bound: true, hash: found.hash });
  const { node, remote, requests } = await nodeOf({
    discovery: {
      async *find(query) {
        assert.deepEqual(query, { sha256 });
        yield hint() as never;
      },
    },
  });
  found.hash = (await remote.importBytes(bytes)).hash;
  const target = `blossom:${sha256}?xs=http://127.0.0.1:1&sz=5`;
  const { hash, sources } = await node.call("get", { ...get, findTimeoutMs: 5000, target });
  assert.deepEqual([hash, sources.map(({ kind }) => kind)], [found.hash, ["peer"]]);
  assert.equal(requests[0]?.claimedSize, 5);
});

Deno.test("get says at once that there is nobody to ask, and what does not work", async () => {
  const { node } = await nodeOf({ problems: () => ["the network did not start: no luck"] });
  await assert.rejects(node.call("get", { ...get, target: "ab".repeat(32) }), (error) => {
    assert.ok(isSeedmintError(error, "unavailable"));
    assert.match(error.message, /nobody to ask; the network did not start: no luck; name a relay/);
    return true;
  });
});

Deno.test("ticket tells addresses of a running node, and relays that others can reach", async () => {
  const addresses = [`/ip4/192.0.2.1/tcp/1/p2p/${peerId}`];
  const relays = () =>
    ["ws://127.0.0.1:1/", "wss://relay.example/"].map((url) => ({
      url,
      connected: true,
      problem: null,
    }));
  const network = { addresses: () => addresses } as unknown as Network;
  const { node, store } = await nodeOf({ network, relays, startedMs: 1 });
  const { hash } = await store.importBytes(utf8("x"), { name: "note" });
  const ticket = decodeTicket((await node.call("ticket", { target: hash })).ticket);
  assert.deepEqual(ticket, {
    hash,
    kind: "blob",
    size: 1,
    name: "note",
    peers: [{ peerId, addrs: ["/ip4/192.0.2.1/tcp/1"] }],
    relays: ["wss://relay.example/"],
  });
  const notes: string[] = [];
  const alone = await nodeOf();
  await alone.store.importBytes(utf8("x"));
  const { ticket: text } = await alone.node.call("ticket", { target: hash }, {
    onEvent: ({ message }) => notes.push(message),
  });
  assert.deepEqual(decodeTicket(text).peers, []);
  assert.match(notes[0]!, /no node is running/);
});

Deno.test("readTarget() reads every way to name content, and nothing else", async () => {
  const { store } = await nodeOf();
  const { hash } = await store.importBytes(utf8("x"));
  const targetOf = (text: string) => readTarget(text, store);
  assert.deepEqual(targetOf(hash), { kind: "hash", hash });
  assert.deepEqual(targetOf(` BLAKE3:${hash.toUpperCase()} `), { kind: "hash", hash });
  assert.deepEqual(targetOf(hash.slice(0, 8)), { kind: "hash", hash });
  assert.deepEqual(targetOf(`${hash.slice(0, 8)}…`), { kind: "hash", hash });
  assert.deepEqual(targetOf(`sha256:${hash}`), { kind: "sha256", sha256: hash });
  const uri = {
    sha256: hash,
    extension: "pdf",
    servers: ["https://cdn.example"],
    authors: ["ab".repeat(32)],
    size: 12,
  };
  assert.deepEqual(
    targetOf(`blossom:${hash}.pdf?xs=https://cdn.example&as=${"ab".repeat(32)}&sz=12`),
    { kind: "sha256", sha256: hash, uri },
  );
  assert.equal(targetOf(ticketOf(hash)).kind, "ticket");
  const others = ["sha256:12", "blossom:", "blossom:12.pdf", "seedmint:", "../etc"];
  for (const text of ["", "abc", "xyz", `${hash}0`, ...others]) {
    assert.throws(() => targetOf(text), (error) => isSeedmintError(error, "usage"), text);
  }
  assert.throws(() => targetOf("0000"), (error) => isSeedmintError(error, "not-found"));
});

Deno.test("add skips links, names files by their path, and tags only what was named", async () => {
  const { node, store } = await nodeOf();
  const root = await Deno.makeTempDir({ prefix: "seedmint-add-" });
  try {
    await Deno.mkdir(`${root}/dir/sub`, { recursive: true });
    await Deno.writeTextFile(`${root}/dir/sub/file`, "1");
    await Deno.symlink("/etc/passwd", `${root}/dir/link`);
    const events: unknown[] = [];
    await node.call("add", { paths: [`${root}/dir/`], mode: "copy", pinned: false }, {
      onEvent: (event) => event.event !== "progress" && events.push(event),
    });
    const [note, file, collection] = events as [{ message: string }, AddedEvent, AddedEvent];
    assert.match(note.message, /link is skipped/);
    assert.deepEqual([file.name, file.kind, collection.name, collection.kind], [
      "sub/file",
      "blob",
      "dir",
      "collection",
    ]);
    assert.deepEqual(store.status(collection.hash)?.tags, ["added"]);
    assert.deepEqual(store.status(file.hash)?.tags, []);
    await assert.rejects(
      node.call("add", { paths: [`${root}/none`], mode: "copy", pinned: false }),
      /there is no such file or directory/,
    );
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("add tells of a directory's files in the collection's order, whichever ended first", async () => {
  const { node, store } = await nodeOf();
  const importFile = store.importFile.bind(store);
  // The earlier a name, the longer its file takes.
  const names = ["B", "a", "a-b", "é", "z", "\u{ffe6}", "\u{1f600}"];
  store.importFile = async (path, options) => {
    const index = names.findIndex((name) => path.endsWith(`/${name}`));
    await new Promise((resolve) => setTimeout(resolve, (names.length - index) * 3));
    return await importFile(path, options);
  };
  const root = await Deno.makeTempDir({ prefix: "seedmint-add-" });
  try {
    for (const name of names.toReversed()) await Deno.writeTextFile(`${root}/${name}`, name);
    const added: AddedEvent[] = [];
    await node.call("add", { paths: [root], mode: "copy", pinned: false }, {
      onEvent: (event) => event.event === "added" && added.push(event),
    });
    // As the UTF-8 bytes of the names stand, which is not how their UTF-16 would.
    const golden = ["B", "a", "a-b", "z", "é", "\u{ffe6}", "\u{1f600}"];
    assert.deepEqual(added.slice(0, -1).map(({ name }) => name), golden);
    assert.equal(
      added.at(-1)?.hash,
      "353f31090f66a5e39a0553ed29440cb0ededab76cabb21559aaa7e1cce40dd71",
    );
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
