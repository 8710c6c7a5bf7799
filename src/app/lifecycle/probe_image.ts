/**
 * An image of a few bytes that nobody else has, under a name that no registry gives away: a client that
 * can pull it by its digest asked this node.
 */
import { hash as digestHex } from "node:crypto";
import { utf8 } from "../../core/bytes.ts";
import { type Digest, digestOf, type RepositoryName } from "../../../swarm/registry/names.ts";
import type { RegistryIndex } from "../../../swarm/registry/index/mod.ts";
import { MEDIA_TYPES, parseManifest } from "../../../swarm/registry/manifest/mod.ts";
import type { BlobStore } from "../../../swarm/store/blob_store.ts";
import type { Random } from "../../core/ports.ts";
import type { Sha256 } from "../../core/hash.ts";

/** Its name below whichever registry a client asks for. */
export const PROBE_REPOSITORY = "seedmint/probe";

/** The registry that every client knows. */
const PROBE_NAME: RepositoryName = { registry: "docker.io", repository: PROBE_REPOSITORY };

/** An empty tar: two blocks of zeros. */
const EMPTY_LAYER = new Uint8Array(1024);
const LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar";

/** Whether a name is that of the probe. */
export function isProbe({ repository }: { readonly repository: string }): boolean {
  return repository === PROBE_REPOSITORY;
}

/** Makes a new probe in place of the last one. @returns The digest of its manifest. */
export async function makeProbe(
  parts: { readonly store: BlobStore; readonly index: RegistryIndex; readonly random: Random },
  architecture: string,
): Promise<Digest> {
  const { store, index, random } = parts;
  await forgetProbes(parts);
  const layer = blobOf(EMPTY_LAYER);
  const config = blobOf(utf8(JSON.stringify({
    architecture,
    os: "linux",
    config: { Labels: { "seedmint.probe": random.bytes(16).toHex() } },
    rootfs: { type: "layers", diff_ids: [layer.digest] },
    history: [{ created_by: "seedmint doctor" }],
  })));
  const bytes = utf8(JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: descriptor(MEDIA_TYPES.ociConfig, config),
    layers: [descriptor(LAYER_TYPE, layer)],
  }));
  const manifest = parseManifest(MEDIA_TYPES.ociManifest, bytes);
  for (const blob of [layer, config]) {
    await store.importBytes(blob.bytes, { visibility: "private" });
    index.members.add(PROBE_NAME, blob.digest, { kind: "blob" });
  }
  const { hash } = await store.importBytes(bytes, { visibility: "private" });
  index.transaction(() => {
    index.manifests.put(manifest, hash);
    index.members.add(PROBE_NAME, manifest.digest, { kind: "manifest" });
  });
  return manifest.digest;
}

/** Takes out the probes of before; their bytes are nothing, and go with the next collection. */
export function forgetProbes({ index }: { readonly index: RegistryIndex }): Promise<void> {
  for (const kind of ["manifest", "blob"] as const) {
    for (const { digest } of [...index.members.of(PROBE_NAME, kind)]) {
      index.members.remove(PROBE_NAME, digest, kind);
      if (kind === "manifest") index.manifests.remove(digest);
    }
  }
  return Promise.resolve();
}

function blobOf(bytes: Uint8Array<ArrayBuffer>) {
  const sha256 = digestHex("sha256", bytes, "hex") as Sha256;
  return { bytes, digest: digestOf(sha256) };
}

function descriptor(mediaType: string, { bytes, digest }: ReturnType<typeof blobOf>) {
  return { mediaType, digest, size: bytes.length };
}
