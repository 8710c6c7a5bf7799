/** What a pool asks of its workers, what they answer, and what both know of a file. */
import type { Bytes } from "../../../src/core/bytes.ts";
import type { ErrorCode } from "../../../src/core/errors.ts";
import type { HashedSubtree } from "../tree.ts";

/** What a file was when hashing began. Every task checks that it still is that. */
export interface FileState {
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modifiedMs: number | undefined;
  /** Inode number, where there are any. */
  readonly inode: number | undefined;
}

/** What `info` says of a file. */
export function fileStateOf(info: Deno.FileInfo): FileState {
  return {
    size: info.size,
    modifiedMs: info.mtime?.getTime(),
    inode: info.ino ?? undefined,
  };
}

/** Hash groups `startGroup` to `endGroup` (not included), a subtree, of the file at `path`. */
export interface HashTask {
  readonly path: string;
  readonly file: FileState;
  readonly startGroup: number;
  readonly endGroup: number;
  /** Whether the BLAKE3 subtree of the groups is wanted. */
  readonly blake3: boolean;
  /** Whether the SHA-256 of the bytes is wanted. */
  readonly sha256: boolean;
}

/** What a task found. */
export interface HashTaskResult {
  readonly subtree?: HashedSubtree;
  /** 32 bytes. */
  readonly sha256?: Bytes;
}

/** To a worker, which does one task at a time. */
export interface ToWorker {
  readonly task: HashTask;
  /** One number in shared memory; the worker stops soon after it is not 0. */
  readonly cancelled: Int32Array;
}

/** From a worker. After `done`, `failed` or `cancelled` it takes the next task. */
export type FromWorker =
  | { readonly kind: "progress"; readonly bytes: number }
  | { readonly kind: "done"; readonly result: HashTaskResult }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: "cancelled" };
