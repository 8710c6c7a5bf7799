/** `verify`: reads the store again and tells what is damaged. */
import { formatBytes } from "../../output/format.ts";
import { SeedmintError } from "../../../core/errors.ts";
import { RemoteNode } from "../../api/remote.ts";
import { rebuildStoreOf } from "../../lifecycle/store_options.ts";
import { openNode, showEvent } from "../support.ts";
import type { VerbContext } from "../verb.ts";

/** Runs the verb: exits with 1 when something was damaged. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  if (context.has("rebuild")) return await rebuild(context);
  await using node = await openNode(context, "store");
  const { blobCount, badCount } = await node.call("verify", { targets: context.operands }, {
    signal,
    onEvent: (event) => {
      if (event.event === "progress") return showEvent(out, event);
      const { event: _, ...found } = event;
      if (out.json) return out.object(found);
      if (event.ok) return;
      out.line(
        `${event.hash}  ${formatBytes(event.badBytes)} of ${formatBytes(event.size)} damaged`,
      );
    },
  });
  out.endProgress();
  if (!out.json) out.line(`${blobCount} checked, ${badCount} damaged`);
  return badCount === 0 ? 0 : 1;
}

/** Makes the store's database anew; nobody may use the store meanwhile. */
async function rebuild(context: VerbContext): Promise<number> {
  const { out, signal, operands } = context;
  const { data } = context.config.values;
  if (operands.length > 0) {
    throw new SeedmintError("usage", "Cannot rebuild a part: verify --rebuild takes no HASH");
  }
  await using running = await RemoteNode.of(data);
  if (running !== undefined) {
    throw new SeedmintError(
      "locked",
      `Cannot rebuild: a node is running on ${data}; stop it first`,
    );
  }
  out.note("note: every blob file is read again; let it end");
  const report = await rebuildStoreOf(context.config.values, { signal });
  const { completeCount, partialCount, unusable } = report;
  const oldDatabase = report.oldDatabase ?? null;
  if (out.json) {
    out.object({ event: "rebuilt", completeCount, partialCount, unusable, oldDatabase });
  } else {
    for (const hash of unusable) out.line(`${hash}  nothing matches; moved to store/damaged`);
    out.line(
      `${completeCount} whole, ${partialCount} in part, ${unusable.length} unusable` +
        (oldDatabase === null ? "" : `; the old database is ${oldDatabase}`),
    );
  }
  return unusable.length === 0 ? 0 : 1;
}
