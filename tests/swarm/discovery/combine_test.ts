import assert from "node:assert/strict";
import fc from "fast-check";
import { combineDiscoveries, mergeHints } from "../../../swarm/discovery/combine.ts";
import { StaticDiscovery } from "../../../swarm/discovery/static_discovery.ts";
import type { Discovery, ProviderHint } from "../../../swarm/ports.ts";
import { hashOf } from "./support.ts";

const query = { hash: hashOf(1) };
const hint = (fields: Partial<ProviderHint> = {}): ProviderHint => ({
  peerId: "ann",
  addrs: [],
  via: "advert",
  bound: false,
  ...fields,
});

function giving(...hints: readonly ProviderHint[]): Discovery {
  return {
    async *find() {
      for (const one of hints) {
        await Promise.resolve();
        yield one;
      }
    },
  };
}

async function all(discovery: Discovery, signal?: AbortSignal): Promise<ProviderHint[]> {
  const found: ProviderHint[] = [];
  for await (const one of discovery.find(query, signal === undefined ? {} : { signal })) {
    found.push(one);
  }
  return found;
}

Deno.test("combineDiscoveries gives a peer once for all that name it, with all its addresses", async () => {
  const combined = combineDiscoveries([
    giving(hint({ addrs: ["/a"] })),
    giving(hint({ addrs: ["/b"] }), hint({ peerId: "bob" })),
    giving(hint({ addrs: ["/a"] })),
  ]);
  const found = await all(combined);
  const last = new Map(found.map((one) => [one.peerId, one]));
  assert.deepEqual(last.get("ann")!.addrs.toSorted(), ["/a", "/b"]);
  assert.ok(last.has("bob"));
  assert.ok(found.length <= 3);
});

Deno.test("combineDiscoveries says nothing twice", async () => {
  const combined = combineDiscoveries([giving(hint(), hint()), giving(hint())]);
  assert.equal((await all(combined)).length, 1);
});

Deno.test("combineDiscoveries gives a peer for each blob that it has for one SHA-256", async () => {
  const [image, manifest] = [hashOf(2), hashOf(3)];
  const combined = combineDiscoveries([
    giving(hint({ addrs: ["/a"] }), hint({ hash: image }), hint({ hash: manifest, addrs: ["/b"] })),
    giving(hint({ hash: manifest, addrs: ["/c"] }), hint({ hash: image })),
  ]);
  const found = await all(combined);
  const last = new Map(found.map((one) => [one.hash, one]));
  assert.ok(last.has(image) && last.has(manifest));
  assert.ok(found.every(({ peerId }) => peerId === "ann"));
  assert.ok(found.length <= 5);
});

Deno.test("combineDiscoveries goes on when one fails, and ends when all have", async () => {
  const errors: unknown[] = [];
  const failing: Discovery = {
    // deno-lint-ignore require-yield
    async *find() {
      await Promise.resolve();
      throw new Error("no relay");
    },
  };
  const combined = combineDiscoveries([failing, giving(hint()), failing], {
    onError: (error) => errors.push(error),
  });
  assert.equal((await all(combined)).length, 1);
  assert.equal(errors.length, 2);
  assert.deepEqual(await all(combineDiscoveries([])), []);
});

Deno.test("combineDiscoveries yields at once what it has, and ends at an abort", async () => {
  const controller = new AbortController();
  let stopped = false;
  const waiting: Discovery = {
    async *find(_query, { signal } = {}) {
      await new Promise<void>((resolve) => signal!.addEventListener("abort", () => resolve()));
      stopped = true;
      yield hint({ peerId: "late" });
    },
  };
  const combined = combineDiscoveries([waiting, giving(hint())]);
  const found: string[] = [];
  for await (const one of combined.find(query, { signal: controller.signal })) {
    found.push(one.peerId);
    controller.abort();
  }
  assert.deepEqual(found, ["ann"]);
  assert.equal(stopped, true, "nothing is left running");
});

Deno.test("mergeHints lets only a bound advert speak for the peer", () => {
  const bound = hint({
    bound: true,
    nostrKey: "true",
    priceMsatPerMiB: 5,
    p2pk: "p",
    addrs: ["/a"],
  });
  const liar = hint({
    nostrKey: "liar",
    priceMsatPerMiB: 0,
    p2pk: "q",
    mints: ["m"],
    addrs: ["/b"],
    size: 7,
  });
  const merged = { ...bound, addrs: ["/a", "/b"], size: 7 };
  assert.deepEqual(mergeHints(bound, liar), merged);
  const other = mergeHints(liar, bound);
  assert.deepEqual({ ...other, addrs: [...other.addrs].sort() }, merged);
  assert.equal(other.mints, undefined);
});

Deno.test("mergeHints takes terms from one hint as a whole, a blob's advert before a node's", () => {
  const node = hint({
    via: "node-advert",
    priceMsatPerMiB: 9,
    mints: ["m"],
    p2pk: "p",
    minTopUpSat: 64,
    locktimeMin: 90,
  });
  const free = hint({ via: "advert", priceMsatPerMiB: 0 });
  const dear = hint({ via: "advert", priceMsatPerMiB: 20, p2pk: "q" });
  const known = hint({ via: "peer", addrs: ["/a"] });
  for (const bound of [false, true]) {
    const [n, f, d] = [node, free, dear].map((one) => ({ ...one, bound })) as [
      ProviderHint,
      ProviderHint,
      ProviderHint,
    ];
    for (const [a, b] of [[n, f], [f, n]] as const) {
      const merged = mergeHints(a, b);
      assert.equal(merged.priceMsatPerMiB, 0, "what its own advert gives away costs nothing");
      assert.equal(merged.p2pk, undefined);
      assert.equal(merged.minTopUpSat, undefined);
      assert.equal(merged.locktimeMin, undefined);
    }
    for (const [a, b] of [[n, d], [d, n]] as const) {
      const merged = mergeHints(a, b);
      assert.equal(merged.priceMsatPerMiB, 20);
      assert.equal(merged.p2pk, "q");
      assert.equal(merged.mints, undefined, "the mints of another offer are not of this one");
    }
    const merged = mergeHints(mergeHints(known, f), n);
    assert.equal(merged.via, "peer");
    assert.equal(merged.priceMsatPerMiB, 0);
  }
  assert.deepEqual(mergeHints(known, node), { ...node, via: "peer", addrs: ["/a"] });
});

Deno.test("mergeHints returns the hint itself when nothing is new", () => {
  const one = fc.record({
    peerId: fc.constant("ann"),
    addrs: fc.uniqueArray(fc.constantFrom("/a", "/b", "/c")),
    via: fc.constantFrom("advert" as const, "node-advert" as const, "mdns" as const),
    bound: fc.boolean(),
    size: fc.nat(),
    priceMsatPerMiB: fc.nat({ max: 3 }),
    minTopUpSat: fc.nat({ max: 3 }),
    locktimeMin: fc.nat({ max: 3 }),
  }, { requiredKeys: ["peerId", "addrs", "via", "bound", "size", "priceMsatPerMiB"] });
  fc.assert(fc.property(one, one, (a, b) => {
    const merged = mergeHints(a, b);
    assert.equal(mergeHints(merged, b), merged);
    assert.equal(mergeHints(merged, a), merged);
    assert.equal(merged.bound, a.bound || b.bound);
  }));
});

Deno.test("StaticDiscovery gives configured peers and those found on the local network", async () => {
  const discovery = new StaticDiscovery([{ peerId: "ann", addrs: ["/a"], via: "peer" }]);
  discovery.add({ peerId: "bob", addrs: ["/b"] }, "mdns");
  discovery.add({ peerId: "ann", addrs: ["/evil"] }, "mdns");
  assert.deepEqual(await all(discovery), [
    hint({ addrs: ["/a"], via: "peer" }),
    hint({ peerId: "bob", addrs: ["/b"], via: "mdns" }),
  ]);
  discovery.remove("bob");
  assert.equal((await all(discovery)).length, 1);
  assert.deepEqual(await all(discovery, AbortSignal.abort()), []);
});

Deno.test("StaticDiscovery grows no further than its limit, and keeps what was configured", async () => {
  const discovery = new StaticDiscovery([{ peerId: "ann", addrs: [], via: "peer" }]);
  for (let at = 0; at < 1000; at++) discovery.add({ peerId: `p${at}`, addrs: [] }, "mdns");
  const found = await all(discovery);
  assert.equal(found.length, 256);
  assert.equal(found[0]!.peerId, "ann");
  assert.equal(found.at(-1)!.peerId, "p999");
});
