import assert from "node:assert/strict";
import fc from "fast-check";
import type { BuyingSession } from "../../../wallet/buying/buying_api.ts";
import { Seller } from "../../../wallet/selling/seller.ts";
import type { Meter, Viewer } from "../../../wallet/selling/selling_api.ts";
import { startKit, type WalletKit } from "../../support/wallet_kit.ts";
import { intakeOf } from "../payments/payments_world.ts";
import { buyerOf, buyingWallet, deskOf, opened, PAYER, SELLER, SUBJECT } from "./buying_world.ts";

const MIB = 1_048_576;
const GROUP = 16_384;
/** A group costs 16 msat: nothing is rounded. */
const PRICE = 1_024;
const VIEWER: Viewer = { peerId: PAYER, fleet: false };

/** A real seller and a real buyer, with bytes on their way between them. */
async function trade(
  kit: WalletKit,
  plan: {
    readonly groups: number;
    /** Groups in one piece. */
    readonly piece: number;
    /** Groups that may be sent and not verified. */
    readonly window: number;
    /** Pieces after which the stream breaks, with all that is on its way. */
    readonly breaks?: readonly number[];
  },
): Promise<{ readonly stalls: number; readonly atRiskMax: number; readonly lost: number }> {
  const [alice, bob] = [buyingWallet(kit), buyingWallet(kit, "bob")];
  await alice.fund(4000n);
  const intake = intakeOf(bob, { unredeemedPerPayerMaxSat: 1_000_000n });
  await using seller = new Seller({ engine: bob.engine, intake });
  seller.setService({ id: "default", enabled: true, priceMsatPerMiB: PRICE });
  const decision = await seller.decide({ viewer: VIEWER, root: SUBJECT });
  assert.ok(decision.decision === "pay");
  await using desk = deskOf(alice);
  const buyer = buyerOf(desk);
  const startMs = kit.clock.nowMs();
  await using session = await opened(buyer, decision, { bytesMax: plan.groups * GROUP });
  let [stalls, atRiskMax, lost, verified, sent] = [0, 0, 0, 0, 0];
  let isDue = true;
  session.onDue(() => isDue = true);
  let meter: Meter = open(seller);
  const onTheWay: number[] = [];
  const costOf = (groups: number) => groups * GROUP / MIB * PRICE;
  let pieces = 0;
  for (let rounds = 0; verified < plan.groups; rounds++) {
    assert.ok(rounds < 20 * plan.groups, "it comes to an end");
    if (isDue) {
      isDue = false;
      await payAll(session, seller);
    }
    const spent = Number(alice.store.spentSat({ subject: SUBJECT })) * 1_000;
    atRiskMax = Math.max(atRiskMax, spent - costOf(verified));
    const way = onTheWay.reduce((sum, groups) => sum + groups, 0);
    const wanted = Math.min(plan.piece, plan.groups - verified - way);
    const taken = wanted > 0 ? meter.take(new Array(wanted).fill(GROUP)) : 0;
    if (taken > 0) onTheWay.push(taken);
    sent += taken;
    if (meter.isLow) session.told(meter.creditMsat);
    if (taken > 0 && plan.breaks?.includes(++pieces)) {
      lost += onTheWay.splice(0).reduce((sum, groups) => sum + groups, 0);
      await meter[Symbol.asyncDispose]();
      meter = open(seller);
      session.told(meter.creditMsat);
      continue;
    }
    if (taken === 0 && onTheWay.length === 0 && !isDue) {
      stalls++;
      session.told(0);
      isDue = true;
    }
    if (way + taken >= plan.window || taken === 0) {
      const groups = onTheWay.shift() ?? 0;
      verified += groups;
      if (groups > 0) session.verified(groups * GROUP);
    }
  }
  await meter[Symbol.asyncDispose]();
  const [paid] = buyer.paidFor(SUBJECT, startMs);
  assert.equal(paid!.usedMsat, costOf(verified));
  assert.deepEqual(seller.soldTo(PAYER, SUBJECT), {
    bytes: sent * GROUP,
    msat: costOf(sent),
  });
  const left = seller.creditOf(VIEWER);
  assert.equal(left + costOf(sent), Number(bob.store.creditAccount(PAYER)!.paid) * 1_000);
  assert.deepEqual(alice.troubles(), []);
  assert.equal(alice.store.sellerAccount(SELLER)!.strikes, 0, "nobody cheated");
  return { stalls, atRiskMax, lost };
}

function open(seller: Seller): Meter {
  return seller.openMeter({ viewer: VIEWER, root: SUBJECT, priceMsatPerMiB: PRICE });
}

async function payAll(session: BuyingSession, seller: Seller): Promise<void> {
  for (;;) {
    const due = await session.next();
    if (due.due === "declined") assert.fail(due.reason);
    if (due.due === "nothing") return;
    const answer = await seller.pay({ viewer: VIEWER, payment: due.payment });
    session.answered(due.payment.id, answer);
    if (answer.answer === "pending") await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

Deno.test("a buyer and a seller agree to the msat, and the stream never stalls", async () => {
  await using kit = await startKit({ feePpk: 100 });
  const { stalls, atRiskMax } = await trade(kit, { groups: 16_384, piece: 16, window: 256 });
  assert.equal(stalls, 0);
  assert.ok(atRiskMax <= 2 * 65_000, `${atRiskMax} msat were at risk`);
});

Deno.test("whatever pieces and windows there are, and wherever streams break, two top-ups are at risk at most", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        groups: fc.integer({ min: 1, max: 12_000 }),
        piece: fc.integer({ min: 1, max: 200 }),
        window: fc.integer({ min: 1, max: 1_500 }),
        // What is lost by breaking is less than a top-up: else it looks like a lie.
        breaks: fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 1 }),
      }),
      async (plan) => {
        await using kit = await startKit();
        const { atRiskMax } = await trade(kit, plan);
        assert.ok(atRiskMax <= 2 * 64_000, `${atRiskMax} msat were at risk`);
      },
    ),
    { numRuns: 8 },
  );
});
