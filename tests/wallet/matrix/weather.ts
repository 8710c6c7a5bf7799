/** Every kind of operation in the same weather, and what must hold when it is over. */
import assert from "node:assert/strict";
import { beginFund } from "../../../wallet/operations/fund_plan.ts";
import { beginMelt } from "../../../wallet/operations/melt_plan.ts";
import type { Operation } from "../../../wallet/operations/operation.ts";
import { beginSend, markDelivered, tokenOf } from "../../../wallet/operations/send_plan.ts";
import { beginSwap } from "../../../wallet/operations/swap_plan.ts";
import type { FaultRule } from "../../../devnet/fault_proxy/mod.ts";
import { brokenAtRest } from "../model/invariants.ts";
import { peace } from "../model/run_seed.ts";
import { turn } from "../model/play.ts";
import { ModelWorld } from "../model/world.ts";

/** What is done in bad weather. */
export type Errand = "fund" | "send" | "redeem" | "melt" | "swap";

/** All of them, in the order in which they are done. */
export const ERRANDS: readonly Errand[] = ["fund", "send", "redeem", "melt", "swap"];

/** Requests with an effect that an errand makes: the place of the mint, and the path. */
export const POSTS: Readonly<Record<Errand, readonly (readonly [number, string])[]>> = {
  fund: [[0, "/v1/mint/bolt11"]],
  send: [[0, "/v1/swap"]],
  redeem: [[0, "/v1/swap"]],
  melt: [[0, "/v1/melt/bolt11"]],
  swap: [[0, "/v1/melt/bolt11"], [1, "/v1/mint/bolt11"]],
};

/** What the errands bought, when it is over. */
export interface Outcome {
  readonly world: ModelWorld;
  readonly ended: ReadonlyMap<Errand, Operation>;
}

/** Does each errand, with `order` before it; then all ends, and the invariants hold. `prepare` comes first. */
export async function inWeather(
  order: (world: ModelWorld, errand: Errand) => void | Promise<void>,
  check: (outcome: Outcome) => void | Promise<void> = () => {},
  prepare: (world: ModelWorld) => void = () => {},
): Promise<void> {
  await using world = await ModelWorld.start(1);
  prepare(world);
  await fund(world, 2_000n);
  for (const mint of world.kit.mints) mint.admin.clearRequests();
  const ids = new Map<Errand, string>();
  for (const errand of ERRANDS) {
    await order(world, errand);
    ids.set(errand, await world.hurry(run(world, errand)));
  }
  await world.hurry(peace(world));
  assert.deepEqual(await brokenAtRest(world), []);
  const ended = new Map<Errand, Operation>();
  for (const [errand, id] of ids) {
    const { wallet } = await world.actor(errand === "redeem" ? "bob" : "alice");
    ended.set(errand, wallet.store.operation(id)!);
  }
  await check({ world, ended });
}

/** The same trouble for each request that has an effect. */
export function trouble(rule: FaultRule): (world: ModelWorld, errand: Errand) => void {
  return (world, errand) => {
    for (const [mint, path] of POSTS[errand]) {
      world.proxies[mint]!.fault({ ...rule, match: { method: "POST", path } });
    }
  };
}

/** Every errand had what it wanted, and Lightning paid once for each of melt and swap. */
export function assertAllDone({ world, ended }: Outcome): void {
  for (const [errand, { state, status, reason }] of ended) {
    const wanted = errand === "send" ? /token-ready|delivered|claimed/ : /./;
    const isDone = errand === "send" ? wanted.test(state) : status === "done";
    assert.ok(isDone, `${errand}: ${state}: ${reason}`);
  }
  const paid = world.kit.lightning.payments()
    .filter(({ from, state }) => from === "A" && state === "succeeded");
  assert.equal(paid.length, 2, "one payment for the melt and one for the swap");
  assert.ok(paid.every(({ attemptCount }) => attemptCount === 1));
}

async function fund(world: ModelWorld, amount: bigint): Promise<string> {
  const { wallet } = await world.actor("alice");
  const { id } = await beginFund(wallet.context, { mint: world.url(0), amount });
  await wallet.engine.drive(id);
  await world.kit.pay(wallet.store.quotes(id)[0]!.request);
  await turn();
  await wallet.driveToEnd(id, { tries: 3 });
  return id;
}

async function run(world: ModelWorld, errand: Errand): Promise<string> {
  const { wallet } = await world.actor("alice");
  const { context, engine } = wallet;
  const [from, to] = [world.url(0), world.url(1)];
  switch (errand) {
    case "fund":
      return await fund(world, 64n);
    case "send": {
      const { publicKey } = (await world.actor("bob")).wallet.keys.payment;
      const { id } = await beginSend(context, { mint: from, amount: 100n, lock: { publicKey } });
      await engine.drive(id);
      return id;
    }
    case "redeem":
      return await redeem(world);
    case "melt": {
      const amountMsat = 100_000n;
      const { bolt11 } = await world.kit.lightning.createInvoice({ payee: "shop", amountMsat });
      const { id } = await beginMelt(context, { mint: from, invoice: bolt11 });
      await engine.drive(id);
      return id;
    }
    case "swap": {
      const { id } = await beginSwap(context, { from, to, amount: 100n });
      await engine.drive(id);
      return id;
    }
  }
  errand satisfies never;
}

/** Bob takes the token, once it is there. */
async function redeem(world: ModelWorld): Promise<string> {
  const { wallet } = await world.actor("alice");
  const [send] = wallet.store.operations({ kind: "send" });
  await wallet.driveToEnd(send!.id, { tries: 20 });
  const bob = await world.actor("bob");
  const offer = { payer: "alice", paymentId: "p", token: tokenOf(wallet.context, send!.id) };
  markDelivered(wallet.context, send!.id);
  const outcome = await bob.intake.take(offer);
  assert.ok(outcome.status === "taken", outcome.status);
  await bob.wallet.driveToEnd(outcome.payment.operationId!, { tries: 2 });
  return outcome.payment.operationId!;
}
