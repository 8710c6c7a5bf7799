/** `rm`: forgets content. */
import { formatBytes } from "../../output/format.ts";
import { openNode } from "../support.ts";
import type { VerbContext } from "../verb.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  await using node = await openNode(context, "store");
  const { blobs } = await node.call("remove", { targets: context.operands }, { signal });
  for (const blob of blobs) {
    if (out.json) out.object({ ...blob, removed: true });
    else out.line(`${blob.hash}  removed (${formatBytes(blob.size)})`);
  }
  return 0;
}
