/** `wallet backup`: everything in one encrypted file. */
import { formatBytes } from "../../../output/format.ts";
import { absolute } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out } = context;
  const file = absolute(context.operands[0]!);
  await using opened = await context.openWallet();
  const { path, bytes } = await opened.wallet.backup(file);
  if (out.json) out.object({ event: "done", path, bytes });
  else out.line(`${formatBytes(bytes)} written to ${path}; the twelve words open it`);
  return 0;
}
