/** What the node serves over HTTP, as the settings put it together. */
import assert from "node:assert/strict";
import { systemClock } from "../../src/host/system.ts";
import { loadConfig, noInputs } from "../../src/app/config/load.ts";
import { startGateways } from "../../src/app/lifecycle/gateway.ts";
import type { Gate } from "../../swarm/ports.ts";
import { MemoryBlobStore } from "../../swarm/store/memory_store.ts";

/** Asks a price for everything, as a seller does of all but its own. */
const SELLER: Gate = {
  isFree: () => false,
  decide: ({ viewer }) =>
    Promise.resolve(
      viewer.fleet ? { decision: "free" } : {
        decision: "pay",
        priceMsatPerMiB: 2000,
        minTopUpSat: 64,
        mints: ["https://mint.example"],
        p2pk: `02${"ab".repeat(32)}`,
        locktimeMin: 90,
      },
    ),
};

Deno.test("the Blossom cache gives priced blobs to programs of this machine, and to no web page", async () => {
  await using stack = new AsyncDisposableStack();
  const store = stack.use(new MemoryBlobStore({ clock: systemClock }));
  const { hash } = await store.importBytes(new Uint8Array(40_000).fill(7), {
    visibility: "public",
  });
  const { values } = await loadConfig(noInputs);
  const problems: string[] = [];
  const [url] = await startGateways({
    config: { ...values, blossomCache: true },
    store,
    identity: { nostrSecret: new Uint8Array(32).fill(1) } as never,
    problems,
    stack,
    gate: SELLER,
    metrics: undefined,
    cacheAddress: { hostname: "127.0.0.1", port: 0 },
  });
  assert.deepEqual(problems, []);
  const ask = async (headers: Record<string, string>) => {
    const response = await fetch(`${url}/blob/${hash}`, { headers });
    return { status: response.status, size: (await response.arrayBuffer()).byteLength };
  };
  // What this runtime sends by itself is not what a page sends.
  assert.deepEqual(await ask({}), { status: 200, size: 40_000 });
  const page = await ask({ origin: "https://page.example" });
  assert.ok(page.status === 402 || page.status === 403, `${page.status}`);
  assert.ok(page.size < 1000);
});
