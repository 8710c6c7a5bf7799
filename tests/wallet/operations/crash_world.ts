/** Crashes of melts and swaps: at every point, once each, with a wallet that is opened anew and goes on. */
import assert from "node:assert/strict";
import type { LegPlan } from "../../../wallet/operations/melt_plan.ts";
import type { Operation } from "../../../wallet/operations/operation.ts";
import {
  fundedKit,
  play,
  pointsOf,
  type Scenario,
  type TestWallet,
  type WalletKit,
} from "./melt_world.ts";

/** What may happen to a payment; `pendingState` is the operation's state while its mint holds it. */
export function paymentScenarios(pendingState: string): readonly Scenario[] {
  return [
    { name: "paid at once", sat: 1000n, ends: "done" },
    { name: "paid after a swap for the exact sum", sat: 512n, ends: "done" },
    {
      name: "held, then paid",
      sat: 1000n,
      prepare: (kit) => kit.lightning.script({ action: "hold" }),
      between: (kit, { state, plan }) => {
        if (state === pendingState) kit.lightning.settle((plan as LegPlan).paymentHash);
      },
      ends: "done",
    },
    {
      name: "not paid, and taken back by a fence",
      sat: 1000n,
      prepare: (kit) => kit.lightning.script({ action: "fail", count: "always" }),
      ends: "failed",
    },
  ];
}

/** An operation that is crashed, and what must hold of it. */
export interface CrashedKind {
  readonly scenarios: readonly Scenario[];
  readonly mints: number;
  readonly begin: (wallet: TestWallet) => Promise<Operation>;
  /** The points that the operation says it has. */
  readonly faultPoints: readonly string[];
  readonly check: (
    after: {
      readonly kit: WalletKit;
      /** The wallet that was opened after the crash. */
      readonly wallet: TestWallet;
      readonly scenario: Scenario;
      readonly ended: Operation;
      readonly isPaid: boolean;
    },
  ) => void;
}

/** Crashes at each point that a scenario passes and no earlier one passed. */
export async function crashEverywhere(test: Deno.TestContext, kind: CrashedKind): Promise<void> {
  const seen = new Set<string>();
  for (const scenario of kind.scenarios) {
    for (const point of await pointsOf(scenario, kind)) {
      if (seen.has(point)) continue;
      seen.add(point);
      await test.step(`${scenario.name}: ${point}`, () => crashAt(kind, scenario, point));
    }
  }
  await test.step("the points that it names are those that it passes", () => {
    assert.deepEqual([...seen].sort(), [...kind.faultPoints].sort());
  });
}

async function crashAt(kind: CrashedKind, scenario: Scenario, point: string): Promise<void> {
  await using world = await fundedKit({ sat: scenario.sat, mints: kind.mints });
  const { kit, alice } = world;
  scenario.prepare?.(kit);
  const begun = await kind.begin(alice);
  alice.crashAt(point);
  await play(scenario, alice, begun.id).catch((error) => {
    if (!alice.isDead) throw error;
  });
  assert.ok(alice.isDead, `${point} is passed`);
  const wallet = await alice.reopen();
  const ended = await play(scenario, wallet, begun.id);
  const isPaid = ended.status === "done";
  assert.ok(isPaid || ended.status === "failed", `${ended.state}: ${ended.reason}`);
  kind.check({ kit, wallet, scenario, ended, isPaid });
}
