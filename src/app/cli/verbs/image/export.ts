/** `image export`: an image as an OCI layout. */
import { formatBytes } from "../../../output/format.ts";
import { absolute, openNode, showEvent } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const [image, path] = context.operands as [string, string];
  await using node = await openNode(context, "store");
  const written = await node.call("image.export", {
    image,
    output: absolute(path),
    overwrite: context.has("force"),
  }, { signal, onEvent: (event) => out.json || showEvent(out, event) });
  out.endProgress();
  if (out.json) out.object({ event: "done", ...written });
  else out.line(`${formatBytes(written.size)} written to ${written.path}`);
  return 0;
}
