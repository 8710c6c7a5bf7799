/** How fast layers become files, beside GNU tar on the same archive and file system. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import type { Sha256 } from "../../src/core/hash.ts";
import type { Image, ImageLayer } from "../../provisioning/ports.ts";
import { UnpackedImages } from "../../provisioning/unpack/mod.ts";
import { run } from "./run.ts";

/** One archive in one form. */
export interface Unpacking {
  readonly form: "tar" | "gzip" | "zstd";
  /** Bytes of the archive, uncompressed. */
  readonly bytes: number;
  readonly ms: number;
  readonly tarMs: number;
}

const MIB = 1024 * 1024;

/** Writes an archive of `mib` MiB of programs and texts into `folder`: a few large files and many small. */
export async function makeArchive(folder: string, mib: number): Promise<string> {
  const tree = `${folder}/tree`;
  await Deno.mkdir(tree, { recursive: true });
  const program = await Deno.readFile(Deno.execPath());
  const largeCount = Math.ceil(mib * 0.75 / 16);
  for (let index = 0; index < largeCount; index++) {
    const at = (index * 16 * MIB) % Math.max(1, program.length - 16 * MIB);
    await Deno.writeFile(`${tree}/large-${index}`, program.subarray(at, at + 16 * MIB));
  }
  const smallBytes = 16 * 1024;
  const smallCount = Math.ceil(mib * 0.25 * MIB / smallBytes);
  for (let index = 0; index < smallCount; index++) {
    const place = `${tree}/small-${Math.floor(index / 256)}`;
    if (index % 256 === 0) await Deno.mkdir(place);
    const at = (index * 7919 * 16) % (program.length - smallBytes);
    await Deno.writeFile(`${place}/${index}`, program.subarray(at, at + smallBytes));
  }
  const archive = `${folder}/layer.tar`;
  await run(["tar", "-C", tree, "-cf", archive, "."]);
  await Deno.remove(tree, { recursive: true });
  return archive;
}

/** Compresses `archive`; @returns the file of each form that this machine can make. */
export async function compressed(archive: string): Promise<Map<Unpacking["form"], string>> {
  const files = new Map<Unpacking["form"], string>([["tar", archive]]);
  await run(["gzip", "-6", "-k", archive]);
  files.set("gzip", `${archive}.gz`);
  try {
    await run(["zstd", "-q", "-3", "-k", archive]);
    files.set("zstd", `${archive}.zst`);
  } catch {
    // Not installed: the figure is left out.
  }
  return files;
}

/** Unpacks one file with ours and with tar, each into an empty folder. */
export async function unpackBoth(
  form: Unpacking["form"],
  file: string,
  options: { readonly folder: string; readonly diffId: Sha256; readonly bytes: number },
): Promise<Unpacking> {
  const { folder, diffId, bytes } = options;
  const image = await imageOf(form, file, diffId);
  const images = new UnpackedImages(`${folder}/images`, { idOffset: 200_000 });
  await images.clean();
  let startMs = performance.now();
  await images.unpack(image, { signal: new AbortController().signal });
  const ms = performance.now() - startMs;
  await images.remove(image.digest);
  const target = `${folder}/by-tar`;
  await Deno.mkdir(target);
  startMs = performance.now();
  const option = form === "tar" ? [] : [form === "gzip" ? "-z" : "--zstd"];
  await run(["tar", "-C", target, ...option, "-xpf", file]);
  const tarMs = performance.now() - startMs;
  await Deno.remove(target, { recursive: true });
  return { form, bytes, ms, tarMs };
}

/** SHA-256 of a file. */
export async function sha256Of(file: string): Promise<Sha256> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(file)) hash.update(part as Uint8Array);
  return hash.digest("hex") as Sha256;
}

/** How long gunzip alone takes in this process: what unpacking gzip cannot beat. */
export async function gunzipMs(file: string): Promise<number> {
  const startMs = performance.now();
  for await (const _ of createReadStream(file).pipe(createGunzip({ chunkSize: 256 * 1024 })));
  return performance.now() - startMs;
}

async function imageOf(form: Unpacking["form"], file: string, diffId: Sha256): Promise<Image> {
  const layer: ImageLayer = {
    sha256: await sha256Of(file),
    diffId,
    mediaType: `application/vnd.oci.image.layer.v1.tar${form === "tar" ? "" : `+${form}`}`,
    size: (await Deno.stat(file)).size,
    open: async () => (await Deno.open(file)).readable,
  };
  return {
    digest: createHash("sha256").update(form).digest("hex") as Sha256,
    name: "example.test/bench:1",
    config: { env: [], entrypoint: [], cmd: [], exposedPorts: [] },
    layers: [layer],
  };
}
