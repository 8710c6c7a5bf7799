/** `provider evict`: a lease ends now. */
import { SeedmintError } from "../../../../core/errors.ts";
import { systemClock } from "../../../../host/system.ts";
import type { VerbContext } from "../../verb.ts";
import { askYes } from "../wallet/consent.ts";
import { describeLent, withRunning } from "./support.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const lease = context.operands[0]!;
  await assertMeant(context, `End lease ${lease} of somebody who paid for it?`);
  const ended = await withRunning(
    context,
    (node) =>
      node.call("provider.evict", { lease, reason: context.flag("reason") ?? "" }, { signal }),
  );
  if (out.json) out.object(ended);
  else for (const line of describeLent(ended, systemClock.nowMs())) out.line(line);
  return 0;
}

/** Asks unless `--yes`. @throws {SeedmintError} `usage` where nobody can be asked; `denied`. */
export async function assertMeant(context: VerbContext, question: string): Promise<void> {
  if (context.has("yes")) return;
  if (!context.input.isTerminal) {
    throw new SeedmintError(
      "usage",
      `Cannot run ${context.verb.name}: nobody is here to ask; say --yes if it may be done`,
    );
  }
  if (!await askYes(context, question)) {
    throw new SeedmintError("denied", `Did not run ${context.verb.name}: you said no`);
  }
}
