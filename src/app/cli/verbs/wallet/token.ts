/** `wallet token`: the token of a send again. */
import type { VerbContext } from "../../verb.ts";
import { assertId } from "./steer.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out } = context;
  const id = context.operands[0]!;
  assertId(id);
  await using opened = await context.openWallet();
  const token = await opened.wallet.token(id);
  if (out.json) out.object({ id, token });
  else out.line(token);
  return 0;
}
