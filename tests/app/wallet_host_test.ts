import assert from "node:assert/strict";
import { join } from "node:path";
import { loadConfig, noInputs } from "../../src/app/config/load.ts";
import type { Config } from "../../src/app/config/settings.ts";
import { openWalletAlone, walletDirectory, WalletHost } from "../../src/app/lifecycle/wallet.ts";
import { type EndedMetric, Metrics, type MintRequestMetric } from "../../src/app/metrics.ts";
import { systemClock, systemRandom } from "../../src/host/system.ts";
import { WalletMeter } from "../../src/app/wallet_meter.ts";
import { walletOver } from "../../src/app/api/wallet_methods.ts";
import type { WalletApi } from "../../wallet/wallet_api.ts";
import { isSeedmintError } from "../../src/core/errors.ts";
import { FakeLightning } from "../../devnet/lightning/mod.ts";
import { DevMint } from "../../devnet/mint/mod.ts";
import { ID, operationOf, walletDouble } from "./wallet_double.ts";

const WORDS = "legal winner thank year wave sausage worth useful legal winner thank yellow";

async function withConfig(
  changes: Partial<Config>,
  use: (config: Config) => Promise<void>,
): Promise<void> {
  const data = await Deno.makeTempDir({ prefix: "seedmint-host-" });
  try {
    const { values } = await loadConfig(noInputs);
    await use({ ...values, data, seed: WORDS, ...changes });
  } finally {
    await Deno.remove(data, { recursive: true });
  }
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = AbortSignal.timeout(10_000);
  while (!condition()) {
    deadline.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

Deno.test("WalletHost opens nothing until mints are set, a wallet is there, or somebody asks", async () => {
  await withConfig({}, async (config) => {
    {
      await using host = new WalletHost(config);
      await host.openIfWanted();
      assert.equal(host.opened(), undefined);
      assert.equal(await exists(walletDirectory(config.data)), false);
      assert.equal((await walletOver(host.call).balance()).totalSat, 0);
      assert.ok(host.opened());
    }
    await using again = new WalletHost(config);
    await again.openIfWanted();
    assert.ok(again.opened());
    assert.deepEqual(again.problems(), []);
  });
});

Deno.test("WalletHost lists the mints of the settings with their trust, and tells of those that are silent", async () => {
  using lightning = FakeLightning.open({ clock: systemClock, random: systemRandom });
  await using mint = await DevMint.start({ name: "A", lightning });
  const silent = "http://127.0.0.1:1";
  const mints = { mint: [mint.url], mintAccepted: [silent] } as unknown as Partial<Config>;
  await withConfig(mints, async (config) => {
    {
      await using host = new WalletHost(config);
      await host.openIfWanted();
      const wallet = walletOver(host.call);
      await until(() => host.problems().length > 0);
      assert.deepEqual((await wallet.mints()).map(({ url, trust }) => [url, trust]), [
        [mint.url, "trusted"],
      ]);
      assert.match(host.problems().join(), /Cannot list the mint http:\/\/127\.0\.0\.1:1/);
    }
    const other = { ...config, mint: [], mintAccepted: [mint.url] } as unknown as Config;
    const notes: string[] = [];
    await using opened = await openWalletAlone(other, { onNote: (note) => notes.push(note) });
    assert.deepEqual((await opened.wallet.mints()).map(({ trust }) => trust), ["accepted"]);
    assert.deepEqual(notes, []);
  });
});

Deno.test("a wallet that cannot open is a problem of the node, which asks again later", async () => {
  await withConfig({ mint: ["https://10.0.0.7"] as never }, async (config) => {
    await using host = new WalletHost(config);
    await host.openIfWanted();
    assert.equal(host.opened(), undefined);
    assert.match(host.problems().join(), /the wallet does not open: .*private network/);
    await assert.rejects(walletOver(host.call).balance(), (error) => isSeedmintError(error));
  });
  await withConfig({}, async (config) => {
    await using first = await openWalletAlone(config, { onNote: () => {} });
    await using host = new WalletHost(config);
    await host.openIfWanted();
    assert.match(host.problems().join(), /is using it/);
    await first[Symbol.asyncDispose]();
    assert.equal((await walletOver(host.call).balance()).totalSat, 0);
    assert.deepEqual(host.problems(), []);
  });
});

Deno.test("half of the settings of sweeping is told of, for nothing is swept then", async () => {
  await withConfig({ sweepAbove: 100 }, (config) => {
    assert.match(new WalletHost(config).problems().join(), /belong together/);
    return Promise.resolve();
  });
});

Deno.test("WalletHost says no once it is closed, and closes a wallet that is just being opened", async () => {
  await withConfig({}, async (config) => {
    const host = new WalletHost(config);
    const asked = walletOver(host.call).balance().catch((error) => error);
    await host[Symbol.asyncDispose]();
    await asked;
    await assert.rejects(walletOver(host.call).balance(), /is stopping/);
    await using free = await openWalletAlone(config, { onNote: () => {} });
    assert.equal((await free.wallet.balance()).totalSat, 0);
    assert.ok(await exists(join(config.data, "wallet")));
  });
});

Deno.test("WalletMeter names mint, endpoint and class of answer, and no id of a quote", async () => {
  const seen: Omit<MintRequestMetric, "ms">[] = [];
  const metrics = {
    mintAsked: ({ ms: _, ...rest }: MintRequestMetric) => void seen.push(rest),
    walletEnded: () => {},
  };
  const statuses: Record<string, number> = { limited: 429, broken: 502, refused: 400 };
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => {
      return new Response(null, {
        status: statuses[new URL(request.url).pathname.split("/")[1]!] ?? 200,
      });
    },
  );
  const host = `127.0.0.1:${server.addr.port}`;
  const meter = new WalletMeter({ metrics, wallet: () => undefined, clock: systemClock });
  for (
    const path of [
      "/v1/mint/quote/bolt11/secret-quote-id",
      "/limited/v1/swap",
      "/broken/v1/keys/00ab",
      "/refused/v1/melt/bolt11",
      "/.well-known/lnurlp/anna",
      "/v1/secret",
    ]
  ) await (await meter.fetch(`http://${host}${path}`)).body?.cancel();
  await assert.rejects(meter.fetch("http://127.0.0.1:1/v1/info"));
  assert.deepEqual(seen, [
    { mint: host, endpoint: "mint/quote", result: "2xx" },
    { mint: `${host}/limited`, endpoint: "swap", result: "429" },
    { mint: `${host}/broken`, endpoint: "keys", result: "5xx" },
    { mint: `${host}/refused`, endpoint: "melt", result: "4xx" },
    { mint: "none", endpoint: "other", result: "2xx" },
    { mint: host, endpoint: "other", result: "2xx" },
    { mint: "127.0.0.1:1", endpoint: "info", result: "none" },
  ]);
});

Deno.test("WalletMeter counts an operation once, when it has ended", async () => {
  const ended: EndedMetric[] = [];
  let status: "open" | "done" = "open";
  const { wallet } = walletDouble({
    operation: () => Promise.resolve(operationOf({ kind: "swap", status, feeSat: 2 })),
  });
  const meter = new WalletMeter({
    metrics: { mintAsked: () => {}, walletEnded: (event) => void ended.push(event) },
    wallet: () => wallet,
    clock: systemClock,
  });
  const tell = async () => {
    meter.heard({ event: "operation", operationId: ID, message: "" });
    await new Promise((resolve) => setTimeout(resolve, 0));
  };
  await tell();
  status = "done";
  await tell();
  await tell();
  assert.deepEqual(ended, [{ kind: "swap", status: "done", feeSat: 2 }]);
});

Deno.test("the metrics of the wallet are there while it is open", async () => {
  const { wallet } = walletDouble();
  const state: { opened?: WalletApi } = {};
  const metrics = new Metrics({
    status: () => ({ relays: [], problems: [], peerCount: 0 }) as never,
    figures: () => new Proxy({}, { get: () => 0 }) as never,
    wallet: () => state.opened,
  });
  const linesOf = async () =>
    (await metrics.text()).split("\n").filter((line) => /^seedmint_wallet/.test(line));
  assert.deepEqual((await linesOf()).filter((line) => line.includes("balance")), []);
  state.opened = wallet;
  metrics.mintAsked({ mint: "a.example", endpoint: "swap", result: "2xx", ms: 7 });
  metrics.walletEnded({ kind: "swap", status: "failed", feeSat: 0 });
  const text = (await linesOf()).join("\n");
  assert.match(text, /balance_sat\{mint="a\.mint\.example",state="outgoing"\} 64/);
  assert.match(text, /wallet_operations\{kind="swap",status="attention"\} 1/);
  assert.match(text, /mint_requests_total\{mint="a\.example",endpoint="swap",result="2xx"\} 1/);
  assert.match(text, /operations_total\{kind="swap",status="failed"\} 1/);
  state.opened = walletDouble({ balance: () => Promise.reject(new Error("it is closing")) }).wallet;
  assert.deepEqual((await linesOf()).filter((line) => line.includes("balance")), []);
});
