import assert from "node:assert/strict";
import fc from "fast-check";
import { startKit } from "../../support/wallet_kit.ts";
import { ChannelWorld, HOUR_MS, PAYER, SELLER } from "./channel_world.ts";

/** One thing that happens between two ends of a channel. */
type Action =
  | { readonly do: "pay"; readonly sat: bigint; readonly isDelivered: boolean }
  | { readonly do: "again"; readonly which: number }
  | { readonly do: "reopen-buyer" | "reopen-seller" | "close" }
  | { readonly do: "wait"; readonly minutes: number };

const ACTION: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("pay" as const),
      sat: fc.bigInt({ min: 1n, max: 90n }),
      isDelivered: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("again" as const), which: fc.nat(30) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("reopen-buyer" as const, "reopen-seller" as const, "close" as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("wait" as const), minutes: fc.nat(8) }),
  },
);

Deno.test("whatever happens between two ends, credit is the highest balance that came, and nothing is lost", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(0, 100, 999),
      fc.array(ACTION, { minLength: 5, maxLength: 25 }),
      fc.boolean(),
      async (feePpk, actions, isClosed) => {
        await using kit = await startKit({ feePpk });
        const world = await ChannelWorld.start(kit, { fund: 1_500n });
        await world.open(1_000n);
        const nets: bigint[] = [];
        let [credit, isOpen] = [0n, true];
        const deliver = async (index: number) => {
          const part = world.buyer.store.stripParts({ peer: SELLER })[index]!;
          const wasOpen = world.seller.store.openChannels().some(({ state }) => state === "open") ||
            (index === 0 && credit === 0n);
          const { answer } = await world.deliver(part);
          const sum = nets.slice(0, index + 1).reduce((total, net) => total + net, 0n);
          if (answer === "credited" && sum > credit) {
            assert.ok(wasOpen, "nothing counts in a channel that is closed");
            credit = sum;
          }
        };
        for (const action of actions) {
          if (action.do === "pay" && isOpen) {
            if (nets.reduce((a, b) => a + b, 0n) + action.sat > 950n) continue;
            world.sign(action.sat);
            nets.push(action.sat);
            if (action.isDelivered) await deliver(nets.length - 1);
          } else if (action.do === "again" && nets.length > 0) {
            await deliver(action.which % nets.length);
          } else if (action.do === "reopen-buyer") await world.reopenBuyer();
          else if (action.do === "reopen-seller") await world.reopenSeller();
          else if (action.do === "wait") {
            kit.clock.jump(action.minutes * 60_000);
            await world.seller.engine.driveDue();
          } else if (action.do === "close" && credit > 0n) {
            world.till.closeAll("a test wants it");
            isOpen = false;
          }
          const account = world.seller.store.creditAccount(PAYER);
          assert.equal(account?.paid ?? 0n, credit);
          assert.deepEqual(world.seller.store.audit(), []);
          assert.deepEqual(world.buyer.store.audit(), []);
        }
        if (isClosed && credit > 0n) await world.closeAll();
        else {
          for (const { operationId } of world.seller.store.openChannels()) {
            if (world.seller.store.operation(operationId)!.state !== "open") {
              await world.seller.driveToEnd(operationId);
            }
          }
          kit.clock.jump(4 * HOUR_MS);
          await world.buyer.driveToEnd(world.id);
          for (const { operationId } of world.seller.store.openChannels()) {
            await world.seller.driveToEnd(operationId);
          }
          await world.settle();
        }
        assert.equal(world.channel.state, "done", String(world.channel.reason));
        world.assertConserved(1_500n);
        const [channel] = world.seller.store.operations({ kind: "channel-close" });
        if (channel?.state === "done") {
          assert.equal(world.buyer.store.sellerAccount(SELLER)!.paid, credit);
          assert.ok(world.seller.free() >= credit, `${world.seller.free()} for ${credit}`);
        } else assert.equal(world.seller.free(), 0n);
      },
    ),
    { numRuns: 12 },
  );
});
