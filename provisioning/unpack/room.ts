/** Room on the disk that images are unpacked to: the last of it is never taken. */
import { SeedmintError } from "../../src/core/errors.ts";
import type { DiskFacts } from "../machine/mod.ts";
import { LOOK_BYTES, RESERVE_BYTES, RESERVE_FILES, RESERVE_PART } from "./limits.ts";

/** How a disk is looked at, and what is done when it is nearly full. */
export interface RoomOptions {
  readonly disk: (path: string) => Promise<DiskFacts>;
  /** Removes what nobody needs. */
  readonly makeRoom?: (() => Promise<void>) | undefined;
}

/** What one image that is being unpacked may still take. */
export class Room {
  readonly #folder: string;
  readonly #options: RoomOptions;
  #nextBytes = 0;

  constructor(folder: string, options: RoomOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  /** Whether so much was unpacked that {@link check} has to look again. */
  isDue(usedBytes: number): boolean {
    return usedBytes >= this.#nextBytes;
  }

  /** @throws {SeedmintError} `no-space` if the disk is nearly full, and what nobody needs is gone already. */
  async check(usedBytes: number): Promise<void> {
    this.#nextBytes = usedBytes + LOOK_BYTES;
    if (!await this.#isShort()) return;
    await this.#options.makeRoom?.();
    if (!await this.#isShort()) return;
    throw new SeedmintError(
      "no-space",
      "Cannot unpack the image: the provider's disk is nearly full; try later, or another provider",
      { retryable: true },
    );
  }

  async #isShort(): Promise<boolean> {
    const { freeBytes, usedBytes, freeFileCount, fileCountMax } = await this.#options.disk(
      this.#folder,
    );
    const sizeBytes = freeBytes + usedBytes;
    return freeBytes < Math.min(RESERVE_BYTES, sizeBytes * RESERVE_PART) ||
      freeFileCount < Math.min(RESERVE_FILES, fileCountMax * RESERVE_PART);
  }
}
