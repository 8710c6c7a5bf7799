/** Container images made here: an OCI layout, as build tools write it. */
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

/** One entry of a layer. */
export interface LayerEntry {
  readonly name: string;
  readonly mode: number;
  /** A file with these bytes; a link; a folder when it has neither. */
  readonly bytes?: Uint8Array;
  readonly link?: string;
}

/** Writes an image of `layerCount` layers, each a file of `layerBytes` random bytes. */
export async function makeImage(
  directory: string,
  options: { readonly layerCount: number; readonly layerBytes: number },
): Promise<MadeImage> {
  const layers = Array.from({ length: options.layerCount }, (_, index) => [
    { name: `file-${index}`, mode: 0o644, bytes: randomBytes(options.layerBytes) },
  ]);
  return await writeImage(directory, { layers, config: {} });
}

/** Writes an image of layers with these entries. */
export async function writeImage(
  directory: string,
  options: {
    readonly layers: readonly (readonly LayerEntry[])[];
    /** What it runs: `config` of the image's configuration. */
    readonly config: object;
  },
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
  for (const entries of options.layers) {
    const tar = tarOf(entries);
    diffIds.push(`sha256:${createHash("sha256").update(tar).digest("hex")}`);
    layers.push(await keep(await gzip(tar)));
  }
  const config = await keep(json({
    architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64",
    os: "linux",
    config: options.config,
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

/** A tar archive. */
function tarOf(entries: readonly LayerEntry[]): Uint8Array<ArrayBuffer> {
  const padded = (size: number) => Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
  const size = entries.reduce(
    (sum, { bytes }) => sum + BLOCK_BYTES + padded(bytes?.length ?? 0),
    2 * BLOCK_BYTES,
  );
  const tar = new Uint8Array(size);
  let at = 0;
  for (const entry of entries) {
    tar.set(headerOf(entry), at);
    at += BLOCK_BYTES;
    if (entry.bytes === undefined) continue;
    tar.set(entry.bytes, at);
    at += padded(entry.bytes.length);
  }
  return tar;
}

function headerOf({ name, mode, bytes, link }: LayerEntry): Uint8Array {
  const header = new Uint8Array(BLOCK_BYTES);
  const field = (offset: number, text: string) =>
    header.set(new TextEncoder().encode(text), offset);
  field(0, name);
  field(100, `${mode.toString(8).padStart(7, "0")}\0`);
  field(108, "0000000\0");
  field(116, "0000000\0");
  field(124, `${(bytes?.length ?? 0).toString(8).padStart(11, "0")}\0`);
  field(136, "00000000000\0");
  field(148, "        ");
  field(156, bytes !== undefined ? "0" : link !== undefined ? "2" : "5");
  field(157, link ?? "");
  field(257, "ustar\x0000");
  const sum = header.reduce((total, byte) => total + byte, 0);
  field(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return header;
}

function randomBytes(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count; at += PIECE_BYTES) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(at + PIECE_BYTES, count)));
  }
  return bytes;
}

async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function json(value: object): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}
