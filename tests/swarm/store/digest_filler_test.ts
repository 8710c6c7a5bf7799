import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { systemClock as clock } from "../../../src/host/system.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { takeDigestDuty } from "../../../swarm/store/digest_duty.ts";
import { DigestFiller } from "../../../swarm/store/digest_filler.ts";
import { MemoryBlobStore } from "../../../swarm/store/memory_store.ts";

const SIZE = 3 * 1024 * 1024 + 5;

/** A store whose blob came from a peer: verified by BLAKE3, its SHA-256 unknown. */
async function fetched(bytes: Uint8Array) {
  await using from = new MemoryBlobStore({ clock });
  const { hash } = await from.importBytes(bytes);
  const store = new MemoryBlobStore({ clock });
  const fetchIt = async () => {
    await using reader = await from.openReader(hash);
    await using ingest = await store.ingestEncoded(hash, RangeSet.ALL, { size: bytes.length });
    for await (const piece of reader.encode(RangeSet.ALL)) await ingest.push(piece);
    await ingest.finish();
  };
  await fetchIt();
  return { store, hash };
}

function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

Deno.test("DigestFiller learns the SHA-256 of a blob that peers sent", async () => {
  const bytes = crypto.getRandomValues(new Uint8Array(65_536));
  const large = new Uint8Array(SIZE).map((_, index) => bytes[index % 65_536]! ^ (index >> 16));
  const { store, hash } = await fetched(large);
  await using _store = store;
  assert.equal(store.status(hash)?.sha256, undefined);
  await using filler = new DigestFiller({ store, clock });
  await filler.settled();
  assert.equal(store.status(hash)?.sha256, sha256Of(large));
  assert.equal(store.findBySha256(store.status(hash)!.sha256!)?.hash, hash);
});

Deno.test("DigestFiller follows the store and stops in the middle of a blob", async () => {
  const large = new Uint8Array(SIZE).map((_, index) => index * 7 + (index >> 9));
  const { store, hash } = await fetched(large);
  await using _store = store;
  {
    let reads = 0;
    const slow = {
      ...clock,
      sleep: (ms: number, options?: { readonly signal?: AbortSignal }) => {
        reads++;
        return clock.sleep(ms + 60_000, options);
      },
    };
    await using _filler = new DigestFiller({ store, clock: slow });
    while (reads === 0) await clock.sleep(1);
  }
  assert.equal(store.status(hash)?.sha256, undefined);
  await using filler = new DigestFiller({ store, clock });
  await store.remove(hash);
  await filler.settled();
  assert.equal(store.status(hash), undefined);
});

Deno.test("DigestFiller leaves a blob to who computes its SHA-256 anyway, unless that gives up", async () => {
  const bytes = new Uint8Array(SIZE).map((_, index) => index * 11 + (index >> 8));
  const { store, hash } = await fetched(bytes);
  await using _store = store;
  const first = takeDigestDuty(store, hash);
  const second = takeDigestDuty(store, hash);
  await using filler = new DigestFiller({ store, clock });
  await filler.settled();
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  await clock.sleep(1);
  await filler.settled();
  assert.equal(store.status(hash)?.sha256, undefined);
  second[Symbol.dispose]();
  await clock.sleep(1);
  await filler.settled();
  assert.equal(store.status(hash)?.sha256, sha256Of(bytes));
});
