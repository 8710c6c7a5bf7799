/** `wallet audit`: whether the books hold. */
import type { VerbContext } from "../../verb.ts";

/** Runs the verb: exits with 1 when something does not hold. */
export async function run(context: VerbContext): Promise<number> {
  const { out } = context;
  await using opened = await context.openWallet();
  const problems = await opened.wallet.audit();
  if (out.json) out.object({ ok: problems.length === 0, problems });
  else if (problems.length === 0) out.line("the books hold");
  else for (const problem of problems) out.line(problem);
  return problems.length === 0 ? 0 : 1;
}
