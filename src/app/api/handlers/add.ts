/** `add`: files and directories into the store. */
import { basename, join } from "node:path";
import { compareBytes, utf8 } from "../../../core/bytes.ts";
import { SeedmintError } from "../../../core/errors.ts";
import { type CollectionChild, encodeCollection } from "../../../../swarm/collection.ts";
import type { BlobRecord, ImportMode, ImportOptions } from "../../../../swarm/store/blob_store.ts";
import type { AddAttributes, AddedEvent } from "../methods.ts";
import { type Handler, type HandlerContext, type NodeParts, storageError } from "../parts.ts";
import { eachOf } from "../place.ts";

/** What keeps added content from garbage collection when no tag was given. */
export const ADDED_TAG = "added";

/** How many files of a directory are read at a time. */
const FILES_AT_ONCE = 4;

interface FoundFile {
  readonly path: string;
  /** Relative, with `/` between its parts. */
  readonly name: string;
  readonly size: number;
}

interface Work {
  readonly parts: NodeParts;
  readonly params: AddAttributes & { readonly mode: ImportMode };
  readonly context: HandlerContext<"add">;
  readonly tally: { blobCount: number; bytes: number; doneBytes: number; size: number };
}

/** Adds each path; a directory becomes a collection. */
export const add: Handler<"add"> = async (parts, params, context) => {
  const tally = { blobCount: 0, bytes: 0, doneBytes: 0, size: 0 };
  const work: Work = { parts, params, context, tally };
  const roots: { path: string; isDirectory: boolean; files: FoundFile[] }[] = [];
  for (const path of params.paths) {
    const clean = path.replace(/(?<=.)\/+$/, "");
    const status = await statOf(clean);
    const files = status.isDirectory
      ? await walk(clean, context)
      : [{ path: clean, name: basename(clean), size: status.size }];
    for (const file of files) tally.size += file.size;
    roots.push({ path: clean, isDirectory: status.isDirectory, files });
  }
  for (const root of roots) {
    if (root.isDirectory) await addDirectory(work, root.path, root.files);
    else {
      const file = root.files[0]!;
      context.emit(addedEvent(await addFile(work, file, importAttributes(params)), file.name));
    }
  }
  return { blobCount: tally.blobCount, bytes: tally.bytes };
};

/** The attributes of what is named by the user itself: tagged, and pinned when asked. */
export function importAttributes(attributes: AddAttributes): ImportOptions {
  return {
    ...(attributes.visibility === undefined ? {} : { visibility: attributes.visibility }),
    pinned: attributes.pinned,
    tag: attributes.tag ?? ADDED_TAG,
    ...(attributes.mediaType === undefined ? {} : { mediaType: attributes.mediaType }),
  };
}

/** The event that tells of a blob that was added. */
export function addedEvent(record: BlobRecord, name: string): AddedEvent {
  const { hash, size, sha256, kind } = record;
  return { event: "added", hash, size, sha256: sha256 ?? null, name, kind };
}

async function addFile(
  work: Work,
  file: FoundFile,
  attributes: ImportOptions,
): Promise<BlobRecord> {
  const { parts, params, context, tally } = work;
  context.signal.throwIfAborted();
  let seenBytes = 0;
  const record = await parts.store.importFile(file.path, {
    ...attributes,
    name: basename(file.name),
    mode: params.mode,
    signal: context.signal,
    onProgress: (bytes) => {
      tally.doneBytes += bytes - seenBytes;
      seenBytes = bytes;
      progress(work, file.name);
    },
  });
  tally.doneBytes += record.size - seenBytes;
  tally.blobCount++;
  tally.bytes += record.size;
  progress(work, file.name);
  return record;
}

async function addDirectory(work: Work, path: string, files: FoundFile[]): Promise<void> {
  const { parts, params, context } = work;
  const children: CollectionChild[] = [];
  // The collection keeps its children, so they carry no tag of their own.
  const { tag: _, mediaType: __, ...forChildren } = importAttributes(params);
  // Files end in any order, and are told of in that of the collection.
  const ended = new Map<number, AddedEvent>();
  let toldCount = 0;
  await eachOf(files.entries(), FILES_AT_ONCE, async ([index, file]) => {
    const record = await addFile(work, file, forChildren);
    ended.set(index, addedEvent(record, file.name));
    for (let next = ended.get(toldCount); next !== undefined; next = ended.get(++toldCount)) {
      ended.delete(toldCount);
      context.emit(next);
    }
    const { hash, size } = record;
    children.push({ name: file.name.normalize("NFC"), hash, size });
  });
  const record = await parts.store.importBytes(encodeChildren(path, children), {
    ...importAttributes(params),
    kind: "collection",
    name: basename(path),
    signal: context.signal,
  });
  work.tally.blobCount++;
  context.emit(addedEvent(record, basename(path)));
}

function encodeChildren(path: string, children: readonly CollectionChild[]): Uint8Array {
  try {
    return encodeCollection(children);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SeedmintError("usage", `Cannot add the directory ${path}: ${error.message}`);
  }
}

function progress(work: Work, label: string): void {
  work.context.emit({
    event: "progress",
    label,
    bytes: work.tally.doneBytes,
    size: work.tally.size,
  });
}

async function statOf(path: string): Promise<Deno.FileInfo> {
  try {
    const status = await Deno.stat(path);
    if (status.isFile || status.isDirectory) return status;
  } catch (error) {
    throw storageError(error, `Cannot add ${path}`);
  }
  throw new SeedmintError("usage", `Cannot add ${path}: it is neither a file nor a directory`);
}

/** All files below `root` in a collection's order. What is no file is skipped, with a note. */
async function walk(root: string, context: HandlerContext<"add">): Promise<FoundFile[]> {
  const files: FoundFile[] = [];
  const skipped: string[] = [];
  const folders: string[] = [""];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    context.signal.throwIfAborted();
    try {
      for await (const entry of Deno.readDir(join(root, folder))) {
        const name = folder === "" ? entry.name : `${folder}/${entry.name}`;
        if (entry.isDirectory) folders.push(name);
        else if (entry.isFile) {
          const path = join(root, name);
          files.push({ path, name, size: (await Deno.stat(path)).size });
        } else skipped.push(name);
      }
    } catch (error) {
      throw storageError(error, `Cannot read the directory ${join(root, folder)}`);
    }
  }
  for (const name of skipped.sort()) {
    context.emit({ event: "note", message: `${name} is skipped: it is a link or no file` });
  }
  return files.map((file) => ({ file, key: utf8(file.name.normalize("NFC")) }))
    .sort((a, b) => compareBytes(a.key, b.key))
    .map(({ file }) => file);
}
