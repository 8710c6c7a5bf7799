/** Limits of hashing files. */
import { GROUP_BYTES } from "./geometry.ts";

/** Most threads of one {@link HashPool}: beyond this the disk is the limit. */
export const HASH_WORKERS_MAX = 8;

/**
 * Groups of a file that one worker hashes as one task (64 MiB), a power of two: long enough to outweigh a message,
 * short enough that several workers end at about the same time.
 */
export const SEGMENT_GROUPS = 4096;

/** Files up to this size (1 MiB) are hashed by one worker in one pass: two would only wait. */
export const ONE_PASS_BYTES_MAX = 64 * GROUP_BYTES;

/** A running task tells its progress after this many bytes. */
export const PROGRESS_BYTES = 16 * 2 ** 20;
