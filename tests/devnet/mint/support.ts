/** A mint on loopback with a fake Lightning, and cashu-ts's own wallet as an independent client. */
import { createRandomRawBlindedMessage, Mint, type Proof, Wallet } from "@cashu/cashu-ts";
import { FakeLightning } from "../../../devnet/lightning/fake_lightning.ts";
import { DevMint, type DevMintOptions } from "../../../devnet/mint/dev_mint.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";

/** A mint and what surrounds it. */
export class MintWorld implements AsyncDisposable {
  readonly lightning: FakeLightning;
  readonly mint: DevMint;
  readonly #resources: AsyncDisposableStack;

  private constructor(lightning: FakeLightning, mint: DevMint, resources: AsyncDisposableStack) {
    this.lightning = lightning;
    this.mint = mint;
    this.#resources = resources;
  }

  static async start(options: Partial<DevMintOptions> = {}): Promise<MintWorld> {
    const resources = new AsyncDisposableStack();
    const lightning = resources.use(
      FakeLightning.open({ clock: systemClock, random: systemRandom }),
    );
    const mint = resources.use(await DevMint.start({ name: "A", lightning, ...options }));
    return new MintWorld(lightning, mint, resources);
  }

  /** A wallet of cashu-ts, with secrets of a seed if one is given. */
  async wallet(seed?: Uint8Array): Promise<Wallet> {
    const wallet = new Wallet(new Mint(this.mint.url), {
      unit: "sat",
      requireSigDleq: true,
      ...(seed ? { bip39seed: seed } : {}),
    });
    await wallet.loadMint();
    return wallet;
  }

  /** Pays an invoice from somebody's own Lightning wallet. */
  async pay(bolt11: string): Promise<void> {
    await this.lightning.pay({ bolt11, from: "user", maxFeeMsat: 1_000_000n });
  }

  /** Ecash of `amount` sat. */
  async fund(wallet: Wallet, amount: number): Promise<Proof[]> {
    const quote = await wallet.createMintQuoteBolt11(amount);
    await this.pay(quote.request);
    return await wallet.mintProofsBolt11(amount, quote.quote);
  }

  /** An invoice of somebody who is no mint. */
  async invoice(amount: number): Promise<string> {
    const made = await this.lightning.createInvoice({
      payee: "shop",
      amountMsat: BigInt(amount) * 1000n,
    });
    return made.bolt11;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}

/** The sum of proofs in sat. */
export function sumOf(proofs: readonly { readonly amount: { toNumber(): number } }[]): number {
  return proofs.reduce((sum, { amount }) => sum + amount.toNumber(), 0);
}

/** POSTs JSON and reads the answer. */
export async function post(
  url: string,
  body: unknown,
): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: text,
  });
  return { status: response.status, body: await response.json() };
}

/** GETs JSON. */
export async function get(url: string): Promise<Record<string, unknown>> {
  return await (await fetch(url)).json();
}

/** A blinded message of any amount, as JSON has it. */
export function outputOf(keysetId: string, amount: number) {
  return { amount, id: keysetId, B_: createRandomRawBlindedMessage().B_.toHex(true) };
}

/** Proofs as JSON has them. */
export function wireProofs(proofs: readonly Proof[]) {
  return proofs.map(({ id, amount, secret, C, witness }) => ({
    id,
    amount: amount.toNumber(),
    secret,
    C,
    ...(witness === undefined
      ? {}
      : { witness: typeof witness === "string" ? witness : JSON.stringify(witness) }),
  }));
}

/** Powers of two that make up `amount`, smallest first. */
export function splitOf(amount: number): number[] {
  return [...amount.toString(2)].reverse()
    .flatMap((bit, exponent) => bit === "1" ? [2 ** exponent] : []);
}
