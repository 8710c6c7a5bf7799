/** `provider leases`: what is lent to whom. */
import { systemClock } from "../../../../host/system.ts";
import type { VerbContext } from "../../verb.ts";
import { describeLent, lentTable, withRunning } from "./support.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const [lease] = context.operands;
  const params = { all: context.has("all"), ...(lease === undefined ? {} : { lease }) };
  const { leases } = await withRunning(
    context,
    (node) => node.call("provider.leases", params, { signal }),
  );
  const nowMs = systemClock.nowMs();
  if (out.json) { for (const one of leases) out.object(one); }
  else if (lease !== undefined) {
    for (const one of leases) for (const line of describeLent(one, nowMs)) out.line(line);
  } else if (leases.length > 0) out.line(lentTable(leases, nowMs));
  else out.note("note: no leases");
  return 0;
}
