/**
 * A verified fetch beside a plain download: 1 GiB from page cache to disk over loopback, each side a
 * process of its own, everything in one run, because only ratios of one run mean anything.
 *
 *     deno run -A bench/fetch.ts [--mib 1024] [--runs 3] [--only stream,https] [--memory]
 */
import { parseArgs } from "node:util";
import { PeerProcess } from "./fetch/child.ts";
import { curlMs, type Nginx, startNginx } from "./fetch/rivals.ts";

const MIB = 1024 * 1024;

const { values } = parseArgs({
  options: {
    mib: { type: "string", default: "1024" },
    runs: { type: "string", default: "3" },
    only: { type: "string" },
    memory: { type: "boolean", default: false },
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

async function download(nginx: Nginx, scheme: "http" | "https"): Promise<void> {
  const ms: number[] = [];
  for (let run = 0; run < runCount; run++) {
    ms.push(await curlMs(`${nginx[scheme]}/file`, `${scratch}/curl`));
    await Deno.remove(`${scratch}/curl`);
  }
  sayRate(scheme, ms);
}

async function fetchFrom(
  name: string,
  options: { readonly providerCount: number; readonly direct: boolean },
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const from: string[] = [];
  let hash = "";
  for (let index = 0; index < options.providerCount; index++) {
    const flags = flagsOf(values["provider-flags"]);
    const peer = stack.use(await PeerProcess.start(`${scratch}/${name}-${index}`, flags));
    const served = await peer.tell({
      do: "serve",
      file: `${scratch}/file`,
      direct: options.direct,
    });
    from.push(served.address);
    hash = served.hash;
  }
  const flags = flagsOf(values["requester-flags"]);
  const requester = stack.use(await PeerProcess.start(`${scratch}/${name}-get`, flags));
  const ms: number[] = [];
  let cpuSeconds = 0;
  for (let run = 0; run < runCount; run++) {
    const result = await requester.tell({ do: "fetch", hash, from, direct: options.direct });
    if (result.failures.length > 0) console.error(result.failures);
    ms.push(result.ms);
    cpuSeconds += result.cpuSeconds / runCount;
    if (run < runCount - 1) await requester.tell({ do: "remove", hash });
  }
  sayRate(name, ms, `  requester CPU ${cpuSeconds.toFixed(2)} s`);
  if (name === "stream") {
    await requester.tell({ do: "remove", hash });
    const first = await requester.tell({ do: "first-byte", hash, size: sizeBytes, from: from[0]! });
    say("first byte", `${first.ms.toFixed(2)} ms (median), ${first.worstMs.toFixed(2)} ms (worst)`);
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

try {
  await makeFile(`${scratch}/file`, sizeBytes);
  const nginx = await startNginx(scratch, scratch);
  if (typeof nginx === "string") say("https, http", `skipped: ${nginx}`);
  else {
    await using _ = nginx;
    if (wanted("https")) await download(nginx, "https");
    if (wanted("http")) await download(nginx, "http");
  }
  if (wanted("stream")) await fetchFrom("stream", { providerCount: 1, direct: false });
  if (wanted("direct")) await fetchFrom("direct", { providerCount: 1, direct: true });
  if (wanted("three")) await fetchFrom("three", { providerCount: 3, direct: false });
  if (wanted("small")) await small();
  if (wanted("limited")) await limited();
  if (values.memory) await memory();
} finally {
  await Deno.remove(scratch, { recursive: true });
}
Deno.exit(0);
