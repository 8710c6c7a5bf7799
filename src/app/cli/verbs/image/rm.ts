/** `image rm`: forgets images. */
import { printable } from "../../../output/format.ts";
import { openNode } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal, operands } = context;
  await using node = await openNode(context, "store");
  const { images } = await node.call("image.remove", { images: operands }, { signal });
  for (const image of images) {
    if (out.json) out.object({ ...image, removed: true });
    else out.line(`${printable(image.name)}  removed`);
  }
  return 0;
}
