/** The gateway with the wallet behind it, as a node has it: real tokens of a development mint. */
import assert from "node:assert/strict";
import type { Hash } from "../../../src/core/hash.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import type { PaymentRequests } from "../../../swarm/gateway/mod.ts";
import { HttpOrigin } from "../../../swarm/origin/mod.ts";
import type { Payer } from "../../../swarm/ports.ts";
import {
  decodePaymentRequest,
  encodePaymentRequest,
  readClaimedToken,
} from "../../../wallet/payment_request.ts";
import { startKit } from "../../support/wallet_kit.ts";
import { tokenFrom } from "../../wallet/payments/payments_world.ts";
import { SellingWorld } from "../../wallet/selling/selling_world.ts";
import { content } from "../provider/support.ts";
import { ask, startWorld, type World } from "./support.ts";

const MIB = 2 ** 20;

const payments: PaymentRequests = {
  encodePaymentRequest,
  decodePaymentRequest,
  readToken: readClaimedToken,
};

/** A gateway that sells for 10 sat a MiB, 64 at least. */
async function run(
  test: (world: World, selling: SellingWorld) => Promise<void>,
  options: { readonly feePpk?: number } = {},
): Promise<void> {
  await using kit = await startKit({ feePpk: options.feePpk ?? 100 });
  await using selling = await SellingWorld.start(kit);
  selling.seller.setService({ id: "default", priceMsatPerMiB: 10_000, minTopUpSat: 64 });
  const sessionKey = new Uint8Array(32).fill(1);
  await using world = await startWorld({ gate: selling.seller, payments, sessionKey });
  await test(world, selling);
}

/** A token as the request of a 402 asks it. */
async function tokenFor(selling: SellingWorld, request: string): Promise<string> {
  const asked = decodePaymentRequest(request)!;
  return await tokenFrom(selling.buyer, BigInt(asked.amountSat), {
    lockTo: asked.p2pk!,
    locktimeS: asked.locktimeS!,
  });
}

Deno.test("a gateway before a wallet sells a blob for a token, once, and its books balance", async () => {
  await run(async (world, selling) => {
    const bytes = content(10 * MIB);
    const { hash } = await world.store.importBytes(bytes);
    const path = `/blob/${hash}`;
    for (const encoding of ["creqA", "creqB"]) {
      const demand = await ask(world, path, { headers: { "x-cashu-encoding": encoding } });
      assert.equal(demand.status, 402);
      assert.equal(decodePaymentRequest(demand.headers.get("x-cashu")!)!.amountSat, 103);
    }
    const demand = await ask(world, path);
    const token = await tokenFor(selling, demand.headers.get("x-cashu")!);
    const headers = { "x-cashu": token };
    for (const _again of [false, true]) {
      const answer = await ask(world, path, { headers });
      assert.equal(answer.status, 200);
      assert.deepEqual(answer.body, bytes);
    }
    assert.equal((await ask(world, path, { headers })).status, 402);
    const elsewhere = await ask(world, path, { headers, from: "127.0.0.2" });
    assert.equal(elsewhere.status, 400, elsewhere.text);
    const { total } = selling.seller.earnings({ by: "content" });
    assert.deepEqual([total.soldMsat, total.soldBytes], [100_000, 10 * MIB]);
    assert.deepEqual(selling.wallet.troubles(), []);
  });
});

Deno.test("a gateway before a wallet refuses what the wallet refuses, with the reason", async () => {
  await run(async (world, selling) => {
    const { hash } = await world.store.importBytes(content(MIB));
    const path = `/blob/${hash}`;
    const otherKey = selling.buyer.keys.payment.publicKey;
    const cases = [
      [await tokenFrom(selling.buyer, 64n, { lockTo: otherKey }), /not locked to the key/],
      [await selling.token(63n), /63 sat, and 64/],
    ] as const;
    for (const [token, reason] of cases) {
      const answer = await ask(world, path, { headers: { "x-cashu": token } });
      assert.equal(answer.status, 400, answer.text);
      assert.match(answer.headers.get("x-reason")!, reason);
    }
    assert.equal(selling.seller.earnings({ by: "peer" }).total.soldMsat, 0);
  });
});

Deno.test("a gateway before a wallet waits for a token that is redeemed first", async () => {
  await run(async (world, selling) => {
    const { hash } = await world.store.importBytes(content(MIB));
    const token = await tokenFrom(selling.buyer, 64n);
    const asked = ask(world, `/blob/${hash}`, { headers: { "x-cashu": token } });
    while (selling.wallet.store.operations({ kind: "redeem", status: "open" }).length === 0) {
      await systemClock.sleep(20);
    }
    await selling.redeemAll();
    assert.equal((await asked).status, 200);
  });
});

Deno.test("an HTTP origin buys from a gateway with the wallet on both sides", async () => {
  await run(async (world, selling) => {
    const bytes = content(8 * MIB);
    const { hash } = await world.store.importBytes(bytes);
    const payer: Pick<Payer, "preparePayment"> = {
      async preparePayment({ priceSat, p2pk, locktimeS }) {
        const lock = { lockTo: p2pk!, locktimeS: locktimeS! };
        return {
          status: "ready",
          token: await tokenFrom(selling.buyer, BigInt(priceSat), lock),
        };
      },
    };
    const origin = new HttpOrigin({
      url: `http://127.0.0.1:${world.gateway.port}/blob/${hash}`,
      clock: systemClock,
      pay: { payer, requests: payments, subject: hash as Hash, random: systemRandom },
    });
    const opened = await origin.open({ offset: 0, signal: new AbortController().signal });
    assert.deepEqual(new Uint8Array(await new Response(opened.body).arrayBuffer()), bytes);
    assert.equal(origin.paidSat, 83);
    assert.equal(selling.seller.earnings({ by: "content" }).total.soldMsat, 80_000);
  });
});
