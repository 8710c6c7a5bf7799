import { deepEqual, equal, ok } from "node:assert/strict";
import { equalBytes } from "../../../src/core/bytes.ts";
import type { Hash } from "../../../src/core/hash.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { MemoryHub } from "../../../swarm/net/memory_network.ts";
import type { Gate, Payer, ProviderHint } from "../../../swarm/ports.ts";
import { Provider } from "../../../swarm/provider/mod.ts";
import { PeerSource } from "../../../swarm/requester/mod.ts";
import { MemoryBlobStore } from "../../../swarm/store/mod.ts";
import { Seller } from "../../../wallet/selling/seller.ts";
import { startKit } from "../../support/wallet_kit.ts";
import { bytesOf, content, FETCHER, importCollection, never, SEEDER } from "../provider/support.ts";
import { buyerOf, buyingWallet, deskOf } from "../../wallet/buying/buying_world.ts";
import { intakeOf } from "../../wallet/payments/payments_world.ts";
import { Tap } from "./tap.ts";

const MIB = 1024 * 1024;
/** A least payment of 64 sat buys a MiB, and a group costs 1 sat. */
const PRICE = 64_000;

/** A provider with a real seller behind it, and sources with a real buyer, over development mints. */
class Trade implements AsyncDisposable {
  readonly seeding = new MemoryBlobStore({ clock: systemClock });
  readonly fetching = new MemoryBlobStore({ clock: systemClock });
  readonly tap: Tap;
  readonly seller: Seller;
  readonly #payer: Payer;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    parts: { readonly tap: Tap; readonly seller: Seller; readonly payer: Payer },
    stack: AsyncDisposableStack,
  ) {
    this.tap = parts.tap;
    this.seller = parts.seller;
    this.#payer = parts.payer;
    this.#stack = stack;
  }

  static async start(): Promise<Trade> {
    const stack = new AsyncDisposableStack();
    const kit = stack.use(await startKit({ feePpk: 100 }));
    const [alice, bob] = [buyingWallet(kit), buyingWallet(kit, "bob")];
    await alice.fund(4000n);
    const intake = intakeOf(bob, { unredeemedPerPayerMaxSat: 1_000_000n });
    const seller = stack.use(new Seller({ engine: bob.engine, intake }));
    seller.setService({ id: "default", enabled: true, priceMsatPerMiB: PRICE, minTopUpSat: 64 });
    const hub = new MemoryHub({ clock: systemClock });
    const [sold, bought] = [stack.use(hub.join(SEEDER)), stack.use(hub.join(FETCHER))];
    const payer: Payer = buyerOf(stack.use(deskOf(alice)));
    const trade = new Trade({ tap: new Tap(bought), seller, payer }, stack);
    const gate: Gate = seller;
    stack.use(
      await Provider.start({
        network: sold,
        store: trade.seeding,
        clock: systemClock,
        random: systemRandom,
        gate,
      }),
    );
    return trade;
  }

  /** A source that pays for `subject`. */
  source(subject: Hash, isAdvertised: boolean): PeerSource {
    const hint: ProviderHint = {
      peerId: SEEDER,
      addrs: [`/memory/${SEEDER}/p2p/${SEEDER}`],
      via: "advert",
      bound: isAdvertised,
      ...(isAdvertised ? this.seller.priceOf(subject) : {}),
    };
    return new PeerSource({
      network: this.tap.network,
      peer: hint,
      store: this.fetching,
      clock: systemClock,
      pay: { payer: this.#payer, subject },
    });
  }

  /** Holds that buyer and seller agree on what was sold for `subject`, to the msat. */
  check(subject: Hash, bytes: number, sinceMs: number): void {
    const msat = bytes * PRICE / MIB;
    const [paid] = this.#payer.paidFor!(subject, sinceMs);
    equal(paid!.usedMsat, Math.floor(msat));
    equal(this.seller.soldTo(FETCHER, subject).bytes, bytes);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

Deno.test("a real buyer's source and a real seller's provider agree to the msat", async () => {
  await using trade = await Trade.start();
  const bytes = content(20 * MIB);
  const { hash } = await trade.seeding.importBytes(bytes);
  const sinceMs = systemClock.nowMs();
  {
    await using source = trade.source(hash, true);
    await source.fetch({ hash, groups: RangeSet.ALL, signal: never() });
  }
  ok(equalBytes(await bytesOf(trade.fetching, hash), bytes));
  trade.check(hash, bytes.length, sinceMs);
  const { sent } = trade.tap;
  deepEqual([sent[0]!.message.t, "payment" in sent[0]!.message], ["want", true]);
  ok(sent.slice(1).every(({ stream, message }) => stream === 1 && message.t === "top-up"));
});

Deno.test("what was paid and not used is used by the next fetch, which asks the price first", async () => {
  await using trade = await Trade.start();
  const first = await trade.seeding.importBytes(content(MIB / 8, 1));
  const second = await trade.seeding.importBytes(content(MIB / 8, 2));
  const sinceMs = systemClock.nowMs();
  for (const { hash } of [first, second]) {
    await using source = trade.source(hash, hash === first.hash);
    await source.fetch({ hash, groups: RangeSet.ALL, signal: never() });
    trade.check(hash, MIB / 8, sinceMs);
  }
  // The second want finds the price, the third has credit: nothing is paid again.
  const kinds = trade.tap.kinds;
  deepEqual(kinds.slice(0, 3), ["want+payment", "want", "want"]);
  equal(kinds.filter((kind) => kind === "top-up").length, 0);
});

Deno.test("a real buyer pays for a collection and its children in one session", async () => {
  await using trade = await Trade.start();
  const children = Array.from({ length: 60 }, (_, index) => {
    const size = index % 10 === 0 ? MIB / 2 : 4096 + index;
    return [String(index), content(size, index + 1)] as const;
  });
  const { root, hashes } = await importCollection(trade.seeding, children);
  const sinceMs = systemClock.nowMs();
  {
    await using source = trade.source(root, true);
    await source.fetch({ hash: root, groups: RangeSet.ALL, signal: never() });
    await source.fetchChildren({ root, children: RangeSet.ALL, signal: never() });
  }
  for (const hash of hashes) equal(trade.fetching.status(hash)?.state, "complete");
  const { size } = trade.seeding.status(root)!;
  const bytes = children.reduce((sum, [, child]) => sum + child.length, size);
  trade.check(root, bytes, sinceMs);
});

Deno.test("a real buyer takes no seller for a cheat when its own requests are many and given up", async () => {
  await using trade = await Trade.start();
  const size = 12 * MIB;
  const bytes = content(size);
  const { hash } = await trade.seeding.importBytes(bytes);
  await using source = trade.source(hash, true);
  await source.fetch({ hash, groups: RangeSet.of(767), signal: never() });
  for (let round = 0; round < 4; round++) {
    const stop = new AbortController();
    const end = round < 3 ? setTimeout(() => stop.abort(new Error("enough")), 60) : undefined;
    const ends = await Promise.allSettled(Array.from({ length: 6 }, (_, index) => {
      const groups = RangeSet.of(index * 128, index * 128 + 128);
      return source.fetch({ hash, size, groups, signal: stop.signal });
    }));
    clearTimeout(end);
    for (const result of ends) {
      if (result.status === "rejected" && !stop.signal.aborted) throw result.reason;
    }
  }
  ok(equalBytes(await bytesOf(trade.fetching, hash), bytes));
});
