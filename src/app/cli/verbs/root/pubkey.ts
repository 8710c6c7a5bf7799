/** `root pubkey`: the public key of a label of a master seed. */
import { ed25519PublicKey } from "../../../../core/ed25519.ts";
import { SeedmintError } from "../../../../core/errors.ts";
import { rootKeyOf } from "../../../../../trust/root/mod.ts";
import { exists } from "../../../root_files.ts";
import type { VerbContext } from "../../verb.ts";
import { openSeed, readLabel, seedPath } from "./support.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out } = context;
  const creates = context.has("new");
  if (creates && await exists(seedPath(context))) {
    throw new SeedmintError(
      "usage",
      `Cannot make a master seed: ${seedPath(context)} exists; name another with --seed`,
    );
  }
  const label = readLabel(context.flag("label") ?? "root");
  const seed = await openSeed(context, { creates });
  const key = (await ed25519PublicKey(rootKeyOf(seed, label))).toHex();
  if (out.json) out.object({ key, label });
  else out.line(key);
  return 0;
}
