import assert from "node:assert/strict";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { exchange } from "../../../wallet/outputs/exchange.ts";
import { startKit, type TestWallet, type WalletKit } from "../../support/wallet_kit.ts";
import {
  answerInstead,
  assertSigned,
  FaultyFetch,
  frozenIssue,
  frozenSwap,
  loseAnswer,
  loseRequest,
  tryExchange,
} from "./exchange_fixture.ts";

interface World {
  readonly kit: WalletKit;
  readonly wallet: TestWallet;
  readonly net: FaultyFetch;
}

function exchangeTest(name: string, test: (world: World) => Promise<void>): void {
  Deno.test(`exchange ${name}`, async () => {
    await using kit = await startKit();
    const net = new FaultyFetch();
    const wallet = kit.wallet("alice", { fetch: net.fetch });
    await wallet.fund(77n);
    await test({ kit, wallet, net });
  });
}

exchangeTest("signs every output, and counts the send before it is made", async (world) => {
  const { wallet } = world;
  const { operation, outputs } = await frozenSwap(wallet);
  let countSeen = 0;
  world.net.next("/v1/swap", (send) => {
    countSeen = wallet.store.request(operation.id, "swap")!.sendCount;
    return send();
  });
  await assertSigned(wallet, await tryExchange(wallet, operation, "swap"), outputs);
  assert.equal(countSeen, 1);
  const points = wallet.points.filter((point) => point.startsWith("redeem.swap"));
  assert.deepEqual(points, ["redeem.swap.before-send", "redeem.swap.after-send"]);
});

for (const hasCache of [true, false]) {
  exchangeTest(
    `gets a lost answer back ${hasCache ? "by the same bytes" : "by blinded messages"}`,
    async ({ kit, wallet, net }) => {
      const { operation, outputs } = await frozenSwap(wallet);
      net.next("/v1/swap", loseAnswer);
      assert.equal((await tryExchange(wallet, operation, "swap")).kind, "wait");
      if (!hasCache) kit.mints[0]!.admin.clearCache();
      await assertSigned(wallet, await tryExchange(wallet, operation, "swap"), outputs);
      const bodies = kit.mints[0]!.admin.requests("/v1/swap").map((request) => request.bodySha256);
      assert.equal(bodies.length, 2);
      assert.equal(new Set(bodies).size, 1, "the same bytes each time");
    },
  );
}

for (const body of ['{"signatures":[', "", "<html>hi</html>", "{}", '{"signatures":[{"id":1}]}']) {
  exchangeTest(
    `takes the answer ${body || "(empty)"} for no answer`,
    async ({ kit, wallet, net }) => {
      const { operation, outputs } = await frozenSwap(wallet);
      net.next("/v1/swap", answerInstead(body));
      let outcome = await tryExchange(wallet, operation, "swap");
      kit.mints[0]!.admin.clearCache();
      if (outcome.kind === "wait") outcome = await tryExchange(wallet, operation, "swap");
      await assertSigned(wallet, outcome, outputs);
    },
  );
}

exchangeTest("waits while the mint does not hear of it, then goes on", async ({ wallet, net }) => {
  const { operation, outputs } = await frozenSwap(wallet);
  net.next("/v1/swap", loseRequest, 2);
  assert.equal((await tryExchange(wallet, operation, "swap")).kind, "wait");
  assert.equal((await tryExchange(wallet, operation, "swap")).kind, "wait");
  await assertSigned(wallet, await tryExchange(wallet, operation, "swap"), outputs);
});

exchangeTest("finds what a mint did that answers 500 ever after", async ({ kit, wallet, net }) => {
  const { operation, outputs } = await frozenSwap(wallet);
  net.next("/v1/swap", loseAnswer);
  await tryExchange(wallet, operation, "swap");
  kit.mints[0]!.admin.failNext("/v1/swap", 100, 500);
  await assertSigned(wallet, await tryExchange(wallet, operation, "swap"), outputs);
});

exchangeTest("converges when three copies are under way at once", async ({ kit, wallet }) => {
  const { operation, outputs } = await frozenSwap(wallet);
  kit.mints[0]!.admin.clearCache();
  const tries = await Promise.all([1, 2, 3].map(() => tryExchange(wallet, operation, "swap")));
  for (const outcome of tries) {
    if (outcome.kind !== "wait") await assertSigned(wallet, outcome, outputs);
  }
  await assertSigned(wallet, await tryExchange(wallet, operation, "swap"), outputs);
});

exchangeTest("says inputs-spent when somebody else spent them", async ({ kit, wallet }) => {
  const copy = kit.wallet("copy", { wordsOf: "alice" });
  await copy.context.mints.of(kit.url()).keysets();
  copy.store.transact((tx) =>
    tx.insertProofs(wallet.store.proofs({ state: "free" }), { mint: kit.url(), state: "free" })
  );
  const theirs = await frozenSwap(copy, { firstCounter: 1000 });
  await assertSigned(copy, await tryExchange(copy, theirs.operation, "swap"), theirs.outputs);
  const { operation } = await frozenSwap(wallet);
  assert.deepEqual(await tryExchange(wallet, operation, "swap"), { kind: "inputs-spent" });
});

exchangeTest("says outputs-used when counters are behind and inputs untouched", async (world) => {
  const { kit, wallet } = world;
  // A database that forgot everything but its proofs, as an old backup does.
  const copy = kit.wallet("copy", { wordsOf: "alice" });
  copy.store.transact((tx) =>
    tx.insertProofs(wallet.store.proofs({ state: "free" }), { mint: kit.url(), state: "free" })
  );
  const { operation } = await frozenSwap(copy, { firstCounter: 0 });
  assert.deepEqual(await tryExchange(copy, operation, "swap"), { kind: "outputs-used" });
});

exchangeTest(
  "says inputs-spent when another copy spent what this very request gave",
  async (world) => {
    const { kit, wallet, net } = world;
    const { operation } = await frozenSwap(wallet);
    net.next("/v1/swap", loseAnswer);
    await tryExchange(wallet, operation, "swap");
    const signed = await tryExchange(wallet, operation, "swap");
    assert.ok(signed.kind === "signed");
    wallet.store.transact((tx) =>
      tx.insertProofs(signed.proofs, { mint: kit.url(), state: "free" })
    );
    const next = await frozenSwap(wallet);
    await assertSigned(wallet, await tryExchange(wallet, next.operation, "swap"), next.outputs);
    kit.mints[0]!.admin.clearCache();
    assert.deepEqual(await tryExchange(wallet, operation, "swap"), { kind: "inputs-spent" });
  },
);

exchangeTest(
  "is refused when the keyset was rotated before the mint heard of it",
  async (world) => {
    const { kit, wallet, net } = world;
    const { operation } = await frozenSwap(wallet);
    net.next("/v1/swap", loseRequest);
    await tryExchange(wallet, operation, "swap");
    kit.mints[0]!.admin.rotateKeyset();
    const outcome = await tryExchange(wallet, operation, "swap");
    assert.ok(outcome.kind === "refused" && outcome.code === 12002, JSON.stringify(outcome));
  },
);

exchangeTest(
  "finds what was signed before the keyset was rotated",
  async ({ kit, wallet, net }) => {
    const { operation, outputs } = await frozenSwap(wallet);
    net.next("/v1/swap", loseAnswer);
    await tryExchange(wallet, operation, "swap");
    kit.mints[0]!.admin.rotateKeyset();
    kit.mints[0]!.admin.clearCache();
    await assertSigned(wallet, await tryExchange(wallet, operation, "swap"), outputs);
  },
);

exchangeTest("is refused when the amounts do not balance", async ({ wallet }) => {
  const { operation } = await frozenSwap(wallet, { amount: 76n });
  const outcome = await tryExchange(wallet, operation, "swap");
  assert.ok(outcome.kind === "refused" && outcome.code === 11005, JSON.stringify(outcome));
});

exchangeTest("puts permuted signatures right by blinded message", async ({ kit, wallet }) => {
  const { operation, outputs } = await frozenSwap(wallet);
  kit.mints[0]!.admin.permuteSignatures(1);
  await assertSigned(wallet, await tryExchange(wallet, operation, "swap"), outputs);
});

exchangeTest("puts permuted signatures right that carry no DLEQ", async ({ kit, wallet }) => {
  const { admin } = kit.mints[0]!;
  admin.disableNuts([12]);
  await wallet.context.mints.of(kit.url()).info({ fresh: true });
  // Two of each amount: nothing but asking tells them apart.
  await wallet.fund(77n);
  const inputs = wallet.store.proofs({ state: "free" });
  const { operation, outputs } = await frozenSwap(wallet);
  assert.equal(inputs.reduce((sum, { amount }) => sum + amount, 0n), 154n);
  admin.permuteSignatures(1);
  await assertSigned(wallet, await tryExchange(wallet, operation, "swap"), outputs);
});

exchangeTest("gets a signature back that the answer lacks", async ({ kit, wallet }) => {
  const { operation, outputs } = await frozenSwap(wallet);
  kit.mints[0]!.admin.dropSignature(1);
  await assertSigned(wallet, await tryExchange(wallet, operation, "swap"), outputs);
});

exchangeTest(
  "waits for signatures that the mint gives back in part, at last calls it dishonest",
  async (world) => {
    const { wallet, net } = world;
    const { operation } = await frozenSwap(wallet);
    net.fault = (send, { path }) => {
      if (path === "/v1/swap") return Promise.resolve(Response.json({ signatures: [] }));
      if (path !== "/v1/restore") return undefined;
      return (async () => {
        const body = await (await send()).json();
        return Response.json({
          outputs: body.outputs.slice(1),
          signatures: body.signatures.slice(1),
        });
      })();
    };
    const real = net.fault;
    net.next("/v1/swap", loseAnswer);
    await tryExchange(wallet, operation, "swap");
    net.fault = real;
    const kinds: string[] = [];
    for (let count = 0; count < 8; count++) {
      kinds.push((await tryExchange(wallet, operation, "swap")).kind);
    }
    assert.deepEqual(new Set(kinds.slice(0, 6)), new Set(["wait"]));
    assert.equal(kinds.at(-1), "dishonest");
  },
);

for (
  const [fault, reason] of [
    ["badDleq", /NUT-12.*false/],
    ["omitDleq", /left out/],
    ["wrongAmount", /another amount/],
  ] as const
) {
  exchangeTest(`calls a mint dishonest: ${fault}`, async ({ kit, wallet }) => {
    const { operation } = await frozenSwap(wallet);
    kit.mints[0]!.admin[fault](1);
    const outcome = await tryExchange(wallet, operation, "swap");
    assert.ok(outcome.kind === "dishonest", JSON.stringify(outcome, (_, value) => String(value)));
    assert.match(outcome.reason, reason);
  });
}

exchangeTest("honours 429, and counts no send that it does not make", async ({ kit, wallet }) => {
  const { operation, outputs } = await frozenSwap(wallet);
  kit.mints[0]!.admin.failNext("/v1/swap", 1, 429, { retryAfterS: 30 });
  const limited = await tryExchange(wallet, operation, "swap");
  assert.ok(limited.kind === "wait" && limited.retryMs === 30_000, JSON.stringify(limited));
  const cooling = await tryExchange(wallet, operation, "swap");
  assert.ok(cooling.kind === "wait" && (cooling.retryMs ?? 0) > 25_000);
  assert.equal(wallet.store.request(operation.id, "swap")!.sendCount, 1);
  kit.clock.jump(30_001);
  await assertSigned(wallet, await tryExchange(wallet, operation, "swap"), outputs);
});

exchangeTest(
  "issues a paid quote, and finds the ecash of one whose answer was lost",
  async (world) => {
    const { kit, wallet, net } = world;
    const first = await frozenIssue(wallet);
    await assertSigned(wallet, await tryExchange(wallet, first.operation, "mint"), first.outputs);
    const second = await frozenIssue(wallet);
    net.next("/v1/mint/bolt11", loseAnswer);
    assert.equal((await tryExchange(wallet, second.operation, "mint")).kind, "wait");
    kit.mints[0]!.admin.clearCache();
    await assertSigned(wallet, await tryExchange(wallet, second.operation, "mint"), second.outputs);
  },
);

exchangeTest("waits for a quote that is not paid yet", async ({ wallet }) => {
  const { operation } = await frozenIssue(wallet, { isPaid: false });
  assert.equal((await tryExchange(wallet, operation, "mint")).kind, "wait");
});

exchangeTest(
  "sends the older signature of NUT-20 to a mint that knows only that",
  async (world) => {
    const { kit, wallet } = world;
    kit.mints[0]!.admin.change({ quoteSignatures: "legacy" });
    const { operation, outputs } = await frozenIssue(wallet);
    await assertSigned(wallet, await tryExchange(wallet, operation, "mint"), outputs);
    assert.equal(wallet.store.request(operation.id, "mint")!.sendCount, 2);
  },
);

exchangeTest("does not believe a late PAID of a quote whose ecash it may have", async (world) => {
  const { kit, wallet, net } = world;
  const { operation, outputs } = await frozenIssue(wallet);
  net.next("/v1/mint/bolt11", loseAnswer);
  await tryExchange(wallet, operation, "mint");
  kit.mints[0]!.admin.clearCache();
  kit.mints[0]!.admin.failNext("/v1/mint/bolt11", 1, 400, { code: 11003, detail: "signed" });
  kit.mints[0]!.admin.staleQuotes(1);
  assert.equal((await tryExchange(wallet, operation, "mint")).kind, "wait");
  await assertSigned(wallet, await tryExchange(wallet, operation, "mint"), outputs);
});

exchangeTest("still claims a quote that expired after it was paid", async ({ kit, wallet }) => {
  const { operation, outputs } = await frozenIssue(wallet);
  kit.mints[0]!.admin.failNext("/v1/mint/bolt11", 1, 400, { code: 20007, detail: "expired" });
  assert.equal((await tryExchange(wallet, operation, "mint")).kind, "wait");
  await assertSigned(wallet, await tryExchange(wallet, operation, "mint"), outputs);
});

exchangeTest("throws when it is cancelled, and goes on later", async ({ wallet, net }) => {
  const { operation, outputs } = await frozenSwap(wallet);
  const controller = new AbortController();
  net.next("/v1/swap", async (send) => {
    await (await send()).body?.cancel();
    controller.abort();
    throw controller.signal.reason;
  });
  await assert.rejects(
    exchange(wallet.context, operation, "swap", { signal: controller.signal }),
    (error) => isSeedmintError(error, "aborted"),
  );
  await assertSigned(wallet, await tryExchange(wallet, operation, "swap"), outputs);
});
