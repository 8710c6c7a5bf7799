/** Limits of unpacking an image, each with the reason for its size. */

/** Layers of one image: container engines stop at 127. */
export const LAYERS_MAX = 128;

/** Entries of all layers of one image: a full Debian desktop has about 400 000. */
export const ENTRIES_MAX = 1_000_000;

/** Bytes of all layers of one image, uncompressed, unless the caller says less: machine-learning images have ten GiB. */
export const IMAGE_BYTES_MAX: number = 64 * 1024 ** 3;

/** Bytes of a long name or of attributes in a layer. */
export const EXTRA_BYTES_MAX: number = 64 * 1024;

/** Bytes of a path, as the kernel has it. */
export const PATH_BYTES_MAX = 4095;

/** Bytes of a name in a path, as the kernel has it. */
export const NAME_BYTES_MAX = 255;

/** Symbolic links followed within one path, as the kernel has it. */
export const LINKS_FOLLOWED_MAX = 40;

/** Directories of one path: deeper ones can neither be listed nor removed in reasonable time. */
export const DEPTH_MAX = 256;

/** The highest user or group of an image: a lease has the first 65 536 of its own range. */
export const ID_END = 65_536;

/** Bytes that are gathered before they are written. */
export const WRITE_BYTES: number = 256 * 1024;
