/** A growing list of the chaining values of consecutive groups. */
import { GROUP_BYTES } from "./geometry.ts";
import { CV_BYTES, kernel } from "./kernel/mod.ts";

/** Chaining values of groups from some first group on, appended as the groups are hashed. */
export class GroupCvs {
  #bytes = new Uint8Array(64 * CV_BYTES);
  #count = 0;

  /** How many groups have been appended since the last {@link clear}. */
  get count(): number {
    return this.#count;
  }

  /** 32 bytes a group; valid until the next append. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#count * CV_BYTES);
  }

  clear(): void {
    this.#count = 0;
  }

  /** Hashes and appends full groups, none of which is a whole blob. `index` is that of the first. */
  appendGroups(bytes: Uint8Array, index: number): void {
    const count = bytes.length / GROUP_BYTES;
    this.#reserve(count);
    kernel.groupCvs(bytes, index, this.#bytes, this.#count * CV_BYTES);
    this.#count += count;
  }

  /** Hashes and appends group `index`, which may be short and may be the whole blob. */
  appendGroup(bytes: Uint8Array, index: number, isRoot: boolean): void {
    this.#reserve(1);
    kernel.groupCv(bytes, index, isRoot, this.#bytes, this.#count * CV_BYTES);
    this.#count++;
  }

  #reserve(count: number): void {
    const wanted = (this.#count + count) * CV_BYTES;
    if (wanted <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(wanted, 2 * this.#bytes.length));
    grown.set(this.bytes);
    this.#bytes = grown;
  }
}
