import assert from "node:assert/strict";
import { join } from "node:path";
import { utf8 } from "../../src/core/bytes.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import { systemClock, systemRandom } from "../../src/host/system.ts";
import { loadConfig, noInputs } from "../../src/app/config/load.ts";
import type { Config } from "../../src/app/config/settings.ts";
import { payerOf } from "../../src/app/lifecycle/paying.ts";
import { NodeSelling } from "../../src/app/lifecycle/selling.ts";
import { openWalletAlone, WalletHost } from "../../src/app/lifecycle/wallet.ts";
import { encodeCollection } from "../../swarm/collection.ts";
import { MemoryBlobStore } from "../../swarm/store/memory_store.ts";
import { FakeLightning } from "../../devnet/lightning/mod.ts";
import { DevMint } from "../../devnet/mint/mod.ts";

const WORDS = "legal winner thank year wave sausage worth useful legal winner thank yellow";
const STRANGER = { peerId: "stranger", fleet: false };
const FRIEND = { peerId: "friend", fleet: true };
const GROUPS = RangeSet.of(0, 1);
const TERMS = {
  priceMsatPerMiB: 2000,
  minTopUpSat: 16,
  mints: ["https://mint.example"],
  p2pk: `02${"ab".repeat(32)}`,
  locktimeMin: 90,
};

interface Node {
  readonly store: MemoryBlobStore;
  readonly host: WalletHost;
  readonly selling: NodeSelling;
  readonly refused: string[];
}

/** Runs a node's money parts on `data`, as often as a test wants. */
async function withNode(config: Config, use: (node: Node) => Promise<void>): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const store = stack.use(new MemoryBlobStore({ clock: systemClock }));
  const refused: string[] = [];
  const host: WalletHost = stack.use(
    new WalletHost(config, { onOpened: (wallet) => selling.walletOpened(wallet) }),
  );
  const selling: NodeSelling = stack.use(
    await NodeSelling.open({
      dataDirectory: config.data,
      store,
      openWallet: () => host.open(),
      metrics: {
        paymentAnswered: (answer: { answer: string; code?: string }) =>
          void refused.push(answer.code ?? answer.answer),
      },
      log: () => {},
    }),
  );
  await use({ store, host, selling, refused });
}

async function withConfig(
  use: (config: Config) => Promise<void>,
  changes: Partial<Config> = {},
): Promise<void> {
  const data = await Deno.makeTempDir({ prefix: "seedmint-selling-" });
  try {
    const { values } = await loadConfig(noInputs);
    await use({ ...values, data, seed: WORDS, ...changes });
  } finally {
    await Deno.remove(data, { recursive: true });
  }
}

Deno.test("without a wallet everything is free, and no wallet is made", async () => {
  await withConfig((config) =>
    withNode(config, async ({ store, selling }) => {
      const { hash } = await store.importBytes(utf8("film"));
      assert.equal(selling.isFree(hash), true);
      assert.deepEqual(
        await selling.decide({ viewer: STRANGER, root: hash, groups: GROUPS }),
        { decision: "free" },
      );
      assert.equal(selling.creditOf(STRANGER), 0);
      assert.deepEqual(await Array.fromAsync(Deno.readDir(config.data)), []);
    })
  );
});

Deno.test("while the wallet cannot open, what is free is served, and what is priced is refused to strangers", async () => {
  await withConfig(async (config) => {
    const film = utf8("film");
    let shown = "";
    await withNode(config, async ({ store, selling }) => {
      const { hash } = await store.importBytes(film);
      shown = hash;
      await (await selling.open()).set({ id: `content:${hash}`, priceMsatPerMiB: 500 });
      assert.equal(selling.priceOf(hash), 500);
    });
    // A verb has the wallet now.
    await using _other = await openWalletAlone(config, { onNote: () => {} });
    await withNode(config, async ({ store, host, selling, refused }) => {
      const { hash } = await store.importBytes(film);
      const { hash: gift } = await store.importBytes(utf8("gift"));
      await host.openIfWanted();
      assert.equal(host.opened(), undefined);
      assert.equal(hash, shown);
      assert.deepEqual([selling.isFree(gift), selling.isFree(hash)], [true, false]);
      const asked = { root: hash, groups: GROUPS };
      assert.deepEqual(await selling.decide({ ...asked, viewer: STRANGER }), {
        decision: "deny",
        code: "unavailable",
      });
      assert.deepEqual(await selling.decide({ ...asked, viewer: FRIEND }), { decision: "free" });
      const payment = { id: new Uint8Array(16), token: "cashuB" };
      const answer = await selling.pay({ viewer: STRANGER, payment });
      assert.deepEqual([answer.answer, refused], ["refused", ["unavailable"]]);
      assert.throws(
        () => selling.openMeter({ viewer: STRANGER, root: hash, priceMsatPerMiB: 500 }),
        /no wallet is open/,
      );
      assert.deepEqual(selling.termsOf(hash), { priceMsatPerMiB: 500 });
    });
  });
});

Deno.test("a damaged copy of the prices is told of, and frees nothing until the wallet opens", async () => {
  await withConfig(async (config) => {
    await Deno.writeTextFile(`${config.data}/prices.json`, "{");
    await withNode(config, async ({ store, host, selling }) => {
      const { hash } = await store.importBytes(utf8("film"));
      assert.equal(selling.isFree(hash), false);
      assert.match(selling.problems().join(), /prices\.json cannot be read/);
      await host.open();
      assert.equal(selling.isFree(hash), true);
      assert.deepEqual(selling.problems(), []);
    });
  });
});

Deno.test("the children of a priced collection cost what it costs, from the moment that its price counts", async () => {
  await withConfig((config) =>
    withNode(config, async ({ store, selling }) => {
      const child = (await store.importBytes(utf8("child"))).hash;
      const list = encodeCollection([{ name: "a", hash: child, size: 5 }]);
      const { hash: root } = await store.importBytes(list, { kind: "collection" });
      let toldCount = 0;
      const opened = await selling.open();
      selling.onPrices(() => toldCount++);
      await opened.set({ id: "default", priceMsatPerMiB: 100 });
      await opened.set({ id: `content:${root}`, priceMsatPerMiB: 0 });
      assert.deepEqual([selling.priceOf(root), selling.priceOf(child)], [0, 0]);
      await opened.set({ id: `content:${root}`, priceMsatPerMiB: 300 });
      assert.deepEqual([selling.priceOf(child), toldCount], [300, 3]);
      assert.equal(opened.enable(`content:${root}`, false).enabled, false);
      assert.equal(selling.priceOf(child), 100);
      assert.equal(selling.sold()?.bytes, 0);
    })
  );
});

Deno.test("a stranger is asked the price once a mint is listed, and nothing can be sold before", async () => {
  using lightning = FakeLightning.open({ clock: systemClock, random: systemRandom });
  await using mint = await DevMint.start({ name: "A", lightning });
  await withConfig((config) =>
    withNode(config, async ({ store, host, selling }) => {
      const { hash } = await store.importBytes(utf8("film"));
      await (await selling.open()).set({ id: "default", priceMsatPerMiB: 2000, minTopUpSat: 16 });
      const asked = { viewer: STRANGER, root: hash, groups: GROUPS };
      assert.deepEqual(await selling.decide(asked), { decision: "deny", code: "unavailable" });
      await host.opened()!.addMint({ url: mint.url, trust: "trusted" });
      const deadline = AbortSignal.timeout(10_000);
      let decision = await selling.decide(asked);
      while (decision.decision === "deny" && !deadline.aborted) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        decision = await selling.decide(asked);
      }
      assert.ok(decision.decision === "pay");
      assert.deepEqual([decision.priceMsatPerMiB, decision.minTopUpSat, decision.mints], [
        2000,
        16,
        [mint.url],
      ]);
      assert.deepEqual(await selling.decide({ ...asked, viewer: FRIEND }), { decision: "free" });
      const opened = await selling.open();
      const price = { id: "default", priceMsatPerMiB: 2000 };
      const mints = ["https://other.example"];
      assert.deepEqual((await opened.set({ ...price, mints })).mints, mints);
      assert.equal((await selling.decide(asked)).decision, "deny", "no mint is left");
      assert.equal((await opened.set({ ...price, mints: [] })).mints, null);
      assert.deepEqual(await selling.decide(asked), decision, "all that are listed again");
    })
  );
});

Deno.test("a payer pays nothing where it may not, and says why it declines", async () => {
  await withConfig((config) =>
    withNode(config, async ({ store, host }) => {
      const { hash } = await store.importBytes(utf8("film"));
      assert.equal(payerOf(host, undefined, config), undefined);
      assert.equal(payerOf(host, { pays: false }, config), undefined);
      assert.equal(payerOf(host, {}, { ...config, pay: false }), undefined);
      const payer = payerOf(host, {}, config)!;
      const request = { peerId: "seller", subject: hash, terms: TERMS };
      const poor = await payer.open(request);
      assert.ok(poor.status === "declined");
      assert.match(poor.reason, /no wallet/);
      assert.equal(host.opened(), undefined);
      await host.open();
      const tooDear = payerOf(host, { priceMaxMsatPerMiB: 1999 }, config)!;
      assert.equal((await tooDear.open(request)).status, "declined");
      assert.deepEqual([payer.waiting(), payer.paidFor(hash, 0)], [[], []]);
    })
  );
});

Deno.test("children of a priced collection do not become free when the collection goes out of the store", async () => {
  await withConfig((config) =>
    withNode(config, async ({ store, selling }) => {
      const child = (await store.importBytes(utf8("child"))).hash;
      const list = encodeCollection([{ name: "a", hash: child, size: 5 }]);
      const { hash: root } = await store.importBytes(list, { kind: "collection" });
      await (await selling.open()).set({ id: `content:${root}`, priceMsatPerMiB: 300 });
      assert.equal(selling.isFree(child), false);
      await store.remove(root);
      // The node hears of it between two of its turns.
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.equal(store.status(root)?.state === "complete", false);
      assert.equal(selling.priceOf(child), 300);
    })
  );
});

Deno.test("a wallet that is made anew from its words makes nothing free that had a price", async () => {
  await withConfig(async (config) => {
    let hash = "";
    await withNode(config, async ({ store, selling }) => {
      hash = (await store.importBytes(utf8("film"))).hash;
      const opened = await selling.open();
      await opened.set({ id: "default", priceMsatPerMiB: 100 });
      await opened.set({ id: `content:${hash}`, priceMsatPerMiB: 500 });
      await opened.set({ id: "visibility:fleet", priceMsatPerMiB: 700 });
      opened.enable("visibility:fleet", false);
    });
    await Deno.remove(join(config.data, "wallet"), { recursive: true });
    await withNode(config, async ({ store, selling }) => {
      const film = (await store.importBytes(utf8("film"))).hash;
      const other = (await store.importBytes(utf8("other"))).hash;
      const services = (await selling.open()).services();
      assert.equal(film, hash);
      assert.deepEqual([selling.priceOf(film), selling.priceOf(other)], [500, 100]);
      assert.deepEqual(services.map(({ enabled }) => enabled), [true, false, true]);
    });
  });
});
