/** `stop`: ends a lease and takes back what is left. */
import { SeedmintError } from "../../../../core/errors.ts";
import type { NodeApi } from "../../../api/methods.ts";
import { printable } from "../../../output/format.ts";
import { openNode } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import { askYes } from "../wallet/consent.ts";
import { describeLease, named, showStep } from "./support.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const name = context.operands[0]!;
  await using node = await openNode(context, "relays");
  const lease = context.input.isTerminal && !context.has("yes")
    ? await agreed(context, node, name)
    : name;
  const stopped = await node.call("lease.stop", { lease }, {
    signal,
    onEvent: (event) => out.json || showStep(out, event),
  });
  if (out.json) out.object(stopped);
  else {
    const { refundSat, comingSat } = stopped;
    const told = [
      ...(refundSat > 0 ? [`${refundSat} sat came back`] : []),
      ...(comingSat > 0 ? [`${comingSat} sat are coming back`] : []),
    ];
    out.line(`ended; ${told.length === 0 ? "nothing came back" : told.join(", ")}`);
    for (const line of describeLease(stopped.lease)) out.line(line);
  }
  return 0;
}

/** The lease that a person wants to end. */
async function agreed(context: VerbContext, node: NodeApi, name: string): Promise<string> {
  const { leases } = await node.call("lease.ls", { all: true }, { signal: context.signal });
  const { id, image } = named(context, leases, name);
  const question = `End lease ${id} (${printable(image)}) with all that is in it?`;
  if (await askYes(context, question)) return id;
  throw new SeedmintError("denied", "Ended nothing: you said no");
}
