/**
 * Writing content of the store where a user wants it: one file, or the tree of a collection. Nothing
 * that exists is replaced unless that was asked for, and no name of a stranger leads out of the
 * directory that was named, neither by `..` nor through a symbolic link.
 */
import { dirname, join } from "node:path";
import { SeedmintError } from "../../core/errors.ts";
import type { Hash } from "../../core/hash.ts";
import { Hasher } from "../../../swarm/bao/mod.ts";
import {
  type CollectionChild,
  collectionNameFault,
  decodeCollection,
} from "../../../swarm/collection.ts";
import type { BlobRecord, BlobStore } from "../../../swarm/store/blob_store.ts";
import { storageError } from "./parts.ts";

const READ_BYTES = 1 << 20;
/** How many files of a collection are written at a time. */
const FILES_AT_ONCE = 8;

/** How content is placed. */
export interface PlaceOptions {
  readonly overwrite: boolean;
  readonly signal: AbortSignal;
  readonly onProgress?: (bytes: number) => void;
}

/** The children of a collection that is complete in `store`. */
export async function readChildren(
  store: BlobStore,
  hash: Hash,
): Promise<readonly CollectionChild[]> {
  return decodeCollection(await readWhole(store, hash));
}

/** All bytes of a complete blob; only for what is known to be small. */
export async function readWhole(store: BlobStore, hash: Hash): Promise<Uint8Array<ArrayBuffer>> {
  await using reader = await store.openReader(hash);
  const bytes = new Uint8Array(reader.size);
  for (let offset = 0; offset < bytes.length;) {
    const count = await reader.read(offset, bytes.subarray(offset));
    if (count === 0) throw new SeedmintError("not-found", `Only a part of ${hash} is here`);
    offset += count;
  }
  return bytes;
}

/** Where a blob goes: `output` itself, or a name inside it when it is a directory. */
export async function blobPath(
  output: string,
  names: readonly (string | undefined)[],
): Promise<string> {
  const isDirectory = output.endsWith("/") || (await statOrNothing(output))?.isDirectory === true;
  if (!isDirectory) return output;
  const name = names.find((candidate) =>
    candidate !== undefined && !candidate.includes("/") &&
    collectionNameFault(candidate) === undefined
  );
  return join(output, name!);
}

/**
 * Refuses early what would be refused after a long fetch: a file that exists, unless it may be
 * replaced or has the content of `hash` already.
 *
 * @throws {SeedmintError} `usage`
 */
export async function checkFree(
  path: string,
  options: PlaceOptions & { readonly hash?: Hash },
): Promise<void> {
  const status = await statOrNothing(path);
  if (status === undefined || (options.overwrite && !status.isDirectory)) return;
  const { hash, signal } = options;
  if (status.isFile && hash !== undefined) {
    if (await hasContent(path, { hash, size: status.size }, signal)) return;
  }
  const why = status.isFile ? "it exists; pass --force to replace it" : "it is no file";
  throw new SeedmintError("usage", `Cannot write ${path}: ${why}`);
}

/** Writes one blob to `path`. A file that has the same bytes already stays. */
export async function placeBlob(
  store: BlobStore,
  blob: { readonly hash: Hash; readonly size: number },
  path: string,
  options: PlaceOptions,
): Promise<void> {
  try {
    await Deno.mkdir(dirname(path), { recursive: true });
  } catch (error) {
    throw storageError(error, `Cannot write ${path}`);
  }
  await placeInFolder(store, blob, path, options);
}

async function placeInFolder(
  store: BlobStore,
  blob: { readonly hash: Hash; readonly size: number },
  path: string,
  options: PlaceOptions,
): Promise<void> {
  const status = await statOrNothing(path);
  if (status !== undefined && !options.overwrite) {
    if (status.isFile && await hasContent(path, blob, options.signal)) return;
    throw new SeedmintError(
      "usage",
      `Cannot write ${path}: it exists with other content; pass --force to replace it`,
    );
  }
  try {
    await store.exportFile(blob.hash, path, {
      signal: options.signal,
      overwrite: options.overwrite,
    });
  } catch (error) {
    options.signal.throwIfAborted();
    throw storageError(error, `Cannot write ${path}`);
  }
}

/** Writes every child of a collection below `directory`. */
export async function placeCollection(
  store: BlobStore,
  collection: BlobRecord,
  directory: string,
  options: PlaceOptions,
): Promise<{ readonly path: string; readonly size: number }> {
  const root = directory.replace(/(?<=.)\/+$/, "");
  const children = await readChildren(store, collection.hash);
  const made = new Set<string>();
  let bytes = 0;
  await makeRoot(root);
  // Folders first and one by one, so that none is passed through before it was looked at.
  for (const child of children) await makeFolders(root, dirname(child.name), made);
  await eachOf(children, FILES_AT_ONCE, async (child) => {
    options.signal.throwIfAborted();
    await placeInFolder(store, child, join(root, child.name), options);
    bytes += child.size;
    options.onProgress?.(bytes);
  });
  return { path: root, size: bytes };
}

/**
 * Works on `items`, `count` at a time; after the first failure none is begun any more, and it throws
 * that failure once those begun have ended, so that nothing goes on behind the caller's back.
 */
export async function eachOf<T>(
  items: Iterable<T>,
  count: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items[Symbol.iterator]();
  let hasFailed = false;
  let failure: unknown;
  await Promise.all(Array.from({ length: count }, async () => {
    for (let next = queue.next(); !next.done && !hasFailed; next = queue.next()) {
      try {
        await work(next.value);
      } catch (error) {
        failure = hasFailed ? failure : error;
        hasFailed = true;
      }
    }
  }));
  if (hasFailed) throw failure;
}

async function makeRoot(root: string): Promise<void> {
  try {
    await Deno.mkdir(root, { recursive: true });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists || error instanceof Deno.errors.NotADirectory) {
      throw new SeedmintError("usage", `Cannot write into ${root}: it is no directory`);
    }
    throw storageError(error, `Cannot write into ${root}`);
  }
}

/** Makes the folders of a child one by one, and refuses to pass through a link. */
async function makeFolders(root: string, folder: string, made: Set<string>): Promise<void> {
  if (folder === "." || made.has(folder)) return;
  await makeFolders(root, dirname(folder), made);
  const path = join(root, folder);
  try {
    await Deno.mkdir(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) {
      throw storageError(error, `Cannot make the directory ${path}`);
    }
    const status = await Deno.lstat(path);
    if (!status.isDirectory) {
      throw new SeedmintError("usage", `Cannot write below ${path}: it is a link or no directory`);
    }
  }
  made.add(folder);
}

async function hasContent(
  path: string,
  blob: { readonly hash: Hash; readonly size: number },
  signal: AbortSignal,
): Promise<boolean> {
  using file = await Deno.open(path);
  if ((await file.stat()).size !== blob.size) return false;
  const hasher = new Hasher();
  const buffer = new Uint8Array(READ_BYTES);
  for (let count = await file.read(buffer); count !== null; count = await file.read(buffer)) {
    signal.throwIfAborted();
    hasher.update(buffer.subarray(0, count));
  }
  return hasher.digest() === blob.hash;
}

/** What is at `path`, links not followed, or undefined. */
async function statOrNothing(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.lstat(path.replace(/(?<=.)\/+$/, ""));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw storageError(error, `Cannot write ${path}`);
  }
}
