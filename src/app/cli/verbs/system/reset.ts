/** `system reset`: removes what a node keeps here, once nothing of worth is lost by it. */
import { SeedmintError } from "../../../../core/errors.ts";
import { RemoteNode } from "../../../api/remote.ts";
import { formatBytes } from "../../../output/format.ts";
import { endWatchdog } from "../../../lifecycle/provider/watchdog.ts";
import {
  clearEngine,
  lookAtData,
  type NodeData,
  removeData,
  takeLocks,
} from "../../../lending/mod.ts";
import type { VerbContext } from "../../verb.ts";
import { askYes } from "../wallet/consent.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, config, signal } = context;
  const { data } = config.values;
  await assertNoNode(data);
  const found = await lookAtData(config.values, { keepsSeed: context.has("keep-seed") });
  if (found.parts.length === 0) {
    if (out.json) out.object({ event: "done", removed: [] });
    else out.line(`${data}: nothing to remove`);
    return 0;
  }
  const money = await moneyIn(context, found);
  show(context, found, money);
  if (context.has("dry-run")) return 0;
  assertNothingLost(context, found, money);
  await assertWanted(context, found);
  {
    using _locks = takeLocks(found);
    if (found.wasLent) {
      await clearEngine(config.values, { ends: context.has("end-leases"), signal });
      // Not before: it ends in time what could not be ended now.
      await endWatchdog(config.values);
    }
    await removeData(found);
  }
  if (out.json) {
    out.object({ event: "done", removed: found.parts.map(({ path }) => path) });
  } else out.line(`removed ${formatBytes(found.bytes)}`);
  return 0;
}

async function assertNoNode(data: string): Promise<void> {
  const node = await RemoteNode.of(data);
  if (node === undefined) return;
  await node[Symbol.asyncDispose]();
  throw new SeedmintError(
    "locked",
    `Cannot reset ${data}: a node runs on it; stop it first (as a service: systemctl stop seedmint)`,
  );
}

/** What the wallet holds, in words; undefined if that is nothing. */
async function moneyIn(context: VerbContext, found: NodeData): Promise<string | undefined> {
  if (!found.hasWallet) return undefined;
  try {
    await using opened = await context.openWallet();
    const { totalSat, mints } = await opened.wallet.balance();
    const away = mints.reduce((sum, mint) => sum + mint.outgoingSat + mint.incomingSat, 0);
    if (totalSat + away === 0) return undefined;
    return `${totalSat} sat${away === 0 ? "" : `, and ${away} sat on their way`}`;
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof SeedmintError) || error.code === "locked") throw error;
    return `what could not be told (${error.message})`;
  }
}

function show({ out }: VerbContext, found: NodeData, money: string | undefined): void {
  const { parts, kept, lentOpenCount, rentedCount, running } = found;
  if (out.json) {
    out.object({
      event: "found",
      parts,
      kept,
      money: money ?? null,
      lentOpenCount,
      rentedCount,
      running,
    });
    return;
  }
  for (const { path, bytes, what } of parts) {
    out.line(`${path}  ${formatBytes(bytes)}  ${what}`);
  }
  for (const path of kept) out.note(`note: stays: ${path}`);
  if (money !== undefined) out.line(`the wallet holds ${money}`);
  if (lentOpenCount > 0) out.line(`${lentOpenCount} leases that are lent are open`);
  if (rentedCount > 0) out.line(`${rentedCount} leases are rented`);
  if (running.length > 0) out.line(`running: ${running.join(", ")}`);
}

function assertNothingLost(
  context: VerbContext,
  found: NodeData,
  money: string | undefined,
): void {
  const { lentOpenCount, rentedCount, running } = found;
  if (money !== undefined && !context.has("lose-money")) {
    throw new SeedmintError(
      "denied",
      `Cannot reset: the wallet holds ${money}; take it out (wallet withdraw, wallet send), or make a ` +
        "backup and write down the words (wallet backup, wallet words), then say --lose-money",
    );
  }
  const open = lentOpenCount + rentedCount + running.length;
  if (open > 0 && !context.has("end-leases")) {
    throw new SeedmintError(
      "denied",
      `Cannot reset: ${lentOpenCount} leases are lent, ${rentedCount} rented, ${running.length} run ` +
        "here; end them (provider stop --evict, stop LEASE), which pays back what is left, or say " +
        "--end-leases, which does not",
    );
  }
}

async function assertWanted(context: VerbContext, { bytes }: NodeData): Promise<void> {
  if (context.has("yes")) return;
  const { data } = context.config.values;
  if (!context.input.isTerminal) {
    throw new SeedmintError(
      "usage",
      `Cannot reset ${data}: nobody is here to ask; say --yes if it may be done`,
    );
  }
  const seed = context.has("keep-seed") ? "" : ", its seed included";
  if (await askYes(context, `Remove these ${formatBytes(bytes)} for good${seed}?`)) return;
  throw new SeedmintError("denied", "Removed nothing: you said no");
}
