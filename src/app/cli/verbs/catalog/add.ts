/** `catalog add`: files, folders and images into a catalog. */
import { SeedmintError } from "../../../../core/errors.ts";
import { parseHash } from "../../../../core/hash.ts";
import { decodeCollection } from "../../../../../swarm/collection.ts";
import { formatImageName, isDigest, parseImageName } from "../../../../../swarm/registry/names.ts";
import {
  type Catalog,
  type CatalogBlob,
  type CatalogFile,
  type CatalogImage,
  isMediaType,
  isOriginUrl,
  isPlatform,
  isVersion,
  type PriceClass,
  withFile,
  withImage,
  withReleaseFile,
} from "../../../../../trust/catalog/mod.ts";
import type { ImageView } from "../../../api/image_methods.ts";
import { absolute, openNode } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import { type HashedPath, hashPath } from "./hashing.ts";
import { forChange, readCatalog, summaryOf, writeChanged } from "./support.ts";

const COLLECTION_BYTES_READ_MAX: number = 16 * 1024 * 1024;

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out } = context;
  const [operand, ...paths] = context.operands;
  const image = context.flag("image");
  if ((image === undefined) === (paths.length === 0)) {
    throw new SeedmintError("usage", "Cannot run catalog add: paths, or --image IMAGE, wanted");
  }
  const state = await readCatalog(operand!);
  const before = forChange(state);
  const after = image === undefined
    ? await addPaths(context, before, paths)
    : await addImage(context, before, image);
  await writeChanged(state.path, after);
  out.endProgress();
  if (out.json) out.object({ path: state.path, name: after.name, sequence: after.sequence });
  else {
    out.line(summaryOf(after));
    out.note(`note: catalog sign ${operand} makes it count`);
  }
  return 0;
}

async function addPaths(
  context: VerbContext,
  catalog: Catalog,
  paths: readonly string[],
): Promise<Catalog> {
  const { out, signal } = context;
  const replaces = context.has("force");
  const release = context.flag("release");
  const version = readVersion(context, release !== undefined);
  const named = context.flag("name");
  if (named !== undefined && paths.length > 1) {
    throw new SeedmintError("usage", "Cannot use --name with more than one path");
  }
  if (release !== undefined && readPrice(context) === "priced") {
    throw new SeedmintError("usage", "Cannot use --price priced with --release: releases are free");
  }
  let next = catalog;
  for (const path of paths) {
    const hashed = await hashPath(absolute(path), {
      signal,
      onProgress: (bytes, label) => out.progress({ label, bytes }),
    });
    const file = fileOf(context, { ...hashed, name: named ?? hashed.name });
    if (release === undefined) {
      next = withFile(next, {
        file: {
          ...file,
          ...(version === undefined ? {} : { version }),
          price: readPrice(context) ?? "free",
        },
        replaces,
      });
    } else {
      const notes = await readNotes(context);
      const about = { name: release, version: version!, ...(notes === undefined ? {} : { notes }) };
      next = withReleaseFile(next, about, { file, replaces });
    }
    out.endProgress();
    if (!out.json) out.line(`${file.blake3}  ${file.name}`);
  }
  return next;
}

function fileOf(context: VerbContext, hashed: HashedPath): CatalogFile {
  const platform = context.flag("platform");
  if (platform !== undefined && !isPlatform(platform)) {
    throw new SeedmintError("usage", "Cannot use --platform: one such as linux/amd64 wanted");
  }
  const mediaType = context.flag("media-type");
  if (mediaType !== undefined && !isMediaType(mediaType)) {
    throw new SeedmintError("usage", "Cannot use --media-type: one such as video/mp4 wanted");
  }
  return {
    ...hashed,
    ...(platform === undefined ? {} : { platform }),
    ...(mediaType === undefined ? {} : { mediaType }),
    origins: context.flagAll("origin").map((text) => originOf(text, hashed)),
  };
}

/** A URL that ends with a slash is a folder: what is added lies in it under its own name. */
function originOf(text: string, { name, kind }: HashedPath): string {
  const base = URL.parse(text.trim());
  const isFolder = base?.pathname.endsWith("/") === true && base.search === "";
  const own = encodeURIComponent(name) + (kind === undefined ? "" : "/");
  const url = base === null ? "" : isFolder ? new URL(own, base).href : base.href;
  if (isOriginUrl(url)) return url;
  throw new SeedmintError(
    "usage",
    "Cannot use --origin: an http:// or https:// URL wanted, without user and password; one that " +
      "ends with / is the folder of what is added",
  );
}

async function addImage(
  context: VerbContext,
  catalog: Catalog,
  text: string,
): Promise<Catalog> {
  const name = parseImageName(text);
  const shown = context.flag("as");
  const reference = shown === undefined
    ? formatImageName({ ...name, reference: { tag: name.reference.tag ?? tagOf(context) } })
    : formatImageName(parseImageName(shown));
  const common = {
    reference,
    price: readPrice(context) ?? "free" as const,
  };
  const found = await findImage(context, text);
  if (found === undefined && name.reference.digest === undefined) {
    throw new SeedmintError(
      "not-found",
      `Cannot add ${text}: this node does not have it; image pull brings it, or name its digest ` +
        "with @sha256:…",
    );
  }
  const image: CatalogImage = found === undefined
    ? { ...common, digest: name.reference.digest!, platforms: [], blobs: [] }
    : { ...common, ...found };
  if (found === undefined) {
    context.out.note(
      "note: this node does not have the image, so its layers are not listed: followers ask the " +
        "registry, and the swarm by digest",
    );
  }
  return withImage(catalog, { image, replaces: context.has("force") });
}

function tagOf(context: VerbContext): string {
  const version = context.flag("version");
  if (version !== undefined) return version;
  throw new SeedmintError(
    "usage",
    "Cannot add an image by its digest alone: say which tag it is with --as IMAGE:TAG",
  );
}

/** The image as this node has it, with both names of each of its blobs. */
async function findImage(
  context: VerbContext,
  text: string,
): Promise<Omit<CatalogImage, "reference" | "price"> | undefined> {
  await using node = await openNode(context, "store");
  const { images } = await node.call("image.list", {}, { signal: context.signal });
  const name = parseImageName(text);
  const { digest } = name.reference;
  const view = images.find((one: ImageView) =>
    digest === undefined ? one.name === formatImageName(name) : one.digest === digest
  );
  if (view === undefined || !isDigest(view.digest)) return undefined;
  const platforms = [...new Set(view.platforms)].filter(isPlatform).sort();
  if (view.hash === null) return { digest: view.digest, platforms, blobs: [] };
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const piece of await node.readBlob(view.hash, { signal: context.signal })) {
    size += piece.length;
    if (size > COLLECTION_BYTES_READ_MAX) throw new SeedmintError("protocol", "It is too large");
    pieces.push(new Uint8Array(piece));
  }
  const list = decodeCollection(new Uint8Array(await new Blob(pieces).arrayBuffer()));
  const blobs = list.flatMap(({ name: path, hash, size }): CatalogBlob[] => {
    const sha256 = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(path)?.[1];
    return sha256 === undefined
      ? []
      : [{ sha256: sha256 as CatalogBlob["sha256"], blake3: hash, size }];
  }).sort((a, b) => a.sha256 < b.sha256 ? -1 : 1);
  return { digest: view.digest, collection: parseHash(view.hash), platforms, blobs };
}

function readVersion(context: VerbContext, isNeeded: boolean): string | undefined {
  const version = context.flag("version");
  if (version === undefined && !isNeeded) return undefined;
  if (isVersion(version)) return version;
  throw new SeedmintError(
    "usage",
    isNeeded && version === undefined
      ? "Cannot add to a release without its --version"
      : "Cannot use --version: digits, letters and . + _ ~ - wanted",
  );
}

function readPrice(context: VerbContext): PriceClass | undefined {
  const text = context.flag("price");
  if (text === undefined || text === "free" || text === "priced") return text;
  throw new SeedmintError("usage", "Cannot use --price: free or priced wanted");
}

/** `--notes TEXT`, or the text of a file after `@`. */
async function readNotes(context: VerbContext): Promise<string | undefined> {
  const text = context.flag("notes");
  if (text === undefined || !text.startsWith("@")) return text;
  const { readDocument } = await import("../../../root_files.ts");
  const bytes = await readDocument(absolute(text.slice(1)), { bytesMax: 64 * 1024, what: "notes" });
  return new TextDecoder().decode(bytes).trim();
}
