/** A buyer and a seller with a payment channel between them, over development mints. */
import assert from "node:assert/strict";
import { ChannelTill } from "../../../wallet/channel/channel_intake.ts";
import { channelSaga } from "../../../wallet/operations/channel.ts";
import { channelCloseSaga } from "../../../wallet/operations/channel_close.ts";
import {
  beginChannel,
  type ChannelPlan,
  type ChannelRequest,
  endOfChannel,
  messageOfPart,
  nextBalance,
  signBalance,
} from "../../../wallet/operations/channel_plan.ts";
import type { Operation } from "../../../wallet/operations/operation.ts";
import { redeemSaga } from "../../../wallet/operations/redeem.ts";
import { INTAKE_POLICY } from "../../../wallet/payments/policy.ts";
import type { StripPart } from "../../../wallet/store/buying_store.ts";
import type { TestWallet, WalletKit, WalletOptions } from "../../support/wallet_kit.ts";

/** Who sells, as the buyer sees it. */
export const SELLER = "12D3KooWSeller";

/** Who buys, as the seller sees it. */
export const PAYER = "12D3KooWBuyer";

export const HOUR_MS = 3_600_000;

/** A wallet with both ends of channels. */
export function channelWallet(
  kit: WalletKit,
  name: string,
  options: WalletOptions = {},
): TestWallet {
  return kit.wallet(name, { sagas: [redeemSaga, channelSaga, channelCloseSaga], ...options });
}

/** Both ends. Wallets are replaced when one is opened anew. */
export class ChannelWorld {
  readonly kit: WalletKit;
  buyer: TestWallet;
  seller: TestWallet;
  till: ChannelTill;
  /** The buyer's operation. */
  id = "";

  private constructor(
    kit: WalletKit,
    wallets: { readonly buyer: TestWallet; readonly seller: TestWallet },
  ) {
    this.kit = kit;
    this.buyer = wallets.buyer;
    this.seller = wallets.seller;
    this.till = tillOf(this.seller);
  }

  static async start(kit: WalletKit, { fund = 2_000n, name = "" } = {}): Promise<ChannelWorld> {
    const buyer = channelWallet(kit, `buyer${name}`);
    await buyer.fund(fund);
    return new ChannelWorld(kit, { buyer, seller: channelWallet(kit, `seller${name}`) });
  }

  /** The buyer's channel. */
  get channel(): Operation<ChannelPlan> {
    return this.buyer.store.operation<ChannelPlan>(this.id)!;
  }

  /** Begins a channel that can pay `net`. */
  begin(net: bigint, request: Partial<ChannelRequest> = {}): void {
    const nowMs = this.kit.clock.nowMs();
    this.id = beginChannel(this.buyer.context, {
      mint: this.kit.url(),
      peer: SELLER,
      publicKey: this.seller.keys.payment.publicKey,
      expiryS: Math.ceil((nowMs + 3 * HOUR_MS) / 1000),
      net,
      useByMs: nowMs + 60_000,
      ...request,
    }).id;
  }

  /** Opens one. */
  async open(net: bigint, request: Partial<ChannelRequest> = {}): Promise<void> {
    this.begin(net, request);
    const opened = await this.buyer.engine.drive(this.id);
    assert.equal(opened.state, "ready", String(opened.reason));
  }

  /** Signs `net` more, as a session does. */
  sign(net: bigint): StripPart {
    const { buyer, channel } = this;
    const { context } = buyer;
    const keyset = context.mints.of(channel.mint).cachedKeyset(channel.plan.channel!.keysetId)!;
    const next = nextBalance(context, channel, net) ?? assert.fail("there is room");
    return signBalance(context, channel, {
      end: endOfChannel(context, channel, keyset),
      keyset,
      next,
      also: (tx) =>
        tx.putOutgoing({
          paymentId: next.paymentId,
          subject: "blob",
          payee: SELLER,
          amount: net,
          cost: next.gross,
          state: "spent",
          operationId: channel.id,
          createdMs: 1,
        }),
    });
  }

  /** The text that hands a balance over. */
  message(part: StripPart): string {
    return messageOfPart(this.buyer.store, part);
  }

  /** Hands it over. */
  deliver(part: StripPart, payer = PAYER) {
    return this.till.pay({ payer, paymentId: part.paymentId, message: this.message(part) });
  }

  /** Signs, hands over, expects credit. */
  async pay(net: bigint): Promise<StripPart> {
    const part = this.sign(net);
    assert.deepEqual(await this.deliver(part), { answer: "credited" });
    return part;
  }

  /** The seller closes, and both have what is theirs at the end. */
  async closeAll(): Promise<void> {
    for (const { operationId } of this.seller.store.openChannels()) {
      const now = this.seller.store.operation(operationId)!;
      if (now.state === "open") this.till.closeAll("a test wants it");
      const closed = await this.seller.driveToEnd(operationId);
      assert.equal(closed.status, "done", String(closed.reason));
    }
    await this.settle();
  }

  /** Everything that is open goes on until it has ended. */
  async settle(): Promise<void> {
    if (this.id !== "") {
      await this.buyer.engine.resume(this.id);
      await this.buyer.driveToEnd(this.id);
    }
    for (const wallet of [this.buyer, this.seller]) {
      for (const { id } of wallet.store.operations({ kind: "redeem", status: "open" })) {
        await wallet.driveToEnd(id);
      }
    }
  }

  async reopenSeller(): Promise<void> {
    this.seller = await this.seller.reopen();
    this.till = tillOf(this.seller);
  }

  async reopenBuyer(): Promise<void> {
    this.buyer = await this.buyer.reopen();
  }

  /** What both have and what fees took is what was funded; all books balance. */
  assertConserved(funded: bigint): void {
    for (const wallet of [this.buyer, this.seller]) assert.deepEqual(wallet.troubles(), []);
    const owed = this.kit.mints[0]!.admin.books().outstanding;
    assert.equal(this.buyer.free() + this.seller.free(), owed, "nothing is out of reach");
    assert.ok(owed <= funded);
  }
}

function tillOf(wallet: TestWallet): ChannelTill {
  return new ChannelTill(wallet.engine, { policy: INTAKE_POLICY, strangersSatMax: 20_000n });
}
