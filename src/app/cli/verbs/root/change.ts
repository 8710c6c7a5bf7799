/** `root delegate`, `rotate` and `revoke`: the next version of a root, signed when a seed is here. */
import { SeedmintError } from "../../../../core/errors.ts";
import {
  changeRoot,
  delegation,
  isName,
  isPattern,
  isPinScope,
  revocation,
  type RootChange,
  rotation,
} from "../../../../../trust/root/mod.ts";
import { absolute } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import {
  describeRoot,
  hasSeed,
  nowS,
  readChain,
  readExpiry,
  readKey,
  readThreshold,
  ROOT_DAYS,
  signNewest,
  tellProgress,
  writeChain,
} from "./support.ts";

const CHANGES: Readonly<Record<string, (context: VerbContext) => RootChange>> = {
  "root delegate": delegate,
  "root rotate": rotate,
  "root revoke": revoke,
};

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const path = absolute(context.operands[0]!);
  const change = CHANGES[context.verb.name]!(context);
  const chain = await changeRoot(await readChain(path), change, nowS());
  await writeChain(path, chain);
  if (await hasSeed(context)) return await signNewest(context, path, chain);
  if (!context.out.json) {
    for (const line of describeRoot(chain.at(-1)!.signed)) context.out.note(line);
  }
  return await tellProgress(context, path, chain);
}

function delegate(context: VerbContext): RootChange {
  const role = context.operands[1]!;
  if (!isName(role) || role === "root") {
    throw new SeedmintError(
      "usage",
      `Cannot delegate to "${role.slice(0, 40)}": a name other than root wanted`,
    );
  }
  const keys = context.flagAll("key").map(readKey);
  const catalogs = context.flagAll("catalog");
  if (context.has("remove")) {
    if (keys.length > 0 || catalogs.length > 0) {
      throw new SeedmintError("usage", "Cannot use --remove with --key or --catalog");
    }
    return delegation(role, undefined);
  }
  const bad = catalogs.find((one) => !isPattern(one));
  if (keys.length === 0 || catalogs.length === 0 || bad !== undefined) {
    throw new SeedmintError(
      "usage",
      bad === undefined
        ? "Cannot delegate: at least one --key and one --catalog wanted"
        : `Cannot delegate "${
          bad.slice(0, 40)
        }": the name of a catalog wanted, * for any characters`,
    );
  }
  const images = context.flagAll("pins");
  const wrong = images.find((one) => !isPinScope(one));
  if (wrong !== undefined) {
    throw new SeedmintError(
      "usage",
      `Cannot let the role pin "${wrong.slice(0, 40)}": ghcr.io/acme/ for all below it, a ` +
        "repository such as ghcr.io/acme/web, or * wanted",
    );
  }
  return delegation(role, {
    keys,
    ...(images.length === 0 ? {} : { images }),
    catalogs,
    threshold: readThreshold(context) ?? 1,
    ...(context.has("days") ? { expiresS: readExpiry(context, ROOT_DAYS) } : {}),
  });
}

function rotate(context: VerbContext): RootChange {
  const threshold = readThreshold(context);
  return rotation({
    add: context.flagAll("add").map(readKey),
    remove: context.flagAll("remove").map(readKey),
    expiresS: readExpiry(context, ROOT_DAYS),
    ...(threshold === undefined ? {} : { threshold }),
  });
}

function revoke(context: VerbContext): RootChange {
  const replacement = context.flag("replace");
  const reason = context.flag("reason");
  if (reason === undefined) {
    throw new SeedmintError("usage", "Cannot revoke a key without a --reason, which followers see");
  }
  return revocation({
    key: readKey(context.operands[1]!),
    reason,
    atS: nowS(),
    ...(replacement === undefined ? {} : { replacement: readKey(replacement) }),
  });
}
