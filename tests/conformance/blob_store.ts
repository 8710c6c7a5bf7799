/** What every {@link BlobStore} must do, run against the store on disk and its memory twin. */
import assert from "node:assert/strict";
import type { RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES } from "../../swarm/bao/geometry.ts";
import { type Case, FakeNow, type OpenStore } from "./blob_store_fixture.ts";
import { INGEST_CASES } from "./blob_store_ingest_cases.ts";
import { KEEP_CASES } from "./blob_store_keep_cases.ts";

export * from "./blob_store_fixture.ts";

const CASES: readonly Case[] = [...KEEP_CASES, ...INGEST_CASES];

/** Registers the suite under `name`. */
export function testBlobStore(name: string, open: OpenStore): void {
  for (const [sentence, options, run] of CASES) {
    Deno.test(`${name} ${sentence}`, async () => {
      await using store = await open(options);
      await run(store, options.clock ?? new FakeNow());
      const { bytes } = store.usage();
      const held = [...store.list()].filter((record) => record.storage !== "in-place")
        .reduce((sum, { groups, size }) => sum + heldBytes(groups, size), 0);
      assert.equal(bytes, held, "usage() must be the sum over list()");
    });
  }
}

function heldBytes(groups: RangeSet, size: number): number {
  let bytes = 0;
  for (const { start, end } of groups) {
    bytes += Math.min(end * GROUP_BYTES, size) - start * GROUP_BYTES;
  }
  return bytes;
}
