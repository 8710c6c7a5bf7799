import { deepEqual, equal, ok } from "node:assert/strict";
import type { Hash } from "../../../src/core/hash.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import type { ReceiptBook, Receipts, ReceiptSubject } from "../../../swarm/ports.ts";
import { content, FETCHER, never, SEEDER } from "../provider/support.ts";
import { Market } from "./market.ts";
import { MemoryPayer } from "./memory_payer.ts";

const SUBJECT = "ab".repeat(32) as Hash;
const REQUEST = {
  root: SUBJECT,
  nostrKey: new Uint8Array(32).fill(1),
  commitment: new Uint8Array(32).fill(2),
};

/** A book that asks for receipts, and what was brought to it. */
class MemoryBook implements ReceiptBook {
  readonly asked: ReceiptSubject[] = [];
  readonly signed: string[] = [];
  wants = true;
  trusts = true;

  // deno-lint-ignore require-await -- the port is asynchronous, memory is not
  async request(subject: ReceiptSubject): Promise<typeof REQUEST | undefined> {
    this.asked.push(subject);
    return this.wants ? REQUEST : undefined;
  }

  // deno-lint-ignore require-await -- as above
  async countersign(
    _subject: ReceiptSubject,
    { receipt }: { readonly receipt: string },
  ): Promise<string | undefined> {
    if (!this.trusts) return undefined;
    this.signed.push(receipt);
    return `${receipt} countersigned`;
  }
}

/** A seller's side that signs everything, or is slow, or throws. */
class MemoryReceipts implements Receipts {
  readonly kept: string[] = [];
  ask: Receipts["ask"] = () => Promise.resolve("a receipt");

  keep(viewer: { readonly peerId: string }, text: string): Promise<boolean> {
    this.kept.push(`${viewer.peerId} ${text}`);
    return Promise.resolve(true);
  }
}

async function market(book: MemoryBook, receipts: MemoryReceipts, size = 100_000) {
  const payer = new MemoryPayer();
  const market = await Market.start({
    source: { pay: { payer, subject: SUBJECT, receipts: book } },
    provider: { receipts },
  });
  const { hash } = await market.seeding.importBytes(content(size));
  return { market, hash };
}

Deno.test("PeerSource asks for a receipt at the end, signs it and brings it back", async () => {
  const [book, receipts] = [new MemoryBook(), new MemoryReceipts()];
  {
    const { market: open, hash } = await market(book, receipts);
    await using shop = open;
    await shop.source.fetch({ hash, groups: RangeSet.ALL, signal: never() });
    deepEqual(book.asked, []);
  }
  deepEqual(book.asked, [{ peerId: SEEDER, root: SUBJECT, bytes: 100_000 }]);
  deepEqual(book.signed, ["a receipt"]);
  deepEqual(receipts.kept, [`${FETCHER} a receipt countersigned`]);
});

Deno.test("PeerSource asks for no receipt for what it did not buy", async () => {
  const [book, receipts] = [new MemoryBook(), new MemoryReceipts()];
  {
    const { market: open, hash } = await market(book, receipts);
    await using shop = open;
    shop.gate.free.add(hash);
    await shop.source.fetch({ hash, groups: RangeSet.ALL, signal: never() });
  }
  deepEqual(book.asked, []);
});

Deno.test("PeerSource signs no receipt that is not true, and none that it was not given", async () => {
  for (const how of ["false", "none", "broken", "unwanted"]) {
    const [book, receipts] = [new MemoryBook(), new MemoryReceipts()];
    if (how === "false") book.trusts = false;
    if (how === "unwanted") book.wants = false;
    if (how === "none") receipts.ask = () => Promise.resolve(undefined);
    if (how === "broken") receipts.ask = () => Promise.reject(new Error("broken"));
    {
      const { market: open, hash } = await market(book, receipts);
      await using shop = open;
      await shop.source.fetch({ hash, groups: RangeSet.ALL, signal: never() });
    }
    deepEqual(receipts.kept, [], how);
  }
});

Deno.test("PeerSource ends in time when a seller is slow to sign", async () => {
  const [book, receipts] = [new MemoryBook(), new MemoryReceipts()];
  const { promise, resolve } = Promise.withResolvers<string>();
  receipts.ask = () => promise;
  const { market: open, hash } = await market(book, receipts);
  await open.source.fetch({ hash, groups: RangeSet.ALL, signal: never() });
  const startedMs = performance.now();
  await open.source[Symbol.asyncDispose]();
  const ms = performance.now() - startedMs;
  resolve("late");
  await open[Symbol.asyncDispose]();
  ok(ms > 1000 && ms < 4000, `${ms} ms`);
  equal(receipts.kept.length, 0);
});
