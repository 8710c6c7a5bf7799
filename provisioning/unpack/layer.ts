/** One layer laid over a tree: OCI image-spec, layer.md. */
import { createHash } from "node:crypto";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { Readable, type Transform } from "node:stream";
import { SeedmintError } from "../../src/core/errors.ts";
import type { ImageLayer } from "../ports.ts";
import {
  ENTRIES_MAX,
  ENTRY_BYTES,
  ID_END,
  IMAGE_BYTES_MAX,
  PATHS_CHARS_MAX,
  WRITE_BYTES,
} from "./limits.ts";
import type { Room } from "./room.ts";
import { lstat, RootedTree } from "./rooted_tree.ts";
import { tarEntries, type TarEntry } from "./tar_entries.ts";
import { ZstdFrames } from "./zstd_frames.ts";

/** What is left of the limits of one image; it shrinks with each layer. */
export class Budget {
  readonly #bytesMax: number;
  readonly #entriesMax: number;
  readonly #pathCharsMax: number;
  #entriesLeft: number;
  #bytesLeft: number;
  #pathCharsLeft: number;

  constructor(
    bytesMax: number = IMAGE_BYTES_MAX,
    options: { readonly entriesMax?: number; readonly pathCharsMax?: number } = {},
  ) {
    this.#bytesMax = bytesMax;
    this.#bytesLeft = bytesMax;
    this.#entriesMax = options.entriesMax ?? ENTRIES_MAX;
    this.#entriesLeft = this.#entriesMax;
    this.#pathCharsMax = options.pathCharsMax ?? PATHS_CHARS_MAX;
    this.#pathCharsLeft = this.#pathCharsMax;
  }

  /** Bytes that were unpacked, with what each entry takes of a disk. */
  get usedBytes(): number {
    return this.#bytesMax - this.#bytesLeft;
  }

  /**
   * One entry, or a directory that a path implies.
   *
   * @throws {SeedmintError} `invalid` once the image has more entries than any has; `no-space`.
   */
  spendEntry(): void {
    if (--this.#entriesLeft < 0) throw tooMuch(`more than ${this.#entriesMax} entries`);
    this.spendBytes(ENTRY_BYTES);
  }

  /** @throws {SeedmintError} `invalid` once the paths of the image are longer than memory is spared for. */
  spendPath(charCount: number): void {
    this.#pathCharsLeft -= charCount;
    if (this.#pathCharsLeft < 0) {
      throw tooMuch(`paths of more than ${this.#pathCharsMax} characters together`);
    }
  }

  /** @throws {SeedmintError} `no-space` once the image is larger than is allowed here. */
  spendBytes(count: number): void {
    this.#bytesLeft -= count;
    if (this.#bytesLeft < 0) {
      throw new SeedmintError(
        "no-space",
        `Cannot unpack the image: it takes more than ${this.#bytesMax} bytes, the most that this provider takes; use a smaller one, or another provider`,
      );
    }
  }
}

/** Opaque directory: what lower layers have in it is gone. */
const OPAQUE = ".wh..wh..opq";
const WHITEOUT = ".wh.";

/**
 * Lays `layer` over `tree`. Bytes are spent from `budget` as they come out of the decompressor, so
 * that a small bomb is stopped early.
 *
 * @param options.room What the disk still has; without it, it is not looked at.
 * @throws {SeedmintError} `invalid`, `corrupt` if it is not what its `diffId` says, `no-space`, `aborted`.
 */
export async function applyLayer(
  layer: ImageLayer,
  tree: RootedTree,
  budget: Budget,
  options: { readonly signal: AbortSignal; readonly room?: Room },
): Promise<void> {
  const { room, signal } = options;
  const digest = createHash("sha256");
  const source = counted(await plain(layer), async (part) => {
    signal.throwIfAborted();
    budget.spendBytes(part.length);
    digest.update(part);
    if (room?.isDue(budget.usedBytes)) await room.check(budget.usedBytes);
  });
  const work = new LayerWork(tree, budget);
  for await (const entry of tarEntries(source)) {
    await work.apply(entry);
    // A part has hundreds of entries, each of which may imply a hundred directories.
    if (room?.isDue(budget.usedBytes)) await room.check(budget.usedBytes);
  }
  work.finish();
  const found = digest.digest("hex");
  if (found !== layer.diffId) {
    throw new SeedmintError(
      "corrupt",
      `Cannot unpack layer ${layer.sha256.slice(0, 8)}…: its content has the digest ${
        found.slice(0, 8)
      }… and the image says ${layer.diffId.slice(0, 8)}…`,
    );
  }
}

/** What one layer does to the tree. */
class LayerWork {
  readonly #tree: RootedTree;
  readonly #budget: Budget;
  /**
   * What this layer itself made, from the root on: its own opaque marks leave that alone. A directory has
   * the time that it gets at the end, since writing into it changes that.
   */
  readonly #made = new Map<string, number | undefined>();

  constructor(tree: RootedTree, budget: Budget) {
    this.#tree = tree;
    this.#budget = budget;
  }

  async apply(entry: TarEntry): Promise<void> {
    this.#budget.spendEntry();
    const names = RootedTree.namesIn(entry.name);
    if (names.length === 0) return this.#applyRoot(entry);
    const name = names[names.length - 1]!;
    const onMake = () => this.#budget.spendEntry();
    const place = this.#tree.place(names, { isMade: true, onMake })!;
    if (name === OPAQUE) return this.#hideAll(place.slice(0, -OPAQUE.length - 1));
    if (name.startsWith(WHITEOUT)) return this.#hide(place, name);
    await this.#put(entry, place);
  }

  finish(): void {
    for (const [path, modifiedS] of this.#made) {
      const place = this.#tree.root + path;
      if (modifiedS !== undefined && lstat(place)?.isDirectory) this.#tree.date(place, modifiedS);
    }
  }

  #applyRoot(entry: TarEntry): void {
    if (entry.kind === "directory") Deno.chmodSync(this.#tree.root, entry.mode | 0o555);
  }

  #hideAll(folder: string): void {
    if (!lstat(folder)?.isDirectory) return;
    for (const child of [...Deno.readDirSync(folder)]) {
      const place = `${folder}/${child.name}`;
      if (!this.#made.has(this.#pathOf(place))) this.#tree.clear(place);
    }
  }

  #hide(place: string, name: string): void {
    const hidden = name.slice(WHITEOUT.length);
    if (hidden === "" || hidden === "." || hidden === "..") {
      throw new SeedmintError("invalid", `Cannot unpack the layer: the mark ${name} hides nothing`);
    }
    this.#tree.clear(place.slice(0, -name.length) + hidden);
  }

  async #put(entry: TarEntry, place: string): Promise<void> {
    // Devices and pipes need rights that a lease has not, and sockets are of no use on a disk.
    if (entry.kind === "other") return;
    const owner = { uid: idIn(entry.uid), gid: idIn(entry.gid) };
    const there = lstat(place);
    if (there !== undefined && !(entry.kind === "directory" && there.isDirectory)) {
      if (entry.kind !== "hardlink") this.#tree.clear(place);
    }
    this.#note(place, entry);
    switch (entry.kind) {
      case "file":
        await writeBody(place, entry);
        break;
      case "directory":
        if (!there?.isDirectory) Deno.mkdirSync(place);
        break;
      case "symlink":
        Deno.symlinkSync(entry.link, place);
        break;
      case "hardlink":
        return this.#link(entry, place);
    }
    this.#tree.own(place, owner);
    // After the owner: the kernel takes set-user-id off when the owner changes.
    if (entry.kind !== "symlink") Deno.chmodSync(place, entry.mode);
    if (entry.kind !== "directory") this.#tree.date(place, entry.modifiedS);
  }

  #note(place: string, entry: TarEntry): void {
    const path = this.#pathOf(place);
    this.#budget.spendPath(path.length);
    this.#made.set(path, entry.kind === "directory" ? entry.modifiedS : undefined);
  }

  /** Without what all places have in common: there may be a million. */
  #pathOf(place: string): string {
    return place.slice(this.#tree.root.length);
  }

  #link(entry: TarEntry, place: string): void {
    const names = RootedTree.namesIn(entry.link);
    const target = names.length === 0 ? undefined : this.#tree.place(names, { isMade: false });
    const facts = target === undefined ? undefined : lstat(target);
    if (target === undefined || facts === undefined || facts.isDirectory) {
      throw new SeedmintError(
        "invalid",
        `Cannot unpack the layer: ${entry.name} is a link to ${entry.link}, which is no file of it`,
      );
    }
    if (target === place) return;
    this.#tree.clear(place);
    Deno.linkSync(target, place);
  }
}

async function writeBody(place: string, entry: TarEntry): Promise<void> {
  using file = newFile(place);
  // A small file, nearly every one, is one part: written at once, without waiting for a thread.
  for await (const part of entry.body) {
    for (let at = 0; at < part.length;) {
      const rest = part.subarray(at, at + WRITE_BYTES);
      at += rest.length < WRITE_BYTES ? file.writeSync(rest) : await file.write(rest);
    }
  }
}

function newFile(place: string): Deno.FsFile {
  return Deno.openSync(place, { write: true, createNew: true, mode: 0o600 });
}

/** What a lease cannot have is given to its root. */
function idIn(id: number): number {
  return id < ID_END ? id : 0;
}

/** The layer's tar, uncompressed. */
async function plain(layer: ImageLayer): Promise<AsyncIterable<Uint8Array>> {
  const type = layer.mediaType.toLowerCase();
  const isZstd = /[.+]zstd$/.test(type);
  const isGzip = /[.+]gzip$/.test(type);
  if (!isZstd && !isGzip && !/[.+]tar$/.test(type)) {
    throw new SeedmintError(
      "invalid",
      `Cannot unpack layer ${layer.sha256.slice(0, 8)}…: its type ${
        type.slice(0, 80)
      } is none of tar, tar+gzip, tar+zstd`,
    );
  }
  const stream = await layer.open();
  if (isZstd) {
    return uncompressed(inFrames(stream), createZstdDecompress({ chunkSize: WRITE_BYTES }));
  }
  // Not DecompressionStream: it takes one gzip member, and layers that can be read in parts have many.
  return isGzip ? uncompressed(stream, createGunzip({ chunkSize: WRITE_BYTES })) : stream;
}

async function* inFrames(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  const frames = new ZstdFrames();
  for await (const piece of stream) yield* frames.cut(piece);
}

async function* uncompressed(
  stream: AsyncIterable<Uint8Array>,
  target: Transform,
): AsyncGenerator<Uint8Array, void> {
  const source = Readable.from(stream);
  source.on("error", (error) => target.destroy(error));
  try {
    yield* source.pipe(target) as AsyncIterable<Uint8Array>;
  } finally {
    source.destroy();
    target.destroy();
  }
}

async function* counted(
  source: AsyncIterable<Uint8Array>,
  onPart: (part: Uint8Array) => Promise<void>,
): AsyncGenerator<Uint8Array, void> {
  try {
    for await (const part of source) {
      await onPart(part);
      yield part;
    }
  } catch (error) {
    if (error instanceof SeedmintError || !(error instanceof Error)) throw error;
    if (error.name === "AbortError") throw error;
    throw new SeedmintError("invalid", `Cannot uncompress the layer: ${error.message}`, {
      cause: error,
    });
  }
}

function tooMuch(what: string): SeedmintError {
  return new SeedmintError("invalid", `Cannot unpack the image: it has ${what}`);
}
