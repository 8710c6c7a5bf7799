/** `gc`: removes what nothing keeps. */
import { formatBytes } from "../../output/format.ts";
import { openNode } from "../support.ts";
import type { VerbContext } from "../verb.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const dryRun = context.has("dry-run");
  await using node = await openNode(context, "store");
  const { blobCount, bytes } = await node.call("gc", { dryRun }, {
    signal,
    onEvent: ({ hash, size }) =>
      out.json
        ? out.object({ hash, size, removed: !dryRun })
        : out.line(`${hash}  ${formatBytes(size)}`),
  });
  if (!out.json) {
    const verb = dryRun ? "would be removed" : "removed";
    out.line(`${blobCount} ${verb}, ${formatBytes(bytes)}`);
  }
  return 0;
}
