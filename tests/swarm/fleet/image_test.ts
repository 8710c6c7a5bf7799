/** Twenty nodes pull one image at one moment: what upstream sends, and when the last one has it. */
import assert from "node:assert/strict";
import { layerOf, timed, World } from "../cascade/world.ts";

const MB = 1_000_000;

/** A base, two middling layers, and what changes every day. */
const LAYER_SIZES = [5 * MB, 2 * MB, 1.4 * MB, 300_000, 9_000];

Deno.test("twenty nodes that pull an image at once take it from upstream about once", async () => {
  const rate = 8 * MB;
  const layers = LAYER_SIZES.map((size, index) => layerOf(size, index + 1));
  const imageBytes = layers.reduce((sum, layer) => sum + layer.size, 0);
  await using world = await World.open({ nodeCount: 20, upstreamRate: rate, nodeRate: rate });
  const togetherMs = await timed(() =>
    Promise.all(
      world.nodes.flatMap((node) =>
        layers.map(async (layer) => {
          assert.equal((await node.bring(layer)).sha256, layer.sha256);
        })
      ),
    )
  );
  const times = world.upstream.bytes / imageBytes;
  assert.ok(times <= 1.2, `upstream sent ${times} times the image`);
  // What its line takes to carry the image twenty times, and not a millisecond more.
  const directMs = (20 * imageBytes * 1000) / rate;
  assert.ok(togetherMs < directMs / 3, `${togetherMs} ms, directly ${directMs} ms`);
  for (const { cascade, peerId } of world.nodes) {
    const { upstreamBytes, memberBytes } = cascade.figures();
    assert.equal(upstreamBytes + memberBytes, imageBytes, `${peerId} got no byte twice`);
  }
});
