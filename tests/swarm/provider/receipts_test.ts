import { deepEqual, equal, ok } from "node:assert/strict";
import type { Hash } from "../../../src/core/hash.ts";
import type { ReceiptRequest, Receipts, Viewer } from "../../../swarm/ports.ts";
import { RECEIPT_LENGTH_MAX } from "../../../swarm/protocol/mod.ts";
import { RECEIPTS_BURST } from "../../../swarm/provider/limits.ts";
import { FETCHER, TwoNodes } from "./support.ts";

const ROOT = "11".repeat(32) as Hash;
const ASK = {
  t: "receipt-ask",
  root: ROOT,
  nostrKey: new Uint8Array(32).fill(2),
  commitment: new Uint8Array(32).fill(3),
} as const;

class MemoryReceipts implements Receipts {
  readonly asked: { readonly viewer: Viewer; readonly request: ReceiptRequest }[] = [];
  readonly kept: string[] = [];
  text: string | undefined = '{"v":1}';
  isBroken = false;

  // deno-lint-ignore require-await -- the port is asynchronous, memory is not
  async ask(viewer: Viewer, request: ReceiptRequest): Promise<string | undefined> {
    if (this.isBroken) throw new Error("broken");
    this.asked.push({ viewer, request });
    return this.text;
  }

  // deno-lint-ignore require-await -- the port is asynchronous, memory is not
  async keep(viewer: Viewer, text: string): Promise<boolean> {
    if (this.isBroken) throw new Error("broken");
    equal(viewer.peerId, FETCHER);
    if (!text.startsWith("{")) return false;
    this.kept.push(text);
    return true;
  }
}

Deno.test("Provider gives a receipt for what it is asked, and keeps the one that comes back", async () => {
  const receipts = new MemoryReceipts();
  await using nodes = await TwoNodes.start({ provider: { receipts } });
  const line = await nodes.open();
  await line.send(ASK);
  deepEqual(await line.next(), { t: "receipt", receipt: '{"v":1}' });
  const { root, nostrKey, commitment } = ASK;
  const viewer = { peerId: FETCHER, fleet: false };
  deepEqual(receipts.asked, [{ viewer, request: { root, nostrKey, commitment } }]);
  await line.send({ t: "receipt", receipt: '{"v":1,"both":true}' });
  deepEqual(await line.next(), { t: "end" });
  deepEqual(receipts.kept, ['{"v":1,"both":true}']);
  await line.send({ t: "receipt", receipt: "no receipt" });
  deepEqual(await line.next(), { t: "denied", code: "refused" });
});

Deno.test("Provider says not-found where there is nothing to confirm, and internal when that fails", async () => {
  const receipts = new MemoryReceipts();
  await using nodes = await TwoNodes.start({ provider: { receipts } });
  const line = await nodes.open();
  for (const text of [undefined, "x".repeat(RECEIPT_LENGTH_MAX + 1)]) {
    receipts.text = text;
    await line.send(ASK);
    deepEqual(await line.next(), { t: "not-found" });
  }
  receipts.isBroken = true;
  for (const message of [ASK, { t: "receipt", receipt: "{}" }] as const) {
    await line.send(message);
    deepEqual(await line.next(), { t: "denied", code: "internal" });
  }
  await using without = await TwoNodes.start();
  const other = await without.open();
  await other.send(ASK);
  deepEqual(await other.next(), { t: "not-found" });
  await other.send({ t: "receipt", receipt: "{}" });
  deepEqual(await other.next(), { t: "denied", code: "refused" });
});

Deno.test("Provider signs no faster than a peer may ask for receipts", async () => {
  const receipts = new MemoryReceipts();
  await using nodes = await TwoNodes.start({ provider: { receipts } });
  const line = await nodes.open();
  const startedMs = performance.now();
  for (let count = 0; count < RECEIPTS_BURST + 1; count++) {
    await line.send(ASK);
    await line.next();
  }
  ok(performance.now() - startedMs > 400);
});
