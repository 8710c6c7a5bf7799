/** `wallet preimage`: the proof that an invoice was paid. */
import type { VerbContext } from "../../verb.ts";
import { assertId } from "./steer.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out } = context;
  const id = context.operands[0]!;
  assertId(id);
  await using opened = await context.openWallet();
  const preimage = await opened.wallet.preimage(id);
  if (out.json) out.object({ id, preimage });
  else out.line(preimage);
  return 0;
}
