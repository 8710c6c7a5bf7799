/** `catalog verify`: whether followers would take a catalog, and why not. */
import { SeedmintError } from "../../../../core/errors.ts";
import { hashBytes } from "../../../../../swarm/bao/mod.ts";
import { openSealed, parseSeal, SEAL_BYTES_MAX } from "../../../../../trust/catalog/mod.ts";
import { dateOf, judgeSeal } from "../../../../../trust/follow/mod.ts";
import { pinnedRootFault, type SignedRoot, walkRoots } from "../../../../../trust/root/mod.ts";
import { exists, readDocument } from "../../../root_files.ts";
import { absolute } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import { readChain } from "../root/support.ts";
import { nowS, readCatalog, rootPath, sealPath, summaryOf } from "./support.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out } = context;
  const { path, catalog, bytes } = await readCatalog(context.operands[0]!);
  const refuse = (why: string) =>
    new SeedmintError(
      "denied",
      `The catalog ${catalog.name} ${catalog.sequence} is refused: ${why}`,
    );
  if (!await exists(sealPath(path))) throw refuse("it is not signed; catalog sign does that");
  const root = await pinnedRoot(context, path, catalog.root);
  const text = await readDocument(sealPath(path), {
    bytesMax: SEAL_BYTES_MAX,
    what: "a signature",
  });
  const seal = parseSeal(new TextDecoder().decode(text));
  const { development } = context.config.values;
  const verdict = await judgeSeal(seal, { root: root.signed, floors: new Map() }, {
    root: catalog.root,
    catalog: catalog.name,
    nowS: nowS(),
    development,
  });
  if (verdict.verdict === "refused") throw refuse(verdict.message);
  try {
    openSealed(seal, bytes);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw refuse(error.message);
  }
  if (hashBytes(bytes) !== seal.signed.blake3) {
    throw refuse("its bytes have another BLAKE3 than its signature says");
  }
  const role = verdict.verdict === "new" ? verdict.authority.role : "root";
  if (out.json) {
    out.object({
      name: catalog.name,
      sequence: catalog.sequence,
      root: root.signed.name,
      rootVersion: root.signed.version,
      role,
      expires: dateOf(catalog.expiresS),
      releases: catalog.releases.length,
      images: catalog.images.length,
      files: catalog.files.length,
      ok: true,
    });
  } else {
    out.line(
      `${summaryOf(catalog)}: signed by ${role} of root ${root.signed.name} version ` +
        `${root.signed.version}, until ${dateOf(catalog.expiresS)}`,
    );
  }
  return 0;
}

/** The newest version that follows from the first one of the file, or of a pinned file. */
async function pinnedRoot(
  context: VerbContext,
  path: string,
  id: string,
): Promise<SignedRoot> {
  const { development, releaseRoot } = context.config.values;
  const isNamed = context.flag("root") !== undefined;
  const paths = isNamed || releaseRoot.length === 0
    ? [rootPath(context, path)]
    : releaseRoot.map(absolute);
  for (const one of paths) {
    const chain = await readChain(one);
    if (chain[0]!.signed.id !== id) continue;
    const fault = await pinnedRootFault(chain[0]!, { development });
    if (fault !== undefined) throw new SeedmintError("denied", `Cannot use ${one}: ${fault}`);
    // A follower learns of later versions from whoever tells it: here they lie beside the catalog.
    const beside = rootPath(context, path);
    const later = one !== beside && await exists(beside) ? await readChain(beside) : [];
    const { steps } = await walkRoots(chain[0]!, [...chain.slice(1), ...later], { development });
    return steps.at(-1) ?? chain[0]!;
  }
  throw new SeedmintError(
    "denied",
    `The catalog is of another root than ${paths.join(", ")}; name its own with --root`,
  );
}
