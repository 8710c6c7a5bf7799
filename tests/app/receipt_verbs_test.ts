/** Receipts as the node's methods and verbs show them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Hash } from "../../src/core/hash.ts";
import { LocalNode } from "../../src/app/api/local.ts";
import type { NodeParts } from "../../src/app/api/parts.ts";
import { main } from "../../src/app/cli/main.ts";
import { PARAM_SCHEMAS } from "../../src/app/control/schemas.ts";
import { NodeReceipts } from "../../src/app/lifecycle/receipts.ts";
import { receiptsOf } from "../../src/app/lifecycle/receipt_views.ts";
import { v } from "../../src/app/schema.ts";
import { type ByteReceipt, lease as leases, readReceipt, ReceiptStore } from "../../trust/mod.ts";

const ROOT = "cd".repeat(32) as Hash;
const [US, THEM] = ["12D3KooWUs", "12D3KooWThem"];

/** Keeps a receipt that ended at `toS`. */
function keep(store: ReceiptStore, role: "provider" | "consumer", toS: number, id?: string): void {
  const isProvider = role === "provider";
  const receipt: ByteReceipt = {
    ...{ version: 1, type: "bytes", id: id ?? toS.toString(16).padStart(32, "0") },
    ...{ provider: (isProvider ? "a" : "b").repeat(64), providerPeer: isProvider ? US : THEM },
    ...{ consumer: (isProvider ? "b" : "a").repeat(64), consumerPeer: isProvider ? THEM : US },
    ...{ commitment: "c".repeat(64), fromS: toS - 10, toS, bytes: 1 << 20, msat: 300 },
    ...{ unit: "sat", payments: [], unlisted: 0 },
  };
  const signed = { receipt, providerSig: "1".repeat(128), consumerSig: "2".repeat(128) };
  const opening = isProvider ? {} : { root: ROOT, salt: new Uint8Array(32).fill(7) };
  store.put({ role, peerId: THEM, signed, ...opening });
}

const LEASE = `${"e".repeat(64)}:container-3:900000`;

/** Keeps a lease's receipt that ended at `toS`, which its lessee alone signed. */
function keepLease(store: ReceiptStore, toS: number): void {
  const receipt: leases.LeaseReceipt = {
    ...{ version: 1, type: "lease", lease: LEASE, provider: "e".repeat(64) },
    ...{ consumer: "a".repeat(64), tier: "d".repeat(64), image: "", fromS: toS - 100, toS },
    ...{ seconds: 100, msatPerS: 50, msat: 5000, paidMsat: 9000, refundSat: 4, unit: "sat" },
    ...{ payments: [], unlisted: 1, ending: "evicted", error: "" },
  };
  const signed = { receipt, consumerSig: "2".repeat(128) };
  const reason = "the provider gives no receipt: not_found";
  store.leases.put({ role: "consumer", state: "one-sided", signed, isDelivered: true, reason });
}

async function withReceipts(
  use: (node: LocalNode, data: string) => Promise<void>,
  options: { readonly leaseToS?: number } = {},
): Promise<void> {
  const data = await Deno.makeTempDir({ prefix: "seedmint-receipts-" });
  try {
    {
      using store = ReceiptStore.open(join(data, "receipts.sqlite"));
      keep(store, "consumer", 1_000_000, `ab${"0".repeat(30)}`);
      keep(store, "provider", 2_000_000, `abcd${"0".repeat(28)}`);
      if (options.leaseToS !== undefined) keepLease(store, options.leaseToS);
    }
    using receipts = new NodeReceipts({
      dataDirectory: data,
      identity: { nostrSecret: new Uint8Array(32).fill(1), peerId: US },
      wallet: () => undefined,
      log: () => {},
    });
    await use(new LocalNode({ receipts } as unknown as NodeParts), data);
  } finally {
    await Deno.remove(data, { recursive: true });
  }
}

Deno.test("receipts are listed by side, peer and time, the latest first", async () => {
  await withReceipts(async (node) => {
    const sides = async (query: Parameters<typeof node.call<"receipts.list">>[1]) =>
      (await node.call("receipts.list", query)).receipts.map(({ role }) => role);
    assert.deepEqual(await sides({}), ["provider", "consumer"]);
    assert.deepEqual(await sides({ role: "consumer" }), ["consumer"]);
    assert.deepEqual(await sides({ peerId: US }), []);
    assert.deepEqual(await sides({ sinceMs: 1_000_000_001 }), ["provider"]);
    assert.deepEqual(await sides({ limit: 1 }), ["provider"]);
    const { receipts: [, bought] } = await node.call("receipts.list", {});
    assert.ok(bought?.type === "bytes");
    assert.deepEqual([bought.root, bought.toMs, bought.bytes], [ROOT, 1e9, 1 << 20]);
    assert.ok(!("salt" in bought), "what opens a commitment is not in a list");
  });
});

Deno.test("a receipt is shown as it was signed, by first digits that are its own", async () => {
  await withReceipts(async (node) => {
    const shown = await node.call("receipts.show", { id: "abcd" });
    assert.equal(readReceipt(shown.text)!.receipt.id, shown.id);
    assert.ok(shown.type === "bytes");
    assert.deepEqual([shown.role, shown.root, shown.salt], ["provider", null, null]);
    const bought = await node.call("receipts.show", { id: "ab00" });
    assert.equal(bought.salt, "07".repeat(32));
    await assert.rejects(node.call("receipts.show", { id: "ab" }), /give more digits/);
    await assert.rejects(node.call("receipts.show", { id: "ffff" }), /see receipts ls/);
  });
  const schema = PARAM_SCHEMAS["receipts.show"];
  for (const id of ["", "abc", "xyz1", "a".repeat(33), "%"]) assert.ok(!v.is(schema, { id }), id);
});

Deno.test("a receipt is found among many that end in one second, pages back", () => {
  using store = ReceiptStore.open(":memory:");
  store.transaction(() => {
    keep(store, "provider", 10, "f".repeat(32));
    for (let index = 0; index < 1_500; index++) {
      keep(store, "provider", 100 + Math.floor(index / 7), index.toString(16).padStart(32, "0"));
    }
  });
  assert.equal(receiptsOf(store, "ffff").length, 1);
  assert.equal(receiptsOf(store, "0000").length, 1_500);
});

Deno.test("receipts ls and show work without a running node, and name mistakes", async () => {
  await withReceipts(async (_node, data) => {
    const run = async (...args: string[]) => {
      let [out, err] = ["", ""];
      const code = await main([...args, "--data", data], {
        writeOut: (bytes) => out += new TextDecoder().decode(bytes),
        writeErr: (bytes) => err += new TextDecoder().decode(bytes),
        isErrTerminal: false,
        columns: 80,
        isColored: false,
      });
      return { code, out, err };
    };
    const listed = await run("receipts", "ls", "--json", "--role", "consumer");
    assert.equal(listed.code, 0, listed.err);
    assert.equal(JSON.parse(listed.out).root, ROOT);
    assert.match(
      (await run("receipts", "ls")).out,
      /^ID +UNTIL +SIDE.*\nabcd00000000… +1970-01-24/,
    );
    const shown = await run("receipts", "show", "abcd");
    assert.ok(readReceipt(shown.out.trim()) !== undefined);
    assert.match((await run("receipts", "ls", "--role", "both")).err, /provider, consumer wanted/);
    assert.match((await run("receipts", "show", "film")).err, /hex digits/);
    assert.equal((await run("receipts", "show", "ffff")).code, 1);
  });
});

Deno.test("receipts for leases are listed among the others, by type, key, and who signed them", async () => {
  await withReceipts(async (node, data) => {
    const listed = async (query: Parameters<typeof node.call<"receipts.list">>[1]) =>
      (await node.call("receipts.list", query)).receipts.map(({ type }) => type);
    assert.deepEqual(await listed({}), ["bytes", "lease", "bytes"]);
    assert.deepEqual(await listed({ type: "lease" }), ["lease"]);
    assert.deepEqual(await listed({ type: "bytes" }), ["bytes", "bytes"]);
    assert.deepEqual(await listed({ peerId: "e".repeat(64) }), ["lease"]);
    assert.deepEqual(await listed({ peerId: "f".repeat(64) }), []);
    assert.deepEqual(await listed({ peerId: THEM }), ["bytes", "bytes"]);
    assert.deepEqual(await listed({ role: "provider", type: "lease" }), []);
    assert.deepEqual(await listed({ limit: 2 }), ["bytes", "lease"]);
    const id = leases.leaseReceiptIdOf(LEASE);
    const shown = await node.call("receipts.show", { id: id.slice(0, 12) });
    assert.ok(shown.type === "lease");
    assert.deepEqual([shown.state, shown.lease, shown.image], ["one-sided", LEASE, null]);
    assert.match(shown.reason!, /gives no receipt/);
    const signed = leases.readLeaseReceipt(JSON.parse(shown.text));
    assert.equal(signed?.receipt.seconds, 100);
    let out = "";
    await main(["receipts", "ls", "--type", "lease", "--data", data], {
      writeOut: (bytes) => out += new TextDecoder().decode(bytes),
      writeErr: () => {},
      isErrTerminal: false,
      columns: 80,
      isColored: false,
    });
    assert.match(out, /npub1\w+… +container-3, evicted +1 min 40 s +5 sat +us only/);
  }, { leaseToS: 1_500_000 });
});
