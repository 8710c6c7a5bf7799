/** A buyer, and a seller over development mints that credits, serves and says what is left. */
import assert from "node:assert/strict";
import type { Hash } from "../../../src/core/hash.ts";
import { BuyingDesk } from "../../../wallet/buying/desk.ts";
import { Buyer } from "../../../wallet/buying/buyer.ts";
import type {
  Answer,
  BuyerOptions,
  BuyingSession,
  BuyRequest,
  Due,
  Payment,
  SellerTerms,
} from "../../../wallet/buying/buying_api.ts";
import { stripSaga } from "../../../wallet/operations/strip.ts";
import { BUDGETS, type Budgets } from "../../../wallet/payments/budgets.ts";
import type { Intake } from "../../../wallet/payments/intake.ts";
import { Payments } from "../../../wallet/planner/payments.ts";
import type { TestWallet, WalletKit, WalletOptions } from "../../support/wallet_kit.ts";
import { intakeOf, PAYMENT_SAGAS } from "../payments/payments_world.ts";

/** What is bought in these tests. */
export const SUBJECT = "ab".repeat(32) as Hash;

/** Who buys, as the seller sees it. */
export const PAYER = "12D3KooWBuyer";

/** Who sells, as the buyer sees it. */
export const SELLER = "12D3KooWSeller";

const MIB = 1_048_576;

/** Budgets that are in nobody's way. */
export const AMPLE: Budgets = {
  perSubjectMaxSat: 1_000_000n,
  perPayeeMaxSat: 1_000_000n,
  perDayMaxSat: 1_000_000n,
};

/** A wallet that can buy. */
export function buyingWallet(
  kit: WalletKit,
  name = "alice",
  options: WalletOptions = {},
): TestWallet {
  return kit.wallet(name, { sagas: [...PAYMENT_SAGAS, stripSaga], ...options });
}

/** The desk of a wallet; dispose it. */
export function deskOf(
  wallet: TestWallet,
  { budgets = AMPLE, deadlineMs = 30_000 }: {
    readonly budgets?: Budgets;
    readonly deadlineMs?: number;
  } = {},
): BuyingDesk {
  const homeMint = () => undefined;
  const payments = new Payments(wallet.engine, { budgets, homeMint });
  return new BuyingDesk(wallet.engine, { payments, budgets, homeMint, deadlineMs });
}

/** A buyer at that desk. */
export function buyerOf(desk: BuyingDesk, options: Partial<BuyerOptions> = {}): Buyer {
  return new Buyer(desk, { priceMaxMsatPerMiB: 100_000, ...options });
}

/** The budgets of a node whose operator said nothing. */
export const USUAL = BUDGETS;

/** Opens a session. */
export async function opened(
  buyer: Buyer,
  terms: SellerTerms,
  more: Partial<BuyRequest> = {},
): Promise<BuyingSession> {
  const answer = await buyer.open({ peerId: SELLER, subject: SUBJECT, terms, ...more });
  return answer.status === "open" ? answer.session : assert.fail(answer.reason);
}

/** Why there is no session. */
export async function declined(
  buyer: Buyer,
  terms: SellerTerms,
  more: Partial<BuyRequest> = {},
): Promise<string> {
  const answer = await buyer.open({ peerId: SELLER, subject: SUBJECT, terms, ...more });
  return answer.status === "declined" ? answer.reason : assert.fail("it is declined");
}

/** The payment that is due. */
export function paymentOf(due: Due): Payment {
  return due.due === "pay" ? due.payment : assert.fail(JSON.stringify(due));
}

/** Why nothing is paid. */
export function whyNot(due: Due): string {
  return due.due === "declined" ? due.reason : assert.fail(`declined wanted, not ${due.due}`);
}

/** A seller that keeps its word, as far as a test wants. */
export class TestSeller {
  readonly wallet: TestWallet;
  readonly terms: SellerTerms;
  readonly #intake: Intake;
  creditMsat = 0;
  paidCount = 0;
  readonly ids: string[] = [];
  readonly tokens = new Map<string, string>();

  constructor(wallet: TestWallet, terms: Partial<SellerTerms> = {}) {
    this.wallet = wallet;
    this.#intake = intakeOf(wallet, { unredeemedPerPayerMaxSat: 1_000_000n });
    this.terms = {
      priceMsatPerMiB: 1_000,
      minTopUpSat: 64,
      mints: wallet.store.mints().map(({ url }) => url),
      p2pk: wallet.keys.payment.publicKey,
      locktimeMin: 90,
      ...terms,
    };
  }

  /** Takes a payment; the same one again changes nothing. */
  async take({ id, token }: Payment): Promise<Answer> {
    const paymentId = id.toHex();
    const isNew = !this.ids.includes(paymentId);
    const outcome = await this.#intake.take({
      payer: PAYER,
      paymentId,
      token: token ?? "",
      price: BigInt(this.terms.minTopUpSat),
    });
    if (outcome.status !== "taken") {
      return { answer: "refused", code: outcome.status === "refused" ? outcome.code : "conflict" };
    }
    assert.equal(outcome.payment.state, "credited", "it is taken without asking the mint");
    if (isNew) {
      this.ids.push(paymentId);
      this.tokens.set(paymentId, token!);
      this.creditMsat += Number(outcome.payment.credit) * 1000;
      this.paidCount++;
    }
    assert.equal(this.tokens.get(paymentId), token, "the token is the same each time");
    return { answer: "credited", creditMsat: this.creditMsat };
  }

  /** Serves so much, as far as it is paid. Returns the bytes. */
  serve(bytes: number): number {
    const affordable = Math.floor(this.creditMsat / this.terms.priceMsatPerMiB * MIB);
    const served = Math.min(bytes, affordable);
    this.creditMsat -= served / MIB * this.terms.priceMsatPerMiB;
    return served;
  }
}

/** Buys `bytes` in steps, paying what is due. Returns how often the stream had to stop. */
export async function stream(
  session: BuyingSession,
  seller: TestSeller,
  { bytes, step = MIB }: { readonly bytes: number; readonly step?: number },
): Promise<{ readonly stalls: number }> {
  let stalls = 0;
  let isDue = false;
  using _off = { [Symbol.dispose]: session.onDue(() => isDue = true) };
  const pay = async () => {
    for (;;) {
      isDue = false;
      const due = await session.next();
      if (due.due === "declined") assert.fail(due.reason);
      if (due.due === "nothing") return;
      session.answered(due.payment.id, await seller.take(due.payment));
    }
  };
  await pay();
  for (let left = bytes; left > 0;) {
    const served = seller.serve(Math.min(step, left));
    if (served === 0) {
      stalls++;
      session.told(0);
      await pay();
      assert.ok(stalls < 100, "it goes on");
      continue;
    }
    left -= served;
    session.verified(served);
    if (isDue) await pay();
  }
  return { stalls };
}

/** Everything that the mints owe is in wallets. */
export function assertBooks(kit: WalletKit, wallets: readonly TestWallet[]): void {
  for (const wallet of wallets) assert.deepEqual(wallet.troubles(), []);
  for (const [index, mint] of kit.mints.entries()) {
    const held = wallets.reduce((sum, { store }) => {
      const balance = store.balances().find((one) => one.mint === kit.url(index));
      return sum + (balance?.free ?? 0n) + (balance?.reserved ?? 0n) + (balance?.outgoing ?? 0n);
    }, 0n);
    assert.equal(mint.admin.books().outstanding, held, `what mint ${index} owes is in wallets`);
  }
}
