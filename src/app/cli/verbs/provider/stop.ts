/** `provider stop`: nothing is lent any more. */
import type { VerbContext } from "../../verb.ts";
import { assertMeant } from "./evict.ts";
import { withRunning } from "./support.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const evict = context.has("evict");
  if (evict) await assertMeant(context, "End all leases of those who paid for them?");
  const report = await withRunning(
    context,
    (node) =>
      node.call("provider.stop", { evict }, {
        signal,
        onEvent: (event) => out.json || out.note(`note: ${event.message}`),
      }),
  );
  if (out.json) out.object(report);
  else out.line("nothing is lent any more");
  return 0;
}
