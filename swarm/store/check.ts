/** Checking what lies on disk against the root: after a power loss, and when a user asks. */
import type { RangeSet } from "../../src/core/range_set.ts";
import type { Hash } from "../../src/core/hash.ts";
import { GROUP_BYTES, groupSizeAt, PARENT_BYTES } from "../bao/geometry.ts";
import { validateGroups } from "../bao/mod.ts";
import { PositionalFile } from "./files.ts";
import type { BlobFiles } from "./layout.ts";
import { PIECE_BYTES } from "./limits.ts";

/**
 * Which of `groups` match the root; none if a file is missing.
 *
 * @throws The reason of `signal`.
 */
export async function checkFiles(
  blob: { readonly hash: Hash; readonly size: number; readonly groups: RangeSet },
  files: BlobFiles,
  options: { readonly signal?: AbortSignal; readonly onProgress?: (bytes: number) => void } = {},
): Promise<RangeSet> {
  using data = openIfThere(files.data);
  using outboard = openIfThere(files.outboard);
  const pieces = new PieceReader(data, blob.size);
  let bytes = 0;
  return await validateGroups({
    ...blob,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    readGroup: async (index) => {
      const group = await pieces.group(index);
      options.onProgress?.(bytes += group?.length ?? 0);
      return group;
    },
    readParent: (offset) => {
      const pair = new Uint8Array(PARENT_BYTES);
      return outboard?.readAtSync(offset, pair) === PARENT_BYTES ? pair : undefined;
    },
  });
}

/** Reads groups in ascending order through pieces of many. */
class PieceReader {
  readonly #file: PositionalFile | undefined;
  readonly #size: number;
  readonly #piece = new Uint8Array(PIECE_BYTES);
  #start = -1;
  #length = 0;

  constructor(file: PositionalFile | undefined, size: number) {
    this.#file = file;
    this.#size = size;
  }

  async group(index: number): Promise<Uint8Array | undefined> {
    if (this.#file === undefined) return undefined;
    const offset = index * GROUP_BYTES;
    const size = groupSizeAt(index, this.#size);
    if (this.#start < 0 || offset < this.#start || offset + size > this.#start + this.#length) {
      this.#start = offset;
      this.#length = await this.#file.readAt(offset, this.#piece);
    }
    const at = offset - this.#start;
    return at + size <= this.#length ? this.#piece.subarray(at, at + size) : undefined;
  }
}

function openIfThere(path: string): PositionalFile | undefined {
  try {
    return new PositionalFile(path, { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
