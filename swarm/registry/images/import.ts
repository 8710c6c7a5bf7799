/**
 * Taking in images that others wrote as an OCI layout: a directory, or a tar archive of one. Every blob
 * is checked against the digest that it is named by before it is kept.
 */
import { join } from "node:path";
import { type Bytes, concatBytes } from "../../../src/core/bytes.ts";
import { isSeedmintError, messageOf, SeedmintError } from "../../../src/core/errors.ts";
import type { BlobRecord, BlobStore, Visibility } from "../../store/blob_store.ts";
import { storageError } from "../../store/store_error.ts";
import { isManifestType, MANIFEST_BYTES_MAX, MEDIA_TYPES, parseManifest } from "../manifest/mod.ts";
import { type Digest, type ImageName, isTag, parseImageName, sha256Of } from "../names.ts";
import type { Descriptor } from "../ports.ts";
import { INDEX_FILE, LAYOUT_FILE, layoutDigest, layoutName } from "./layout.ts";
import { IMAGE_BLOBS_MAX, LAYOUT_FILE_BYTES_MAX, LAYOUT_IMAGES_MAX } from "./limits.ts";
import { readTar } from "./tar_read.ts";

/** An image as a layout names it. */
export interface LayoutImage {
  readonly descriptor: Descriptor;
  /** The name that it carries, if it carries a full one. */
  readonly name?: ImageName;
  /** The tag that it carries, alone or in a full name. */
  readonly tag?: string;
}

/** What was taken in. */
export interface ImportedLayout {
  readonly images: readonly LayoutImage[];
  /** Blobs that it has, each checked. */
  readonly digests: readonly Digest[];
  /** Blobs that came with it and were not here before. */
  readonly added: readonly BlobRecord[];
}

/** Options of an import. */
export interface ImportOptions {
  readonly store: BlobStore;
  /** Of blobs that are new here. */
  readonly visibility: Visibility;
  readonly signal?: AbortSignal;
  /** Called with the bytes of blobs read so far. */
  readonly onProgress?: (bytes: number) => void;
}

/**
 * Reads a layout at `path`, a directory or an archive, and keeps its blobs.
 *
 * @throws {SeedmintError} `invalid` if it is none; `corrupt` if a blob has another digest; `storage`,
 * `no-space`.
 */
export async function readLayout(path: string, options: ImportOptions): Promise<ImportedLayout> {
  const info = await Deno.stat(path).catch((error) => {
    throw storageError(`read ${path}`, error);
  });
  const importer = new Importer(options);
  try {
    const files = info.isDirectory
      ? await directoryFiles(path)
      : await archiveFiles(path, importer);
    checkLayout(files.layout);
    const images = imagesIn(files.index);
    if (info.isDirectory) await importer.directory(path, images);
    const { digests, added } = importer;
    const has = new Set(digests);
    for (const { descriptor } of images) {
      if (!has.has(descriptor.digest)) {
        throw invalid(`${layoutName(descriptor.digest)} is missing`);
      }
    }
    return { images, digests, added };
  } catch (error) {
    // What came before the fault is nobody's.
    await importer.undo();
    throw error;
  }
}

/** Brings blobs into the store. */
class Importer {
  readonly added: BlobRecord[] = [];
  readonly digests: Digest[] = [];
  readonly #options: ImportOptions;
  readonly #seen = new Set<Digest>();
  #bytes = 0;

  constructor(options: ImportOptions) {
    this.#options = options;
  }

  /** All that `images` are made of, as far as the directory has it. */
  async directory(path: string, images: readonly LayoutImage[]): Promise<void> {
    const waiting: { readonly descriptor: Descriptor; readonly isOptional: boolean }[] = images.map(
      ({ descriptor }) => ({ descriptor, isOptional: false }),
    );
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { descriptor, isOptional } = next;
      if (!this.#claim(descriptor.digest)) continue;
      const file = join(path, layoutName(descriptor.digest));
      const isThere = await Deno.stat(file).then((info) => info.isFile, () => false);
      if (!isThere) {
        if (isOptional) continue;
        throw invalid(`${layoutName(descriptor.digest)} is missing`);
      }
      if (!isManifestType(descriptor.mediaType)) {
        await this.#keep(descriptor.digest, (about) => this.#options.store.importFile(file, about));
        continue;
      }
      const bytes = await readSmall(file, MANIFEST_BYTES_MAX);
      const manifest = parseManifest(descriptor.mediaType, bytes);
      await this.#keep(
        descriptor.digest,
        (about) =>
          this.#options.store.importBytes(bytes, { ...about, mediaType: manifest.mediaType }),
      );
      // Of an index only some platforms may be there; of an image all is.
      const isIndex = manifest.kind === "index";
      waiting.push(
        ...manifest.children.map((child) => ({ descriptor: child, isOptional: isIndex })),
      );
    }
  }

  /** A blob of an archive, whatever it is for. */
  async stream(digest: Digest, body: AsyncIterable<Bytes>): Promise<void> {
    if (!this.#claim(digest)) return;
    await this.#keep(digest, (about) =>
      this.#options.store.importStream(
        ReadableStream.from(owned(body)) as ReadableStream<Uint8Array>,
        about,
      ));
  }

  /** Removes what was added. */
  async undo(): Promise<void> {
    for (const { hash } of this.added) {
      const record = this.#options.store.status(hash);
      const isKept = record === undefined || record.pinned || record.tags.length > 0 ||
        this.#options.store.isListed(hash);
      if (!isKept) await this.#options.store.remove(hash);
    }
  }

  /** False if it was met before. @throws {SeedmintError} `invalid` if there are too many. */
  #claim(digest: Digest): boolean {
    if (this.#seen.has(digest)) return false;
    if (this.#seen.size >= IMAGE_BLOBS_MAX) {
      throw invalid(`it has more than ${IMAGE_BLOBS_MAX} blobs`);
    }
    this.#seen.add(digest);
    return true;
  }

  async #keep(
    digest: Digest,
    keep: (about: {
      readonly name: string;
      readonly visibility?: Visibility;
      readonly expected: { readonly sha256: ReturnType<typeof sha256Of> };
      readonly signal?: AbortSignal;
    }) => Promise<BlobRecord>,
  ): Promise<void> {
    const { visibility, signal, onProgress } = this.#options;
    const known = this.#known(digest);
    try {
      const record = await keep({
        name: known?.name ?? digest,
        // What is here already is seen by whom it was seen by.
        ...(known === undefined ? { visibility } : {}),
        expected: { sha256: sha256Of(digest) },
        ...(signal === undefined ? {} : { signal }),
      });
      this.digests.push(digest);
      if (known === undefined) this.added.push(record);
      onProgress?.(this.#bytes += record.size);
    } catch (error) {
      if (!isSeedmintError(error, "corrupt")) throw error;
      throw new SeedmintError(
        "corrupt",
        `Cannot take in the layout: ${layoutName(digest)} has another digest; make or copy it anew`,
        { cause: error },
      );
    }
  }

  #known(digest: Digest): BlobRecord | undefined {
    const record = this.#options.store.findBySha256(sha256Of(digest));
    return record?.state === "complete" ? record : undefined;
  }
}

interface LayoutFiles {
  readonly layout: Bytes | undefined;
  readonly index: Bytes | undefined;
}

async function directoryFiles(path: string): Promise<LayoutFiles> {
  const read = async (name: string, bytesMax: number) => {
    const file = join(path, name);
    const isThere = await Deno.stat(file).then((info) => info.isFile, () => false);
    return isThere ? await readSmall(file, bytesMax) : undefined;
  };
  return {
    layout: await read(LAYOUT_FILE, LAYOUT_FILE_BYTES_MAX),
    index: await read(INDEX_FILE, MANIFEST_BYTES_MAX),
  };
}

async function archiveFiles(path: string, importer: Importer): Promise<LayoutFiles> {
  let layout: Bytes | undefined;
  let index: Bytes | undefined;
  using file = await Deno.open(path).catch((error) => {
    throw storageError(`read ${path}`, error);
  });
  for await (const { name, size, body } of readTar(piecesOf(file))) {
    const digest = layoutDigest(name);
    if (digest !== undefined) await importer.stream(digest, body);
    else if (name === LAYOUT_FILE) layout = await smallBody(name, { size, body });
    else if (name === INDEX_FILE) index = await smallBody(name, { size, body });
  }
  return { layout, index };
}

async function smallBody(
  name: string,
  { size, body }: { readonly size: number; readonly body: AsyncIterable<Bytes> },
): Promise<Bytes> {
  const bytesMax = name === LAYOUT_FILE ? LAYOUT_FILE_BYTES_MAX : MANIFEST_BYTES_MAX;
  if (size > bytesMax) throw invalid(`${name} has ${size} bytes, at most ${bytesMax} are read`);
  return concatBytes(...await Array.fromAsync(owned(body)));
}

async function* piecesOf(file: Deno.FsFile): AsyncGenerator<Bytes, void> {
  const buffer = new Uint8Array(1024 * 1024);
  for (;;) {
    const count = await file.read(buffer);
    if (count === null) return;
    yield buffer.subarray(0, count);
  }
}

/** Parts in memory of their own: what reads them may keep them. */
async function* owned(body: AsyncIterable<Bytes>): AsyncGenerator<Bytes, void> {
  for await (const part of body) yield part.slice();
}

async function readSmall(path: string, bytesMax: number): Promise<Bytes> {
  try {
    const { size } = await Deno.stat(path);
    if (size > bytesMax) throw invalid(`${path} has ${size} bytes, at most ${bytesMax} are read`);
    return await Deno.readFile(path);
  } catch (error) {
    throw storageError(`read ${path}`, error);
  }
}

function checkLayout(bytes: Bytes | undefined): void {
  const wanted = `it has no ${LAYOUT_FILE} of version 1.0.0`;
  if (bytes === undefined) throw invalid(wanted);
  let version: unknown;
  try {
    version = JSON.parse(new TextDecoder().decode(bytes))?.imageLayoutVersion;
  } catch (cause) {
    throw invalid(`${wanted}: ${messageOf(cause)}`);
  }
  if (version !== "1.0.0") throw invalid(wanted);
}

/** Images of a layout; one that stands there under several names is listed once for each. */
function imagesIn(bytes: Bytes | undefined): readonly LayoutImage[] {
  if (bytes === undefined) throw invalid(`it has no ${INDEX_FILE}`);
  const { children } = parseManifest(MEDIA_TYPES.ociIndex, bytes);
  const manifests = children.filter(({ mediaType }) => isManifestType(mediaType));
  if (manifests.length === 0) throw invalid(`its ${INDEX_FILE} lists no image`);
  if (manifests.length > LAYOUT_IMAGES_MAX) {
    throw invalid(`it has ${manifests.length} images, at most ${LAYOUT_IMAGES_MAX} are taken in`);
  }
  return manifests.map((descriptor) => ({ descriptor, ...nameIn(descriptor) }));
}

function nameIn({ annotations }: Descriptor): { readonly name?: ImageName; readonly tag?: string } {
  const full = annotations?.["io.containerd.image.name"];
  const reference = annotations?.["org.opencontainers.image.ref.name"];
  for (const text of [full, reference]) {
    // A lone word is a tag: as a name it would be one of Docker Hub's.
    if (text === undefined || !/[/:@]/.test(text)) continue;
    try {
      const name = parseImageName(text);
      const { tag } = name.reference;
      return { name, ...(tag === undefined ? {} : { tag }) };
    } catch {
      // No name as we know it: whoever imports gives one.
    }
  }
  return reference !== undefined && isTag(reference) ? { tag: reference } : {};
}

function invalid(why: string): SeedmintError {
  return new SeedmintError("invalid", `Cannot read it as an OCI layout: ${why}`);
}
