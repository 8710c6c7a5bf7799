/** Who brings what for whom. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { SeedmintError } from "../../../src/core/errors.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { Cascade } from "../../../swarm/cascade/mod.ts";
import { Fleet } from "../../../swarm/fleet.ts";
import { MemoryBlobStore } from "../../../swarm/store/mod.ts";
import { endlessLine, shapedOrigin } from "../../support/shaped_network.ts";
import { askOnce, layerAskedOf, playParent } from "./fake_parent.ts";
import { filesIn, layerOf, until, World } from "./world.ts";

const MB = 1_000_000;

Deno.test("bring() reads upstream once for all who ask one node, whatever some of them do", async () => {
  await using world = await World.open({ nodeCount: 1, upstreamRate: 4 * MB });
  const [node] = world.nodes;
  const layer = layerOf(2 * MB);
  const leaving = new AbortController();
  const told: number[] = [];
  const first = node!.bring(layer, { signal: leaving.signal, onProgress: (n) => told.push(n) });
  const second = node!.bring(layer);
  await until(() => told.length > 2, "some bytes came");
  leaving.abort(new Error("not interested"));
  await assert.rejects(first, /not interested/);
  const record = await second;
  assert.deepEqual([record.sha256, record.visibility], [layer.sha256, "fleet"]);
  assert.deepEqual(await node!.bring(layer), record);
  assert.equal(world.upstream.bytes, layer.size);
  assert.ok(told.every((bytes, index) => index === 0 || bytes > told[index - 1]!));
});

Deno.test("bring() ends when the last one leaves, and leaves nothing behind", async () => {
  await using world = await World.open({ nodeCount: 1, upstreamRate: MB });
  const [node] = world.nodes;
  const layer = layerOf(2 * MB);
  const leaving = new AbortController();
  const bringing = node!.bring(layer, { signal: leaving.signal });
  await until(() => node!.cascade.figures().upstreamBytes > 0, "it began");
  assert.equal((await filesIn(node!)).length, 1);
  leaving.abort(new Error("enough"));
  await assert.rejects(bringing, /enough/);
  assert.deepEqual(await filesIn(node!), []);
  assert.equal(node!.cascade.figures().underWayCount, 0);
  assert.equal((await node!.bring(layer)).sha256, layer.sha256);
});

Deno.test("bring() takes from a member that has it, also one that comes much later", async () => {
  await using world = await World.open({ nodeCount: 4 });
  const layer = layerOf(9 * MB);
  for (const node of world.nodes) await node.bring(layer);
  assert.equal(world.upstream.bytes, layer.size);
});

Deno.test("members find each other through one that does not want the content", async () => {
  await using world = await World.open({ nodeCount: 12, upstreamRate: 4 * MB });
  const layer = layerOf(2 * MB);
  const wanting = world.nodes.slice(0, 5);
  await Promise.all(wanting.map(async (node, index) => {
    await new Promise((resolve) => setTimeout(resolve, index * 20));
    await node.bring(layer);
  }));
  assert.equal(world.upstream.bytes, layer.size);
});

Deno.test("bring() passes on nothing that is private, and takes it from nobody", async () => {
  await using world = await World.open({ nodeCount: 2, upstreamRate: 4 * MB });
  const [first, second] = world.nodes;
  const layer = layerOf(2 * MB);
  const bringing = [first!, second!].map((node) => node.bring(layer, { visibility: "private" }));
  await until(() => first!.cascade.figures().upstreamBytes > 0, "it began");
  const ask = { digest: layer.sha256, size: layer.size, part: 0, offset: 0, home: 0 };
  const peer = { peerId: first!.peerId, addrs: first!.network.addresses() };
  assert.deepEqual(await askOnce(second!.network, peer, ask), { t: "elsewhere", peers: [] });
  await Promise.all(bringing);
  assert.deepEqual(await askOnce(second!.network, peer, ask), {
    t: "elsewhere",
    peers: [],
  });
  assert.equal(world.upstream.bytes, 2 * layer.size);
});

Deno.test("bring() refuses what its quota has no room for", async () => {
  await using world = await World.open({
    nodeCount: 1,
    upstreamRate: 2 * MB,
    node: { quotaBytes: 3 * MB },
  });
  const [node] = world.nodes;
  const first = node!.bring(layerOf(2 * MB));
  const refused = (error: SeedmintError) => error.code === "no-space" && error.retryable;
  await assert.rejects(node!.bring(layerOf(2 * MB, 2)), refused);
  await first;
  assert.equal((await node!.bring(layerOf(2 * MB, 2))).state, "complete");
});

Deno.test("Cascade.start() removes what an earlier process left, and works without a network", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(join(directory, "ab-1"), "half a layer");
    const store = new MemoryBlobStore({ clock: systemClock });
    await using cascade = await Cascade.start({
      store,
      fleet: new Fleet({ clock: systemClock }),
      directory,
      clock: systemClock,
      random: systemRandom,
    });
    assert.deepEqual(await filesIn({ directory }), []);
    for (const size of [0, 1, 16 * 1024, 16 * 1024 + 1, 5 * MB]) {
      const layer = layerOf(size, size + 1);
      const origin = shapedOrigin({ bytes: layer.bytes, line: endlessLine() });
      const { signal } = new AbortController();
      const record = await cascade.bring({ sha256: layer.sha256, size, origin, signal });
      assert.deepEqual([record.sha256, record.size], [layer.sha256, size]);
    }
    assert.deepEqual(await filesIn({ directory }), []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("bring() takes whole contents from an upstream without ranges", async () => {
  await using world = await World.open({ nodeCount: 3 });
  const layer = layerOf(8 * MB);
  const ranged = shapedOrigin({ bytes: layer.bytes, line: world.upstream });
  const origin = {
    id: ranged.id,
    open: ({ signal }: { readonly signal: AbortSignal }) => ranged.open({ offset: 0, signal }),
  };
  for (const record of await Promise.all(world.nodes.map((one) => one.bring(layer, { origin })))) {
    assert.equal(record.sha256, layer.sha256);
  }
});

Deno.test("a node that stops ends what is under way, and members go on without it", async () => {
  await using world = await World.open({ nodeCount: 3, upstreamRate: 4 * MB });
  const layer = layerOf(4 * MB);
  const bringing = world.nodes.map((node) => node.bring(layer));
  const settled = Promise.allSettled(bringing);
  await until(() => world.nodes[0]!.cascade.figures().underWayCount > 0, "it began");
  await new Promise((resolve) => setTimeout(resolve, 200));
  await world.nodes[0]!.cascade[Symbol.asyncDispose]();
  const [stopped, ...others] = await settled;
  assert.equal(stopped!.status, "rejected");
  for (const other of others) assert.equal(other.status, "fulfilled");
});

Deno.test("a path that leads back to the node is not taken", async () => {
  await using world = await World.open({ nodeCount: 2, skip: [1], upstreamRate: 4 * MB });
  const [node, fake] = [world.nodes[0]!, world.others[0]!];
  const layer = layerAskedOf({ asker: node.peerId, asked: fake.peerId, size: 2 * MB });
  let answer: unknown;
  await playParent(fake, async ({ say, stream }) => {
    await say({ t: "feed", path: ["12D3KooWsomebody"] });
    // Its own child cannot become its parent.
    answer = await askOnce(fake, { peerId: node.peerId, addrs: node.network.addresses() }, {
      digest: layer.sha256,
      size: layer.size,
      part: 0,
      offset: 0,
      home: 0,
    });
    await say({ t: "path", path: [node.peerId] });
    await stream.read();
  });
  assert.equal((await node.bring(layer)).sha256, layer.sha256);
  assert.deepEqual(answer, { t: "elsewhere", peers: [] });
});
