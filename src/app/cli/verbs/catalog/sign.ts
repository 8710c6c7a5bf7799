/** `catalog sign`: a detached signature, or one more of them. */
import { SeedmintError } from "../../../../core/errors.ts";
import {
  type Catalog,
  renewed,
  type Seal,
  signSeal,
  writeSeal,
} from "../../../../../trust/catalog/mod.ts";
import { dateOf } from "../../../../../trust/follow/mod.ts";
import {
  authorityOf,
  rolesFor,
  type RootDocument,
  rootProgress,
} from "../../../../../trust/root/mod.ts";
import { writeDocument } from "../../../root_files.ts";
import type { VerbContext } from "../../verb.ts";
import { confirmSigning, keysOf, openSeed, readChain } from "../root/support.ts";
import {
  type CatalogFileState,
  forChange,
  nowS,
  readCatalog,
  readDays,
  rootPath,
  sealPath,
  summaryOf,
  timesOf,
  unsignedSeal,
} from "./support.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out } = context;
  const state = await readCatalog(context.operands[0]!);
  const path = rootPath(context, state.path);
  const root = await newestRoot(path, state.catalog);
  const { catalog, seal, bytes } = toSign(context, state);
  if (!out.json) {
    out.note(summaryOf(catalog));
    out.note(`  root ${root.name} version ${root.version}, expires ${dateOf(catalog.expiresS)}`);
    out.note(`  blake3 ${seal.signed.blake3}`);
    out.note(`  sha256 ${seal.signed.sha256}`);
  }
  const roles = rolesFor(root, catalog.name, nowS());
  const seed = await openSeed(context);
  const wanted = new Set(roles.flatMap((role) => role.keys));
  const known = await keysOf(context, seed, roles.map(({ role }) => role));
  const mine = [...known].filter(([key]) => wanted.has(key));
  if (mine.length === 0) {
    throw new SeedmintError(
      "denied",
      `Cannot sign the catalog ${catalog.name}: no key of this seed may in version ` +
        `${root.version} of root ${root.name} (${path}); root delegate lets one`,
    );
  }
  await confirmSigning(context, `the catalog ${catalog.name} ${catalog.sequence}`);
  let signed = seal;
  for (const [, secret] of mine) signed = await signSeal(signed, secret);
  await writeDocument(state.path, bytes);
  await writeDocument(sealPath(state.path), `${writeSeal(signed)}\n`);
  return await tell(context, state.path, { root, seal: signed });
}

/**
 * What is signed: the very bytes that others signed already; else the catalog with the time of now, as
 * the next of its name if one was signed before.
 */
function toSign(
  context: VerbContext,
  state: CatalogFileState,
): { readonly catalog: Catalog; readonly seal: Seal; readonly bytes: Uint8Array } {
  const renews = context.has("renew") || context.flag("sequence") !== undefined;
  const { seal, bytes } = state;
  if (seal !== undefined && seal.signatures.length > 0 && !renews) {
    return { catalog: state.catalog, seal, bytes };
  }
  const times = context.has("days")
    ? { issuedS: nowS(), expiresS: nowS() + readDays(context) }
    : timesOf(state.catalog);
  // One that was changed by another hand after it was signed is the next of its name, too.
  const next = renews ? renewed(state.catalog, times) : { ...forChange(state), ...times };
  const catalog = { ...next, sequence: readSequence(context, next.sequence) };
  return { catalog, ...unsignedSeal(catalog) };
}

function readSequence(context: VerbContext, next: number): number {
  const text = context.flag("sequence");
  if (text === undefined) return next;
  if (/^\d{1,12}$/.test(text) && Number(text) >= next) return Number(text);
  throw new SeedmintError(
    "usage",
    `Cannot use --sequence "${
      text.slice(0, 24)
    }": ${next} or more wanted, for followers refuse less`,
  );
}

/** The newest version of a root that is signed; the catalog must be of that root. */
export async function newestRoot(path: string, catalog: Catalog): Promise<RootDocument> {
  const chain = await readChain(path);
  const { newest } = await rootProgress(chain);
  if (newest === undefined) {
    throw new SeedmintError("denied", `The root in ${path} is not signed; root sign does that`);
  }
  if (newest.signed.id === catalog.root) return newest.signed;
  throw new SeedmintError(
    "usage",
    `The catalog ${catalog.name} is of another root than ${newest.signed.name} in ${path}; name ` +
      "its own with --root",
  );
}

async function tell(
  context: VerbContext,
  path: string,
  { root, seal }: { readonly root: RootDocument; readonly seal: Seal },
): Promise<number> {
  const { out } = context;
  const { signed, signatures } = seal;
  const authority = await authorityOf(root, "seedmint/catalog-seal/v1", {
    catalog: signed.catalog,
    value: signed,
    signatures,
    nowS: nowS(),
  });
  const isWhole = typeof authority !== "string";
  if (out.json) {
    out.object({
      path,
      seal: sealPath(path),
      name: signed.catalog,
      sequence: signed.sequence,
      blake3: signed.blake3,
      sha256: signed.sha256,
      expires: dateOf(signed.expiresS),
      signedBy: signatures.map(({ key }) => key),
      role: isWhole ? authority.role : null,
      complete: isWhole,
    });
  } else if (isWhole) {
    out.line(
      `${sealPath(path)}: ${signed.catalog} ${signed.sequence} is signed by ${authority.role}`,
    );
    out.note(`note: catalog publish ${context.operands[0]} tells of it`);
  } else {
    out.line(`${sealPath(path)}: ${signed.catalog} ${signed.sequence} is not signed yet`);
    out.note(`note: ${authority}; the others run catalog sign on both files as they are`);
  }
  return 0;
}
