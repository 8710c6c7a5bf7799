/** Melts and swaps side by side: what holds for one way to pay over Lightning must hold for the other. */
import assert from "node:assert/strict";
import { beginMelt } from "../../../wallet/operations/melt.ts";
import type { LegPlan } from "../../../wallet/operations/melt_plan.ts";
import type { Operation } from "../../../wallet/operations/operation.ts";
import { beginSwap } from "../../../wallet/operations/swap.ts";
import {
  assertConserved,
  fundedKit,
  meltPosts,
  paidBy,
  play,
  shopInvoice,
  shopSat,
  type TestWallet,
  type WalletKit,
} from "../operations/melt_world.ts";

/** A way to pay. */
export type Way = "melt" | "swap";

const START = 1_000n;
const AMOUNT = 100n;

/** One payment and the world it is in. */
export class Paying {
  readonly way: Way;
  readonly kit: WalletKit;
  alice: TestWallet;
  begun: Operation<LegPlan> | undefined;

  constructor(way: Way, kit: WalletKit, alice: TestWallet) {
    this.way = way;
    this.kit = kit;
    this.alice = alice;
  }

  /** The source's hidden side. */
  get admin() {
    return this.kit.mints[0]!.admin;
  }

  /** The name of a state, which a swap's source has with a word before it. */
  state(name: string): string {
    return this.way === "melt" ? name : `source-${name}`;
  }

  get paymentHash(): string {
    return (this.alice.store.operation(this.begun!.id)!.plan as LegPlan).paymentHash;
  }

  async begin(options: { readonly holdMs?: number; readonly feeMax?: bigint } = {}) {
    const { context, kit } = this.alice;
    if (this.way === "melt") {
      const { bolt11: invoice } = await shopInvoice(kit, AMOUNT);
      this.begun = await beginMelt(context, { mint: kit.url(), invoice, ...options });
    } else {
      const ends = { from: kit.url(0), to: kit.url(1), amount: AMOUNT };
      this.begun = await beginSwap(context, { ...ends, ...options });
    }
    return this.begun;
  }

  async drive(): Promise<Operation> {
    return await this.alice.engine.drive(this.begun!.id);
  }

  async play(between?: (operation: Operation) => void): Promise<Operation> {
    const each = between && ((_: WalletKit, operation: Operation) => between(operation));
    return await play(each ? { between: each } : {}, this.alice, this.begun!.id);
  }

  async reopen(): Promise<void> {
    this.alice = await this.alice.reopen();
  }

  /** Paid once, the exact amount is where it belongs, and the fee is within its cap. */
  assertPaid(ended: Operation, { posts = 1 } = {}): void {
    const { kit, alice } = this;
    assert.equal(ended.status, "done", `${ended.state}: ${ended.reason}`);
    assert.equal(paidBy(kit), 1);
    assert.equal(meltPosts(kit), posts, "the melt is never posted to learn how it goes");
    if (this.way === "swap") assert.equal(alice.free(kit.url(1)), AMOUNT);
    else assert.equal(shopSat(kit), AMOUNT);
    assert.equal(alice.free(kit.url(0)), START - AMOUNT - ended.fee);
    assert.ok(ended.fee <= BigInt((ended.plan as LegPlan).feeMaxSat));
    assertConserved(kit, alice);
  }

  /** Nothing was paid, and at most the fee of a fence is gone. */
  assertBack(ended: Operation): void {
    const { kit, alice } = this;
    assert.equal(ended.status, "failed", `${ended.state}: ${ended.reason}`);
    assert.equal(paidBy(kit), 0);
    assert.equal(alice.free(kit.url(0)), START - ended.fee);
    assertConserved(kit, alice);
  }
}

/** Shows the same of a melt and of a swap. */
export async function bothWays(
  test: Deno.TestContext,
  name: string,
  show: (paying: Paying) => Promise<void>,
): Promise<void> {
  for (const way of ["melt", "swap"] as const) {
    await test.step(`${way}: ${name}`, async () => {
      await using world = await fundedKit({ sat: START, mints: 2 });
      await show(new Paying(way, world.kit, world.alice));
    });
  }
}
