/** `verify`: reads the store again and tells what is damaged. */
import { formatBytes } from "../../output/format.ts";
import { openNode, showEvent } from "../support.ts";
import type { VerbContext } from "../verb.ts";

/** Runs the verb: exits with 1 when something was damaged. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  await using node = await openNode(context, "store");
  const { blobCount, badCount } = await node.call("verify", { targets: context.operands }, {
    signal,
    onEvent: (event) => {
      if (event.event === "progress") return showEvent(out, event);
      const { event: _, ...found } = event;
      if (out.json) return out.object(found);
      if (event.ok) return;
      out.line(
        `${event.hash}  ${formatBytes(event.badBytes)} of ${formatBytes(event.size)} damaged`,
      );
    },
  });
  out.endProgress();
  if (!out.json) out.line(`${blobCount} checked, ${badCount} damaged`);
  return badCount === 0 ? 0 : 1;
}
