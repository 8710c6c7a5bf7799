/** Limits of unpacking an image, each with the reason for its size. */

/** Layers of one image: container engines stop at 127. */
export const LAYERS_MAX = 128;

/** Entries of all layers of one image, directories that are only implied included: a full Debian desktop has about 400 000. */
export const ENTRIES_MAX = 1_000_000;

/** What an entry takes of a disk besides its content, in bytes: a directory has a block, a file rounds up to one. */
export const ENTRY_BYTES = 4096;

/**
 * Characters of the paths of one image, which are held in memory while a layer is unpacked: a million
 * entries have 67 each, a full Debian desktop has 25 MiB in all.
 */
export const PATHS_CHARS_MAX: number = 64 * 1024 * 1024;

/** Characters of the directories that are remembered so as not to be looked at again: some 50 000 directories. */
export const FOLDERS_KEPT_CHARS: number = 8 * 1024 * 1024;

/** Bytes that one image may take of the disk, unless the caller says otherwise: large runtimes of machine learning have eight GiB. */
export const IMAGE_BYTES_MAX: number = 10 * 1024 ** 3;

/** Free bytes of the disk that unpacking leaves alone: the wallet and the journal of leases may be on the same one. */
export const RESERVE_BYTES: number = 1024 ** 3;

/** Free files of the disk that unpacking leaves alone. */
export const RESERVE_FILES = 10_000;

/** Of a small disk so large a part is left alone, where that is less. */
export const RESERVE_PART = 0.05;

/** Bytes of an image between two looks at what is free: a few milliseconds of unpacking. */
export const LOOK_BYTES: number = 16 * 1024 * 1024;

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
