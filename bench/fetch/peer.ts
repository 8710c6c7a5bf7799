/**
 * One peer of `bench/fetch.ts` in a process of its own: a store on disk, a network, and either a
 * provider or a requester. Takes commands as JSON lines on stdin, answers each with one on stdout.
 */
import process from "node:process";
import { TextLineStream } from "./lines.ts";
import { systemClock, systemRandom } from "../../src/host/system.ts";
import { parseHash } from "../../src/core/hash.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import { hashBytes } from "../../swarm/bao/mod.ts";
import { decodeCollection, encodeCollection } from "../../swarm/collection.ts";
import { fetchBlob, fetchCollection } from "../../swarm/fetch/mod.ts";
import { startLibp2pNetwork } from "../../swarm/net/start.ts";
import { Provider } from "../../swarm/provider/mod.ts";
import { PeerSource } from "../../swarm/requester/mod.ts";
import { FileBlobStore } from "../../swarm/store/file_store.ts";

/** What a peer can be told. */
export type Command =
  | {
    readonly do: "serve";
    readonly file: string;
    readonly bytesPerSecond?: number;
    readonly direct?: boolean;
  }
  | { readonly do: "serve-small"; readonly count: number; readonly bytes: number }
  | {
    readonly do: "fetch";
    readonly hash: string;
    readonly from: readonly string[];
    readonly direct: boolean;
  }
  | { readonly do: "fetch-collection"; readonly hash: string; readonly from: readonly string[] }
  | {
    readonly do: "first-byte";
    readonly hash: string;
    readonly size: number;
    readonly from: string;
  }
  | { readonly do: "remove"; readonly hash: string }
  | { readonly do: "memory" };

const [directory] = Deno.args;
const store = await FileBlobStore.open({
  directory: directory!,
  clock: systemClock,
  childrenOf: (bytes) => decodeCollection(bytes).map((child) => child.hash),
});
const network = await startLibp2pNetwork({
  secretKey: systemRandom.bytes(32),
  listen: ["/ip4/127.0.0.1/tcp/0"],
  clock: systemClock,
  mdns: false,
});
const sources = new Map<string, PeerSource>();
let idleBytes = 0;
let peakBytes = 0;
let watch: ReturnType<typeof setInterval> | undefined;

function sourceOf(address: string, direct: boolean): PeerSource {
  const key = `${address} ${direct}`;
  const peerId = address.split("/p2p/")[1]!;
  const source = sources.get(key) ?? new PeerSource({
    network,
    peer: { peerId, addrs: [address] },
    store,
    clock: systemClock,
    direct: direct ? {} : false,
  });
  sources.set(key, source);
  return source;
}

async function measured<T extends object>(
  work: () => Promise<T>,
): Promise<T & { cpuSeconds: number; ms: number }> {
  const usage = process.cpuUsage();
  const startMs = performance.now();
  const result = await work();
  const ms = performance.now() - startMs;
  const { user, system } = process.cpuUsage(usage);
  return { ...result, ms, cpuSeconds: (user + system) / 1e6 };
}

async function serve(bytesPerSecond: number | undefined, direct: boolean): Promise<void> {
  await Provider.start({
    network,
    store,
    clock: systemClock,
    random: systemRandom,
    ...(bytesPerSecond === undefined ? {} : { limits: { bytesPerSecond } }),
    ...(direct ? { direct: { hostname: "127.0.0.1", port: 0 } } : {}),
  });
}

async function run(command: Command): Promise<object> {
  const context = { store, clock: systemClock, random: systemRandom };
  switch (command.do) {
    case "serve": {
      const record = await store.importFile(command.file, { mode: "in-place" });
      await serve(command.bytesPerSecond, command.direct === true);
      return { address: network.addresses()[0], hash: record.hash, size: record.size };
    }
    case "serve-small": {
      const items = Array.from({ length: command.count }, (_, index) => {
        const bytes = new Uint8Array(command.bytes);
        new DataView(bytes.buffer).setUint32(0, index);
        return { hash: hashBytes(bytes), bytes, name: `${index}`, size: bytes.length };
      });
      store.importSmall(items);
      const root = await store.importBytes(encodeCollection(items), { kind: "collection" });
      await serve(undefined, false);
      return { address: network.addresses()[0], hash: root.hash };
    }
    case "fetch": {
      const peers = command.from.map((address) => sourceOf(address, command.direct));
      return await measured(async () => {
        const report = await fetchBlob({
          ...context,
          hash: parseHash(command.hash),
          sources: peers,
        });
        return {
          wastedBytes: report.wastedBytes,
          sources: report.sources,
          failures: report.failures,
        };
      });
    }
    case "fetch-collection": {
      const peers = command.from.map((address) => sourceOf(address, false));
      return await measured(async () => {
        const report = await fetchCollection({
          ...context,
          hash: parseHash(command.hash),
          sources: peers,
        });
        return { size: report.size };
      });
    }
    case "first-byte": {
      const source = sourceOf(command.from, false);
      const times: number[] = [];
      for (let group = 0; group < 200; group += 10) {
        const startMs = performance.now();
        await source.fetch({
          hash: parseHash(command.hash),
          size: command.size,
          groups: RangeSet.of(group, group + 1),
          onVerified: () => times.push(performance.now() - startMs),
          signal: AbortSignal.timeout(10_000),
        });
      }
      times.sort((a, b) => a - b);
      return { ms: times[times.length >> 1], worstMs: times.at(-1) };
    }
    case "remove":
      await store.remove(parseHash(command.hash));
      return {};
    case "memory": {
      // Watched only from the first time it is asked for, so that it costs the other figures nothing.
      watch ??= setInterval(() => peakBytes = Math.max(peakBytes, Deno.memoryUsage().rss), 20);
      const result = { idleBytes, peakBytes };
      idleBytes = Deno.memoryUsage().rss;
      peakBytes = idleBytes;
      return result;
    }
  }
}

console.log(JSON.stringify({ ready: true }));
const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream()).pipeThrough(
  new TextLineStream(),
);
for await (const line of lines) {
  try {
    console.log(JSON.stringify(await run(JSON.parse(line) as Command)));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
Deno.exit(0);
