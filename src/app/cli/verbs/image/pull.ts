/** `image pull`: brings an image in. */
import type { PulledImage } from "../../../api/image_methods.ts";
import { formatBytes, formatDuration, formatRate, printable } from "../../../output/format.ts";
import type { Output } from "../../../output/output.ts";
import { openNode, readVisibility, showEvent } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  await using node = await openNode(context, "network");
  const pulled = await node.call("image.pull", {
    image: context.operands[0]!,
    platforms: context.flagAll("platform"),
    ...readVisibility(context),
  }, { signal, onEvent: (event) => out.json ? out.object(event) : showEvent(out, event) });
  out.endProgress();
  if (out.json) out.object({ event: "done", ...pulled });
  else tell(out, pulled);
  return 0;
}

function tell(out: Output, { name, digest, size, ms, sources, stale }: PulledImage): void {
  if (stale) {
    out.note("note: its registry does not answer; this is the last that was known of the tag");
  }
  const bytes = sources.reduce((sum, source) => sum + source.bytes, 0);
  const part = (kind: "peer" | "origin") =>
    sources.filter((source) => source.kind === kind).reduce((sum, source) => sum + source.bytes, 0);
  const from = [
    ...(part("peer") > 0 ? [`${formatBytes(part("peer"))} from peers`] : []),
    ...(part("origin") > 0 ? [`${formatBytes(part("origin"))} from its registry`] : []),
  ].join(", ") || "all of it was here";
  const rate = bytes > 0 && ms > 0 ? `, ${formatRate((bytes / ms) * 1000)}` : "";
  out.line(
    `${printable(name)}: ${formatBytes(size)} in ${formatDuration(ms)}${rate} (${from}), verified`,
  );
  out.line(digest);
}
