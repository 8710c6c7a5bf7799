/**
 * Writing an image as an OCI layout: a directory, or an archive of it, which podman, docker, containerd,
 * skopeo and others load.
 */
import { join } from "node:path";
import { utf8 } from "../../../src/core/bytes.ts";
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Hash } from "../../../src/core/hash.ts";
import { openStoredBlob } from "../local/mod.ts";
import type { BlobStore } from "../../store/blob_store.ts";
import { exportThrough } from "../../store/export.ts";
import { type ImageRow, LOCAL_REGISTRY, type RegistryIndex } from "../index/mod.ts";
import { buildIndex } from "../manifest/mod.ts";
import { type Digest, formatRepository, type RepositoryName } from "../names.ts";
import type { Descriptor } from "../ports.ts";
import { INDEX_FILE, LAYOUT_BYTES, LAYOUT_FILE, layoutName } from "./layout.ts";
import { TAR_BLOCK_BYTES, TAR_END, tarHeader, tarPadding } from "./tar_write.ts";

/** Options of an export. */
export interface ExportImageOptions {
  /** @default {"archive"} */
  readonly format?: "archive" | "directory";
  /** Replace an archive that exists. A directory must be empty or missing. @default {false} */
  readonly overwrite?: boolean;
  readonly signal?: AbortSignal;
  /** Called with the bytes written so far. */
  readonly onProgress?: (bytes: number) => void;
}

/** An image as an archive. */
export interface ImageArchive {
  /** Bytes of it, known before. */
  readonly size: number;
  /** @throws {SeedmintError} `not-found` if a blob went. */
  read(signal?: AbortSignal): AsyncGenerator<Uint8Array<ArrayBuffer>, void>;
}

interface ExportParts {
  readonly store: BlobStore;
  readonly index: RegistryIndex;
}

interface Blob {
  readonly digest: Digest;
  readonly hash: Hash;
  readonly size: number;
}

interface Small {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The image as a tar archive, the same bytes for the same image and tags. */
export function archiveOf(parts: ExportParts, image: ImageRow): ImageArchive {
  const blobs = blobsOf(parts, image);
  const files = smallFiles(parts, image);
  const directories = ["blobs/", "blobs/sha256/"];
  const sizes = [...blobs, ...files.map(({ bytes }) => ({ size: bytes.length }))]
    .map(({ size }) => TAR_BLOCK_BYTES + size + tarPadding(size).length);
  return {
    size: sizes.reduce((sum, size) => sum + size, 0) + directories.length * TAR_BLOCK_BYTES +
      TAR_END.length,
    async *read(signal = new AbortController().signal) {
      for (const { name, bytes } of files) {
        yield tarHeader(name, bytes.length);
        yield bytes;
        yield tarPadding(bytes.length);
      }
      for (const name of directories) yield tarHeader(name, 0);
      for (const blob of blobs) yield* blobEntry(parts, blob, signal);
      yield TAR_END;
    },
  };
}

/**
 * Writes an archive to `path`, under a temporary name first.
 *
 * @returns Bytes written.
 * @throws {SeedmintError} `storage` if it exists or cannot be written; `no-space`
 */
export async function writeArchive(
  archive: ImageArchive,
  path: string,
  options: ExportImageOptions,
): Promise<number> {
  let bytes = 0;
  await exportThrough(path, options, async (temporary) => {
    using file = await Deno.open(temporary, { write: true, createNew: true });
    for await (const part of archive.read(options.signal)) {
      for (let done = 0; done < part.length;) done += await file.write(part.subarray(done));
      bytes += part.length;
      options.onProgress?.(bytes);
    }
  });
  return bytes;
}

/**
 * Writes a layout into the directory `path`, which is made if it is missing. `index.json` comes last:
 * without it the directory is no layout yet.
 *
 * @returns Bytes of the blobs.
 * @throws {SeedmintError} `storage` if it holds something or cannot be written; `no-space`
 */
export async function writeDirectory(
  parts: ExportParts,
  image: ImageRow,
  target: { readonly path: string; readonly options: ExportImageOptions },
): Promise<number> {
  const { path, options } = target;
  await Deno.mkdir(join(path, "blobs", "sha256"), { recursive: true }).catch((cause) => {
    throw new SeedmintError("storage", `Cannot make the directory ${path}: check its parent`, {
      cause,
    });
  });
  const names = await Array.fromAsync(Deno.readDir(path), ({ name }) => name);
  const isEmpty = names.every((name) => name === "blobs") &&
    (await Array.fromAsync(Deno.readDir(join(path, "blobs", "sha256")))).length === 0;
  if (!isEmpty) {
    throw new SeedmintError("storage", `Cannot export to ${path}: it is not empty; choose another`);
  }
  let bytes = 0;
  for (const { digest, hash, size } of blobsOf(parts, image)) {
    options.signal?.throwIfAborted();
    await parts.store.exportFile(
      hash,
      join(path, layoutName(digest)),
      options.signal === undefined ? {} : { signal: options.signal },
    );
    options.onProgress?.(bytes += size);
  }
  for (const { name, bytes: content } of smallFiles(parts, image)) {
    await exportThrough(
      join(path, name),
      {},
      (temporary) => Deno.writeFile(temporary, content, { createNew: true }),
    );
  }
  return bytes;
}

async function* blobEntry(
  { store }: ExportParts,
  { digest, hash, size }: Blob,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  const record = store.status(hash);
  if (record?.state !== "complete") throw goneError(digest);
  await using delivery = await openStoredBlob(store, { digest, record, isHead: false });
  yield tarHeader(layoutName(digest), size);
  yield* delivery.read({ start: 0, end: size }, signal);
  yield tarPadding(size);
}

/** Blobs in order of digest. @throws {SeedmintError} `not-found` */
function blobsOf({ store, index }: ExportParts, image: ImageRow): readonly Blob[] {
  return index.images.blobsOf(image.collection).map(({ hash, digest }) => {
    const record = store.status(hash);
    if (record?.state !== "complete") throw goneError(digest);
    return { digest, hash, size: record.size };
  }).sort((a, b) => a.digest < b.digest ? -1 : 1);
}

/** What makes a layout of blobs; `manifest.json` is for versions of docker that know no layouts. */
function smallFiles(parts: ExportParts, image: ImageRow): readonly Small[] {
  const legacy = legacyManifest(parts, image);
  return [
    { name: LAYOUT_FILE, bytes: LAYOUT_BYTES },
    ...(legacy === undefined ? [] : [{ name: "manifest.json", bytes: legacy }]),
    { name: INDEX_FILE, bytes: buildIndex(descriptorsOf(parts, image)).bytes },
  ];
}

/** The root, once for each of its names: loaders take the name from the annotation. */
function descriptorsOf({ index }: ExportParts, image: ImageRow): readonly Descriptor[] {
  const { mediaType, digest, size } = index.manifests.get(image.digest)!.manifest;
  const names = fullNames(index, image);
  if (names.length === 0) return [{ mediaType, digest, size }];
  return names.map((name) => ({
    mediaType,
    digest,
    size,
    annotations: {
      "io.containerd.image.name": name,
      "org.opencontainers.image.ref.name": name,
    },
  }));
}

function legacyManifest({ index }: ExportParts, image: ImageRow): Small["bytes"] | undefined {
  const runnable = index.images.blobsOf(image.collection)
    .flatMap(({ isManifest, digest }) => isManifest ? index.manifests.get(digest) ?? [] : [])
    .filter(({ manifest }) => manifest.kind === "image");
  const [only] = runnable;
  // With several platforms the last would win, whatever machine loads it.
  if (only === undefined || runnable.length > 1 || only.manifest.foreign.length > 0) {
    return undefined;
  }
  const { config, children } = only.manifest;
  return utf8(JSON.stringify([{
    Config: layoutName(config!.digest),
    RepoTags: fullNames(index, image),
    Layers: children.slice(1).map(({ digest }) => layoutName(digest)),
  }]));
}

function fullNames(index: RegistryIndex, { name, digest }: ImageRow): readonly string[] {
  return index.tags.of(name, digest).map((tag) => `${loadedName(name)}:${tag}`);
}

/** What is this node's own is the loading machine's own, too. */
function loadedName(name: RepositoryName): string {
  return formatRepository(
    name.registry === LOCAL_REGISTRY ? { ...name, registry: "localhost" } : name,
  );
}

function goneError(digest: Digest): SeedmintError {
  return new SeedmintError(
    "not-found",
    `Cannot export the image: ${digest} is not here any more; pull it again`,
  );
}
