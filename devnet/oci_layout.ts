/** A container image made here: an OCI layout of random layers, as build tools write it. */
import { createHash } from "node:crypto";
import { join } from "node:path";

const BLOCK_BYTES = 512;
const PIECE_BYTES = 65_536;
const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";

/** A blob that an image lists. */
export interface MadeBlob {
  readonly digest: string;
  readonly size: number;
}

/** An image that was made. */
export interface MadeImage {
  /** `sha256:` and 64 hex digits, of its manifest. */
  readonly digest: string;
  readonly layers: readonly MadeBlob[];
  /** Bytes of its manifest, configuration and layers. */
  readonly size: number;
}

/** Writes an image of `layerCount` layers, each of `layerBytes` before compression. */
export async function makeImage(
  directory: string,
  options: { readonly layerCount: number; readonly layerBytes: number },
): Promise<MadeImage> {
  const blobs = join(directory, "blobs/sha256");
  await Deno.mkdir(blobs, { recursive: true });
  const keep = async (bytes: Uint8Array<ArrayBuffer>): Promise<MadeBlob> => {
    const hex = createHash("sha256").update(bytes).digest("hex");
    await Deno.writeFile(join(blobs, hex), bytes);
    return { digest: `sha256:${hex}`, size: bytes.length };
  };
  const layers: MadeBlob[] = [];
  const diffIds: string[] = [];
  for (let index = 0; index < options.layerCount; index++) {
    const tar = layerOf(`file-${index}`, options.layerBytes);
    diffIds.push(`sha256:${createHash("sha256").update(tar).digest("hex")}`);
    layers.push(await keep(await gzip(tar)));
  }
  const config = await keep(json({
    architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64",
    os: "linux",
    config: {},
    rootfs: { type: "layers", diff_ids: diffIds },
  }));
  const manifest = await keep(json({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: { mediaType: "application/vnd.oci.image.config.v1+json", ...config },
    layers: layers.map((layer) => ({
      mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
      ...layer,
    })),
  }));
  await Deno.writeFile(join(directory, "oci-layout"), json({ imageLayoutVersion: "1.0.0" }));
  await Deno.writeFile(
    join(directory, "index.json"),
    json({ schemaVersion: 2, manifests: [{ mediaType: MANIFEST_TYPE, ...manifest }] }),
  );
  const size = [manifest, config, ...layers].reduce((sum, blob) => sum + blob.size, 0);
  return { digest: manifest.digest, layers, size };
}

/** A tar archive of one file with random bytes. */
function layerOf(name: string, bytes: number): Uint8Array<ArrayBuffer> {
  const padded = Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
  const tar = new Uint8Array(BLOCK_BYTES + padded + 2 * BLOCK_BYTES);
  const field = (offset: number, text: string) => tar.set(new TextEncoder().encode(text), offset);
  field(0, name);
  field(100, "0000644\0");
  field(108, "0000000\0");
  field(116, "0000000\0");
  field(124, `${bytes.toString(8).padStart(11, "0")}\0`);
  field(136, "00000000000\0");
  field(148, "        ");
  field(156, "0");
  field(257, "ustar\x0000");
  const sum = tar.subarray(0, BLOCK_BYTES).reduce((total, byte) => total + byte, 0);
  field(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  for (let at = BLOCK_BYTES; at < BLOCK_BYTES + bytes; at += PIECE_BYTES) {
    crypto.getRandomValues(tar.subarray(at, Math.min(at + PIECE_BYTES, BLOCK_BYTES + bytes)));
  }
  return tar;
}

async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function json(value: object): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}
