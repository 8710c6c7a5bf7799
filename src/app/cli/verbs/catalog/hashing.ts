/** Hashing files and folders as the store does, without a store: for catalogs that are made offline. */
import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { compareBytes, utf8 } from "../../../../core/bytes.ts";
import { messageOf, SeedmintError } from "../../../../core/errors.ts";
import { type Hash, type Sha256, sha256FromBytes } from "../../../../core/hash.ts";
import { Hasher } from "../../../../../swarm/bao/mod.ts";
import { type CollectionChild, encodeCollection } from "../../../../../swarm/collection.ts";
import { COLLECTION_LIST_NAME } from "../../../lifecycle/catalog_files.ts";

const READ_BYTES = 1 << 20;

/** What a path is, by its hashes. */
export interface HashedPath {
  readonly name: string;
  /** Of a folder, the bytes of its list. */
  readonly size: number;
  readonly blake3: Hash;
  readonly sha256: Sha256;
  readonly kind?: "collection";
}

/** Options of {@link hashPath}. */
export interface HashPathOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (bytes: number, label: string) => void;
}

/**
 * Hashes a file, or a folder as the collection that `add` makes of it.
 *
 * @throws {SeedmintError} `usage` or `storage`
 */
export async function hashPath(path: string, options: HashPathOptions): Promise<HashedPath> {
  const clean = path.replace(/(?<=.)\/+$/, "");
  try {
    const status = await Deno.stat(clean);
    const name = basename(clean).normalize("NFC");
    if (status.isFile) return { name, ...await hashFile(clean, options) };
    if (status.isDirectory) return await hashFolder(clean, name, options);
  } catch (error) {
    if (error instanceof SeedmintError || options.signal.aborted) throw error;
    throw new SeedmintError("storage", `Cannot add ${path}: ${messageOf(error)}`, { cause: error });
  }
  throw new SeedmintError("usage", `Cannot add ${path}: it is neither a file nor a directory`);
}

async function hashFile(
  path: string,
  options: HashPathOptions,
): Promise<Omit<HashedPath, "name">> {
  using file = await Deno.open(path);
  const blake3 = new Hasher();
  const sha256 = createHash("sha256");
  const buffer = new Uint8Array(READ_BYTES);
  let size = 0;
  for (let count = await file.read(buffer); count !== null; count = await file.read(buffer)) {
    options.signal.throwIfAborted();
    const bytes = buffer.subarray(0, count);
    blake3.update(bytes);
    sha256.update(bytes);
    size += count;
    options.onProgress(size, path);
  }
  return { size, blake3: blake3.digest(), sha256: sha256FromBytes(sha256.digest()) };
}

async function hashFolder(
  root: string,
  name: string,
  options: HashPathOptions,
): Promise<HashedPath> {
  const children: CollectionChild[] = [];
  for (const file of await walk(root)) {
    const { blake3: hash, size } = await hashFile(join(root, file), options);
    children.push({ name: file.normalize("NFC"), hash, size });
  }
  let list: Uint8Array;
  try {
    list = encodeCollection(children);
  } catch (error) {
    throw new SeedmintError("usage", `Cannot add the directory ${root}: ${messageOf(error)}`);
  }
  const blake3 = new Hasher();
  blake3.update(list);
  const sha256 = sha256FromBytes(createHash("sha256").update(list).digest());
  return { name, size: list.length, blake3: blake3.digest(), sha256, kind: "collection" };
}

/** All files below `root`, without links, and without a list that was put there for an origin. */
async function walk(root: string): Promise<readonly string[]> {
  const files: string[] = [];
  const folders = [""];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for await (const entry of Deno.readDir(join(root, folder))) {
      const name = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory) folders.push(name);
      else if (entry.isFile && name !== COLLECTION_LIST_NAME) files.push(name);
    }
  }
  return files.map((file) => ({ file, key: utf8(file.normalize("NFC")) }))
    .sort((a, b) => compareBytes(a.key, b.key))
    .map(({ file }) => file);
}
