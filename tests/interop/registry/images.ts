/** Images of the suite, put into docker-registry as it stands. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { type MadeImage, makeImage } from "../../../devnet/oci_layout.ts";
import { commandOutput } from "./lab.ts";

const INDEX_TYPE = "application/vnd.oci.image.index.v1+json";
const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";

/** How large. */
export interface ImageSize {
  readonly layerCount: number;
  readonly layerBytes: number;
}

/** Makes an image and puts it into `registry` (a URL) as `name`, such as `library/app:1`. */
export async function publishImage(
  directory: string,
  { registry, name, size }: {
    readonly registry: string;
    readonly name: string;
    readonly size: ImageSize;
  },
): Promise<MadeImage> {
  const layout = await Deno.makeTempDir({ dir: directory, prefix: "layout-" });
  try {
    const image = await makeImage(layout, size);
    await put(layout, registry, name);
    return image;
  } finally {
    await Deno.remove(layout, { recursive: true });
  }
}

/** An image of an index. */
export interface PlatformImage extends MadeImage {
  readonly manifestBytes: number;
}

/** An image for two platforms. */
export interface MadeIndex {
  readonly digest: string;
  /** Digests of the manifests, by platform. */
  readonly manifests: Readonly<Record<"amd64" | "arm64", PlatformImage>>;
}

/** As {@link publishImage}, for amd64 and arm64. */
export async function publishIndex(
  directory: string,
  { registry, name, size }: {
    readonly registry: string;
    readonly name: string;
    readonly size: ImageSize;
  },
): Promise<MadeIndex> {
  const layout = await Deno.makeTempDir({ dir: directory, prefix: "layout-" });
  try {
    const manifests = {
      amd64: await platformed(layout, await makeImage(layout, size), "amd64"),
      arm64: await platformed(layout, await makeImage(layout, size), "arm64"),
    };
    const entries = Object.entries(manifests).map(([architecture, image]) => ({
      mediaType: MANIFEST_TYPE,
      digest: image.digest,
      size: image.manifestBytes,
      platform: { architecture, os: "linux" },
    }));
    const index = { schemaVersion: 2, mediaType: INDEX_TYPE, manifests: entries };
    const kept = await keep(layout, index);
    const top = { schemaVersion: 2, manifests: [{ mediaType: INDEX_TYPE, ...kept }] };
    await Deno.writeTextFile(join(layout, "index.json"), JSON.stringify(top));
    await put(layout, registry, name, "--all");
    return { digest: kept.digest, manifests };
  } finally {
    await Deno.remove(layout, { recursive: true });
  }
}

/** The same image with another architecture in its configuration. */
async function platformed(
  layout: string,
  image: MadeImage,
  architecture: string,
): Promise<PlatformImage> {
  const read = async (digest: string) =>
    JSON.parse(await Deno.readTextFile(join(layout, "blobs/sha256", digest.slice(7))));
  const manifest = await read(image.digest);
  const config = { ...await read(manifest.config.digest), architecture };
  manifest.config = { ...manifest.config, ...await keep(layout, config) };
  const kept = await keep(layout, manifest);
  return { ...image, digest: kept.digest, manifestBytes: kept.size };
}

async function keep(
  layout: string,
  value: object,
): Promise<{ readonly digest: string; readonly size: number }> {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  const hex = createHash("sha256").update(bytes).digest("hex");
  await Deno.writeFile(join(layout, "blobs/sha256", hex), bytes);
  return { digest: `sha256:${hex}`, size: bytes.length };
}

async function put(
  layout: string,
  registry: string,
  name: string,
  ...flags: string[]
): Promise<void> {
  const to = `docker://${new URL(registry).host}/${name}`;
  const all = ["copy", "-q", "--dest-tls-verify=false", ...flags, `oci:${layout}`, to];
  await commandOutput("skopeo", all);
}
