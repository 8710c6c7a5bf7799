import assert from "node:assert/strict";
import type { Hash } from "../../src/core/hash.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import { systemClock as clock, systemRandom as random } from "../../src/host/system.ts";
import {
  ConsumerReceipts,
  opensCommitment,
  type Payment,
  ProviderReceipts,
  ReceiptStore,
  verifyReceipt,
} from "../../trust/mod.ts";
import { DEAR, Market } from "../swarm/paid/market.ts";
import { MemoryPayer } from "../swarm/paid/memory_payer.ts";
import { content, FETCHER, never, SEEDER } from "../swarm/provider/support.ts";
import { CONSUMER_SECRET, keyOf, PROVIDER_SECRET } from "./support.ts";

const SIZE = 3 * 1024 * 1024;
const COST_MSAT = 3 * DEAR.priceMsatPerMiB;

Deno.test("a paid fetch over the swarm's protocol ends with one receipt that both sides keep", async () => {
  using given = ReceiptStore.open(":memory:");
  using got = ReceiptStore.open(":memory:");
  const payer = new MemoryPayer();
  const payments = (): Payment[] =>
    payer.answers.filter(([, { answer }]) => answer === "credited")
      .map(([id]) => ({ mint: DEAR.mints[0]!, id, ys: [] }));
  const common = { clock, random };
  const books = {
    delivered: () =>
      Promise.resolve({ bytes: SIZE, msat: COST_MSAT, fromS: 0, payments: payments() }),
    paid: () =>
      Promise.resolve({
        msat: payments().length * DEAR.minTopUpSat * 1000,
        payments: payments(),
      }),
  };
  const subject = "5c".repeat(32) as Hash;
  const receipts = new ConsumerReceipts({
    ...common,
    store: got,
    books,
    signer: { secretKey: CONSUMER_SECRET, publishes: false },
    peerId: FETCHER,
    nostrKeyOf: () => keyOf(PROVIDER_SECRET),
  });
  {
    await using market = await Market.start({
      source: { pay: { payer, subject, receipts } },
      provider: {
        receipts: new ProviderReceipts({
          ...common,
          store: given,
          books,
          signer: { secretKey: PROVIDER_SECRET, publishes: true },
          peerId: SEEDER,
        }),
      },
    });
    const { hash } = await market.seeding.importBytes(content(SIZE));
    await market.source.fetch({ hash, groups: RangeSet.ALL, signal: never() });
  }
  const [provider] = given.list();
  const [consumer] = got.list();
  assert.deepEqual([given.count, got.count], [1, 1]);
  assert.deepEqual(provider!.signed, consumer!.signed);
  assert.equal(verifyReceipt(provider!.signed, "both"), true);
  const { receipt } = provider!.signed;
  assert.deepEqual([receipt.bytes, receipt.msat], [SIZE, COST_MSAT]);
  assert.deepEqual(
    receipt.payments.flatMap(({ ids }) => [...ids]),
    payments().map(({ id }) => id).sort(),
  );
  assert.ok(receipt.payments[0]!.ids.length > 1, "it took more than one payment");
  const commitment = Uint8Array.fromHex(receipt.commitment);
  assert.ok(opensCommitment(commitment, { root: subject, salt: consumer!.salt! }));
  assert.equal(provider!.root, subject);
});
