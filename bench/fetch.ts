/**
 * A verified fetch beside a plain download: 1 GiB from page cache to disk over loopback, each side a
 * process of its own, everything in one run, because only ratios of one run mean anything.
 *
 *     deno run -A bench/fetch.ts [--mib 1024] [--runs 5] [--only stream,https] [--memory] [--verbose]
 */
import { parseArgs } from "node:util";
import { PeerProcess } from "./fetch/child.ts";
import { startIroh } from "./fetch/iroh.ts";
import { curlMs, type Nginx, startNginx } from "./fetch/rivals.ts";

const MIB = 1024 * 1024;

const { values } = parseArgs({
  options: {
    mib: { type: "string", default: "1024" },
    runs: { type: "string", default: "5" },
    only: { type: "string" },
    memory: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
    directory: { type: "string" },
    "provider-flags": { type: "string" },
    "requester-flags": { type: "string" },
  },
});
const sizeBytes = Number(values.mib) * MIB;
const runCount = Number(values.runs);
const only = values.only?.split(",");
const flagsOf = (text: string | undefined) => text?.split(" ") ?? [];

const scratch = await Deno.makeTempDir({
  prefix: "seedmint-fetch-",
  ...(values.directory === undefined ? {} : { dir: values.directory }),
});
const rates = new Map<string, number>();

function wanted(name: string): boolean {
  return only === undefined || only.includes(name);
}

function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;
}

function say(name: string, what: string): void {
  console.log(`${name.padEnd(18)} ${what}`);
}

function sayRate(name: string, ms: number[], more = ""): void {
  const rate = sizeBytes / 1e3 / median(ms);
  rates.set(name, rate);
  const https = rates.get("https");
  const ratio = https === undefined ? "" : `  ${(rate / https).toFixed(2)} x https`;
  say(name, `${rate.toFixed(0).padStart(5)} MB/s${ratio}${more}`);
}

async function makeFile(path: string, bytes: number): Promise<void> {
  const piece = new Uint8Array(8 * MIB);
  for (let at = 0; at < piece.length; at += 65_536) {
    crypto.getRandomValues(piece.subarray(at, at + 65_536));
  }
  using file = await Deno.open(path, { write: true, create: true });
  for (let done = 0; done < bytes; done += piece.length) {
    new DataView(piece.buffer).setUint32(0, done / piece.length);
    await file.write(piece.subarray(0, Math.min(piece.length, bytes - done)));
  }
}

/** One way to get the file, run once per round: what disturbs one disturbs all. */
interface Contestant {
  readonly name: string;
  /** Milliseconds from asking to the last verified byte in a file, and what else is worth telling. */
  run(): Promise<{ readonly ms: number; readonly cpuSeconds?: number }>;
}

function download(nginx: Nginx, scheme: "http" | "https"): Contestant {
  return {
    name: scheme,
    async run() {
      const ms = await curlMs(`${nginx[scheme]}/file`, `${scratch}/curl`);
      await Deno.remove(`${scratch}/curl`);
      return { ms };
    },
  };
}

interface Swarm {
  readonly requester: PeerProcess;
  readonly from: string[];
  readonly hash: string;
}

async function startSwarm(
  name: string,
  options: { readonly providerCount: number; readonly direct: boolean },
): Promise<Swarm> {
  const from: string[] = [];
  let hash = "";
  for (let index = 0; index < options.providerCount; index++) {
    const flags = flagsOf(values["provider-flags"]);
    const peer = resources.use(await PeerProcess.start(`${scratch}/${name}-${index}`, flags));
    const served = await peer.tell({
      do: "serve",
      file: `${scratch}/file`,
      direct: options.direct,
    });
    from.push(served.address);
    hash = served.hash;
  }
  const flags = flagsOf(values["requester-flags"]);
  const requester = resources.use(await PeerProcess.start(`${scratch}/${name}-get`, flags));
  return { requester, from, hash };
}

function fetchFrom(name: string, swarm: Swarm, direct: boolean): Contestant {
  const { requester, from, hash } = swarm;
  return {
    name,
    async run() {
      const result = await requester.tell({ do: "fetch", hash, from, direct });
      if (result.failures.length > 0) console.error(result.failures);
      await requester.tell({ do: "remove", hash });
      return result;
    },
  };
}

/** Writes out what the last run left dirty, so that none pays for the one before it. */
async function settleDisk(): Promise<void> {
  await new Deno.Command("sync").output();
}

async function contest(contestants: readonly Contestant[]): Promise<void> {
  const ms = new Map(contestants.map(({ name }) => [name, [] as number[]]));
  const cpu = new Map<string, number>();
  // The first round warms caches and compilers and is not counted.
  for (let round = -1; round < runCount; round++) {
    for (const contestant of contestants) {
      await settleDisk();
      const result = await contestant.run();
      if (round < 0) continue;
      ms.get(contestant.name)!.push(result.ms);
      if (result.cpuSeconds !== undefined) {
        cpu.set(contestant.name, Math.min(cpu.get(contestant.name) ?? Infinity, result.cpuSeconds));
      }
    }
  }
  for (const { name } of contestants) {
    if (values.verbose) console.log(name, ms.get(name)!.map((x) => Math.round(x)).join(" "));
    const seconds = cpu.get(name);
    sayRate(
      name,
      ms.get(name)!,
      seconds === undefined ? "" : `  requester CPU ${seconds.toFixed(2)} s`,
    );
  }
}

async function small(): Promise<void> {
  await using provider = await PeerProcess.start(`${scratch}/small`);
  const served = await provider.tell({ do: "serve-small", count: 10_000, bytes: 4096 });
  await using requester = await PeerProcess.start(`${scratch}/small-get`);
  const result = await requester.tell({
    do: "fetch-collection",
    hash: served.hash,
    from: [served.address],
  });
  say("10,000 x 4 KiB", `${(1e7 / result.ms).toFixed(0)} blobs/s`);
}

async function limited(): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const from: string[] = [];
  let hash = "";
  await makeFile(`${scratch}/limited`, 512 * MIB);
  for (let index = 0; index < 4; index++) {
    const peer = stack.use(await PeerProcess.start(`${scratch}/limited-${index}`));
    const served = await peer.tell({
      do: "serve",
      file: `${scratch}/limited`,
      bytesPerSecond: 50_000_000,
    });
    from.push(served.address);
    hash = served.hash;
  }
  const requester = stack.use(await PeerProcess.start(`${scratch}/limited-get`));
  let alone = 0;
  for (const address of from) {
    const result = await requester.tell({ do: "fetch", hash, from: [address], direct: false });
    alone += 512 * MIB / 1e3 / result.ms;
    await requester.tell({ do: "remove", hash });
  }
  const all = await requester.tell({ do: "fetch", hash, from, direct: false });
  const rate = 512 * MIB / 1e3 / all.ms;
  say(
    "4 at 50 MB/s",
    `${rate.toFixed(0)} MB/s together, ${alone.toFixed(0)} MB/s summed alone: ` +
      `${(100 * rate / alone).toFixed(1)} %, wasted ${
        (100 * all.wastedBytes / (512 * MIB)).toFixed(2)
      } %`,
  );
}

async function memory(): Promise<void> {
  await makeFile(`${scratch}/large`, 4096 * MIB);
  await using provider = await PeerProcess.start(`${scratch}/large-0`);
  const served = await provider.tell({ do: "serve", file: `${scratch}/large` });
  await using requester = await PeerProcess.start(`${scratch}/large-get`);
  // A little first, so that code and first buffers are there on both sides.
  await requester.tell({
    do: "first-byte",
    hash: served.hash,
    size: served.size,
    from: served.address,
  });
  for (const peer of [provider, requester]) await peer.tell({ do: "memory" });
  await requester.tell({ do: "fetch", hash: served.hash, from: [served.address], direct: false });
  for (const [name, peer] of [["provider", provider], ["requester", requester]] as const) {
    const { idleBytes, peakBytes } = await peer.tell({ do: "memory" });
    say(
      `memory, ${name}`,
      `${((peakBytes - idleBytes) / MIB).toFixed(0)} MiB above idle for 4 GiB`,
    );
  }
}

const resources = new AsyncDisposableStack();
try {
  await makeFile(`${scratch}/file`, sizeBytes);
  const contestants: Contestant[] = [];
  const nginx = await startNginx(scratch, scratch);
  if (typeof nginx === "string") say("https, http", `skipped: ${nginx}`);
  else {
    resources.use(nginx);
    if (wanted("https")) contestants.push(download(nginx, "https"));
    if (wanted("http")) contestants.push(download(nginx, "http"));
  }
  if (wanted("stream")) {
    const swarm = await startSwarm("stream", { providerCount: 1, direct: false });
    contestants.push(fetchFrom("stream", swarm, false));
    const first = await swarm.requester.tell({
      do: "first-byte",
      hash: swarm.hash,
      size: sizeBytes,
      from: swarm.from[0]!,
    });
    say("first byte", `${first.ms.toFixed(2)} ms (median), ${first.worstMs.toFixed(2)} ms (worst)`);
    await swarm.requester.tell({ do: "remove", hash: swarm.hash });
  }
  if (wanted("direct")) {
    const swarm = await startSwarm("direct", { providerCount: 1, direct: true });
    contestants.push(fetchFrom("direct", swarm, true));
  }
  if (wanted("three")) {
    const swarm = await startSwarm("three", { providerCount: 3, direct: false });
    contestants.push(fetchFrom("three", swarm, false));
  }
  const iroh = wanted("iroh") ? await startIroh(`${scratch}/file`) : undefined;
  if (typeof iroh === "string") say("iroh", `skipped: ${iroh}`);
  else if (iroh !== undefined) contestants.push(resources.use(iroh));
  await contest(contestants);
  await resources.disposeAsync();
  if (wanted("small")) await small();
  if (wanted("limited")) await limited();
  if (values.memory) await memory();
} finally {
  await resources.disposeAsync();
  await Deno.remove(scratch, { recursive: true });
}
Deno.exit(0);
