import assert from "node:assert/strict";
import fc from "fast-check";
import { systemClock } from "../../../src/host/system.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { subtreeStarts } from "../../../swarm/scheduler/origin_run.ts";
import { MemoryBlobStore } from "../../../swarm/store/memory_store.ts";
import { storeWith, testBytes } from "../fetch/fakes.ts";

Deno.test("subtreeStarts gives the boundaries of the largest subtrees within a run", () => {
  const starts = (start: number, end: number, count: number) => [
    ...subtreeStarts({ start, end }, { start: 0, count }),
  ];
  assert.deepEqual(starts(0, 8, 8), [0]);
  assert.deepEqual(starts(3, 8, 8), [3, 4]);
  assert.deepEqual(starts(276, 2048, 2049), [276, 280, 288, 320, 384, 512, 1024]);
  assert.deepEqual(starts(5, 6, 7), [5]);
});

Deno.test("Plain bytes can be taken from every start that subtreeStarts gives", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 2, max: 40 }),
      fc.array(fc.nat(39), { minLength: 1, maxLength: 5 }),
      async (groupCount, picks) => {
        const size = groupCount * 16384 - 5;
        const { store: from, hashes } = await storeWith(testBytes(size));
        const hash = hashes[0]!;
        const store = new MemoryBlobStore({ clock: systemClock });
        const held = RangeSet.from(
          [...picks.map((pick) => pick % groupCount), groupCount - 1]
            .map((group) => ({ start: group, end: group + 1 })),
        );
        await using reader = await from.openReader(hash);
        {
          await using ingest = await store.ingestEncoded(hash, held, { size });
          for await (const piece of reader.encode(held)) await ingest.push(piece);
          await ingest.finish();
        }
        for (const run of RangeSet.of(0, groupCount).subtract(held)) {
          for (const start of subtreeStarts(run, { start: 0, count: groupCount })) {
            await using ingest = await store.ingestPlain(hash, start, { size });
            assert.ok(ingest);
          }
        }
      },
    ),
    { numRuns: 60 },
  );
});
