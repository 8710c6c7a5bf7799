/** `wallet key`: what others lock tokens to. It is no secret; it is derived here, without the wallet. */
import { openDataDirectory, seedWords } from "../../../identity.ts";
import type { VerbContext } from "../../verb.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, config } = context;
  await openDataDirectory(config.values.data);
  const words = await seedWords({ directory: config.values.data, words: config.values.seed });
  const { walletKeysOf } = await import("../../../../../wallet/keys.ts");
  const { publicKey } = walletKeysOf(words).payment;
  if (context.out.json) out.object({ publicKey });
  else out.line(publicKey);
  return 0;
}
