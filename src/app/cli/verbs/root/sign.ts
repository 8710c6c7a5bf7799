/** `root sign`: adds this seed's signatures to the newest version. */
import { absolute } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import { readChain, signNewest } from "./support.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const path = absolute(context.operands[0]!);
  return await signNewest(context, path, await readChain(path));
}
