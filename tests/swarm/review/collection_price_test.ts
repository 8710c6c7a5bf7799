/** Listing a blob in a collection must not change what it costs. */
import { deepEqual, equal } from "node:assert/strict";
import type { Hash } from "../../../src/core/hash.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import type { GateDecision, Viewer } from "../../../swarm/ports.ts";
import { MemoryGate, TERMS } from "../provider/memory_gate.ts";
import { Shop } from "../provider/shop.ts";
import { content, FETCHER, importCollection } from "../provider/support.ts";

/** A gate at which some content has a price of its own. */
class PriceList extends MemoryGate {
  readonly prices = new Map<Hash, number | "deny" | "throw">();

  override isFree(root: Hash): boolean {
    return this.prices.get(root) === 0;
  }

  override async decide(
    request: { readonly viewer: Viewer; readonly root?: Hash },
  ): Promise<GateDecision> {
    const price = this.prices.get(request.root!);
    if (price === "throw") throw new Error("the price list is damaged");
    if (price === "deny") return { decision: "deny", code: "closed" };
    const decided = await super.decide(request);
    return decided.decision === "pay" && price !== undefined
      ? { ...decided, priceMsatPerMiB: price }
      : decided;
  }
}

/** A collection of a small and a large child of each price, asked for by who has credit. */
async function sentOf(
  rootMsatPerMiB: number,
  childPrices: readonly (number | "deny" | "throw")[],
  isFleet = false,
) {
  const gate = new PriceList();
  const fleet = { viewerOf: () => Promise.resolve({ peerId: FETCHER, fleet: isFleet }) };
  await using shop = await Shop.start({ provider: { gate, fleet } });
  const names = childPrices.flatMap((_, index) => [`${index}a`, `${index}b`]);
  const { root, hashes } = await importCollection(
    shop.nodes.seeding,
    names.map((name, index) => [name, content(index % 2 === 0 ? 900 : 40_000, index + 1)] as const),
  );
  gate.prices.set(root, rootMsatPerMiB);
  for (const [index, hash] of hashes.entries()) {
    gate.prices.set(hash, childPrices[Math.floor(index / 2)]!);
  }
  gate.give(FETCHER, 64_000);
  const line = await shop.nodes.open();
  await line.send({ t: "want", hash: root, format: "collection" });
  const { messages } = await line.paidAnswer();
  let missing = RangeSet.EMPTY;
  for (const message of messages) {
    if (message.t === "missing") missing = missing.union(message.children);
  }
  equal(messages.at(-1)!.t, "end");
  return names.filter((_, index) => !missing.has(index));
}

Deno.test("Provider sends no priced child for nothing because a free collection lists it", async () => {
  deepEqual(await sentOf(0, [0, 1000, 0]), ["0a", "0b", "2a", "2b"]);
});

Deno.test("Provider sends a child at its collection's price only if it costs no more by itself", async () => {
  const price = TERMS.priceMsatPerMiB;
  const sent = await sentOf(price, [0, price, price + 1, price - 1]);
  deepEqual(sent, ["0a", "0b", "1a", "1b", "3a", "3b"]);
});

Deno.test("Provider leaves out children that the gate denies or cannot decide on", async () => {
  deepEqual(await sentOf(0, ["deny", 0, "throw"]), ["1a", "1b"]);
});

Deno.test("Provider sends every child to the fleet, whatever it costs others", async () => {
  deepEqual(await sentOf(1000, [0, 5000], true), ["0a", "0b", "1a", "1b"]);
});
