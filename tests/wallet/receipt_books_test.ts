/** What the books say for receipts, and what asking for them reads. */
import assert from "node:assert/strict";
import { deliveredTo } from "../../wallet/receipt_books.ts";
import { startKit } from "../support/wallet_kit.ts";
import { groups, hashOf, SellingWorld } from "./selling/selling_world.ts";

Deno.test("the books of a sale count what is not written down yet, and name the latest payments", async () => {
  await using kit = await startKit();
  await using world = await SellingWorld.start(kit);
  const [film, song] = [hashOf("film"), hashOf("song")];
  const store = world.wallet.store;
  const booksOf = (peerId: string, root = film) =>
    deliveredTo(store, { peerId, soldTo: (content) => world.seller.soldTo(peerId, content) }, root);
  assert.equal(booksOf("p"), undefined);
  for (let index = 0; index < 3; index++) await world.credit("p", 64n);
  await world.redeemAll();
  await world.credit("p", 64n);
  await world.credit("q", 64n);
  const first = world.meter("p", 1_000, song);
  first.take(groups(64));
  await first[Symbol.asyncDispose]();
  await using second = world.meter("p");
  second.take(groups(128));
  const books = booksOf("p")!;
  assert.deepEqual([books.bytes, books.msat, books.peerMsat], [2 ** 21, 2_000, 3_000]);
  assert.equal(books.payments.length, 4);
  assert.ok(books.payments.every(({ mint, ys }) => mint === kit.url() && ys.length > 0));
  assert.equal(booksOf("p", hashOf("other")), undefined);
  assert.equal(booksOf("q"), undefined, "it paid, and got nothing yet");
});

Deno.test("who asks for a receipt makes the wallet read the latest payments alone", async () => {
  await using kit = await startKit();
  await using world = await SellingWorld.start(kit);
  for (let index = 0; index < 5; index++) await world.credit("p", 64n);
  const { store } = world.wallet;
  const all = store.incomingPayments({ payer: "p" });
  assert.deepEqual(store.incomingPayments({ payer: "p", latest: 2 }), all.slice(-2));
  const read: number[] = [];
  const reads = new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (name === "sales") throw new Error("every sale would be read");
      if (name !== "incomingPayments") {
        return typeof value === "function" ? value.bind(target) : value;
      }
      return (filter: Parameters<typeof store.incomingPayments>[0]) => {
        read.push(filter.latest ?? Infinity);
        return target.incomingPayments(filter);
      };
    },
  });
  const soldTo = () => ({ bytes: 1, msat: 1 });
  assert.equal(deliveredTo(reads, { peerId: "p", soldTo }, hashOf("film"))!.payments.length, 5);
  assert.ok(read.length === 2 && read.every((count) => count <= 512), `${read}`);
});
