/** `image push`: an image that is here, or an OCI layout, to a registry. */
import { formatBytes, printable } from "../../../output/format.ts";
import { absolute, openNode, showEvent } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const [from, to] = context.operands as [string, string];
  await using node = await openNode(context, "store");
  const pushed = await node.call(
    "image.push",
    { from: /^[./]/.test(from) ? absolute(from) : from, to },
    { signal, onEvent: (event) => out.json ? out.object(event) : showEvent(out, event) },
  );
  out.endProgress();
  if (out.json) out.object({ event: "done", ...pushed });
  else {
    const sent = pushed.sentBytes === 0
      ? "all of it is there"
      : `${formatBytes(pushed.sentBytes)} sent`;
    out.line(`${printable(pushed.name)}: ${sent}`);
    out.line(pushed.digest);
  }
  return 0;
}
