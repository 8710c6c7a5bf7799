/** `provider drain`: no new leases, or new ones again. */
import type { VerbContext } from "../../verb.ts";
import { withRunning } from "./support.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const on = !context.has("off");
  const report = await withRunning(
    context,
    (node) => node.call("provider.drain", { on }, { signal }),
  );
  if (out.json) out.object(report);
  else if (on) {
    const { openCount } = report;
    out.line(`draining: ${openCount} ${openCount === 1 ? "lease is" : "leases are"} open`);
  } else out.line("new leases are taken");
  return 0;
}
