/** `image announce`: lets others have an image, and tells them. */
import { SeedmintError } from "../../../../core/errors.ts";
import { printable } from "../../../output/format.ts";
import { openNode, readVisibility, showEvent } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const { visibility = "fleet" } = readVisibility(context);
  if (visibility === "private") {
    throw new SeedmintError(
      "usage",
      "Cannot announce to nobody: --visibility fleet or public wanted",
    );
  }
  await using node = await openNode(context, "store");
  const image = await node.call(
    "image.announce",
    { image: context.operands[0]!, visibility },
    { signal, onEvent: (event) => out.json || showEvent(out, event) },
  );
  if (out.json) return out.object(image), 0;
  const who = visibility === "public" ? "everybody" : "the fleet";
  const name = image.name.replace(/[:@][^/]*$/, "");
  out.line(`${printable(image.name)}: ${who} may have it; on another node, pull it by its digest:`);
  out.line(`image pull ${printable(name)}@${image.digest}`);
  if (node.mode === "alone") out.note("note: adverts go out when the node runs");
  return 0;
}
