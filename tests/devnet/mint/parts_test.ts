/** NUT-15: two mints pay parts of one invoice, and it is paid when the parts make up its amount. */
import assert from "node:assert/strict";
import type {
  CreatedInvoice,
  InvoiceRequest,
  InvoiceStatus,
  LightningOptions,
  PaymentStatus,
} from "../../../devnet/lightning/client.ts";
import { FakeLightning } from "../../../devnet/lightning/fake_lightning.ts";
import { DevMint } from "../../../devnet/mint/dev_mint.ts";
import type { PartPayingLightning, PartPayment } from "../../../devnet/mint/lightning_port.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { decodeInvoice } from "../../../wallet/lightning/bolt11.ts";
import { get, MintWorld, post, wireProofs } from "./support.ts";

/** A network that gathers parts, and passes everything else on. */
class GatheringLightning implements PartPayingLightning {
  readonly paysParts = true;
  readonly #inner: FakeLightning;
  readonly #parts = new Map<string, Map<string, bigint>>();
  readonly #whole = new Map<string, PaymentStatus>();

  constructor(inner: FakeLightning) {
    this.#inner = inner;
  }

  createInvoice(request: InvoiceRequest, options?: LightningOptions): Promise<CreatedInvoice> {
    return this.#inner.createInvoice(request, options);
  }

  invoice(paymentHash: string, options?: LightningOptions): Promise<InvoiceStatus> {
    return this.#inner.invoice(paymentHash, options);
  }

  estimateFeeMsat(bolt11: string, from: string, options?: LightningOptions): Promise<bigint> {
    return this.#inner.estimateFeeMsat(bolt11, from, options);
  }

  async payment(paymentHash: string, from: string): Promise<PaymentStatus | undefined> {
    const partMsat = this.#parts.get(paymentHash)?.get(from);
    if (partMsat === undefined) return await this.#inner.payment(paymentHash, from);
    return this.#statusOf(paymentHash, partMsat);
  }

  async pay(request: PartPayment): Promise<PaymentStatus> {
    if (request.partMsat === undefined) return await this.#inner.pay(request);
    const { paymentHash, amountMsat } = decodeInvoice(request.bolt11);
    const parts = this.#parts.get(paymentHash) ?? new Map<string, bigint>();
    this.#parts.set(paymentHash, parts.set(request.from, request.partMsat));
    const sumMsat = [...parts.values()].reduce((sum, part) => sum + part, 0n);
    if (sumMsat === amountMsat) {
      const { bolt11 } = request;
      const whole = await this.#inner.pay({ bolt11, from: "parts", maxFeeMsat: 1_000_000n });
      this.#whole.set(paymentHash, whole);
    }
    return this.#statusOf(paymentHash, request.partMsat);
  }

  #statusOf(paymentHash: string, amountMsat: bigint): PaymentStatus {
    const { state = "pending", preimage } = this.#whole.get(paymentHash) ?? {};
    return {
      paymentHash,
      state,
      amountMsat,
      feeMsat: 0n,
      ...(preimage === undefined ? {} : { preimage }),
    };
  }
}

Deno.test("each mint pays its part, and both are PAID with the same preimage or not at all", async () => {
  using inner = FakeLightning.open({ clock: systemClock, random: systemRandom });
  const lightning = new GatheringLightning(inner);
  await using a = await MintWorld.start({ name: "A", lightning });
  await using b = await MintWorld.start({ name: "B", lightning });
  const { bolt11 } = await inner.createInvoice({ payee: "shop", amountMsat: 50_000n });
  const melts = [];
  for (const [world, part] of [[a, 20], [b, 30]] as const) {
    const wallet = await world.wallet();
    const quote = await wallet.createMintQuoteBolt11(64);
    await inner.pay({ bolt11: quote.request, from: "user", maxFeeMsat: 1_000_000n });
    const proofs = await wallet.mintProofsBolt11(64, quote.quote);
    const melt = await wallet.createMultiPathMeltQuote(bolt11, part * 1000);
    assert.equal(melt.amount.toNumber(), part);
    const body = { quote: melt.quote, inputs: wireProofs(proofs) };
    melts.push({ url: world.mint.url, quote: melt.quote, body });
  }
  const [first, second] = melts as [(typeof melts)[0], (typeof melts)[0]];
  const answer = await post(`${first.url}/v1/melt/bolt11`, first.body);
  assert.equal(answer.body.state, "PENDING", "a part alone pays nothing");
  assert.equal((await inner.invoice(decodeInvoice(bolt11).paymentHash)).state, "open");
  const last = await post(`${second.url}/v1/melt/bolt11`, second.body);
  assert.equal(last.body.state, "PAID");
  const early = await get(`${first.url}/v1/melt/quote/bolt11/${first.quote}`);
  assert.equal(early.state, "PAID");
  assert.equal(early.payment_preimage, last.body.payment_preimage);
  for (const { mint } of [a, b]) assert.equal(mint.admin.books().isBalanced, true);
});

Deno.test("a mint whose Lightning pays no parts neither offers nor quotes them", async () => {
  using lightning = FakeLightning.open({ clock: systemClock, random: systemRandom });
  await using mint = await DevMint.start({ name: "A", lightning });
  const { bolt11 } = await lightning.createInvoice({ payee: "shop", amountMsat: 50_000n });
  const quote = await post(`${mint.url}/v1/melt/quote/bolt11`, {
    request: bolt11,
    unit: "sat",
    options: { mpp: { amount: 20_000 } },
  });
  assert.equal(quote.status, 422);
  const { nuts } = await get(`${mint.url}/v1/info`);
  assert.equal((nuts as Record<string, unknown>)["15"], undefined);
});
