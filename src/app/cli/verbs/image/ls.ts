/** `image ls`: the images that are here. */
import type { ImageView } from "../../../api/image_methods.ts";
import { formatBytes, formatDuration, formatTable, printable } from "../../../output/format.ts";
import { openNode } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";

/** How much of a digest or hash tells images apart. */
const SHORT_CHARS = 12;

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  await using node = await openNode(context, "store");
  const { images } = await node.call("image.list", {}, { signal });
  if (out.json) images.forEach((image) => out.object(image));
  else if (images.length === 0) {
    out.note("note: no image is here; image pull brings one in, or a client that is set up");
  } else out.line(tableOf(images, context.has("long"), Date.now()));
  return 0;
}

function tableOf(images: readonly ImageView[], isLong: boolean, nowMs: number): string {
  const short = (text: string) =>
    isLong ? text : text.replace(/^sha256:/, "").slice(0, SHORT_CHARS);
  return formatTable(
    [
      { title: "IMAGE" },
      { title: "DIGEST" },
      { title: "PLATFORMS" },
      { title: "SIZE", alignRight: true },
      { title: "FOR" },
      { title: "USED", alignRight: true },
      ...(isLong ? [{ title: "COLLECTION" }] : []),
    ],
    images.map((image) => [
      printable(image.name),
      short(image.digest),
      image.platforms.map(printable).join(" ") || "-",
      formatBytes(image.size),
      image.visibility,
      `${formatDuration(Math.max(0, nowMs - image.usedMs))} ago`,
      ...(isLong ? [image.hash ?? "-"] : []),
    ]),
  );
}
