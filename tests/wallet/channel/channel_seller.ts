/** A seller of `buying_world.ts` that takes balances of channels, too. */
import type { Answer, Payment, SellerTerms } from "../../../wallet/buying/buying_api.ts";
import { ChannelTill } from "../../../wallet/channel/channel_intake.ts";
import { channelSaga } from "../../../wallet/operations/channel.ts";
import { channelCloseSaga } from "../../../wallet/operations/channel_close.ts";
import { stripSaga } from "../../../wallet/operations/strip.ts";
import type { TestWallet, WalletKit } from "../../support/wallet_kit.ts";
import { PAYER, TestSeller } from "../buying/buying_world.ts";
import { PAYMENT_SAGAS } from "../payments/payments_world.ts";

/** A wallet that buys and sells in every way. */
export function buyingWallet(kit: WalletKit, name: string): TestWallet {
  return kit.wallet(name, {
    sagas: [...PAYMENT_SAGAS, stripSaga, channelSaga, channelCloseSaga],
  });
}

/** A seller that takes channels, too. */
export class ChannelSeller extends TestSeller {
  readonly till: ChannelTill;
  balanceCount = 0;

  constructor(wallet: TestWallet, terms: Partial<SellerTerms> = {}) {
    super(wallet, { channelSat: 10_000, ...terms });
    this.till = new ChannelTill(wallet.engine, { strangersSatMax: 20_000n });
  }

  override async take(payment: Payment): Promise<Answer> {
    if (!payment.token!.startsWith("channel1:")) return await super.take(payment);
    const paid = () => this.wallet.store.creditAccount(PAYER)?.paid ?? 0n;
    const before = paid();
    const answer = await this.till.pay({
      payer: PAYER,
      paymentId: payment.id.toHex(),
      message: payment.token!,
      topUpMinSat: this.terms.minTopUpSat,
    });
    if (answer.answer === "refused") return answer;
    this.balanceCount++;
    this.creditMsat += Number(paid() - before) * 1000;
    return { answer: "credited", creditMsat: this.creditMsat };
  }
}

/** Everything that is open goes on to its end, but for what waits for an expiry. */
export async function settle(wallets: readonly TestWallet[]): Promise<void> {
  for (let round = 0; round < 3; round++) {
    for (const one of wallets) {
      for (const { id, state } of one.store.operations({ status: "open" })) {
        if (state !== "open") await one.driveToEnd(id, { tries: 5 });
      }
    }
  }
}
