/** `provider status`: what is lent, and how that fares. */
import type { VerbContext } from "../../verb.ts";
import { describeProvider, withRunning } from "./support.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const report = await withRunning(
    context,
    (node) => node.call("provider.status", {}, { signal }),
  );
  if (out.json) out.object(report);
  else for (const line of describeProvider(report)) out.line(line);
  return report.problems.length === 0 ? 0 : 1;
}
