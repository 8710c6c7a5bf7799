/** `keepalive`: tops a lease up by itself. */
import { messageOf } from "../../../../core/errors.ts";
import type { LeaseView } from "../../../api/lease_methods.ts";
import type { NodeApi } from "../../../api/methods.ts";
import { openNode } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import { read, readSeconds, usage } from "../market/support.ts";
import { given, readAmount } from "../wallet/amounts.ts";
import { describeLease, named, showStep } from "./support.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out } = context;
  const [, amount] = context.operands;
  const budgetSat = amount === undefined ? undefined : readBudget(context, amount);
  const stepS = read(context, "step", readSeconds);
  if (budgetSat === undefined && stepS !== undefined) {
    throw usage(context, "--step goes with AMOUNT");
  }
  await using node = await openNode(context, "relays");
  const lease = budgetSat === undefined
    ? await known(context, node)
    : await set(context, node, { budgetSat, ...given({ stepS }) });
  if (out.json) out.object(lease);
  else for (const line of describeLease(lease)) out.line(line);
  if (lease.keepalive !== null && node.mode === "alone") {
    out.note("note: no node runs here, and only a running one tops up: start");
  }
  return 0;
}

async function set(
  { out, signal, operands }: VerbContext,
  node: NodeApi,
  params: { readonly budgetSat: number; readonly stepS?: number },
): Promise<LeaseView> {
  return await node.call("lease.keepalive", { lease: operands[0]!, ...params }, {
    signal,
    onEvent: (event) => out.json || showStep(out, event),
  });
}

/** How it stands, without asking the provider. */
async function known(context: VerbContext, node: NodeApi): Promise<LeaseView> {
  const { leases } = await node.call("lease.ls", { all: true }, { signal: context.signal });
  return named(context, leases, context.operands[0]!);
}

function readBudget(context: VerbContext, text: string): number {
  if (text === "off") return 0;
  try {
    return readAmount(text);
  } catch (error) {
    throw usage(context, messageOf(error));
  }
}
