/** Images unpacked to directories, once per digest; each is there in full or not at all. */
import { SeedmintError } from "../../src/core/errors.ts";
import type { Sha256 } from "../../src/core/hash.ts";
import { type DiskFacts, diskOf, isThere, removeTree, syncDisk } from "../machine/mod.ts";
import type { Image } from "../ports.ts";
import { applyLayer, Budget } from "./layer.ts";
import { LAYERS_MAX } from "./limits.ts";
import { Room } from "./room.ts";
import { RootedTree } from "./rooted_tree.ts";

/** How images are unpacked. */
export interface UnpackOptions {
  /** The host's user that owns what root owns inside; groups alike. */
  readonly idOffset: number;
  /** What one image may take of the disk. @default {IMAGE_BYTES_MAX} */
  readonly imageBytesMax?: number;
  /** Removes images that nobody needs, when the disk is nearly full. */
  readonly makeRoom?: () => Promise<void>;
  /** How the disk is looked at. @default {diskOf} */
  readonly disk?: (path: string) => Promise<DiskFacts>;
  /** Writes out what was unpacked. @default {syncDisk} */
  readonly sync?: typeof syncDisk;
}

/** The unpacked images below one directory. */
export class UnpackedImages {
  readonly #folder: string;
  readonly #options: UnpackOptions;
  readonly #running = new Map<Sha256, Promise<void>>();

  constructor(folder: string, options: UnpackOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  /** Removes what an earlier process left half done. Call it before anything else. */
  async clean(): Promise<void> {
    await Deno.mkdir(this.#folder, { recursive: true, mode: 0o711 });
    for await (const entry of Deno.readDir(this.#folder)) {
      if (!/^[0-9a-f]{64}$/.test(entry.name)) await removeTree(`${this.#folder}/${entry.name}`);
    }
  }

  /** Where the files of an image are, if it is here. */
  rootOf(digest: Sha256): string {
    return `${this.#folder}/${digest}`;
  }

  /** Whether an image is here. */
  async has(digest: Sha256): Promise<boolean> {
    return await isThere(this.rootOf(digest));
  }

  /** All images that are here. */
  async list(): Promise<Sha256[]> {
    const found: Sha256[] = [];
    for await (const { name } of Deno.readDir(this.#folder)) {
      if (/^[0-9a-f]{64}$/.test(name)) found.push(name as Sha256);
    }
    return found;
  }

  /** Removes an image that no lease stands on. */
  async remove(digest: Sha256): Promise<void> {
    const gone = `${this.#folder}/gone-${crypto.randomUUID()}`;
    try {
      await Deno.rename(this.rootOf(digest), gone);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      throw error;
    }
    await removeTree(gone);
  }

  /**
   * Unpacks an image unless it is here.
   *
   * @throws {SeedmintError} `invalid`, `corrupt`, `no-space`, `aborted`.
   */
  async unpack(image: Image, options: { readonly signal: AbortSignal }): Promise<void> {
    const running = this.#running.get(image.digest);
    if (running !== undefined) {
      // Whoever began may give up; then it is our turn.
      await running.catch(() => {});
      return await this.unpack(image, options);
    }
    options.signal.throwIfAborted();
    const work = this.#unpackOnce(image, options)
      .finally(() => this.#running.delete(image.digest));
    this.#running.set(image.digest, work);
    await work;
  }

  async #unpackOnce(image: Image, options: { readonly signal: AbortSignal }): Promise<void> {
    if (!await this.has(image.digest)) await this.#unpack(image, options);
  }

  async #unpack(image: Image, options: { readonly signal: AbortSignal }): Promise<void> {
    if (image.layers.length === 0 || image.layers.length > LAYERS_MAX) {
      throw new SeedmintError(
        "invalid",
        `Cannot unpack ${image.name}: it has ${image.layers.length} layers, 1 to ${LAYERS_MAX} are possible`,
      );
    }
    const folder = `${this.#folder}/part-${crypto.randomUUID()}`;
    const { idOffset, imageBytesMax, makeRoom, disk = diskOf, sync = syncDisk } = this.#options;
    const room = new Room(this.#folder, { disk, makeRoom });
    try {
      await Deno.mkdir(folder, { mode: 0o755 });
      const tree = new RootedTree(folder, { idOffset });
      tree.own(folder, { uid: 0, gid: 0 });
      Deno.chmodSync(folder, 0o755);
      const budget = new Budget(imageBytesMax);
      for (const layer of image.layers) {
        await applyLayer(layer, tree, budget, { ...options, room });
        tree.forget();
      }
      // A name must not outlive a power cut that its files do not.
      await sync(folder, options);
      await Deno.rename(folder, this.rootOf(image.digest));
    } catch (error) {
      await removeTree(folder);
      throw noSpaceIn(error, image);
    }
  }
}

function noSpaceIn(error: unknown, image: Image): unknown {
  if (!(error instanceof Error) || !/ENOSPC|No space left/.test(error.message)) return error;
  return new SeedmintError("no-space", `Cannot unpack ${image.name}: the disk is full`, {
    cause: error,
    retryable: true,
  });
}
