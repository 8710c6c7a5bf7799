/**
 * Mints that can close a channel. What is signed for SIG_ALL changed once: mints before these releases
 * check an older text, and would refuse every close.
 */
import type { MintInfo } from "../mint/mint_api.ts";

/** The first release that checks what we sign, by the name that a mint gives its software (NUT-06). */
const SINCE: ReadonlyMap<string, readonly number[]> = new Map([
  ["cdk", [0, 14, 0]],
  ["cdk-mintd", [0, 14, 0]],
  ["nutshell", [0, 20, 3]],
]);

/**
 * Whether a mint is known to refuse the close of channels. Of software that is not known nobody can tell
 * before it is tried.
 */
export function refusesChannels({ version }: Pick<MintInfo, "version">): boolean {
  const found = /^([A-Za-z-]+)\/v?(\d+)\.(\d+)(?:\.(\d+))?/.exec(version);
  if (found === null) return false;
  const since = SINCE.get(found[1]!.toLowerCase());
  if (since === undefined) return false;
  const has = [found[2], found[3], found[4] ?? "0"].map(Number);
  const differs = has.findIndex((part, index) => part !== since[index]);
  return differs >= 0 && has[differs]! < since[differs]!;
}
