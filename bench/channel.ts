/**
 * Payment channels beside prepaid strips, at the same price: balances a second at either end, and how
 * often a mint is asked for a swap for each GiB sold, by the mint's own log. One process, development
 * mints, wallets on disk; time that nobody needs is skipped.
 *
 *     deno run -A bench/channel.ts [--gib 4] [--price 2000] [--updates 300]
 */
import { parseArgs } from "node:util";
import { startKit, type TestWallet, type WalletKit } from "../tests/support/wallet_kit.ts";
import { buyerOf, deskOf, opened, stream } from "../tests/wallet/buying/buying_world.ts";
import { buyingWallet, ChannelSeller, settle } from "../tests/wallet/channel/channel_seller.ts";
import { ChannelWorld, PAYER, SELLER } from "../tests/wallet/channel/channel_world.ts";
import { ChannelPurse } from "../wallet/channel/purse.ts";
import type { WalletTransaction } from "../wallet/store/wallet_store.ts";

const MIB = 2 ** 20;

const { values } = parseArgs({
  options: {
    gib: { type: "string", default: "4" },
    price: { type: "string", default: "2000" },
    updates: { type: "string", default: "300" },
  },
});
const gib = Number(values.gib);
const price = Number(values.price);
const updateCount = Number(values.updates);
const HOUR_MS = 3_600_000;

function say(name: string, what: string): void {
  console.log(`${name.padEnd(34)} ${what}`);
}

/** How many balances a second either end manages, disk included. */
async function updates(): Promise<void> {
  await using kit = await startKit({ feePpk: 100 });
  const world = await ChannelWorld.start(kit, { fund: 20_000n });
  await world.open(16_000n);
  await world.pay(40n);
  const purse = new ChannelPurse(world.buyer.context, {
    peer: SELLER,
    publicKey: world.seller.keys.payment.publicKey,
    minTopUpSat: 40,
    accepted: [kit.url()],
  });
  let [signMs, takeMs] = [0, 0];
  for (let count = 0; count < updateCount; count++) {
    const startMs = performance.now();
    const part = purse.sign(purse.channel!, (tx, next) => book(tx, next))!;
    const message = world.message(part);
    const signedMs = performance.now();
    await world.till.pay({ payer: PAYER, paymentId: part.paymentId, message });
    signMs += signedMs - startMs;
    takeMs += performance.now() - signedMs;
  }
  const perS = (ms: number) => `${Math.round(updateCount * 1000 / ms)} a second`;
  say("balances signed and on disk", perS(signMs));
  say("balances verified and on disk", perS(takeMs));
}

function book(
  tx: WalletTransaction,
  part: { readonly paymentId: string; readonly net: bigint; readonly gross: bigint },
): void {
  const { paymentId, net: amount, gross: cost } = part;
  const what = { subject: "blob", payee: SELLER, state: "spent", createdMs: 1 } as const;
  tx.putOutgoing({ paymentId, amount, cost, ...what });
}

/** Swaps that a mint was asked for, and what the seller and fees got. */
async function swaps(name: string, channelSat: number | undefined): Promise<number> {
  await using kit = await startKit({ feePpk: 100 });
  const alice = buyingWallet(kit, "alice");
  const costSat = BigInt(Math.ceil(gib * 1024 * price / 1000));
  await alice.fund(costSat * 2n + 2_000n);
  const terms = { priceMsatPerMiB: price, minTopUpSat: Math.max(64, Math.ceil(price * 32 / 1000)) };
  const seller = new ChannelSeller(buyingWallet(kit, "seller"), {
    ...terms,
    channelSat: channelSat ?? 0,
  });
  const bytes = gib * 1024 * MIB;
  {
    await using desk = deskOf(alice);
    const session = await opened(buyerOf(desk), seller.terms, { bytesMax: bytes });
    await stream(session, seller, { bytes, step: 4 * MIB });
    await session[Symbol.asyncDispose]();
  }
  seller.till.closeAll("the session is over");
  await end(kit, [seller.wallet, alice]);
  const { length } = kit.mints[0]!.admin.requests("/v1/swap");
  const fees = Number(costSat) * 2 + 2_000 - Number(alice.free()) - Number(seller.wallet.free());
  say(name, `${length} swaps for ${gib} GiB: ${(length / gib).toFixed(2)} a GiB, fees ${fees} sat`);
  return length;
}

/** Everything comes to its end: closes, redemptions, what is taken back after the locktime. */
async function end(kit: WalletKit, wallets: readonly TestWallet[]): Promise<void> {
  await settle(wallets);
  for (const wallet of wallets) {
    for (const { id } of wallet.store.operations({ kind: "channel", status: "open" })) {
      await wallet.engine.resume(id);
    }
  }
  await settle(wallets);
  kit.clock.jump(4 * HOUR_MS);
  await settle(wallets);
}

await updates();
const strips = await swaps("prepaid strips", undefined);
const channels = await swaps("channels", 20_000);
say("channels against strips", `${(channels / strips).toFixed(2)} of the swaps`);
