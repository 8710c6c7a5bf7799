/** `provider start`: the running node begins to lend, or one that lends is started. */
import { RemoteNode } from "../../../api/remote.ts";
import type { VerbContext } from "../../verb.ts";
import { describeProvider } from "./support.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal, config } = context;
  {
    await using node = await RemoteNode.of(config.values.data);
    if (node !== undefined) {
      const report = await node.call("provider.start", {}, { signal });
      if (out.json) out.object(report);
      else for (const line of describeProvider(report)) out.line(line);
      return 0;
    }
  }
  const start = await import("../start.ts");
  return await start.run({
    ...context,
    config: { ...config, values: { ...config.values, provider: true } },
  });
}
