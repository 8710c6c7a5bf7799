/** Reading: what the store and a transaction have in common. */
import type { FrozenRequest, Operation } from "../operations/operation.ts";
import type { MintUrl, ProofState } from "../types.ts";
import type { Purchase, SellerAccount, StripPart, StripPartFilter } from "./buying_store.ts";
import type { BalanceRecord, ChannelRecord } from "./channel_store.ts";
import type {
  CreditAccount,
  CreditFilter,
  CreditRefund,
  IncomeTotal,
  SaleRecord,
  SaleTotal,
  ServiceRecord,
} from "./selling_store.ts";
import type { Tables } from "./tables.ts";
import type {
  Coin,
  IncomingFilter,
  IncomingPayment,
  LedgerEntry,
  LedgerFilter,
  MintBalance,
  MintRecord,
  OperationFilter,
  OutgoingPayment,
  OutputRecord,
  ProofFilter,
  ProofRecord,
  QuoteRecord,
  RouteRecord,
  SpendFilter,
  WalletReads,
} from "./wallet_store.ts";

/** Gives each question to the table that knows. */
export class Reads implements WalletReads {
  protected readonly tables: Tables;

  constructor(tables: Tables) {
    this.tables = tables;
  }

  operation<Plan = unknown>(id: string): Operation<Plan> | undefined {
    return this.tables.operations.get<Plan>(id);
  }

  operations(filter: OperationFilter = {}): Operation[] {
    return this.tables.operations.list(filter);
  }

  nextDueMs(): number | undefined {
    return this.tables.operations.nextDueMs();
  }

  proofs(filter: ProofFilter): ProofRecord[] {
    return this.tables.proofs.list(filter);
  }

  proof(y: string): ProofRecord | undefined {
    return this.tables.proofs.get(y);
  }

  stateOfSecret(secret: string): ProofState | undefined {
    return this.tables.proofs.stateOfSecret(secret);
  }

  coins(mint: MintUrl): Coin[] {
    return this.tables.proofs.coins(mint);
  }

  proofsOf(mint: MintUrl, coin: Coin): ProofRecord[] {
    return this.tables.proofs.proofsOf(mint, coin);
  }

  balances(): MintBalance[] {
    return this.tables.proofs.balances();
  }

  outputs(operationId: string, phase?: string): OutputRecord[] {
    return this.tables.outputs.list(operationId, phase);
  }

  request(operationId: string, phase: string): FrozenRequest | undefined {
    return this.tables.requests.get(operationId, phase);
  }

  mints(): MintRecord[] {
    return this.tables.mints.list();
  }

  mint(url: MintUrl): MintRecord | undefined {
    return this.tables.mints.get(url);
  }

  quote(mint: MintUrl, quoteId: string): QuoteRecord | undefined {
    return this.tables.quotes.get(mint, quoteId);
  }

  quotes(operationId: string): QuoteRecord[] {
    return this.tables.quotes.list(operationId);
  }

  counter(keysetId: string): number {
    return this.tables.counters.get(keysetId);
  }

  ledger(filter: LedgerFilter = {}): LedgerEntry[] {
    return this.tables.ledger.list(filter);
  }

  incoming(payer: string, paymentId: string): IncomingPayment | undefined {
    return this.tables.incoming.get(payer, paymentId);
  }

  incomingPayments(filter: IncomingFilter): IncomingPayment[] {
    return this.tables.incoming.list(filter);
  }

  unredeemedSat(filter: { readonly mint: MintUrl } | { readonly payer: string }): bigint {
    return this.tables.incoming.unredeemed(filter);
  }

  outgoing(paymentId: string): OutgoingPayment | undefined {
    return this.tables.outgoing.get(paymentId);
  }

  spentSat(filter: SpendFilter): bigint {
    return this.tables.outgoing.spentSat(filter);
  }

  route(from: MintUrl, to: MintUrl): RouteRecord | undefined {
    return this.tables.routes.get(from, to);
  }

  routes(): RouteRecord[] {
    return this.tables.routes.list();
  }

  creditAccount(payer: string): CreditAccount | undefined {
    return this.tables.credit.get(payer);
  }

  creditAccounts(filter: CreditFilter = {}): CreditAccount[] {
    return this.tables.credit.list(filter);
  }

  sales(filter: { readonly payer?: string } = {}): SaleRecord[] {
    return this.tables.selling.sales(filter);
  }

  soldTo(payer: string, root?: string): { readonly bytes: number; readonly units: bigint } {
    return this.tables.selling.soldTo(payer, root);
  }

  saleTotals(
    by: "day" | "peer" | "content",
    options: { readonly sinceDay?: number } = {},
  ): SaleTotal[] {
    return this.tables.selling.saleTotals(by, options.sinceDay ?? 0);
  }

  incomeTotals(
    by: "day" | "peer" | "mint",
    options: { readonly sinceMs?: number } = {},
  ): IncomeTotal[] {
    return this.tables.selling.incomeTotals(by, options.sinceMs ?? 0);
  }

  mintsOfPayer(payer: string): string[] {
    return this.tables.selling.mintsOfPayer(payer);
  }

  services(): ServiceRecord[] {
    return this.tables.selling.services();
  }

  creditRefund(payer: string, period: number): CreditRefund | undefined {
    return this.tables.selling.refund(payer, period);
  }

  creditRefundOf(operationId: string): CreditRefund | undefined {
    return this.tables.selling.refundOf(operationId);
  }

  lostCreditRefunds(): CreditRefund[] {
    return this.tables.selling.lostRefunds();
  }

  lastCreditRefund(payer: string): CreditRefund | undefined {
    return this.tables.selling.lastRefund(payer);
  }

  creditRefundCount(sinceMs: number): number {
    return this.tables.selling.refundCount(sinceMs);
  }

  stripParts(filter: StripPartFilter): StripPart[] {
    return this.tables.buying.parts(filter);
  }

  stripPart(paymentId: string): StripPart | undefined {
    return this.tables.buying.part(paymentId);
  }

  sellerAccount(peer: string): SellerAccount | undefined {
    return this.tables.buying.account(peer);
  }

  sellerAccounts(): SellerAccount[] {
    return this.tables.buying.accounts();
  }

  purchases(filter: { readonly subject: string; readonly sinceMs: number }): Purchase[] {
    return this.tables.buying.purchases(filter);
  }

  outgoingPayments(filter: SpendFilter): OutgoingPayment[] {
    return this.tables.outgoing.list(filter);
  }

  channel(id: string): ChannelRecord | undefined {
    return this.tables.channels.get(id);
  }

  channelOf(operationId: string): ChannelRecord | undefined {
    return this.tables.channels.of(operationId);
  }

  openChannels(
    filter: { readonly payer?: string; readonly mint?: MintUrl } = {},
  ): ChannelRecord[] {
    return this.tables.channels.open(filter);
  }

  paidBy(payer: string): { readonly redeemed: bigint; readonly dead: bigint } {
    return this.tables.channels.paidBy(payer);
  }

  signedBalances(operationId: string): BalanceRecord[] {
    return this.tables.channels.balances(operationId);
  }

  lastBalance(operationId: string): BalanceRecord | undefined {
    return this.tables.channels.lastBalance(operationId);
  }

  signedBalance(paymentId: string): BalanceRecord | undefined {
    return this.tables.channels.balance(paymentId);
  }
}
