/** `leases`: what this node rents. */
import { systemClock } from "../../../../host/system.ts";
import { openNode } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import { shortNpub } from "../market/support.ts";
import { leaseTable, showStep } from "./support.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  await using node = await openNode(context, "relays");
  if (context.has("sync")) {
    const onEvent = (event: Parameters<typeof showStep>[1]) => showStep(out, event);
    const synced = await node.call("lease.sync", {}, { signal, onEvent });
    const { found, ended, silent, unaskedCount } = synced;
    if (out.json) out.object({ event: "synced", ...synced });
    else {
      out.note(`${found.length} leases found, ${ended.length} are over`);
      for (const key of silent) out.note(`note: ${shortNpub(key)} did not answer`);
      if (unaskedCount > 0) {
        out.note(
          `note: ${unaskedCount} providers were not asked in time; --lessee-timeout gives more`,
        );
      }
    }
  }
  const { leases } = await node.call("lease.ls", { all: context.has("all") }, { signal });
  if (out.json) { for (const lease of leases) out.object(lease); }
  else if (leases.length > 0) out.line(leaseTable(leases, systemClock.nowMs()));
  else out.note("note: no leases; market spawn rents one");
  return 0;
}
