/** Fetching a collection from an HTTP server that sells. */
import assert from "node:assert/strict";
import { systemClock, systemRandom } from "../../src/host/system.ts";
import { paymentRequests } from "../../src/app/lifecycle/gateway.ts";
import type { FetchPayer } from "../../src/app/lifecycle/paying.ts";
import { SwarmTransfers } from "../../src/app/lifecycle/transfers.ts";
import { encodeCollection } from "../../swarm/collection.ts";
import { ProviderScores } from "../../swarm/score.ts";
import { MemoryBlobStore } from "../../swarm/store/memory_store.ts";

const PRICE_SAT = 60;
/** A point of the curve. */
const KEY = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
const FILES = ["a.bin", "b.bin", "c.bin"].map((name, index) => ({
  name,
  bytes: new Uint8Array(30_000).fill(index + 1),
}));

/** Fetches {@link FILES}; a strict server takes a token for one URL alone. */
async function fetchPaid(options: { readonly isStrict: boolean; readonly budgetSat?: number }) {
  await using stack = new AsyncDisposableStack();
  const store = stack.use(new MemoryBlobStore({ clock: systemClock }));
  const other = stack.use(new MemoryBlobStore({ clock: systemClock }));
  const children = [];
  for (const { name, bytes } of FILES) {
    const { hash, size } = await other.importBytes(bytes);
    children.push({ name, hash, size });
  }
  const { hash } = await store.importBytes(encodeCollection(children), { kind: "collection" });
  const { encodePaymentRequest } = await paymentRequests();
  const terms = { mints: ["https://mint.example"], p2pk: KEY };
  const { creqA } = encodePaymentRequest(
    terms as unknown as Parameters<typeof encodePaymentRequest>[0],
    PRICE_SAT,
    2_000_000_000,
  );
  const boundTo = new Map<string, string>();
  const server = stack.use(
    Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
      const path = new URL(request.url).pathname;
      const token = request.headers.get("x-cashu");
      if (token === null) return new Response(null, { status: 402, headers: { "x-cashu": creqA } });
      if (options.isStrict && boundTo.getOrInsert(token, path) !== path) {
        return new Response(null, { status: 400 });
      }
      return new Response(FILES.find(({ name }) => path.endsWith(name))!.bytes);
    }),
  );
  let paymentCount = 0;
  const payer: FetchPayer = {
    open: () => Promise.resolve({ status: "declined", reason: "no peers here" }),
    paidFor: () => [],
    waiting: () => [],
    preparePayment: () => {
      paymentCount++;
      return Promise.resolve({ status: "ready", token: `cashuB${paymentCount}` });
    },
  };
  const nobody = { async *find() {} };
  const transfers = new SwarmTransfers({
    store,
    clock: systemClock,
    random: systemRandom,
    discovery: nobody,
    discoveryOn: () =>
      Promise.resolve({ ...nobody, [Symbol.asyncDispose]: () => Promise.resolve() }),
    relays: () => [],
    scores: stack.use(new ProviderScores({ path: ":memory:", clock: systemClock })),
    usesDirect: false,
    payerOf: () => payer,
    usual: {
      policy: "origin-first",
      originDelayMs: 0,
      originFloorBytesPerSecond: 0,
      findTimeoutMs: 0,
    },
    log: () => {},
  });
  const { budgetSat } = options;
  const outcome = await transfers.fetchChildren({
    hash,
    hints: [],
    relays: [],
    origin: { url: `http://127.0.0.1:${server.addr.port}/files` },
    policy: "origin-first",
    originDelayMs: 0,
    originFloorBytesPerSecond: 0,
    findTimeoutMs: 200,
    attributes: {},
    payment: budgetSat === undefined ? {} : { budgetSat },
    signal: AbortSignal.timeout(20_000),
  }).then(() => "fetched", String);
  return { outcome, paymentCount };
}

Deno.test("files of a collection come out of one payment, while the server takes it", async () => {
  assert.deepEqual(await fetchPaid({ isStrict: false }), { outcome: "fetched", paymentCount: 1 });
});

Deno.test("all files of a collection together cost no more than the budget of the fetch", async () => {
  assert.deepEqual(
    await fetchPaid({ isStrict: true, budgetSat: 3 * PRICE_SAT }),
    { outcome: "fetched", paymentCount: 3 },
  );
  const { outcome, paymentCount } = await fetchPaid({ isStrict: true, budgetSat: 2 * PRICE_SAT });
  assert.match(outcome, /more than the budget of this fetch/);
  assert.equal(paymentCount, 2);
});
