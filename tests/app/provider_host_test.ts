import assert from "node:assert/strict";
import { join } from "node:path";
import { PROVIDER_HANDLERS } from "../../src/app/api/handlers/provider.ts";
import type { NodeParts } from "../../src/app/api/parts.ts";
import type { ProviderAccess } from "../../src/app/api/provider.ts";
import { loadConfig } from "../../src/app/config/load.ts";
import type { Config } from "../../src/app/config/settings.ts";
import { PROVIDER_SCHEMAS } from "../../src/app/control/provider_schemas.ts";
import { openIdentity } from "../../src/app/identity.ts";
import { leaseNumbers, type LendingFigures } from "../../src/app/lease_metrics.ts";
import { ProviderHost } from "../../src/app/lifecycle/provider/mod.ts";
import type { LendingOptions } from "../../src/app/lifecycle/provider/session.ts";
import { Registry } from "../../src/app/prometheus.ts";
import { v } from "../../src/app/schema.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import { systemClock } from "../../src/host/system.ts";
import { npub } from "../../src/nostr/nostr.ts";
import { MemoryBlobStore } from "../../swarm/store/memory_store.ts";

const signal = new AbortController().signal;
const KEY = "ab".repeat(32);

async function configOf(flags: Record<string, string | string[] | boolean>): Promise<Config> {
  const inputs = {
    flags,
    variable: () => undefined,
    readFile: () => Promise.resolve(undefined),
  };
  return (await loadConfig(inputs)).values;
}

/** A host of a node that has neither wallet nor relays. */
async function withHost(
  flags: Record<string, string | string[] | boolean>,
  work: (host: ProviderHost, data: string) => Promise<void>,
  more: Partial<LendingOptions> = {},
): Promise<void> {
  const data = await Deno.makeTempDir({ prefix: "provider-host-" });
  try {
    const config = await configOf({ data, ...flags });
    const identity = await openIdentity({ directory: data });
    await using store = new MemoryBlobStore({ clock: systemClock });
    const no = () => Promise.reject(new SeedmintError("unavailable", "there is no wallet"));
    await using host = new ProviderHost({
      config,
      identity,
      store,
      wallet: { open: no, isWanted: () => Promise.resolve(false) },
      network: undefined,
      pool: undefined,
      swarm: () => Promise.resolve(undefined),
      receipts: { store: no },
      ...more,
    });
    await work(host, data);
  } finally {
    await Deno.remove(data, { recursive: true });
  }
}

const TIER = "basic=1/1GiB/10GiB/50msat";

Deno.test("ProviderHost says which setting is missing, begins nothing, and remembers no wish", async () => {
  const cases: readonly (readonly [Record<string, string | string[] | boolean>, RegExp])[] = [
    [{}, /there is no tier/],
    [{ providerTier: [TIER] }, /--provider-public-host/],
    [{ providerTier: [TIER], providerPublicHost: "h.example" }, /--relay/],
  ];
  for (const [flags, pattern] of cases) {
    await withHost(flags, async (host, data) => {
      await assert.rejects(host.start({ signal }), pattern);
      assert.match(host.problems().join(), pattern);
      assert.equal(host.report().state, "off");
      assert.throws(() => host.drain(true), /Nothing is lent here/);
      await assert.rejects(Deno.stat(join(data, "lending")), Deno.errors.NotFound);
      await host.stop({ evict: false, signal, onNote: () => {} });
      assert.deepEqual(host.problems(), []);
    });
  }
});

Deno.test("ProviderHost begins by itself where that was asked for, and tells why it cannot", async () => {
  await withHost({ provider: true }, async (host) => {
    await host.resume();
    assert.match(host.problems().join(), /there is no tier/);
  });
  await withHost({}, async (host, data) => {
    await host.resume();
    assert.deepEqual(host.problems(), [], "nobody asked");
    await Deno.writeTextFile(join(data, "lending"), "");
    await host.resume();
    assert.match(host.problems().join(), /there is no tier/, "somebody did, before");
  });
});

Deno.test("ProviderHost needs the wallet before it touches an engine", async () => {
  const state = await Deno.makeTempDir();
  const flags = {
    providerTier: [TIER],
    providerPublicHost: "h.example",
    providerHttp: "127.0.0.1:0",
    providerState: state,
  };
  await withHost(flags, async (host, data) => {
    await assert.rejects(host.start({ signal }), /there is no wallet/);
    assert.equal(host.report().watchdogPid, null);
    // The locks are free again.
    await assert.rejects(host.start({ signal }), /there is no wallet/);
    assert.equal(((await Deno.stat(join(data, "provider"))).mode ?? 0) & 0o077, 0);
  });
  await Deno.remove(state, { recursive: true });
});

Deno.test("methods of lending read keys and images as people write them, and refuse what is neither", async () => {
  const seen: unknown[] = [];
  const provider = {
    deny: (denial: unknown) => {
      seen.push(denial);
      return [];
    },
    allow: (...about: unknown[]) => {
      seen.push(about);
      return [];
    },
  } as unknown as ProviderAccess;
  const parts = { provider } as unknown as NodeParts;
  const context = { signal, emit: () => {} };
  const deny = (kind: "key" | "image", name: string) =>
    Promise.resolve().then(() =>
      PROVIDER_HANDLERS["provider.deny"](parts, { kind, name, reason: "no" }, context)
    );
  await deny("key", npub(KEY));
  await deny("image", "ghcr.io/evil/");
  await PROVIDER_HANDLERS["provider.allow"](parts, { kind: "key", name: KEY }, context);
  assert.deepEqual(seen, [
    { kind: "key", name: KEY, reason: "no" },
    { kind: "image", name: "ghcr.io/evil/", reason: "no" },
    ["key", KEY],
  ]);
  await assert.rejects(deny("key", "anna"), /no Nostr key/);
  await assert.rejects(deny("image", "a b"), /no start of an image/);
  const status = () =>
    Promise.resolve().then(() =>
      PROVIDER_HANDLERS["provider.status"]({} as NodeParts, {}, context)
    );
  await assert.rejects(status(), /No node runs here/);
  const isTaken = (name: keyof typeof PROVIDER_SCHEMAS, params: unknown) =>
    v.safeParse(PROVIDER_SCHEMAS[name], params).success;
  assert.ok(isTaken("provider.stop", { evict: true }));
  assert.ok(!isTaken("provider.stop", { evict: true, force: true }));
  assert.ok(!isTaken("provider.deny", { kind: "node", name: "x", reason: "" }));
  assert.ok(!isTaken("provider.evict", { lease: "", reason: "" }));
});

Deno.test("metrics of lending tell what is lent, and nobody's key", async () => {
  const registry = new Registry();
  const now: { figures?: LendingFigures } = {};
  leaseNumbers([registry], () => now.figures);
  assert.match(await registry.metrics(), /seedmint_lending_up 0/);
  const amounts = { cpuMillicores: 2000, memoryMb: 4, diskMb: 8 };
  now.figures = {
    isDraining: false,
    isAble: true,
    activeCount: 2,
    openCount: 3,
    completedCount: 4,
    earnedSat: 500,
    slots: [{ tier: "basic", count: 7 }],
    total: amounts,
    free: { ...amounts, cpuMillicores: 500 },
    ended: new Map([["expired", 4]]),
  };
  const text = await registry.metrics();
  const lines = [
    "seedmint_lending_up 1",
    "seedmint_lending_leases_ready 2",
    "seedmint_lending_leases_open 3",
    'seedmint_lending_slots{tier="basic"} 7',
    'seedmint_lending_resources{resource="cores",kind="free"} 0.5',
    'seedmint_lending_resources{resource="memory",kind="total"} 4194304',
    "seedmint_lending_redeemed_sat_total 500",
    'seedmint_lending_ended_total{reason="expired"} 4',
  ];
  for (const line of lines) assert.ok(text.includes(line), line);
});
