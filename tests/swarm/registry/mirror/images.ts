/** Images made for tests. */
import { createHash } from "node:crypto";
import { type Bytes, utf8 } from "../../../../src/core/bytes.ts";
import { type Sha256, sha256FromBytes } from "../../../../src/core/hash.ts";
import { MEDIA_TYPES, type Platform } from "../../../../swarm/registry/manifest/mod.ts";
import { type Digest, digestOf } from "../../../../swarm/registry/names.ts";

export const LINUX: Platform = { os: "linux", architecture: "amd64" };

export function sha256Bytes(bytes: Uint8Array): Sha256 {
  return sha256FromBytes(createHash("sha256").update(bytes).digest());
}

export function digestBytes(bytes: Uint8Array): Digest {
  return digestOf(sha256Bytes(bytes));
}

/** An image: its manifest and its blobs by digest. */
export interface TestImage {
  readonly manifest: Bytes;
  readonly mediaType: string;
  readonly digest: Digest;
  readonly blobs: ReadonlyMap<Digest, Bytes>;
  readonly layers: readonly Digest[];
}

/** An image of these layers. */
export function imageOf(...layers: readonly Bytes[]): TestImage {
  const config = utf8(JSON.stringify({ ...LINUX, layers: layers.length, first: layers[0]?.[0] }));
  const describe = (bytes: Bytes, mediaType: string) => ({
    mediaType,
    digest: digestBytes(bytes),
    size: bytes.length,
  });
  const manifest = utf8(JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: describe(config, MEDIA_TYPES.ociConfig),
    layers: layers.map((bytes) => describe(bytes, "application/vnd.oci.image.layer.v1.tar+gzip")),
  }));
  return {
    manifest,
    mediaType: MEDIA_TYPES.ociManifest,
    digest: digestBytes(manifest),
    blobs: new Map([config, ...layers].map((bytes) => [digestBytes(bytes), bytes])),
    layers: layers.map(digestBytes),
  };
}

/** An index of images, each for a platform of its own. */
export function indexOf(images: readonly (readonly [Platform, TestImage])[]): TestImage {
  const manifest = utf8(JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociIndex,
    manifests: images.map(([platform, { mediaType, digest, manifest: { length: size } }]) => ({
      mediaType,
      digest,
      size,
      platform,
    })),
  }));
  return {
    manifest,
    mediaType: MEDIA_TYPES.ociIndex,
    digest: digestBytes(manifest),
    blobs: new Map(),
    layers: [],
  };
}
