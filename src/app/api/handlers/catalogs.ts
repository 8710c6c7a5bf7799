/** Methods about signed catalogs: following, looking into them, publishing. */
import { messageOf, SeedmintError } from "../../../core/errors.ts";
import {
  type Catalog,
  CATALOG_BYTES_MAX,
  type CatalogFile,
  openSealed,
  parseSeal,
  type Seal,
  SEAL_BYTES_MAX,
} from "../../../../trust/catalog/mod.ts";
import { type FollowStatus, judgeSeal } from "../../../../trust/follow/mod.ts";
import {
  parseRootChain,
  pinnedRootFault,
  ROOT_CHAIN_BYTES_MAX,
  type SignedRoot,
  walkRoots,
} from "../../../../trust/root/mod.ts";
import type { BlobStore } from "../../../../swarm/store/blob_store.ts";
import type { Handler, NodeParts } from "../parts.ts";
import { storageError } from "../parts.ts";
import type { CatalogDesk } from "../trust.ts";
import type { CatalogEntryView, CatalogView, PublishParams } from "../trust_methods.ts";
import { add } from "./add.ts";

/** Every catalog that is followed. */
export const listCatalogs: Handler<"catalog.list"> = async (parts) => {
  const desk = await deskOf(parts);
  return { catalogs: desk.status().map(viewOf) };
};

/** What one catalog lists. */
export const listEntries: Handler<"catalog.entries"> = async (parts, params, context) => {
  const desk = await deskOf(parts);
  const status = statusOf(desk, params.catalog);
  const catalog = status.accepted?.catalog;
  for (const entry of catalog === undefined ? [] : entriesOf(catalog, parts.store)) {
    context.emit({ event: "entry", entry });
  }
  return viewOf(status);
};

/** Follows a catalog, or changes how, and looks for it now. */
export const followCatalog: Handler<"catalog.follow"> = async (parts, params, context) => {
  const desk = await deskOf(parts);
  const key = desk.keyOf(params.catalog);
  const before = desk.status().find(({ follow }) =>
    follow.root === key.root && follow.name === key.name
  )?.follow;
  const changes = params.publishers ?? params.url ?? params.selectors ?? params.pins;
  if (before === undefined || changes !== undefined) {
    const url = params.url ?? before?.url;
    desk.follow({
      ...key,
      publishers: params.publishers ?? before?.publishers ?? [],
      selectors: params.selectors ?? before?.selectors ?? [],
      pins: params.pins ?? before?.pins ?? [],
      ...(url === undefined ? {} : { url }),
    });
  }
  const report = await desk.refresh(key, context);
  for (const problem of report.problems) context.emit({ event: "note", message: problem });
  return { ...viewOf(statusOf(desk, params.catalog)), outcome: report.outcome };
};

/** Ends following. */
export const unfollowCatalog: Handler<"catalog.unfollow"> = async (parts, params) => {
  const desk = await deskOf(parts);
  if (!desk.unfollow(desk.keyOf(params.catalog))) {
    throw new SeedmintError("not-found", `The catalog ${params.catalog} is not followed`);
  }
  return { catalog: params.catalog };
};

/** Checks a catalog as followers will, adds what it lists, and tells of it. */
export const publishCatalog: Handler<"catalog.publish"> = async (parts, params, context) => {
  const desk = await deskOf(parts);
  const { bytes, catalog, seal, roots } = await readSigned(parts, params);
  if (params.paths.length > 0) {
    await add(parts, {
      paths: params.paths,
      mode: "copy",
      pinned: false,
      visibility: "public",
      tag: `release:${catalog.name}`,
    }, {
      signal: context.signal,
      emit: (event) => {
        if (event.event !== "added") context.emit(event);
      },
    });
  }
  const missing = lacking(catalog, parts.store);
  const { urls } = params;
  const published = await desk.publish({ catalog, bytes, seal, roots, urls }, context);
  return {
    root: roots[0]!.signed.name,
    name: catalog.name,
    sequence: catalog.sequence,
    nostrKey: parts.nostrKey,
    ...published,
    missing,
  };
};

/** The catalogs of a node. */
export async function deskOf(parts: NodeParts): Promise<CatalogDesk> {
  if (parts.catalogs !== undefined) return await parts.catalogs.open();
  throw new SeedmintError("unavailable", "Cannot look at catalogs: none are open here");
}

/** How a catalog that is followed fares. */
function statusOf(desk: CatalogDesk, name: string): FollowStatus {
  const key = desk.keyOf(name);
  const found = desk.status().find(({ follow }) =>
    follow.root === key.root && follow.name === key.name
  );
  if (found !== undefined) return found;
  throw new SeedmintError(
    "not-found",
    `The catalog ${name} is not followed; catalog follow ${name} does that`,
  );
}

function viewOf(
  { follow, root, accepted, checkedMs, report, problems }: FollowStatus,
): CatalogView {
  const catalog = accepted?.catalog;
  return {
    root: root.name,
    rootId: root.id,
    rootVersion: root.version,
    name: follow.name,
    sequence: catalog?.sequence ?? null,
    hash: accepted?.seal.signed.blake3 ?? null,
    role: accepted?.role ?? null,
    issuedMs: catalog === undefined ? null : catalog.issuedS * 1000,
    expiresMs: catalog === undefined ? null : catalog.expiresS * 1000,
    checkedMs: checkedMs ?? null,
    releaseCount: catalog?.releases.length ?? 0,
    imageCount: catalog?.images.length ?? 0,
    fileCount: catalog?.files.length ?? 0,
    publishers: follow.publishers,
    url: follow.url ?? null,
    selectors: follow.selectors,
    pins: follow.pins ?? [],
    refused: report?.refused ?? [],
    problems,
  };
}

/** Everything that a catalog lists, file by file. */
export function entriesOf(catalog: Catalog, store?: BlobStore): readonly CatalogEntryView[] {
  const common = { catalog: catalog.name };
  const fileView = (file: CatalogFile) => ({
    file: file.name,
    platform: file.platform ?? null,
    size: file.size,
    hash: file.blake3,
    sha256: file.sha256,
    digest: null,
    mediaType: file.mediaType ?? null,
    here: store === undefined ? null : store.status(file.blake3)?.state === "complete",
  });
  return [
    ...catalog.releases.flatMap(({ name, version, price, files }) =>
      files.map((file) => ({
        ...common,
        kind: "release" as const,
        name,
        version,
        price,
        ...fileView(file),
      }))
    ),
    ...catalog.images.map(({ reference, price, digest, collection, platforms, blobs }) => ({
      ...common,
      kind: "image" as const,
      name: reference,
      version: null,
      price,
      file: null,
      platform: platforms.length === 0 ? null : platforms.join(" "),
      size: blobs.length === 0 ? null : blobs.reduce((sum, blob) => sum + blob.size, 0),
      hash: collection ?? null,
      sha256: null,
      digest,
      mediaType: null,
      here: store === undefined || blobs.length === 0
        ? null
        : blobs.every(({ blake3 }) => store.status(blake3)?.state === "complete"),
    })),
    ...catalog.files.map((file) => ({
      ...common,
      kind: "file" as const,
      name: file.name,
      version: file.version ?? null,
      price: file.price,
      ...fileView(file),
    })),
  ];
}

/** Entries that nobody could get from this node or an origin. */
function lacking(
  catalog: Catalog,
  store: BlobStore,
): readonly { readonly name: string; readonly hash: CatalogFile["blake3"] }[] {
  const files = [...catalog.releases.flatMap((release) => release.files), ...catalog.files];
  return files.filter(({ origins, blake3 }) =>
    origins.length === 0 && store.status(blake3)?.state !== "complete"
  ).map(({ name, blake3 }) => ({ name, hash: blake3 }));
}

/** What is to be published, checked as a follower that knows the root from its first version will. */
async function readSigned(
  parts: NodeParts,
  params: PublishParams,
): Promise<{
  readonly bytes: Uint8Array;
  readonly catalog: Catalog;
  readonly seal: Seal;
  readonly roots: readonly SignedRoot[];
}> {
  const what = `Cannot publish ${params.catalog}`;
  const refuse = (why: string) => new SeedmintError("denied", `${what}: ${why}`);
  const text = async (path: string, bytesMax: number) =>
    new TextDecoder().decode(await readFile(path, bytesMax, what));
  try {
    const bytes = await readFile(params.catalog, CATALOG_BYTES_MAX, what);
    const seal = parseSeal(await text(params.seal, SEAL_BYTES_MAX));
    const chain = parseRootChain(await text(params.root, ROOT_CHAIN_BYTES_MAX));
    const { development } = parts.config;
    const fault = await pinnedRootFault(chain[0]!, { development });
    if (fault !== undefined) throw refuse(fault);
    const walk = await walkRoots(chain[0]!, chain.slice(1), { development });
    const roots = [chain[0]!, ...walk.steps];
    const catalog = openSealed(seal, bytes);
    const verdict = await judgeSeal(
      seal,
      { root: roots.at(-1)!.signed, floors: new Map() },
      {
        root: roots[0]!.signed.id,
        catalog: catalog.name,
        nowS: Math.floor(parts.clock.nowMs() / 1000),
        development,
      },
    );
    if (verdict.verdict === "refused") throw refuse(verdict.message);
    return { bytes, catalog, seal, roots };
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new SeedmintError("usage", `${what}: ${messageOf(error)}`, { cause: error });
    }
    throw error;
  }
}

async function readFile(
  path: string,
  bytesMax: number,
  what: string,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const { size } = await Deno.stat(path);
    if (size > bytesMax) throw new SyntaxError(`${path} has more than ${bytesMax} bytes`);
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof SyntaxError) throw error;
    throw storageError(error, `${what}: ${path} cannot be read`);
  }
}
