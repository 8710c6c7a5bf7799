/** Proofs with secrets of choice, which no wallet would make. */
import { Amount, blindMessage, OutputData, type Proof, type Wallet } from "@cashu/cashu-ts";
import { type MintWorld, post } from "./support.ts";

/** One proof of 1 sat whose secret is `secret`. */
export async function signedWith(
  world: MintWorld,
  wallet: Wallet,
  secret: string,
): Promise<Proof> {
  const bytes = new TextEncoder().encode(secret);
  const { B_, r } = blindMessage(bytes);
  const keyset = wallet.getKeyset();
  const blinded = { amount: Amount.from(1), id: keyset.id, B_: B_.toHex(true) };
  const quote = await wallet.createMintQuoteBolt11(1);
  await world.pay(quote.request);
  const { body } = await post(`${world.mint.url}/v1/mint/bolt11`, {
    quote: quote.quote,
    outputs: [{ ...blinded, amount: 1 }],
  });
  const [signature] = body.signatures as { id: string; amount: number; C_: string }[];
  const output = new OutputData(blinded, r, bytes);
  return output.toProof({ ...signature!, amount: Amount.from(signature!.amount) }, keyset);
}
