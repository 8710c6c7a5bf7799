/** Everything that can go wrong in a tree costs time, never the content. */
import assert from "node:assert/strict";
import { SeedmintError } from "../../../src/core/errors.ts";
import { FastClock } from "../../support/fast_clock.ts";
import { endlessLine, shapedOrigin } from "../../support/shaped_network.ts";
import { askOnce, layerAskedOf, playParent } from "./fake_parent.ts";
import { filesIn, layerOf, timed, World } from "./world.ts";

const MB = 1_000_000;

/** A world of one node, asked-first by nobody, and one member that the test plays. */
async function withFake() {
  const world = await World.open({ nodeCount: 2, skip: [1] });
  const [node, fake] = [world.nodes[0]!, world.others[0]!];
  const layer = layerAskedOf({ asker: node.peerId, asked: fake.peerId, size: MB });
  return { world, node, fake, layer };
}

Deno.test("bring() leaves a parent that falls silent within two seconds, and goes on where it stopped", async () => {
  const { world, node, fake, layer } = await withFake();
  await using _world = world;
  await playParent(fake, async ({ say, send, stream }) => {
    await say({ t: "feed", path: [] });
    await send(layer.bytes.slice(0, 600_000));
    await stream.read();
  });
  const ms = await timed(async () => {
    assert.equal((await node.bring(layer)).sha256, layer.sha256);
  });
  assert.ok(ms > 1000 && ms < 2500, `after ${ms} ms`);
  assert.equal(node.cascade.figures().memberBytes, 600_000);
  assert.equal(world.upstream.bytes, 400_000);
});

Deno.test("bring() goes on elsewhere at once when a parent dies, or ends before the end", async () => {
  for (const how of ["dies", "says nothing", "ends too early", "hangs up"] as const) {
    const { world, node, fake, layer } = await withFake();
    await using _world = world;
    await playParent(fake, async ({ say, send, stream }) => {
      if (how === "says nothing") return void await stream.read();
      await say({ t: "feed", path: [] });
      await send(layer.bytes.slice(0, 300_000));
      if (how === "dies") return stream.abort(new Error("it crashed"));
      if (how === "ends too early") await say({ t: "end" });
    });
    const ms = await timed(() => node.bring(layer));
    assert.ok(ms < 2000, `${how}: after ${ms} ms`);
    assert.equal(world.upstream.bytes, how === "says nothing" ? MB : 700_000, how);
  }
});

Deno.test("bring() leaves a parent that ticks and brings no byte", async () => {
  const clock = new FastClock(1_800_000_000_000, 10);
  await using world = await World.open({ nodeCount: 2, skip: [1], clock });
  const [node, fake] = [world.nodes[0]!, world.others[0]!];
  const layer = layerAskedOf({ asker: node.peerId, asked: fake.peerId, size: MB });
  const left = Promise.withResolvers<void>();
  await playParent(fake, async ({ say, send }) => {
    await say({ t: "feed", path: [] });
    await send(layer.bytes.slice(0, 300_000));
    try {
      for (;;) {
        await clock.sleep(400);
        await say({ t: "tick" });
      }
    } catch {
      left.resolve();
    }
  });
  const startMs = clock.monotonicMs();
  assert.equal((await node.bring(layer)).sha256, layer.sha256);
  const ms = clock.monotonicMs() - startMs;
  assert.ok(ms > 4000 && ms < 10_000, `after ${ms} ms`);
  assert.equal(world.upstream.bytes, 700_000);
  await left.promise;
});

Deno.test("bring() leaves a parent that has much more than it sends", async () => {
  const clock = new FastClock(1_800_000_000_000, 10);
  await using world = await World.open({ nodeCount: 2, skip: [1], clock });
  const [node, fake] = [world.nodes[0]!, world.others[0]!];
  const layer = layerAskedOf({ asker: node.peerId, asked: fake.peerId, size: 3 * MB });
  const left = Promise.withResolvers<void>();
  await playParent(fake, async ({ say, send }) => {
    await say({ t: "feed", path: [] });
    try {
      for (let at = 0;; at += 50_000) {
        await send(layer.bytes.slice(at, at + 50_000));
        await say({ t: "tick", tip: layer.size });
        await clock.sleep(500);
      }
    } catch {
      left.resolve();
    }
  });
  const startMs = clock.monotonicMs();
  assert.equal((await node.bring(layer)).sha256, layer.sha256);
  const ms = clock.monotonicMs() - startMs;
  assert.ok(ms > 3000 && ms < 6000, `after ${ms} ms`);
  await left.promise;
});

Deno.test("bring() asks an upstream that stalls again, and gives up one that never answers", async () => {
  const clock = new FastClock(1_800_000_000_000, 20);
  await using world = await World.open({ nodeCount: 1, clock });
  const [node] = world.nodes;
  const layer = layerOf(MB);
  const forever = new Promise<never>(() => {});
  let stalls = 1;
  const origin = shapedOrigin({
    bytes: layer.bytes,
    line: world.upstream,
    onPiece: (offset) => offset > 400_000 && stalls-- > 0 ? forever : undefined,
  });
  const startMs = clock.monotonicMs();
  assert.equal((await node!.bring(layer, { origin })).sha256, layer.sha256);
  assert.ok(clock.monotonicMs() - startMs < 8000);
  const dead = { id: "memory:dead", open: () => forever };
  await assert.rejects(
    node!.bring(layerOf(MB, 2), { origin: dead }),
    (error: SeedmintError) => error.code === "timeout",
  );
});

Deno.test("bring() keeps nothing of a member that sends wrong bytes, and takes upstream's", async () => {
  const { world, node, fake, layer } = await withFake();
  await using _world = world;
  await playParent(fake, async ({ say, send }) => {
    await say({ t: "feed", path: [] });
    await send(new Uint8Array(MB));
    await say({ t: "end" });
  });
  const record = await node.bring(layer);
  assert.equal(record.sha256, layer.sha256);
  assert.deepEqual([...node.store.list()].map(({ hash }) => hash), [record.hash]);
  assert.deepEqual(await filesIn(node), []);
});

Deno.test("bring() survives whatever a member says", async () => {
  const wrong: ((asked: Parameters<Parameters<typeof playParent>[1]>[0]) => Promise<void>)[] = [
    async ({ stream }) => void await stream.write(new Uint8Array(100_000).fill(0xff)),
    async ({ stream }) => void await stream.write(Uint8Array.of(3, 1, 2, 3)),
    async ({ send }) => await send(new Uint8Array(1000)),
    async ({ say }) => await say({ t: "path", path: ["x"] }),
    async ({ say, send }) => {
      await say({ t: "feed", path: [] });
      await send(new Uint8Array(MB));
      for (let count = 0; count < 10; count++) await send(new Uint8Array(MB));
      await say({ t: "end" });
    },
    async ({ say }) => await say({ t: "end" }),
    async ({ say }) => await say({ t: "elsewhere", peers: [{ peerId: "nobody", addrs: ["x"] }] }),
    async ({ say, ask }) => {
      await say({ t: "feed", path: ["12D3KooW", "12D3KooX"] });
      await say({ t: "feed", path: [] });
      assert.equal(ask.offset, 0);
    },
  ];
  const { world, node, fake } = await withFake();
  await using _world = world;
  let at = 0;
  await playParent(fake, (asked) => wrong[at]!(asked));
  for (; at < wrong.length; at++) {
    const layer = layerAskedOf({ asker: node.peerId, asked: fake.peerId, size: MB + at });
    assert.equal((await node.bring(layer)).sha256, layer.sha256, `case ${at}`);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
});

Deno.test("bring() goes on at other members when the one that fed most of them dies", async () => {
  await using world = await World.open({ nodeCount: 8, upstreamRate: 4 * MB, nodeRate: 16 * MB });
  const layer = layerOf(6 * MB);
  const bringing = world.nodes.map((node) => node.bring(layer));
  const settled = Promise.allSettled(bringing);
  await new Promise((resolve) => setTimeout(resolve, 600));
  const victim = world.nodes.toSorted((a, b) =>
    b.cascade.figures().sentBytes - a.cascade.figures().sentBytes
  )[0]!;
  assert.ok(victim.cascade.figures().sentBytes > 0);
  await world.kill(victim);
  const results = await settled;
  for (const [index, node] of world.nodes.entries()) {
    if (node === victim) continue;
    assert.equal(results[index]!.status, "fulfilled");
    const { upstreamBytes, memberBytes } = node.cascade.figures();
    assert.equal(upstreamBytes + memberBytes, layer.size, "no byte came twice");
  }
  const times = world.upstream.bytes / layer.size;
  assert.ok(times <= 1.5, `upstream sent ${times} times the layer`);
});

Deno.test("bring() gets from a member what upstream refuses to this node", async () => {
  await using world = await World.open({ nodeCount: 2, upstreamRate: 2 * MB });
  const layer = layerOf(2 * MB);
  const refusing = {
    id: "memory:refusing",
    open: () => Promise.reject(new SeedmintError("denied", "Not you")),
  };
  for (const [lucky, refused] of [[0, 1], [1, 0]] as const) {
    const content = layerOf(2 * MB, 7 + lucky);
    const first = world.nodes[lucky]!.bring(content);
    assert.equal(
      (await world.nodes[refused]!.bring(content, { origin: refusing })).sha256,
      content.sha256,
    );
    await first;
  }
  await assert.rejects(
    world.nodes[0]!.bring(layer, { origin: refusing }),
    (error: SeedmintError) => error.code === "denied",
  );
  assert.deepEqual(await filesIn(world.nodes[0]!), []);
});

Deno.test("bring() asks upstream again from where it stopped when that breaks off", async () => {
  await using world = await World.open({ nodeCount: 1 });
  const layer = layerOf(3 * MB);
  let breaks = 2;
  const origin = shapedOrigin({
    bytes: layer.bytes,
    line: world.upstream,
    onPiece: (offset) => {
      if (offset > breaks * 700_000 && breaks-- > 0) throw new Error("cut");
    },
  });
  assert.equal((await world.nodes[0]!.bring(layer, { origin })).sha256, layer.sha256);
  assert.equal(world.nodes[0]!.cascade.figures().upstreamBytes, layer.size);
});

Deno.test("bring() refuses what upstream has under another digest or size", async () => {
  await using world = await World.open({ nodeCount: 1 });
  const [node] = world.nodes;
  const layer = layerOf(MB);
  const other = layerOf(MB, 2);
  const corrupt = (error: SeedmintError) => error.code === "corrupt";
  const line = endlessLine();
  await assert.rejects(
    node!.bring(layer, { origin: shapedOrigin({ bytes: other.bytes, line }) }),
    corrupt,
  );
  const shorter = shapedOrigin({ bytes: layer.bytes.slice(1), line });
  await assert.rejects(node!.bring(layer, { origin: shorter }), corrupt);
  assert.deepEqual([...node!.store.list()], []);
  assert.deepEqual(await filesIn(node!), []);
});

Deno.test("bring() takes what upstream sends the second time, when the first was spoiled on the way", async () => {
  await using world = await World.open({ nodeCount: 1 });
  const [node] = world.nodes;
  const layer = layerOf(MB);
  const [right, wrong] = [layer.bytes, layerOf(MB, 2).bytes].map((bytes) =>
    shapedOrigin({ bytes, line: endlessLine() })
  );
  let isSpoiled = true;
  const origin = {
    ...right!,
    open: (options: Parameters<NonNullable<typeof right>["open"]>[0]) => {
      const from = isSpoiled ? wrong! : right!;
      isSpoiled = false;
      return from.open(options);
    },
  };
  assert.equal((await node!.bring(layer, { origin })).sha256, layer.sha256);
  assert.deepEqual(await filesIn(node!), []);
});

Deno.test("a stranger learns nothing of what is under way, and is not asked", async () => {
  await using world = await World.open({ nodeCount: 3, memberCount: 2, upstreamRate: 2 * MB });
  const [first, second, stranger] = world.nodes;
  const layer = layerOf(2 * MB);
  const bringing = Promise.all([first!.bring(layer), second!.bring(layer)]);
  await new Promise((resolve) => setTimeout(resolve, 200));
  for (const node of [first!, second!]) {
    const peer = { peerId: node.peerId, addrs: node.network.addresses() };
    const answer = await askOnce(stranger!.network, peer, {
      digest: layer.sha256,
      size: layer.size,
      part: 0,
      offset: 0,
      home: 0,
    });
    assert.deepEqual(answer, { t: "elsewhere", peers: [] });
  }
  await bringing;
});
