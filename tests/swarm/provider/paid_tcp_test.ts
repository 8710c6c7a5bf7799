import { deepEqual, equal, ok } from "node:assert/strict";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { equalBytes } from "../../../src/core/bytes.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { startLibp2pNetwork } from "../../../swarm/net/mod.ts";
import { BLOBS_PROTOCOL } from "../../../swarm/protocol/mod.ts";
import { Provider, type ServedEvent } from "../../../swarm/provider/mod.ts";
import { MemoryBlobStore } from "../../../swarm/store/mod.ts";
import { costOf, MemoryGate, payment, TERMS, unitsOfMsat } from "./memory_gate.ts";
import { content, encodingOf, FETCHER, importCollection, RawLine, SEEDER } from "./support.ts";

const MIB = 1024 * 1024;

/** A seller and a raw buyer on loopback TCP. libp2p keeps timers of its own. */
function tcpTest(name: string, run: (nodes: TcpShop) => Promise<void>): void {
  Deno.test({
    name,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      await using shop = await TcpShop.start();
      await run(shop);
    },
  });
}

class TcpShop implements AsyncDisposable {
  readonly gate = new MemoryGate();
  readonly store = new MemoryBlobStore({ clock: systemClock });
  readonly events: ServedEvent[] = [];
  readonly #stack = new AsyncDisposableStack();
  open!: () => Promise<RawLine>;

  static async start(): Promise<TcpShop> {
    const shop = new TcpShop();
    const [seller, buyer] = await Promise.all([1, 2].map((fill) =>
      startLibp2pNetwork({
        secretKey: new Uint8Array(32).fill(fill),
        listen: ["/ip4/127.0.0.1/tcp/0"],
        mdns: false,
        clock: systemClock,
      })
    ));
    shop.#stack.use(seller!);
    shop.#stack.use(buyer!);
    shop.#stack.use(
      await Provider.start({
        network: seller!,
        store: shop.store,
        gate: shop.gate,
        clock: systemClock,
        random: systemRandom,
        onServed: (event) => shop.events.push(event),
      }),
    );
    const peer = { peerId: SEEDER, addrs: seller!.addresses() };
    shop.open = async () => new RawLine(await buyer!.openStream(peer, BLOBS_PROTOCOL));
    return shop;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

tcpTest(
  "Provider cuts what it sends over TCP where the credit ends, and sends each byte once",
  async (shop) => {
    const bytes = content(24 * MIB + 3);
    const { hash } = await shop.store.importBytes(bytes);
    shop.gate.terms = { ...TERMS, minTopUpSat: 1, priceMsatPerMiB: 777 };
    const line = await shop.open();
    // Amounts that end anywhere in a piece, most of them less than a piece.
    let paidMsat = 333;
    let index = 0;
    const ahead = payment(index++, paidMsat);
    await line.send({ t: "want", hash, format: "blob", payment: ahead });
    const { messages, data } = await line.paidAnswer(async (message) => {
      if (message.t !== "low") return;
      const msat = 100 + (index * 619) % 1500;
      paidMsat += msat;
      await line.send({ t: "top-up", payment: payment(index++, msat) });
    });
    deepEqual(messages.at(-1), { t: "end" });
    ok(index > 15, `${index} payments`);
    // The answer to a payment may come after the end of what it was meant for.
    let credited = messages.filter(({ t }) => t === "credited").length;
    for (; credited < index - 1; credited++) {
      equal((await line.next() as { t: string }).t, "credited");
    }
    ok(equalBytes(data, await encodingOf(shop.store, hash, RangeSet.ALL)));
    equal(shop.gate.unitsOf(FETCHER), unitsOfMsat(paidMsat) - costOf(bytes.length, 777));
    equal(shop.events.length, 1);
    equal(shop.events[0]!.paidBytes, bytes.length);
  },
);

tcpTest("Provider takes many payments over TCP while it streams without a pause", async (shop) => {
  const bytes = content(32 * MIB);
  const { hash } = await shop.store.importBytes(bytes);
  shop.gate.give(FETCHER, 10_000_000);
  const line = await shop.open();
  await line.send({ t: "want", hash, format: "blob" });
  let credited = 0;
  const paying = (async () => {
    for (let index = 0; index < 200; index++) {
      await line.send({ t: "top-up", payment: payment(index, 1) });
      if (index % 10 === 0) await systemClock.sleep(1);
    }
  })();
  const { data } = await line.paidAnswer((message) => {
    if (message.t === "credited") credited += 1;
  });
  await paying;
  while (credited < 200) {
    const message = await line.next();
    equal((message as { t: string }).t, "credited");
    credited += 1;
  }
  ok(equalBytes(data, await encodingOf(shop.store, hash, RangeSet.ALL)));
  equal(
    shop.gate.unitsOf(FETCHER),
    unitsOfMsat(10_000_200) - costOf(bytes.length),
  );
});

tcpTest("Provider sells a collection over TCP, and goes on after each top-up", async (shop) => {
  const sizes = [100, 5 * MIB, 16_384, 0, 3 * MIB + 1, ...Array(200).fill(3000)];
  const { root } = await importCollection(
    shop.store,
    sizes.map((size, index) => [`${1000 + index}`, content(size, index + 1)] as const),
  );
  shop.gate.terms = { ...TERMS, minTopUpSat: 1 };
  const line = await shop.open();
  let index = 1;
  const want = { t: "want", hash: root, format: "collection" } as const;
  await line.send({ ...want, payment: payment(index++, 700) });
  const { messages } = await line.paidAnswer(async (message) => {
    if (message.t === "low") {
      await line.send({ t: "top-up", payment: payment(index++, 700) });
    }
  });
  deepEqual(messages.at(-1), { t: "end" });
  const told = messages.filter(({ t }) => t === "credited").length;
  for (let late = told; late < index - 2; late++) await line.next();
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  equal(shop.gate.unitsOf(FETCHER), unitsOfMsat(700 * (index - 1)) - costOf(bytes));
});
