/**
 * The act about container images: one is pushed to a node as to any registry, announced, and pulled by
 * the client of another node, while the registry that its name belongs to does not answer. Client is
 * skopeo where it is installed; else our own push, and requests as skopeo sends them.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { ActResult } from "./acts.ts";
import { type MadeImage, makeImage } from "./oci_layout.ts";
import type { World } from "./world.ts";

const MIB = 2 ** 20;
const LAYER_COUNT = 3;
const LAYER_BYTES = 16 * MIB;
const REPOSITORY = "demo/app";

/** Who pushed or pulled, and what it took. */
interface Step {
  readonly client: "skopeo" | "ours";
  readonly ms: number;
  readonly bytes: number;
}

/** Pushes, announces and pulls an image. */
export async function image(world: World): Promise<ActResult> {
  const layout = join(world.directory, "app");
  const isOff = `docker.io=http://127.0.0.1:${closedPort()}`;
  const [made, shelf, host] = await Promise.all([
    makeImage(layout, { layerCount: LAYER_COUNT, layerBytes: LAYER_BYTES }),
    world.node("shelf", "--push-listen", "127.0.0.1:0"),
    world.node("host", "--mirror-listen", "127.0.0.1:0", "--mirror-upstream", isOff),
  ]);
  const push = addressOf(shelf.ready.push);
  const pushed = await pushTo(world, { layout, made, to: `${push}/${REPOSITORY}:1` });
  const announced = await world.verb(
    ...["image", "announce", `seedmint.local/${REPOSITORY}:1`, "--visibility", "public"],
    ...["--data", shelf.data],
  );
  const { hash, digest } = announced.lines.at(-1) ?? {};
  await world.waitUntilFound(String(hash), shelf.peerId);
  const mirror = addressOf(host.ready.mirror);
  const name = `${mirror}/docker.io/${REPOSITORY}`;
  const pulled = await pull(world, { name, made });
  const kept = await world.verb("image", "ls", "--data", host.data);
  const isKept = kept.lines.some((line) => line.digest === made.digest);
  return {
    ok: digest === made.digest && pulled.bytes >= made.size && isKept,
    text:
      `${nameOf(pushed.client)} pushed an image to one node; ${nameOf(pulled.client)} pulled it ` +
      "from another, with the registry switched off, and every digest is right",
    lines: [
      tableLine("STEP", "BYTES", ""),
      tableLine("pushed", mebibytes(pushed.bytes), timeOf(pushed)),
      tableLine("announced", "-", String(digest).slice(0, 19)),
      tableLine("pulled", mebibytes(pulled.bytes), timeOf(pulled)),
    ],
    figures: { digest: made.digest, pushed, pulled, isKept },
  };
}

async function pushTo(
  world: World,
  { layout, made, to }: { readonly layout: string; readonly made: MadeImage; readonly to: string },
): Promise<Step> {
  const startMs = performance.now();
  const isDone = await skopeo(
    ...["copy", "--dest-tls-verify=false", `oci:${layout}`, `docker://${to}`],
  );
  if (!isDone) {
    await world.verb("image", "push", layout, to, "--data", join(world.directory, "builder"));
  }
  const ms = performance.now() - startMs;
  return { client: isDone ? "skopeo" : "ours", ms, bytes: made.size };
}

async function pull(
  world: World,
  { name, made }: { readonly name: string; readonly made: MadeImage },
): Promise<Step> {
  const startMs = performance.now();
  const target = join(world.directory, "pulled");
  const isDone = await skopeo(
    ...["copy", "--src-tls-verify=false", `docker://${name}@${made.digest}`, `dir:${target}`],
  );
  const bytes = isDone ? await sizeOf(target, made) : await askAsClient(name, made);
  return { client: isDone ? "skopeo" : "ours", ms: performance.now() - startMs, bytes };
}

/** Runs skopeo. @returns False where it is not installed. @throws {Error} If it fails. */
async function skopeo(...args: string[]): Promise<boolean> {
  try {
    const { success, stderr } = await new Deno.Command("skopeo", {
      args: ["--insecure-policy", ...args],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (success) return true;
    throw new Error(`skopeo failed: ${new TextDecoder().decode(stderr).slice(-400)}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** What skopeo wrote, each file of it checked against the digest that it is named by. */
async function sizeOf(directory: string, made: MadeImage): Promise<number> {
  let size = 0;
  for await (const { name } of Deno.readDir(directory)) {
    const isBlob = /^[0-9a-f]{64}$/.test(name);
    if (!isBlob && name !== "manifest.json") continue;
    const bytes = await Deno.readFile(join(directory, name));
    checkDigest(bytes, isBlob ? `sha256:${name}` : made.digest);
    size += bytes.length;
  }
  return size;
}

/** Asks a registry for an image as clients do: the manifest, then all that it lists. */
async function askAsClient(name: string, made: MadeImage): Promise<number> {
  const [host, ...path] = name.split("/");
  const get = async (kind: string, digest: string) => {
    const response = await fetch(`http://${host}/v2/${path.join("/")}/${kind}/${digest}`);
    if (!response.ok) throw new Error(`${kind}/${digest} answered ${await response.text()}`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    checkDigest(bytes, digest);
    return bytes;
  };
  const manifest = await get("manifests", made.digest);
  const { config, layers } = JSON.parse(new TextDecoder().decode(manifest));
  const blobs = await Promise.all(
    [config, ...layers].map(({ digest }: { digest: string }) => get("blobs", digest)),
  );
  return [manifest, ...blobs].reduce((sum, { length }) => sum + length, 0);
}

function checkDigest(bytes: Uint8Array, digest: string): void {
  const found = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  if (found !== digest) throw new Error(`${digest} arrived as ${found}`);
}

/** A port of this machine at which nobody listens. */
function closedPort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

function addressOf(url: unknown): string {
  return new URL(String(url)).host;
}

function nameOf(client: Step["client"]): string {
  return client === "skopeo" ? "skopeo" : "our own client";
}

function mebibytes(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}

function timeOf({ ms, bytes, client }: Step): string {
  const rate = (bytes / Math.max(1, ms) / 1000).toFixed(0);
  return `in ${(ms / 1000).toFixed(2)} s  ${rate} MB/s  (${nameOf(client)})`;
}

function tableLine(step: string, bytes: string, rest: string): string {
  return `${step.padEnd(12)}${bytes.padStart(10)}  ${rest}`.trimEnd();
}
