import assert from "node:assert/strict";
import { restoreSaga } from "../../../wallet/operations/restore.ts";
import { beginSend, tokenOf } from "../../../wallet/operations/send_plan.ts";
import { startKit, type TestWallet, type WalletKit } from "../../support/wallet_kit.ts";
import {
  assertSigned,
  type Fault,
  FaultyFetch,
  frozenSwap,
  loseAnswer,
  tryExchange,
} from "../outputs/exchange_fixture.ts";

interface World {
  readonly kit: WalletKit;
  readonly wallet: TestWallet;
  readonly net: FaultyFetch;
}

function recoverTest(name: string, test: (world: World) => Promise<void>): void {
  Deno.test(`recovery ${name}`, async () => {
    await using kit = await startKit();
    const net = new FaultyFetch();
    const wallet = kit.wallet("alice", { fetch: net.fetch });
    await wallet.fund(64n);
    await test({ kit, wallet, net });
  });
}

/** A mint that has written down that inputs are spent and has not written down its signatures yet. */
function signsLate(restoreCount: number): Fault {
  let left = restoreCount;
  return (_send, { path }) => {
    if (path === "/v1/swap") {
      return Promise.resolve(Response.json({ code: 11001, detail: "spent" }, { status: 400 }));
    }
    if (path !== "/v1/restore" || left-- <= 0) return undefined;
    return Promise.resolve(Response.json({ outputs: [], signatures: [] }));
  };
}

recoverTest("writes nothing off while a mint that spends before it signs is still at it", async ({
  wallet,
  net,
}) => {
  const { operation, outputs } = await frozenSwap(wallet);
  net.next("/v1/swap", loseAnswer);
  assert.equal((await tryExchange(wallet, operation, "swap")).kind, "wait");
  net.fault = signsLate(2);
  const outcome = await tryExchange(wallet, operation, "swap");
  assert.equal(outcome.kind, "wait");
  await assertSigned(wallet, await tryExchange(wallet, operation, "swap"), outputs);
});

recoverTest("keeps the money of a send whose mint signs late", async ({ wallet, net }) => {
  net.fault = undefined;
  const { id } = await beginSend(wallet.context, { mint: wallet.kit.url(), amount: 10n });
  net.next("/v1/swap", loseAnswer);
  await wallet.engine.drive(id);
  net.fault = signsLate(2);
  const sent = await wallet.driveToEnd(id, { tries: 6 });
  assert.equal(sent.state, "token-ready", String(sent.reason));
  assert.deepEqual(wallet.troubles(), []);
});

recoverTest(
  "takes no signatures of another request for its own, with its inputs untouched",
  async ({
    kit,
    wallet,
    net,
  }) => {
    // The mint signed these outputs for a request that this database forgot, as after an old backup.
    const old = kit.wallet("old", { wordsOf: "alice" });
    await old.fund(64n);
    const { operation, inputs } = await frozenSwap(wallet, { firstCounter: 500 });
    const other = await frozenSwap(old, { firstCounter: 500 });
    assert.equal((await tryExchange(old, other.operation, "swap")).kind, "signed");
    const unreachable: Fault = (_send, { path }) =>
      path === "/v1/swap" ? Promise.resolve(new Response("", { status: 502 })) : undefined;
    net.fault = unreachable;
    for (let count = 0; count < 3; count++) {
      const outcome = await tryExchange(wallet, operation, "swap");
      assert.equal(outcome.kind, "wait", JSON.stringify(outcome, (_, value) => String(value)));
    }
    net.fault = undefined;
    assert.equal((await tryExchange(wallet, operation, "swap")).kind, "wait");
    kit.clock.jump(61_000);
    assert.deepEqual(await tryExchange(wallet, operation, "swap"), { kind: "outputs-used" });
    const states = await wallet.context.mints.of(kit.url()).checkStates(inputs.map(({ y }) => y));
    assert.ok(states.every(({ state }) => state === "UNSPENT"));
  },
);

recoverTest("gives back what is left of a request that another copy saw through", async ({
  kit,
  wallet,
  net,
}) => {
  // A backup made while the request was under way; the wallet went on and spent a part of it.
  const { id } = await beginSend(wallet.context, { mint: kit.url(), amount: 10n });
  net.next("/v1/swap", loseAnswer);
  await wallet.engine.drive(id);
  const path = `${kit.directory}/backup`;
  await wallet.backup(path);
  const sent = await wallet.driveToEnd(id, { tries: 3 });
  assert.equal(sent.state, "token-ready", String(sent.reason));
  const spent = wallet.store.proofs({ state: "outgoing" });
  await kit.redeem(
    tokenOf(wallet.context, id),
  );
  kit.mints[0]!.admin.clearCache();
  const copy = kit.wallet("copy", { wordsOf: "alice", sagas: [restoreSaga] });
  await copy.takeOver(path);
  const ended = await copy.driveToEnd(id, { tries: 8 });
  assert.equal(spent.reduce((sum, { amount }) => sum + amount, 0n), 10n);
  assert.equal(copy.free(), 54n, String(ended.reason));
  assert.deepEqual(copy.store.audit(), []);
});
