/** Images made for tests: small, and the same every time. */
import { utf8 } from "../../../../src/core/bytes.ts";
import {
  digestOfBytes,
  MEDIA_TYPES,
  type Platform,
} from "../../../../swarm/registry/manifest/mod.ts";
import type { Digest } from "../../../../swarm/registry/names.ts";
import type { Descriptor } from "../../../../swarm/registry/ports.ts";

/** Bytes with the digest that they are named by. */
export interface Part {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** An image of one platform. */
export interface TestImage {
  readonly manifest: Part;
  readonly config: Part;
  readonly layers: readonly Part[];
  readonly platform: Platform;
}

export const LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip";

export function partOf(bytes: Uint8Array<ArrayBuffer>, mediaType: string): Part {
  return { mediaType, digest: digestOfBytes(bytes), bytes };
}

/** A layer of `size` bytes that no other text gives. */
export function layerOf(text: string, size = 1000): Part {
  const bytes = new Uint8Array(size);
  const seed = utf8(text);
  for (let at = 0; at < size; at++) bytes[at] = (seed[at % seed.length]! + at * 31) & 0xff;
  return partOf(bytes, LAYER_TYPE);
}

export function describe(part: Part, more: Partial<Descriptor> = {}): Descriptor {
  return { mediaType: part.mediaType, digest: part.digest, size: part.bytes.length, ...more };
}

export function jsonPart(value: unknown, mediaType: string): Part {
  return partOf(utf8(JSON.stringify(value)), mediaType);
}

export function imageOf(
  layers: readonly Part[],
  options: {
    readonly platform?: Platform;
    readonly isDocker?: boolean;
    readonly subject?: Descriptor;
    readonly more?: Readonly<Record<string, unknown>>;
  } = {},
): TestImage {
  const platform = options.platform ?? { os: "linux", architecture: "amd64" };
  const isDocker = options.isDocker === true;
  const config = jsonPart(
    { ...platform, rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) } },
    isDocker ? MEDIA_TYPES.dockerConfig : MEDIA_TYPES.ociConfig,
  );
  const mediaType = isDocker ? MEDIA_TYPES.dockerManifest : MEDIA_TYPES.ociManifest;
  const manifest = jsonPart({
    schemaVersion: 2,
    mediaType,
    config: describe(config),
    layers: layers.map((layer) => describe(layer)),
    ...(options.subject === undefined ? {} : { subject: options.subject }),
    ...options.more,
  }, mediaType);
  return { manifest, config, layers, platform };
}

export function indexOf(
  images: readonly TestImage[],
  more: Readonly<Record<string, unknown>> = {},
): Part {
  return jsonPart({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociIndex,
    manifests: images.map(({ manifest, platform }) => describe(manifest, { platform })),
    ...more,
  }, MEDIA_TYPES.ociIndex);
}

/** An artifact that is about `subject`, as signing tools make them. */
export function artifactOf(
  subject: Part,
  options: { readonly artifactType?: string; readonly text?: string } = {},
): { readonly manifest: Part; readonly config: Part; readonly layer: Part } {
  const config = partOf(utf8("{}"), "application/vnd.oci.empty.v1+json");
  const layer = partOf(utf8(options.text ?? "signature"), "application/vnd.example.signature");
  const manifest = jsonPart({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    ...(options.artifactType === undefined ? {} : { artifactType: options.artifactType }),
    config: describe(config),
    layers: [describe(layer)],
    subject: describe(subject),
    annotations: { "org.example.note": options.text ?? "none" },
  }, MEDIA_TYPES.ociManifest);
  return { manifest, config, layer };
}
