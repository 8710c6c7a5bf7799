/**
 * What a container client waits for: a layer, a manifest, a cold pull, and two hundred pulls at one
 * time, from the mirror of a node beside nginx and Debian's docker-registry. All on loopback and in one
 * run, each side a process of its own: only ratios of one run mean anything.
 *
 *     deno run -A bench/registry.ts [--mib 1024] [--runs 3] [--only cached,small,cold,many]
 *         [--docker-registry PATH]
 */
import { parseArgs } from "node:util";
import { ChildProcess } from "../devnet/processes.ts";
import { curlMs, type Nginx, startNginx } from "./fetch/rivals.ts";
import { cpuSeconds } from "./registry/cpu.ts";
import { startDockerRegistry } from "./registry/docker_registry.ts";
import { manyCurlMs, readMs, responseOf } from "./registry/http.ts";
import { type Layer, makeLayer, MANIFEST_TYPE, pushImage } from "./registry/image.ts";

const MIB = 1024 * 1024;
const MANY = 200;
const REPOSITORY = "bench/app";

const { values } = parseArgs({
  options: {
    mib: { type: "string", default: "1024" },
    runs: { type: "string", default: "3" },
    only: { type: "string" },
    "docker-registry": { type: "string", default: "docker-registry" },
  },
});
const runCount = Number(values.runs);
const only = values.only?.split(",");
const wanted = (name: string) => only === undefined || only.includes(name);

const scratch = await Deno.makeTempDir({ prefix: "seedmint-registry-" });
const resources = new AsyncDisposableStack();
resources.defer(() => Deno.remove(scratch, { recursive: true }));

function say(name: string, what: string): void {
  console.log(`${name.padEnd(26)} ${what}`);
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;
}

function percentile95(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length * 0.95)]!;
}

/** A node with these settings besides. */
async function startNode(name: string, ...flags: string[]) {
  const process = resources.use(
    new ChildProcess({
      script: "node.ts",
      args: [
        ...["start", "--json", "--data", `${scratch}/${name}`, "--no-mdns"],
        ...["--listen", "/ip4/127.0.0.1/tcp/0", "--metrics-listen", "127.0.0.1:0"],
        ...flags,
      ],
    }),
  );
  const ready = await process.waitFor((line) => line.event === "ready");
  return { process, ready, mirror: String(ready.mirror), data: `${scratch}/${name}` };
}

type Node = Awaited<ReturnType<typeof startNode>>;

/** A node that mirrors `upstream` as docker.io. */
async function startMirror(name: string, upstream: Upstream, ...flags: string[]): Promise<Node> {
  const of = ["--mirror-upstream", `docker.io=${upstream.url}`, "--mirror-visibility", "public"];
  return await startNode(name, "--mirror-listen", "127.0.0.1:0", ...of, ...flags);
}

/** The registry that is mirrored. */
interface Upstream {
  readonly name: string;
  readonly url: string;
}

/** Debian's registry; where that is not installed, the push registry of a node. */
async function startUpstream(): Promise<Upstream> {
  const directory = `${scratch}/upstream`;
  const registry = await startDockerRegistry(directory, values["docker-registry"]);
  if (typeof registry !== "string") {
    return { name: "docker-registry", url: resources.use(registry).url };
  }
  say("docker-registry", `skipped: ${registry}`);
  const { ready } = await startNode("shelf", "--push-listen", "127.0.0.1:0");
  return { name: "push registry", url: String(ready.push) };
}

/** Pulls an image of one layer as a client does: the manifest by its tag, then the layer. */
async function pullMs(registry: string, tag: string, layer: Layer): Promise<number> {
  const base = `${registry}/v2/${REPOSITORY}`;
  const startMs = performance.now();
  await responseOf(`${base}/manifests/${tag}`, 200, { headers: { accept: MANIFEST_TYPE } });
  await curlMs(`${base}/blobs/${layer.digest}`, `${scratch}/out`);
  const ms = performance.now() - startMs;
  const { size } = await Deno.stat(`${scratch}/out`);
  if (size !== layer.size) throw new Error(`${registry} gave ${size} bytes, not ${layer.size}`);
  await Deno.remove(`${scratch}/out`);
  return ms;
}

/** Runs all in turn, so that what disturbs one disturbs all; the first round is not counted. */
async function contest(
  contestants: ReadonlyMap<string, () => Promise<number>>,
): Promise<Map<string, number>> {
  const ms = new Map([...contestants.keys()].map((name) => [name, [] as number[]]));
  for (let round = -1; round < runCount; round++) {
    for (const [name, run] of contestants) {
      await new Deno.Command("sync").output();
      const taken = await run();
      if (round >= 0) ms.get(name)!.push(taken);
    }
  }
  return new Map([...ms].map(([name, list]) => [name, median(list)]));
}

function sayRates(title: string, medians: ReadonlyMap<string, number>, size: number): void {
  const own = medians.get("node")!;
  for (const [name, ms] of medians) {
    const ratio = name === "node" ? "" : `  node has ${(ms / own).toFixed(2)} of it`;
    say(`${title}, ${name}`, `${(size / 1e3 / ms).toFixed(0).padStart(5)} MB/s${ratio}`);
  }
}

async function cached(
  node: Node,
  big: Layer,
  { upstream, nginx }: { readonly upstream: Upstream; readonly nginx: Nginx | undefined },
): Promise<void> {
  const path = `/v2/${REPOSITORY}/blobs/${big.digest}`;
  const target = `${scratch}/out`;
  const contestants = new Map([
    ["node", () => curlMs(`${node.mirror}${path}`, target)],
    [upstream.name, () => curlMs(`${upstream.url}${path}`, target)],
  ]);
  if (nginx !== undefined) {
    contestants.set("nginx", () => curlMs(`${nginx.http}/big`, target));
  }
  sayRates("cached", await contest(contestants), big.size);
}

async function small(node: Node, layer: Layer): Promise<void> {
  const base = `${node.mirror}/v2/${REPOSITORY}`;
  const times = async (url: string, count: number) => {
    const all: number[] = [];
    for (let turn = -5; turn < count; turn++) {
      const ms = await readMs(url);
      if (turn >= 0) all.push(ms);
    }
    return `${median(all).toFixed(2)} ms median, ${percentile95(all).toFixed(2)} ms p95`;
  };
  say("manifest in cache", await times(`${base}/manifests/small`, 200));
  say("cached 10 MB layer", await times(`${base}/blobs/${layer.digest}`, 40));
}

/**
 * Each round has a node of its own that does not have the layer, and knows the peer already: it has
 * pulled a small image from it, as those that it is compared with have answered before.
 */
async function cold(
  peer: Node,
  { big, little }: { readonly big: Layer; readonly little: Layer },
  { upstream, nginx }: { readonly upstream: Upstream; readonly nginx: Nginx | undefined },
): Promise<void> {
  const [address] = peer.ready.addresses as string[];
  const knows = ["--fleet", String(peer.ready.peerId), "--peer", address!];
  const brought = new Map<string, number>();
  const seconds: number[][] = [];
  let round = 0;
  const contestants = new Map([
    ["node", async () => {
      const host = await startMirror(`host-${round++}`, upstream, ...knows);
      await pullMs(host.mirror, "small", little);
      const pids = [host.process.pid, peer.process.pid];
      const before = await Promise.all(pids.map(cpuSeconds));
      const ms = await pullMs(host.mirror, "big", big);
      const after = await Promise.all(pids.map(cpuSeconds));
      seconds.push(after.map((now, index) => now - before[index]!));
      for (const [from, bytes] of await broughtTo(host, big.size)) {
        brought.set(from, (brought.get(from) ?? 0) + bytes);
      }
      await host.process.stop();
      await Deno.remove(host.data, { recursive: true });
      return ms;
    }],
    ["upstream", () => pullMs(upstream.url, "big", big)],
  ]);
  // Registries elsewhere speak TLS: this is what a pull from them costs, by the fastest server there is.
  if (nginx !== undefined) {
    contestants.set("nginx, HTTPS", () => curlMs(`${nginx.https}/big`, `${scratch}/out`));
  }
  const medians = await contest(contestants);
  sayRates("cold", medians, big.size);
  const [host, from] = [0, 1].map((index) => median(seconds.map((both) => both[index]!)));
  say("cold, CPU", `node ${host!.toFixed(2)} s and peer ${from!.toFixed(2)} s`);
  for (const [from, bytes] of brought) {
    say("cold, brought by", `${from} ${(bytes / 1e6).toFixed(0)} MB in ${round} rounds`);
  }
}

/** Where a node has its bytes from, as it tells once it has checked the whole. */
async function broughtTo(node: Node, size: number): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (let attempt = 0; attempt < 100; attempt++) {
    const metrics = await (await fetch(String(node.ready.metrics))).text();
    for (const [, from, bytes] of metrics.matchAll(BROUGHT)) found.set(from!, Number(bytes));
    if ([...found.values()].reduce((sum, bytes) => sum + bytes, 0) >= size) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return found;
}

const BROUGHT = /^seedmint_mirror_brought_bytes_total\{[^}]*from="(\w+)"\} (\d+)$/gm;

async function residentMiB(node: Node): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${node.process.pid}/status`);
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) / 1024;
}

async function many(node: Node, layer: Layer): Promise<void> {
  const url = `${node.mirror}/v2/${REPOSITORY}/blobs/${layer.digest}`;
  // One alone first: code and first buffers are there then.
  await manyCurlMs(url, 1);
  const before = await residentMiB(node);
  let peak = before;
  const watch = setInterval(async () => peak = Math.max(peak, await residentMiB(node)), 50);
  const ms = await manyCurlMs(url, MANY);
  clearInterval(watch);
  say(
    `${MANY} pulls at once`,
    `${(MANY * layer.size / 1e3 / ms).toFixed(0)} MB/s together, ` +
      `${(peak - before).toFixed(0)} MiB above the ${before.toFixed(0)} MiB of one`,
  );
}

try {
  const upstream = await startUpstream();
  const big = await makeLayer(`${scratch}/big`, Number(values.mib) * MIB);
  const little = await makeLayer(`${scratch}/small`, 10_000_000);
  await pushImage(upstream.url, REPOSITORY, { tag: "big", layer: big });
  await pushImage(upstream.url, REPOSITORY, { tag: "small", layer: little });
  const peer = await startMirror("peer", upstream);
  await pullMs(peer.mirror, "big", big);
  await pullMs(peer.mirror, "small", little);
  const started = await startNginx(scratch, scratch);
  if (typeof started === "string") say("nginx", `skipped: ${started}`);
  else resources.use(started);
  const rivals = { upstream, nginx: typeof started === "string" ? undefined : started };
  if (wanted("cached")) await cached(peer, big, rivals);
  if (wanted("small")) await small(peer, little);
  if (wanted("cold")) await cold(peer, { big, little }, rivals);
  if (wanted("many")) await many(peer, little);
} finally {
  await resources.disposeAsync();
}
Deno.exit(0);
