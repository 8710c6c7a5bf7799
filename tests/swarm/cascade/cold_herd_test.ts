/** What a cascade is for: a fleet that wants one layer at one moment. */
import assert from "node:assert/strict";
import { layerOf, timed, World } from "./world.ts";

const MB = 1_000_000;

Deno.test("ten nodes that start cold finish in little more than one alone needs", async () => {
  const layer = layerOf(10 * MB);
  const shape = { upstreamRate: 5 * MB, nodeRate: 20 * MB, onDisk: true };
  let aloneMs: number;
  {
    await using world = await World.open({ nodeCount: 1, ...shape });
    await world.warmUp();
    aloneMs = await timed(() => world.nodes[0]!.bring(layer));
  }
  await using world = await World.open({ nodeCount: 10, ...shape });
  await world.warmUp();
  const togetherMs = await timed(() =>
    Promise.all(world.nodes.map(async (node) => {
      const record = await node.bring(layer);
      assert.equal(record.sha256, layer.sha256);
      assert.equal(record.state, "complete");
    }))
  );
  assert.ok(togetherMs <= 1.3 * aloneMs, `${togetherMs} ms together, ${aloneMs} ms alone`);
  const times = world.upstream.bytes / layer.size;
  assert.ok(times <= 1.2, `upstream sent ${times} times the layer`);
});
