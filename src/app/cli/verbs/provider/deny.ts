/** `provider deny` and `provider allow`: to whom, and what, is never lent. */
import type { DenialView } from "../../../api/provider_methods.ts";
import { formatTable, printable } from "../../../output/format.ts";
import type { VerbContext } from "../../verb.ts";
import { withRunning } from "./support.ts";

/** Runs whichever of the two it is. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal, verb } = context;
  const [name] = context.operands;
  const kind = context.has("image") ? "image" : "key";
  const denied = await withRunning(context, async (node): Promise<readonly DenialView[]> => {
    if (name === undefined) return (await node.call("provider.status", {}, { signal })).denied;
    const { denied } = verb.name === "provider allow"
      ? await node.call("provider.allow", { kind, name }, { signal })
      : await node.call("provider.deny", { kind, name, reason: context.flag("reason") ?? "" }, {
        signal,
      });
    return denied;
  });
  if (out.json) { for (const one of denied) out.object(one); }
  else if (denied.length === 0) out.note("note: nothing is denied");
  else {
    out.line(formatTable(
      [{ title: "kind" }, { title: "denied" }, { title: "reason" }],
      denied.map((one) => [one.kind, printable(one.name), printable(one.reason)]),
    ));
  }
  return 0;
}
