/** `wallet resume`, `wallet reclaim` and `wallet cancel`: operations that exist. */
import { SeedmintError } from "../../../../core/errors.ts";
import type { OperationView, WalletApi } from "../../../../../wallet/wallet_api.ts";
import { printable } from "../../../output/format.ts";
import type { VerbContext } from "../../verb.ts";
import { describeFee, describeOperation } from "./describe.ts";

/** Runs each of the three: exits with 1 when one of them needs a person. */
export async function run(context: VerbContext): Promise<number> {
  const { out } = context;
  const [id] = context.operands;
  if (id !== undefined) assertId(id);
  await using opened = await context.openWallet();
  const operations = await steer(context, opened.wallet, id);
  for (const operation of operations) {
    if (out.json) out.object(operation);
    else out.line(`${operation.id}  ${describe(operation)}`);
  }
  if (operations.length === 0) out.note("note: nothing is under way");
  return operations.some((operation) => operation.status === "attention") ? 1 : 0;
}

async function steer(
  { verb, signal }: VerbContext,
  wallet: WalletApi,
  id: string | undefined,
): Promise<readonly OperationView[]> {
  if (verb.name === "wallet reclaim") return [await wallet.reclaim(id!, { signal })];
  if (verb.name === "wallet cancel") return [await wallet.cancel(id!)];
  return await wallet.resume(id === undefined ? {} : { id }, { signal });
}

function describe(operation: OperationView): string {
  const { status, state, reason } = operation;
  const why = reason === null ? "" : `: ${printable(reason)}`;
  return `${describeOperation(operation)}, ${describeFee(operation)}: ${state} (${status})${why}`;
}

/** Operations are named by 32 hex digits. */
export function assertId(text: string): void {
  if (/^[0-9a-f]{32}$/.test(text)) return;
  throw new SeedmintError(
    "usage",
    "Cannot find the operation: its 32 hex digits wanted, as wallet pending and history print them",
  );
}
