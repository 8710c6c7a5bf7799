/** `watchdog`: ends leases in time though their provider is dead. */
import { messageOf } from "../../../core/errors.ts";
import { watchLeases } from "../../lifecycle/provider/watchdog.ts";
import { logOf } from "../../log.ts";
import { startLog } from "../support.ts";
import type { VerbContext } from "../verb.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { config, signal } = context;
  await startLog(context);
  const log = logOf("lease");
  await watchLeases(config.values, {
    signal,
    onEnd: (leaseId, error) => {
      if (error === undefined) log("info", "ended a lease whose time was over", { leaseId });
      else log("error", "cannot end a lease yet", { leaseId, why: messageOf(error) });
    },
  });
  return 0;
}
