/**
 * Lending with real processes: a development network, a relay, a node that has an image, a provider on
 * the real runc, and lessees. Runs in namespaces of its own: see `lease_test.ts`.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import {
  ChildProcess,
  type JsonLine,
  runVerb,
  type VerbResult,
} from "../../../devnet/processes.ts";
import { LENDING_FLAGS } from "../../../src/app/permissions.ts";
import { busyboxImage } from "../../support/provisioning/busybox_image.ts";
import { Bench, type Devnet, fundWallet, ok } from "../support.ts";

/** What the provider's tier costs: a sat a second. */
export const RATE_MSAT = 1000;

/** A provider that runs. */
export interface LabProvider {
  readonly data: string;
  readonly npub: string;
  readonly process: ChildProcess;
}

/** See the head of this file. */
export class LeaseLab implements AsyncDisposable {
  readonly bench: Bench;
  readonly net: Devnet;
  readonly relay: string;
  /** `NAME@sha256:…` of an image that only the shelf has. */
  readonly image: string;
  readonly stateDir: string;
  readonly #processes = new Set<ChildProcess>();

  private constructor(
    parts: { bench: Bench; net: Devnet; relay: string; image: string; stateDir: string },
  ) {
    this.bench = parts.bench;
    this.net = parts.net;
    this.relay = parts.relay;
    this.image = parts.image;
    this.stateDir = parts.stateDir;
  }

  static async open(): Promise<LeaseLab> {
    const bench = await Bench.open();
    const [net, relay, stateDir] = await Promise.all([
      bench.devnet(100, 2),
      bench.relay(),
      Deno.makeTempDir({ prefix: "seedmint-lease-" }),
    ]);
    await Deno.chmod(stateDir, 0o711);
    const image = await shelve(bench, relay);
    return new LeaseLab({ bench, net, relay, image, stateDir });
  }

  /** Starts (again) the provider, which lends at once. */
  async provider(...flags: string[]): Promise<LabProvider> {
    const data = this.bench.path("provider");
    const process = new ChildProcess({
      script: "node.ts",
      flags: LENDING_FLAGS,
      args: [
        ...["provider", "start", "--json", "--data", data, "--no-mdns"],
        ...["--listen", "/ip4/127.0.0.1/tcp/0", "--relay", this.relay],
        ...["--mint", this.net.mints[0]!.url],
        ...["--provider-tier", `basic=100m/64MiB/64MiB/${RATE_MSAT}msat`],
        ...["--provider-public-host", "127.0.0.1", "--provider-state", this.stateDir],
        ...["--provider-ports", "31500-31599", "--provider-duration-min", "1s"],
        ...flags,
      ],
    });
    this.#processes.add(process);
    const ready = await process.waitFor((line) => line.event === "ready", 60_000);
    const provider = { data, npub: String(ready.npub), process };
    await until(async () => (await this.report(provider)).state !== "off");
    return provider;
  }

  /** What `provider status` says. */
  async report({ data }: LabProvider): Promise<JsonLine> {
    return (await runVerb("provider", "status", "--data", data)).lines.at(-1) ?? {};
  }

  /** A lessee's data directory with money of a mint. */
  async lessee(name: string, sat: number, mint = 1): Promise<string> {
    const data = this.bench.path(name);
    await Deno.mkdir(data, { mode: 0o700 });
    const mints = this.net.mints.map(({ url }) => url);
    await Deno.writeTextFile(
      join(data, "seedmint.toml"),
      `mint = ${JSON.stringify(mints)}\nrelay = ["${this.relay}"]\nmdns = false\n`,
    );
    await fundWallet(this.bench, this.net, { data, sat, mint: this.net.mints[mint]!.url });
    return data;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([...this.#processes].map((process) => process.stop()));
    await this.bench[Symbol.asyncDispose]();
    // It would stay a minute longer, and make its folders anew.
    const pid = Number(await Deno.readTextFile(join(this.stateDir, "watchdog.pid")).catch(() => 0));
    if (pid > 1 && isAlive(pid)) {
      Deno.kill(pid, "SIGTERM");
      await until(() => Promise.resolve(!isAlive(pid)));
    }
    await Deno.remove(this.stateDir, { recursive: true }).catch(() => {});
  }
}

/** Pushes the smallest image with a shell to a node of its own, which announces it. */
async function shelve(bench: Bench, relay: string): Promise<string> {
  const layout = bench.path("layout");
  const digest = await writeLayout(layout);
  const { ready } = await bench.node(
    ...["shelf", "--push-listen", "127.0.0.1:0", "--relay", relay] as [string, ...string[]],
  );
  const data = ["--data", bench.path("shelf")];
  const host = new URL(String(ready.push)).host;
  await ok("image", "push", layout, `${host}/lab/box:1`, "--data", bench.path("builder"));
  await ok("image", "announce", "seedmint.local/lab/box:1", "--visibility", "public", ...data);
  return `seedmint.local/lab/box@${digest}`;
}

/**
 * Writes the smallest image with a shell as a layout.
 *
 * @param platform Another machine than this one: then it is an index with that image alone.
 * @returns The digest of its manifest, or of the index.
 */
export async function writeLayout(directory: string, platform?: string): Promise<string> {
  const image = await busyboxImage({
    entrypoint: ["/bin/sh", "-c"],
    cmd: ["echo ready; sleep 3600"],
  });
  const blobs = join(directory, "blobs/sha256");
  await Deno.mkdir(blobs, { recursive: true });
  const keep = async (bytes: Uint8Array<ArrayBuffer>) => {
    const hex = createHash("sha256").update(bytes).digest("hex");
    await Deno.writeFile(join(blobs, hex), bytes);
    return { digest: `sha256:${hex}`, size: bytes.length };
  };
  const json = (value: object) => new TextEncoder().encode(JSON.stringify(value));
  const layers = [];
  for (const layer of image.layers) {
    const bytes = new Uint8Array(await new Response(await layer.open()).arrayBuffer());
    layers.push({ mediaType: layer.mediaType, ...await keep(bytes) });
  }
  const config = await keep(json({
    architecture: platform ?? (Deno.build.arch === "aarch64" ? "arm64" : "amd64"),
    os: "linux",
    config: { Entrypoint: image.config.entrypoint, Cmd: image.config.cmd },
    rootfs: { type: "layers", diff_ids: image.layers.map(({ diffId }) => `sha256:${diffId}`) },
  }));
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = await keep(json({
    schemaVersion: 2,
    mediaType,
    config: { mediaType: "application/vnd.oci.image.config.v1+json", ...config },
    layers,
  }));
  let top = { mediaType, ...manifest };
  if (platform !== undefined) {
    const only = { ...top, platform: { architecture: platform, os: "linux" } };
    const mediaType = "application/vnd.oci.image.index.v1+json";
    top = { mediaType, ...await keep(json({ schemaVersion: 2, mediaType, manifests: [only] })) };
  }
  await Deno.writeFile(join(directory, "oci-layout"), json({ imageLayoutVersion: "1.0.0" }));
  await Deno.writeFile(
    join(directory, "index.json"),
    json({ schemaVersion: 2, manifests: [top] }),
  );
  return top.digest;
}

function isAlive(pid: number): boolean {
  try {
    return !Deno.readTextFileSync(`/proc/${pid}/stat`).includes(") Z ");
  } catch {
    return false;
  }
}

/** Waits until something is so. */
export async function until(
  condition: () => Promise<boolean>,
  withinMs = 30_000,
): Promise<void> {
  const deadline = AbortSignal.timeout(withinMs);
  while (!await condition()) {
    if (deadline.aborted) throw new Error("it never came true");
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** What a verb printed last, with why it failed. */
export function lastLine(result: VerbResult): JsonLine {
  if (result.code === 0) return result.lines.at(-1) ?? {};
  throw new Error(`exit ${result.code}: ${JSON.stringify(result.lines.at(-1))} ${result.stderr}`);
}
