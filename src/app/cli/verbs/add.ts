/** `add`: files, directories and stdin into the store. */
import type { ImportMode } from "../../../../swarm/store/blob_store.ts";
import type { AddAttributes, AddedEvent } from "../../api/methods.ts";
import { formatBytes } from "../../output/format.ts";
import { absolute, atMostOne, openNode, readVisibility, showEvent } from "../support.ts";
import type { VerbContext } from "../verb.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal, operands } = context;
  const mode = atMostOne(context, ["in-place", "link", "copy"]) ?? "copy";
  const attributes = readAttributes(context);
  const paths = operands.filter((path) => path !== "-").map(absolute);
  await using node = await openNode(context, "store");
  let last: AddedEvent | undefined;
  const show = (added: AddedEvent) => {
    last = added;
    if (out.json) {
      out.object({ hash: added.hash, size: added.size, sha256: added.sha256, name: added.name });
    } else out.line(`${added.hash}  ${formatBytes(added.size).padStart(9)}  ${added.name}`);
  };
  if (operands.includes("-")) {
    const name = context.flag("name");
    show(
      await node.addStream(Deno.stdin.readable, { ...attributes, ...(name ? { name } : {}) }, {
        signal,
      }),
    );
  }
  if (paths.length > 0) {
    await node.call("add", { ...attributes, paths, mode: mode as ImportMode }, {
      signal,
      onEvent: (event) => event.event === "added" ? show(event) : showEvent(out, event),
    });
  }
  out.endProgress();
  if (!out.json && last !== undefined && node.mode === "alone") {
    out.note("note: no node is running; run start to seed this, then ticket to share it");
  }
  return 0;
}

function readAttributes(context: VerbContext): AddAttributes {
  const tag = context.flag("tag");
  const mediaType = context.flag("media-type");
  return {
    pinned: context.has("pin"),
    ...readVisibility(context),
    ...(tag === undefined ? {} : { tag }),
    ...(mediaType === undefined ? {} : { mediaType }),
  };
}
