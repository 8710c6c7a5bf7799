/** Images as OCI layouts on disk: taken in to be pushed, and written out. */
import { SeedmintError } from "../../core/errors.ts";
import { type Digest, formatImageName, type ImageName } from "../../../swarm/registry/names.ts";
import { LOCAL_REGISTRY } from "../../../swarm/registry/index/mod.ts";
import type { ImageMethods } from "../api/image_methods.ts";
import type { ImageWork } from "../api/images.ts";
import type { OpenRegistry } from "./registry.ts";

/** One export. */
export interface ExportRequest {
  readonly name: ImageName;
  readonly digest: Digest;
  /** A tar if it ends so, else a directory. */
  readonly output: string;
  readonly overwrite: boolean;
}

/** Where images of an archive stay until they are pushed on. */
const ARRIVALS = { registry: LOCAL_REGISTRY, repository: "seedmint/arrivals" };

/**
 * Takes in the one image of a layout.
 *
 * @returns Its digest, and what forgets it again.
 * @throws {SeedmintError} `invalid`, `corrupt`, `usage` if it has several.
 */
export async function importLayout(
  { images, local, index }: OpenRegistry,
  path: string,
  { signal, emit }: ImageWork,
): Promise<{ readonly digest: Digest; readonly forget: () => Promise<void> }> {
  const imported = await images.importLayout(path, {
    name: ARRIVALS,
    visibility: "private",
    signal,
    onProgress: (bytes) => emit({ event: "progress", label: path, bytes }),
  });
  const digests = [...new Set(imported.map(({ digest }) => digest))];
  const forget = async () => {
    for (const digest of digests) {
      await images.remove(ARRIVALS, digest);
      await local.deleteManifest(ARRIVALS.repository, { digest });
    }
    for (const { digest } of [...index.members.of(ARRIVALS, "blob")]) {
      await local.deleteBlob(ARRIVALS.repository, digest);
    }
  };
  if (digests.length === 1) return { digest: digests[0]!, forget };
  await forget();
  throw new SeedmintError(
    "usage",
    `Cannot push ${path}: it has ${digests.length} images; write one of them alone`,
  );
}

/** Writes an image that is here whole. */
export async function exportImage(
  { images }: OpenRegistry,
  { name, digest, output, overwrite }: ExportRequest,
  { signal, emit }: ImageWork,
): Promise<ImageMethods["image.export"]["result"]> {
  const label = formatImageName(name);
  const size = await images.export(name, digest, {
    path: output.replace(/\/$/, ""),
    format: output.endsWith(".tar") ? "archive" : "directory",
    overwrite,
    signal,
    onProgress: (bytes) => emit({ event: "progress", label, bytes }),
  });
  return { digest, size, path: output };
}
