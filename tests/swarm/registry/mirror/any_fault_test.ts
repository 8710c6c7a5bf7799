/** Whatever peers do, and in whatever order, a client gets the right bytes as long as the registry serves. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { testBytes } from "../../fetch/fakes.ts";
import { GET, imageOf, NGINX, readAll, sha256Of, world } from "./kit.ts";

const KIB = 1024;

const peer = fc.record({
  isTrusted: fc.boolean(),
  /** It says that the digest is another blob. */
  isFalse: fc.boolean(),
  behaviour: fc.oneof(
    fc.constant({}),
    fc.nat(900 * KIB).map((hangsAfterBytes) => ({ hangsAfterBytes })),
    fc.nat(900 * KIB).map((resetsAfterBytes) => ({ resetsAfterBytes })),
    fc.nat(900 * KIB).map((liesAfterBytes) => ({ liesAfterBytes })),
  ),
});

Deno.test("Under any mix of dead, hung, lying and false peers a client gets the right bytes, or a falsely trusted one's are told apart", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 1200 * KIB }),
      fc.array(peer, { maxLength: 3 }),
      fc.tuple(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
      ),
      async (size, peers, [from, to]) => {
        const bytes = testBytes(size, 3);
        const image = imageOf(bytes);
        const [layer] = image.layers;
        await using at = world();
        at.hub.put("library/nginx", image, "latest");
        for (const [index, { isTrusted, isFalse, behaviour }] of peers.entries()) {
          const content = isFalse ? testBytes(size, 4 + index) : bytes;
          const node = await at.swarm.add(`peer ${index}`, [content], { isTrusted, ...behaviour });
          const [said] = node.says.values();
          node.says.set(sha256Of(layer!), { ...said!, sha256: sha256Of(layer!) });
        }
        assert.ok(await at.mirror.manifest(NGINX, { tag: "latest" }, GET) !== undefined);
        const start = Math.floor(Math.min(from, to) * size);
        const range = { start, end: Math.max(start + 1, Math.ceil(Math.max(from, to) * size)) };
        const delivery = await at.mirror.blob(NGINX, layer!, GET);
        const found = await readAll(delivery, range);
        const wasBetrayed = peers.some(({ isTrusted, isFalse }) => isTrusted && isFalse);
        // Who is trusted and lies is seen by the client's own check; all others by ours.
        if (!wasBetrayed) assert.deepEqual(found, bytes.subarray(range.start, range.end));
        assert.deepEqual(await readAll(await at.mirror.blob(NGINX, layer!, GET)), bytes);
      },
    ),
    { numRuns: 12, seed: 5 },
  );
});
