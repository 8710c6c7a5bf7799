/** Layers for tests, hostile ones too: tar archives written entry by entry. */
import { createHash } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { concatBytes } from "../../../src/core/bytes.ts";
import type { Sha256 } from "../../../src/core/hash.ts";
import type { Image, ImageConfig, ImageLayer } from "../../../provisioning/ports.ts";

/** One entry of an archive; what is left out is a plain file of root. */
export interface Entry {
  readonly name: string;
  /** As in the header: `0` file, `1` hard link, `2` symbolic link, `3` device, `5` directory. */
  readonly type?: string;
  readonly link?: string;
  readonly content?: string | Uint8Array;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly modifiedS?: number;
}

/** An archive of these entries with its end mark. */
export function tarOf(entries: readonly Entry[]): Uint8Array<ArrayBuffer> {
  return concatBytes(...entries.flatMap(blocksOf), new Uint8Array(1024));
}

/** A layer of these entries. */
export function layerOf(
  entries: readonly Entry[],
  form: "tar" | "gzip" | "zstd" = "gzip",
): ImageLayer {
  return layerOfTar(tarOf(entries), form);
}

/** A layer of an archive. */
export function layerOfTar(
  tar: Uint8Array<ArrayBuffer>,
  form: "tar" | "gzip" | "zstd" = "gzip",
): ImageLayer {
  const stored = form === "tar"
    ? tar
    : Uint8Array.from(form === "gzip" ? gzipSync(tar) : zstdCompressSync(tar));
  return {
    sha256: sha256Of(stored),
    diffId: sha256Of(tar),
    mediaType: `application/vnd.oci.image.layer.v1.tar${form === "tar" ? "" : `+${form}`}`,
    size: stored.length,
    open: () =>
      Promise.resolve(new Blob([stored]).stream() as ReadableStream<Uint8Array<ArrayBuffer>>),
  };
}

/** An image of these layers. */
export function imageOf(layers: readonly ImageLayer[], config: Partial<ImageConfig> = {}): Image {
  const whole: ImageConfig = { env: [], entrypoint: [], cmd: [], exposedPorts: [], ...config };
  const text = JSON.stringify([whole, layers.map((layer) => layer.sha256)]);
  return {
    digest: sha256Of(new TextEncoder().encode(text)),
    name: "example.test/image:1",
    config: whole,
    layers,
  };
}

/** SHA-256 in hex. */
export function sha256Of(bytes: Uint8Array): Sha256 {
  return createHash("sha256").update(bytes).digest("hex") as Sha256;
}

function blocksOf(entry: Entry): Uint8Array<ArrayBuffer>[] {
  const content = typeof entry.content === "string"
    ? new TextEncoder().encode(entry.content)
    : entry.content ?? new Uint8Array(0);
  const blocks: Uint8Array<ArrayBuffer>[] = [];
  for (const [name, type] of [[entry.link ?? "", "K"], [entry.name, "L"]] as const) {
    if (name.length <= 100) continue;
    const bytes = new TextEncoder().encode(`${name}\0`);
    blocks.push(headerOf({ name: "././@LongLink", type }, bytes.length), padded(bytes));
  }
  return [...blocks, headerOf(entry, content.length), padded(content)];
}

function headerOf(entry: Entry, size: number): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(512);
  const put = (offset: number, text: string) => block.set(new TextEncoder().encode(text), offset);
  const octal = (offset: number, width: number, value: number) =>
    put(offset, `${value.toString(8).padStart(width - 1, "0")}\0`);
  const isFolder = entry.type === "5";
  put(0, entry.name.slice(0, 100));
  octal(100, 8, entry.mode ?? (isFolder ? 0o755 : 0o644));
  octal(108, 8, entry.uid ?? 0);
  octal(116, 8, entry.gid ?? 0);
  octal(124, 12, size);
  octal(136, 12, entry.modifiedS ?? 1_700_000_000);
  put(156, entry.type ?? "0");
  put(157, (entry.link ?? "").slice(0, 100));
  put(257, "ustar\0" + "00");
  put(148, "        ");
  put(148, `${block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, "0")}\0 `);
  return block;
}

function padded(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(Math.ceil(bytes.length / 512) * 512);
  whole.set(bytes);
  return whole;
}
