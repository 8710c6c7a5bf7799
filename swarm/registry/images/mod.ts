/**
 * Images that this node keeps, seeds and hands on. An image is a collection in the form of an OCI image layout:
 *
 * ```
 * oci-layout            {"imageLayoutVersion":"1.0.0"}
 * index.json            an index with the one manifest or index that the image is named by
 * blobs/sha256/<hex>    that manifest, the manifests of the platforms that are kept, their configurations and layers
 * ```
 *
 * so one advert, one request and one payment cover it, and what is fetched as a collection can be read by
 * every tool. The same manifest with the same platforms is the same collection on every node. A layer of
 * many images is one blob.
 *
 * Vocabulary: the *root* of an image is the manifest or index that it is named by; the *wanted* platforms
 * are those of an index that are kept; an image is *broken* when a blob of it went, and then goes as a whole.
 *
 * May import: `src/core`, `swarm/bao`, `swarm/collection.ts`, `swarm/read_whole.ts`, `swarm/store`,
 * `swarm/registry/{names,ports}.ts`, `swarm/registry/{index,manifest,local}`.
 */
export { sha256OfBlob } from "./adopt.ts";
export type { ExportImageOptions, ImageArchive } from "./export.ts";
export type { CollectOptions } from "./collector.ts";
export type { ImageInfo } from "./info.ts";
export {
  Images,
  type ImagesOptions,
  type ImportedImage,
  type ImportImageOptions,
} from "./images.ts";
export { type LayoutBlob, layoutBlobs, layoutName } from "./layout.ts";
