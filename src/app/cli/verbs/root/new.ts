/** `root new`: the first version of a root. */
import { ed25519PublicKey } from "../../../../core/ed25519.ts";
import { SeedmintError } from "../../../../core/errors.ts";
import { systemRandom } from "../../../../host/system.ts";
import {
  isName,
  newRoot,
  rootKeyOf,
  rootProgress,
  signRoot,
} from "../../../../../trust/root/mod.ts";
import { exists } from "../../../root_files.ts";
import { absolute } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import {
  describeRoot,
  fingerprintOf,
  isForDevelopment,
  nowS,
  openSeed,
  readExpiry,
  readKey,
  readLabel,
  readThreshold,
  ROOT_DAYS,
  seedPath,
  tellProgress,
  writeChain,
} from "./support.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out } = context;
  const name = context.operands[0]!;
  if (!isName(name)) {
    throw new SeedmintError(
      "usage",
      `Cannot call a root "${name.slice(0, 40)}": letters a-z, digits and . _ - wanted`,
    );
  }
  const path = absolute(context.flag("output") ?? "root.json");
  if (await exists(path)) {
    throw new SeedmintError("usage", `Cannot write ${path}: it exists; name another with -o`);
  }
  const others = context.flagAll("key").map(readKey);
  const expiresS = readExpiry(context, ROOT_DAYS);
  const threshold = readThreshold(context) ?? 1;
  const seed = await openSeed(context, { creates: true });
  const secret = rootKeyOf(seed, readLabel(context.flag("label") ?? "root"));
  const own = (await ed25519PublicKey(secret)).toHex();
  const draft = newRoot({
    name,
    use: isForDevelopment(context) ? "development" : "production",
    keys: [own, ...others],
    threshold,
    nowS: nowS(),
    expiresS,
  }, systemRandom);
  const chain = [await signRoot(draft, secret)];
  await writeChain(path, chain, { isNew: true });
  if (out.json) {
    const { missing } = await rootProgress(chain);
    out.object({
      path,
      id: draft.signed.id,
      name,
      version: 1,
      key: own,
      fingerprint: fingerprintOf(draft.signed),
      missing,
      complete: missing.length === 0,
    });
    return 0;
  }
  for (const line of describeRoot(draft.signed)) out.note(line);
  await tellProgress(context, path, chain);
  if (!isForDevelopment(context)) out.note(`note: your master seed is in ${seedPath(context)}`);
  out.note(
    `note: give ${path} to those who follow your catalogs: their nodes take it as ` +
      "--release-root; it holds no secret",
  );
  return 0;
}
