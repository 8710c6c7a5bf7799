/** `peers`: who is connected. */
import { formatDuration, formatTable, printable } from "../../output/format.ts";
import { openNode } from "../support.ts";
import type { VerbContext } from "../verb.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  await using node = await openNode(context, "store");
  const { peers } = await node.call("peers", {}, { signal });
  if (out.json) {
    for (const peer of peers) out.object(peer);
    return 0;
  }
  if (peers.length === 0) {
    out.note(
      node.mode === "alone" ? "note: no node is running; run start" : "note: nobody is connected",
    );
    return 0;
  }
  const nowMs = Date.now();
  out.line(formatTable(
    [{ title: "PEER" }, { title: "WAY" }, { title: "SINCE", alignRight: true }, {
      title: "ADDRESS",
    }],
    peers.map((peer) => [
      peer.peerId,
      `${peer.direction}${peer.relayed ? ", relayed" : ""}`,
      formatDuration(nowMs - peer.openedMs),
      printable(peer.address),
    ]),
  ));
  return 0;
}
