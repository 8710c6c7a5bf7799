/** `root show`: what a file with a root says, and whether it is signed. */
import { pinnedRootFault, rootProgress, successorFault } from "../../../../../trust/root/mod.ts";
import { absolute } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import { describeRoot, fingerprintOf, nowS, readChain } from "./support.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out } = context;
  const path = absolute(context.operands[0]!);
  const chain = await readChain(path);
  const { missing } = await rootProgress(chain);
  const faults: string[] = [];
  for (const [index, one] of chain.entries()) {
    const fault = index === 0
      ? await pinnedRootFault(one, { development: true })
      : await successorFault(chain[index - 1]!, one, { development: true });
    // The last one may be under way, which is told apart.
    if (fault !== undefined && index < chain.length - 1) faults.push(fault);
  }
  const { signed } = chain.at(-1)!;
  const isExpired = signed.expiresS <= nowS();
  if (out.json) {
    out.object({
      path,
      ...signed,
      fingerprint: fingerprintOf(signed),
      versions: chain.length,
      missing,
      faults,
      expired: isExpired,
    });
  } else {
    for (const line of describeRoot(signed)) out.line(line);
    if (missing.length > 0) out.line(`  not signed yet: ${missing.join(", and ")}`);
    for (const fault of faults) out.line(`  wrong: ${fault}`);
    if (isExpired) out.line("  expired: root rotate makes a version that is not");
  }
  return missing.length === 0 && faults.length === 0 ? 0 : 1;
}
