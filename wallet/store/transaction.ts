/** Changing: every method works inside the one transaction that it was made for, and only there. */
import { assert } from "../../src/core/assert.ts";
import type { FrozenRequest, Operation } from "../operations/operation.ts";
import type { MintUrl, PlannedOutput, Proof, ProofState } from "../types.ts";
import type { BalanceRecord, ChannelChanges, ChannelRecord } from "./channel_store.ts";
import type { Purchase, SellerUse, StripPart, StripPartState } from "./buying_store.ts";
import { Reads } from "./reads.ts";
import type { CreditRefund, SaleRecord, ServiceRecord } from "./selling_store.ts";
import type { Tables } from "./tables.ts";
import type {
  IncomingPayment,
  LedgerEntry,
  MintRecord,
  OperationChange,
  OutgoingPayment,
  QuoteRecord,
  RouteRecord,
  WalletTransaction,
} from "./wallet_store.ts";

/** One transaction; {@link Transaction.end} makes it useless, so that nobody keeps it. */
export class Transaction extends Reads implements WalletTransaction {
  #isOver = false;

  end(): void {
    this.#isOver = true;
  }

  insertOperation(operation: Operation): void {
    this.#tables.operations.insert(operation);
  }

  updateOperation<Plan>(
    operation: Operation<Plan>,
    change: OperationChange<Plan>,
  ): Operation<Plan> {
    return this.#tables.operations.update(operation, change);
  }

  reserveProofs(operationId: string, ys: readonly string[]): void {
    this.#tables.operations.assertOpen(operationId, "reserve proofs");
    this.#tables.proofs.reserve(operationId, ys);
  }

  releaseProofs(operationId: string, ys?: readonly string[]): void {
    this.#tables.proofs.release(operationId, ys);
  }

  moveProofs(ys: readonly string[], state: ProofState, operationId?: string): void {
    this.#tables.proofs.move(ys, state, operationId);
  }

  insertProofs(
    proofs: readonly (Proof & { readonly y: string })[],
    options: { readonly mint: MintUrl; readonly state: ProofState; readonly operationId?: string },
  ): void {
    this.#tables.proofs.insert(proofs, options);
  }

  markChecked(ys: readonly string[]): void {
    this.#tables.proofs.markChecked(ys);
  }

  takeCounters(keysetId: string, count: number): number {
    return this.#tables.counters.take(keysetId, count);
  }

  advanceCounter(keysetId: string, atLeast: number): void {
    this.#tables.counters.advance(keysetId, atLeast);
  }

  takeQuoteKeyIndex(): number {
    return this.#tables.counters.takeQuoteKeyIndex();
  }

  insertOutputs(
    operationId: string,
    phase: string,
    options: { readonly mint: MintUrl; readonly outputs: readonly PlannedOutput[] },
  ): void {
    this.#tables.operations.assertOpen(operationId, "plan outputs");
    this.#tables.outputs.insert(operationId, phase, options);
  }

  markOutputs(blinded: readonly string[], state: "signed" | "void"): void {
    this.#tables.outputs.mark(blinded, state);
  }

  freezeRequest(request: Omit<FrozenRequest, "sendCount">): void {
    this.#tables.operations.assertOpen(request.operationId, "freeze a request");
    this.#tables.requests.freeze(request);
  }

  countSend(operationId: string, phase: string): number {
    this.#tables.operations.assertOpen(operationId, "send a request");
    return this.#tables.requests.countSend(operationId, phase);
  }

  noteDoubt(operationId: string, phase: string, atMs: number): number {
    return this.#tables.requests.noteDoubt(operationId, phase, atMs);
  }

  putMint(mint: MintRecord): void {
    this.#tables.mints.put(mint);
  }

  removeMint(url: MintUrl): void {
    this.#tables.mints.remove(url);
  }

  putQuote(quote: QuoteRecord): void {
    this.#tables.quotes.put(quote);
  }

  addLedger(entries: readonly LedgerEntry[]): void {
    this.#tables.ledger.add(entries);
  }

  putIncoming(payment: IncomingPayment): void {
    this.#tables.incoming.put(payment);
  }

  putOutgoing(payment: OutgoingPayment): void {
    this.#tables.outgoing.put(payment);
  }

  putRoute(route: RouteRecord): void {
    this.#tables.routes.put(route);
  }

  drawCredit(
    payer: string,
    draw: { readonly units: bigint; readonly priceMsatPerMiB: number },
  ): void {
    this.#tables.credit.draw(payer, draw);
  }

  returnCredit(payer: string, units: bigint): void {
    this.#tables.credit.giveBack(payer, units);
  }

  addSale(sale: SaleRecord): void {
    this.#tables.selling.addSale(sale);
    this.#tables.credit.use(sale.payer, sale.units);
  }

  putRefundKey(payer: string, publicKey: string): void {
    this.#tables.credit.putRefundKey(payer, publicKey);
  }

  putService(service: ServiceRecord): void {
    this.#tables.selling.putService(service);
  }

  removeService(id: string): void {
    this.#tables.selling.removeService(id);
  }

  addCreditRefund(refund: CreditRefund): void {
    this.#tables.selling.addRefund(refund);
  }

  removeCreditRefund(payer: string, period: number): boolean {
    return this.#tables.selling.removeRefund(payer, period);
  }

  insertStripParts(parts: readonly Omit<StripPart, "state" | "revealedMs">[]): void {
    this.#tables.buying.insertParts(parts);
  }

  moveStripPart(paymentId: string, state: StripPartState): StripPart {
    return this.#tables.buying.movePart(paymentId, state);
  }

  putRefunded(peer: string, refunded: bigint): void {
    this.#tables.buying.putRefunded(peer, refunded);
  }

  putSellerUse(peer: string, use: SellerUse): void {
    this.#tables.buying.putUse(peer, use);
  }

  avoidSeller(peer: string, mark: { readonly untilMs: number; readonly reason: string }): void {
    this.#tables.buying.avoid(peer, mark);
  }

  putPurchase(purchase: Purchase): void {
    this.#tables.buying.putPurchase(purchase);
  }

  insertChannel(channel: ChannelRecord): void {
    this.#tables.channels.insert(channel);
  }

  updateChannel(
    id: string,
    change: Parameters<ChannelChanges["updateChannel"]>[1],
  ): ChannelRecord {
    return this.#tables.channels.update(id, change);
  }

  insertSignedBalance(record: BalanceRecord): void {
    this.#tables.channels.insertBalance(record);
  }

  get #tables(): Tables {
    assert(!this.#isOver, "a transaction is used while it lasts, not after");
    return this.tables;
  }
}
