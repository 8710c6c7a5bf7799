/** An image of layers without any sense in them, pushed as clients push. */
import { createHash } from "node:crypto";
import { responseOf } from "./http.ts";

const MIB = 1024 * 1024;
/** What is pushed, and what clients say that they take. */
export const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";

/** A file that is a layer. */
export interface Layer {
  readonly path: string;
  readonly digest: string;
  readonly size: number;
}

/** Writes a file of random bytes; a block of them, numbered, over and over. */
export async function makeLayer(path: string, size: number): Promise<Layer> {
  const block = new Uint8Array(Math.min(size, 8 * MIB));
  for (let at = 0; at < block.length; at += 65_536) {
    crypto.getRandomValues(block.subarray(at, Math.min(at + 65_536, block.length)));
  }
  const sha256 = createHash("sha256");
  using file = await Deno.open(path, { write: true, create: true });
  for (let done = 0; done < size; done += block.length) {
    new DataView(block.buffer).setUint32(0, done / block.length);
    const piece = block.subarray(0, Math.min(block.length, size - done));
    sha256.update(piece);
    for (let at = 0; at < piece.length;) at += await file.write(piece.subarray(at));
  }
  return { path, digest: `sha256:${sha256.digest("hex")}`, size };
}

/** Pushes an image of one layer to `REGISTRY/repository:tag`. @returns Its manifest's digest. */
export async function pushImage(
  registry: string,
  repository: string,
  { tag, layer }: { readonly tag: string; readonly layer: Layer },
): Promise<string> {
  const config = new TextEncoder().encode(JSON.stringify({
    architecture: "amd64",
    os: "linux",
    config: {},
    rootfs: { type: "layers", diff_ids: [layer.digest] },
  }));
  const configDigest = `sha256:${createHash("sha256").update(config).digest("hex")}`;
  await pushBlob(registry, repository, {
    digest: configDigest,
    body: () => Promise.resolve(config),
  });
  await pushBlob(registry, repository, {
    digest: layer.digest,
    body: async () => (await Deno.open(layer.path)).readable,
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: {
      mediaType: "application/vnd.oci.image.config.v1+json",
      digest: configDigest,
      size: config.length,
    },
    layers: [{
      mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
      digest: layer.digest,
      size: layer.size,
    }],
  });
  const put = await responseOf(`${registry}/v2/${repository}/manifests/${tag}`, 201, {
    method: "PUT",
    headers: { "content-type": MANIFEST_TYPE },
    body: manifest,
  });
  return put.headers.get("docker-content-digest")!;
}

async function pushBlob(
  registry: string,
  repository: string,
  blob: { readonly digest: string; readonly body: () => Promise<BodyInit> },
): Promise<void> {
  const uploads = `${registry}/v2/${repository}/blobs/uploads/`;
  const begun = await responseOf(uploads, 202, { method: "POST" });
  const location = new URL(begun.headers.get("location")!, registry);
  location.searchParams.set("digest", blob.digest);
  await responseOf(location.href, 201, { method: "PUT", body: await blob.body() });
}
