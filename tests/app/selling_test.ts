import assert from "node:assert/strict";
import { utf8 } from "../../src/core/bytes.ts";
import { isSeedmintError, SeedmintError } from "../../src/core/errors.ts";
import { readMints } from "../../src/app/cli/verbs/services.ts";
import { readServiceId } from "../../src/app/api/handlers/selling.ts";
import { LocalNode } from "../../src/app/api/local.ts";
import type { NodeParts } from "../../src/app/api/parts.ts";
import type { Selling, ServiceRow } from "../../src/app/api/selling.ts";
import type { EarningsRow } from "../../src/app/api/selling_methods.ts";
import { main } from "../../src/app/cli/main.ts";
import { priceOf } from "../../src/app/config/money_values.ts";
import { PARAM_SCHEMAS } from "../../src/app/control/schemas.ts";
import { formatMsat, formatPrice } from "../../src/app/output/format.ts";
import { v } from "../../src/app/schema.ts";
import { systemClock } from "../../src/host/system.ts";
import { MemoryBlobStore } from "../../swarm/store/memory_store.ts";

const NOTHING: Omit<EarningsRow, "key"> = {
  soldBytes: 1 << 20,
  earnedMsat: 300_500,
  expiredMsat: 0,
  refundedMsat: 0,
  queuedSat: 0,
  provisionalSat: 21,
  redeemedSat: 280,
};

/** A seller in memory. */
function sellingDouble(): Selling {
  const rows = new Map<string, ServiceRow>();
  return {
    services: () => [...rows.values()],
    set: ({ id, priceMsatPerMiB, minTopUpSat, mints }) => {
      const row = {
        ...{ id, enabled: true, priceMsatPerMiB },
        minTopUpSat: minTopUpSat ?? null,
        mints: mints ?? null,
      };
      rows.set(id, row);
      return Promise.resolve(row);
    },
    enable: (id, enabled) => {
      const row = rows.get(id);
      if (row === undefined) throw new SeedmintError("not-found", `There is no price for ${id}`);
      rows.set(id, { ...row, enabled });
      return rows.get(id)!;
    },
    earnings: () => ({ rows: [{ key: "2026-01-02", ...NOTHING }], total: NOTHING }),
  };
}

function nodeOf(selling: Selling | undefined = sellingDouble()) {
  const store = new MemoryBlobStore({ clock: systemClock });
  const access = {
    open: () => Promise.resolve(selling),
    opened: () => selling,
    priceOf: () => 300,
    sold: () => undefined,
  };
  const parts = { store, clock: systemClock, selling: access } as unknown as NodeParts;
  return { store, node: new LocalNode(parts), parts };
}

Deno.test("a service is named by default, by visibility, or by whatever names content", async () => {
  const { store, parts } = nodeOf();
  const { hash } = await store.importBytes(utf8("film"));
  const idOf = (text: string) => readServiceId(text, parts);
  assert.equal(idOf("default"), "default");
  assert.equal(idOf("fleet"), "visibility:fleet");
  assert.equal(idOf("visibility:public"), "visibility:public");
  for (const text of [hash, ` ${hash.slice(0, 8)}… `, `content:${hash}`, `blake3:${hash}`]) {
    assert.equal(idOf(text), `content:${hash}`);
  }
  for (const text of ["", "everything", "visibility:all", "content:", "Default", "ab"]) {
    assert.throws(() => idOf(text), (error) => isSeedmintError(error, "usage"), text);
  }
  assert.throws(() => idOf("0000"), (error) => isSeedmintError(error, "not-found"));
  assert.throws(() => idOf(`${hash}0`), (error) => isSeedmintError(error, "usage"));
});

Deno.test("prices are set, switched and listed, with the names of what is here", async () => {
  const { store, node } = nodeOf();
  const { hash } = await store.importBytes(utf8("film"), { name: "film.mkv" });
  const notes: string[] = [];
  const onEvent = ({ message }: { message: string }) => void notes.push(message);
  const set = await node.call("services.set", { id: hash, priceMsatPerMiB: 300 }, { onEvent });
  assert.deepEqual(set, {
    ...{ id: `content:${hash}`, enabled: true, priceMsatPerMiB: 300 },
    ...{ minTopUpSat: null, mints: null, name: "film.mkv" },
  });
  await node.call("services.set", { id: "ab".repeat(32), priceMsatPerMiB: 0 }, { onEvent });
  assert.match(notes.join(), /^abababab.* is not in the store; the price holds once it is$/);
  assert.equal((await node.call("services.disable", { id: hash })).enabled, false);
  assert.equal((await node.call("services.enable", { id: hash })).enabled, true);
  await assert.rejects(
    node.call("services.enable", { id: "default" }),
    (error) => isSeedmintError(error, "not-found"),
  );
  const { services } = await node.call("services.list", {});
  assert.deepEqual(services.map((one) => one.name), ["film.mkv", null]);
});

Deno.test("earnings come with what they were asked by; ls tells the price of each blob", async () => {
  const { store, node } = nodeOf();
  await store.importBytes(utf8("film"));
  const report = await node.call("earnings", { by: "peer", sinceMs: 5 });
  assert.deepEqual([report.by, report.sinceMs, report.total.redeemedSat], ["peer", 5, 280]);
  const prices: unknown[] = [];
  await node.call("list", {}, { onEvent: ({ blob }) => prices.push(blob.priceMsatPerMiB) });
  assert.deepEqual(prices, [300]);
});

Deno.test("control refuses prices and services that cannot be, before the wallet hears of them", () => {
  const takes = (method: keyof typeof PARAM_SCHEMAS, params: object) =>
    v.safeParse(PARAM_SCHEMAS[method], params).success;
  const set = { id: "default", priceMsatPerMiB: 300 };
  assert.ok(takes("services.set", { ...set, minTopUpSat: 16, mints: ["https://a.example"] }));
  assert.ok(takes("services.set", { ...set, mints: [] }), "all that are listed");
  for (
    const wrong of [
      { priceMsatPerMiB: -1 },
      { priceMsatPerMiB: 0.5 },
      { priceMsatPerMiB: 10_000_001 },
      { minTopUpSat: 0 },
      { mints: [""] },
      { mints: new Array(17).fill("https://a.example") },
      { id: "" },
      { more: 1 },
    ]
  ) assert.ok(!takes("services.set", { ...set, ...wrong }), JSON.stringify(wrong));
  assert.ok(!takes("earnings", { by: "week" }));
  assert.ok(!takes("services.list", { all: true }));
});

Deno.test("--mint names mints, or all that are listed, or leaves them as they are", () => {
  assert.equal(readMints([]), undefined);
  assert.deepEqual(readMints(["https://a.example"]), ["https://a.example"]);
  assert.deepEqual(readMints(["all"]), []);
  assert.throws(
    () => readMints(["all", "https://a.example"]),
    (error) => isSeedmintError(error, "usage"),
  );
});

Deno.test("a price is read in msat unless it says sat, up to a limit", () => {
  for (
    const [text, msat] of [["0", 0], ["300", 300], [" 300 msat", 300], ["2sat", 2000]] as const
  ) {
    assert.equal(priceOf(text), msat);
  }
  for (const text of ["", "-1", "1.5", "1e3", "300 msat/MiB", "free", "10001sat", "99999999"]) {
    assert.throws(() => priceOf(text), SyntaxError, text);
  }
  assert.deepEqual([formatPrice(0), formatPrice(300)], ["free", "300 msat/MiB"]);
  assert.deepEqual([formatMsat(0), formatMsat(1_005), formatMsat(2_000)], [
    "0 sat",
    "1.005 sat",
    "2 sat",
  ]);
});

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ["", ""];
  const code = await main(args, {
    writeOut: (bytes) => out += new TextDecoder().decode(bytes),
    writeErr: (bytes) => err += new TextDecoder().decode(bytes),
    isErrTerminal: false,
    columns: 80,
    isColored: false,
  });
  return { code, out, err };
}

Deno.test("mistakes in prices are named before anything is opened", async () => {
  const nowhere = ["--data", "/nowhere/at/all"];
  for (
    const [line, message] of [
      [["services", "set", "default", "-5"], /no flag|is no price/],
      [["services", "set", "default", "dear"], /"dear" is no price/],
      [["services", "set", "default", "10001sat"], /at most 10000000 msat/],
      [["services", "set", "default"], /SERVICE PRICE is missing/],
      [["services", "set", "default", "5", "--min-top-up", "0"], /at least 1 sat/],
      [["services"], /list, set, enable, disable/],
      [["services", "lst"], /did you mean services list\?/],
      [["earnings", "--by", "week"], /one of day, mint, peer, content wanted/],
      [["earnings", "--since", "soon"], /--since "soon"/],
      [["get", "ab", "--cheapest", "--fastest"], /--cheapest and --fastest together/],
      [["get", "ab", "--budget", "5", "--no-pay"], /--budget and --no-pay together/],
      [["get", "ab", "--price-max", "-1"], /price/],
    ] as const
  ) {
    const { code, err } = await run(...line, ...nowhere);
    assert.equal(code, 2, line.join(" "));
    assert.match(err, message);
  }
});
