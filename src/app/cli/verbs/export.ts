/** `export`: content of the store to a file, a directory or stdout. */
import { formatBytes } from "../../output/format.ts";
import { absolute, openNode, showEvent } from "../support.ts";
import type { VerbContext } from "../verb.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal, operands } = context;
  const [target, path] = operands as [string, string];
  await using node = await openNode(context, "store");
  if (path === "-") {
    for await (const bytes of await node.readBlob(target, { signal })) out.bytes(bytes);
    return 0;
  }
  const result = await node.call("export", {
    target,
    output: absolute(path),
    overwrite: context.has("force"),
  }, { signal, onEvent: (event) => showEvent(out, event) });
  out.endProgress();
  if (out.json) out.object({ event: "done", ...result });
  else out.line(`${formatBytes(result.size)} written to ${result.path}`);
  return 0;
}
