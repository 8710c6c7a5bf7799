/** What the digest of an image stands for, as far as this node's store knows. */
import { isSha256, type Sha256 } from "../../core/hash.ts";
import type { BlobStore } from "../../../swarm/store/blob_store.ts";

/**
 * Manifests in the list of platforms that has this digest; none if it is a manifest itself, and undefined
 * if it is not here. Never throws.
 */
export async function platformsIn(
  store: Pick<BlobStore, "findBySha256" | "openReader">,
  list: Sha256,
): Promise<readonly Sha256[] | undefined> {
  const { MANIFEST_BYTES_MAX, parseManifest } = await import(
    "../../../swarm/registry/manifest/mod.ts"
  );
  const { readWhole } = await import("../../../swarm/read_whole.ts");
  try {
    const record = store.findBySha256(list);
    if (record === undefined || record.size > MANIFEST_BYTES_MAX) return undefined;
    const bytes = await readWhole(store, record.hash, MANIFEST_BYTES_MAX);
    const { digest, kind, children } = parseManifest(undefined, bytes);
    if (digest !== `sha256:${list}`) return undefined;
    if (kind !== "index") return [];
    return children.map(({ digest }) => digest.replace("sha256:", "")).filter(isSha256);
  } catch {
    return undefined;
  }
}
