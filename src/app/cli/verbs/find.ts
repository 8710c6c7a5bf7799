/** `find`: who has a blob, as relays and peers tell. */
import { formatBytes, formatPrice, printable } from "../../output/format.ts";
import { openNode } from "../support.ts";
import type { VerbContext } from "../verb.ts";

/** Runs the verb: exits with 1 when nobody was found. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal, config } = context;
  await using node = await openNode(context, "network");
  const { hintCount } = await node.call("find", {
    target: context.operands[0]!,
    timeoutMs: config.values.findTimeout,
    peers: config.values.peer,
    ask: !context.has("no-ask"),
  }, {
    signal,
    onEvent: (hint) => {
      if (out.json) return out.object(hint);
      const holds = hint.holds === null
        ? "did not answer"
        : hint.holds === "all"
        ? "has it"
        : hint.holds === "some"
        ? "has a part"
        : "does not have it";
      const size = hint.size === null ? "" : `, ${formatBytes(hint.size)}`;
      const price = hint.priceMsatPerMiB === null ? "" : `, ${formatPrice(hint.priceMsatPerMiB)}`;
      out.line(`${hint.peerId}  ${holds}${size}${price}  (via ${hint.via})`);
      for (const address of hint.addresses) out.line(`    ${printable(address)}`);
    },
  });
  if (hintCount > 0) return 0;
  if (!out.json) {
    out.note("note: nobody was found; name a relay with --relay or a peer with --peer");
  } else {
    out.object({ event: "error", code: "not-found", message: "Nobody was found who has it" });
  }
  return 1;
}
