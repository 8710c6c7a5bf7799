import { systemClock } from "../../../src/host/system.ts";
import type { Clock } from "../../../src/core/ports.ts";
import { FileBlobStore } from "../../../swarm/store/mod.ts";
import { testBlobStore } from "../../conformance/blob_store.ts";

for (const workerCount of [0, 2]) {
  testBlobStore(`FileBlobStore with ${workerCount} workers`, async ({ clock, ...options }) => {
    const directory = await Deno.makeTempDir();
    const fake: Clock = clock === undefined ? systemClock : { ...systemClock, nowMs: clock.nowMs };
    const store = await FileBlobStore.open({ ...options, directory, clock: fake, workerCount });
    const close = store[Symbol.asyncDispose].bind(store);
    store[Symbol.asyncDispose] = async () => {
      await close();
      await Deno.remove(directory, { recursive: true });
    };
    return store;
  });
}
