/** What the node serves over HTTP, as the settings put it together. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { systemClock } from "../../src/host/system.ts";
import { loadConfig, noInputs } from "../../src/app/config/load.ts";
import type { Config } from "../../src/app/config/settings.ts";
import { startGateways } from "../../src/app/lifecycle/gateway.ts";
import { nostrPublicKey } from "../../src/nostr/nostr.ts";
import { decodeCollection, encodeCollection } from "../../swarm/collection.ts";
import type { Gate } from "../../swarm/ports.ts";
import { MemoryBlobStore } from "../../swarm/store/memory_store.ts";
import { ALICE, authorization } from "../swarm/gateway/support.ts";

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

/** What the settings start, and the store behind it. */
async function startWith(stack: AsyncDisposableStack, settings: Partial<Config>) {
  const store = stack.use(
    new MemoryBlobStore({
      clock: systemClock,
      childrenOf: (bytes) => decodeCollection(bytes).map((child) => child.hash),
    }),
  );
  const { values } = await loadConfig(noInputs);
  const problems: string[] = [];
  const [url] = await startGateways({
    config: { ...values, ...settings },
    store,
    identity: { nostrSecret: new Uint8Array(32).fill(1) } as never,
    problems,
    stack,
    gate: SELLER,
    metrics: undefined,
    cacheAddress: { hostname: "127.0.0.1", port: 0 },
  });
  assert.deepEqual(problems, []);
  return { store, url: url! };
}

Deno.test("the Blossom cache gives priced blobs to programs of this machine, and to no web page", async () => {
  await using stack = new AsyncDisposableStack();
  const { store, url } = await startWith(stack, { blossomCache: true });
  const { hash } = await store.importBytes(new Uint8Array(40_000).fill(7), {
    visibility: "public",
  });
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

Deno.test("who uploaded a blob cannot delete it while a collection here lists it, or it is pinned", async () => {
  await using stack = new AsyncDisposableStack();
  const { store, url } = await startWith(stack, {
    gatewayListen: { hostname: "127.0.0.1", port: 0 },
    gatewayUploadKey: [nostrPublicKey(ALICE)],
  });
  const uploadOf = async (seed: number) => {
    const body = new Uint8Array(1000).fill(seed);
    const sha256 = createHash("sha256").update(body).digest("hex");
    const headers = { authorization: authorization({ verb: "upload", x: [sha256] }) };
    const response = await fetch(`${url}/upload`, { method: "PUT", headers, body });
    assert.equal(response.status, 201, await response.text());
    return { sha256, hash: store.findBySha256(sha256 as never)!.hash };
  };
  const remove = async ({ sha256, hash }: { sha256: string; hash: string }) => {
    const headers = { authorization: authorization({ verb: "delete", x: [sha256] }) };
    const response = await fetch(`${url}/${sha256}`, { method: "DELETE", headers });
    assert.equal(response.status, 204, await response.text());
    return store.status(hash as never) === undefined;
  };
  const [listed, pinned, loose] = [await uploadOf(1), await uploadOf(2), await uploadOf(3)];
  await store.importBytes(encodeCollection([{ name: "a", hash: listed.hash, size: 1000 }]), {
    kind: "collection",
    visibility: "private",
  });
  store.pin(pinned.hash);
  const gone = [await remove(listed), await remove(pinned), await remove(loose)];
  assert.deepEqual(gone, [false, false, true]);
});
