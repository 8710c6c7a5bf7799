/** The herd where the BLAKE3 is known: an ordinary fetch, whose origin the fleet reads once. */
import assert from "node:assert/strict";
import { fetchBlob, type FetchReport } from "../../../swarm/fetch/mod.ts";
import { systemClock as clock, systemRandom as random } from "../../../src/host/system.ts";
import { Provider } from "../../../swarm/provider/mod.ts";
import { PeerSource } from "../../../swarm/requester/mod.ts";
import { shapedNetwork, shapedOrigin } from "../../support/shaped_network.ts";
import { layerOf, type Node, timed, World } from "../cascade/world.ts";

const MB = 1_000_000;

Deno.test("a cold herd that knows the hash reads the origin once", async () => {
  const layer = layerOf(8 * MB);
  const shape = { upstreamRate: 5 * MB, nodeRate: 20 * MB };
  let aloneMs: number;
  {
    await using world = await World.open({ nodeCount: 1, ...shape });
    aloneMs = await timed(() => fetchOn(world.nodes[0]!, world, layer));
  }
  await using world = await World.open({ nodeCount: 10, ...shape });
  const togetherMs = await timed(() =>
    Promise.all(world.nodes.map(async (node) => {
      const report = await fetchOn(node, world, layer);
      assert.equal(node.store.status(report.hash)?.state, "complete");
    }))
  );
  // Each asks the origin for the size, and cancels.
  const times = world.upstream.bytes / layer.size;
  assert.ok(times <= 1.2, `the origin sent ${times} times the blob`);
  // Ten nodes of one process share its cores; what is measured is that none waits its turn.
  assert.ok(togetherMs <= 2.5 * aloneMs, `${togetherMs} ms together, ${aloneMs} ms alone`);
});

/** An ordinary fetch with all other nodes as peers. */
async function fetchOn(
  node: Node,
  world: World,
  layer: ReturnType<typeof layerOf>,
): Promise<FetchReport> {
  await using stack = new AsyncDisposableStack();
  const { store, links } = node;
  const network = shapedNetwork(node.network, links);
  stack.use(await Provider.start({ network, store, fleet: world.fleet, clock, random }));
  const others = world.nodes.filter((other) => other !== node);
  return await fetchBlob({
    hash: layer.hash,
    store,
    clock,
    random,
    sources: others.map((other) => {
      const peer = { peerId: other.peerId, addrs: other.network.addresses() };
      return stack.use(new PeerSource({ network, peer, store, clock }));
    }),
    origin: shapedOrigin({ bytes: layer.bytes, line: world.upstream, down: links.down }),
    originSourceOf: (origin) => node.cascade.sourceOf(origin),
    attributes: { visibility: "fleet" },
  });
}
