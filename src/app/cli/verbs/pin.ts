/** `pin` and `unpin`: what stays whatever the quota says. */
import { openNode } from "../support.ts";
import type { VerbContext } from "../verb.ts";

/** Runs either verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const method = context.verb.name === "pin" ? "pin" : "unpin";
  await using node = await openNode(context, "store");
  const { blobs } = await node.call(method, { targets: context.operands }, { signal });
  for (const blob of blobs) {
    if (out.json) out.object({ ...blob, pinned: method === "pin" });
    else out.line(`${blob.hash}  ${method === "pin" ? "pinned" : "not pinned"}`);
  }
  return 0;
}
