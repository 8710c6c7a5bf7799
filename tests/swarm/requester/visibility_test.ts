import { deepEqual, equal, rejects } from "node:assert/strict";
import { systemClock } from "../../../src/host/system.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { Fleet } from "../../../swarm/fleet.ts";
import { content, FETCHER, importCollection, never, TwoNodes } from "../provider/support.ts";

const fleet = new Fleet({ peerIds: [FETCHER], clock: systemClock });

for (const size of [100, 100_000]) {
  Deno.test(`Provider sends no fleet child of ${size} bytes inside a public collection, where it would be stored as public`, async () => {
    await using nodes = await TwoNodes.start({ provider: { fleet } });
    const { root, hashes } = await importCollection(nodes.seeding, [
      ["open", content(200, 1)],
      ["secret", content(size, 2), { visibility: "fleet" }],
    ]);
    await nodes.source.fetch({ hash: root, groups: RangeSet.ALL, signal: never() });
    await rejects(
      nodes.source.fetchChildren({ root, children: RangeSet.ALL, signal: never() }),
      { code: "not-found" },
    );
    equal(nodes.fetching.status(hashes[0]!)?.visibility, "public");
    equal(nodes.fetching.status(hashes[1]!), undefined);
    await nodes.source.fetch({ hash: hashes[1]!, groups: RangeSet.ALL, signal: never() });
    equal(nodes.fetching.status(hashes[1]!)?.visibility, "fleet");
  });

  Deno.test(`PeerSource leaves a private blob of ${size} bytes private when a public collection lists it`, async () => {
    await using nodes = await TwoNodes.start();
    const bytes = content(size, 3);
    const { root, hashes } = await importCollection(nodes.seeding, [["mine", bytes]]);
    await nodes.fetching.importBytes(bytes, { visibility: "private" });
    await nodes.source.fetch({ hash: root, groups: RangeSet.ALL, signal: never() });
    await nodes.source.fetchChildren({ root, children: RangeSet.ALL, signal: never() });
    equal(nodes.fetching.status(hashes[0]!)?.visibility, "private");
  });
}

Deno.test("PeerSource keeps a private part private whatever the provider of the rest says", async () => {
  await using nodes = await TwoNodes.start({ provider: { fleet } });
  const { hash } = await nodes.seeding.importBytes(content(100_000, 4), { visibility: "fleet" });
  const signal = never();
  await nodes.source.fetch({
    hash,
    groups: RangeSet.of(0, 1),
    attributes: { visibility: "private" },
    signal,
  });
  await nodes.source.fetch({ hash, groups: RangeSet.ALL, signal });
  const { state, visibility } = nodes.fetching.status(hash)!;
  deepEqual({ state, visibility }, { state: "complete", visibility: "private" });
});
