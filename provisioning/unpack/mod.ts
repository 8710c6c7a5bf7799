/**
 * From the layers of an OCI image to a directory tree, for engines without an image store: tar, gzip
 * and zstd; whiteouts; each layer checked against its `diffId`; nothing written outside of the tree,
 * whatever names and links a stranger put in; devices left out; sizes and counts bounded, and some of
 * the disk left free.
 *
 * May import `src/core`, `provisioning/machine`, `provisioning/ports.ts`.
 */
export { UnpackedImages, type UnpackOptions } from "./image_store.ts";
export { applyLayer, Budget } from "./layer.ts";
export { type Owner, RootedTree } from "./rooted_tree.ts";
export { type EntryKind, tarEntries, type TarEntry } from "./tar_entries.ts";
