/**
 * What one libp2p stream costs: 1 GiB from one process to another over loopback TCP, for the stock
 * packages, each of our layers, and no encryption at all. All in one run, because only ratios of
 * one run mean anything on a shared machine.
 *
 *     deno run -A bench/stream.ts [--mib 1024] [--only fast,stock] [--json]
 *
 * `SENDER_FLAGS` holds more flags for the sender, such as `--cpu-prof`.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { publicKeyFromProtobuf, publicKeyToProtobuf } from "@libp2p/crypto/keys";
import type { ConnectionEncrypter, MessageStream, PrivateKey } from "@libp2p/interface";
import { noise } from "@libp2p/noise";
import { peerIdFromPublicKey } from "@libp2p/peer-id";
import { tcp } from "@libp2p/tcp";
import { lpStream } from "@libp2p/utils";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p, type Libp2p } from "libp2p";
import { systemClock } from "../src/host/system.ts";
import { denoTcp, fastNoise, fastYamux } from "../swarm/net/fast/mod.ts";

const PROTOCOL = "/seedmint/bench/1";
const PIECE_BYTES = 64 * 1024;
const MIB = 1024 * 1024;

interface Variant {
  readonly transport: "stock" | "fast";
  readonly encrypter: "stock" | "fast" | "none";
  readonly muxer: "stock" | "fast";
}

const VARIANTS: Readonly<Record<string, Variant>> = {
  "stock": { transport: "stock", encrypter: "stock", muxer: "stock" },
  "tcp": { transport: "fast", encrypter: "stock", muxer: "stock" },
  "noise": { transport: "stock", encrypter: "fast", muxer: "stock" },
  "tcp+noise": { transport: "fast", encrypter: "fast", muxer: "stock" },
  "fast": { transport: "fast", encrypter: "fast", muxer: "fast" },
  "stock-plain": { transport: "stock", encrypter: "none", muxer: "stock" },
  "fast-plain": { transport: "fast", encrypter: "none", muxer: "fast" },
};

/** No encryption: the two sides tell each other their public keys. For comparison only. */
function plaintext(): (components: { privateKey: PrivateKey }) => ConnectionEncrypter {
  return ({ privateKey }) => {
    const exchange = async (connection: MessageStream) => {
      const framed = lpStream(connection);
      await framed.write(publicKeyToProtobuf(privateKey.publicKey));
      const key = (await framed.read()).subarray();
      const remotePeer = peerIdFromPublicKey(publicKeyFromProtobuf(key));
      return { connection: framed.unwrap(), remotePeer };
    };
    return { protocol: "/bench/plaintext", secureInbound: exchange, secureOutbound: exchange };
  };
}

function startNode(variant: Variant, listen: string[]): Promise<Libp2p> {
  const encrypter = { stock: noise(), fast: fastNoise(), none: plaintext() }[variant.encrypter];
  return createLibp2p({
    addresses: { listen },
    transports: [variant.transport === "stock" ? tcp() : denoTcp({ clock: systemClock })],
    connectionEncrypters: [encrypter],
    streamMuxers: [variant.muxer === "stock" ? yamux() : fastYamux({ clock: systemClock })],
    connectionMonitor: { enabled: false },
  });
}

function cpuSeconds(since?: NodeJS.CpuUsage): number {
  const usage = process.cpuUsage(since);
  return (usage.user + usage.system) / 1e6;
}

async function send(variant: Variant, sizeBytes: number): Promise<void> {
  const node = await startNode(variant, ["/ip4/127.0.0.1/tcp/0"]);
  await node.handle(PROTOCOL, async (stream) => {
    const since = process.cpuUsage();
    const piece = new Uint8Array(PIECE_BYTES).fill(7);
    for (let sent = 0; sent < sizeBytes; sent += piece.length) {
      if (stream.send(piece)) continue;
      await new Promise((resolve) => stream.addEventListener("drain", resolve, { once: true }));
    }
    await stream.close();
    // The last bytes are still on their way; the other side closes when it has them.
    await new Promise((resolve) => stream.addEventListener("remoteCloseWrite", resolve));
    console.log(JSON.stringify({ cpuSeconds: cpuSeconds(since) }));
    Deno.exit(0);
  });
  console.log(node.getMultiaddrs()[0]!.toString());
}

interface Result {
  readonly mbPerSecond: number;
  readonly senderCpuSeconds: number;
  readonly receiverCpuSeconds: number;
}

async function receive(name: string, sizeBytes: number): Promise<Result> {
  const variant = VARIANTS[name]!;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", ...(Deno.env.get("SENDER_FLAGS")?.split(" ") ?? [])],
      ...[import.meta.filename!, "--send", name, "--mib", `${sizeBytes / MIB}`],
    ],
    stdout: "piped",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const address = (await lines.read()).value!.trim();
  const node = await startNode(variant, []);
  const connection = await node.dial(multiaddr(address));
  const since = process.cpuUsage();
  const startMs = performance.now();
  const stream = await connection.newStream(PROTOCOL);
  let received = 0;
  stream.addEventListener("message", (event) => received += event.data.byteLength);
  await new Promise((resolve) => stream.addEventListener("remoteCloseWrite", resolve));
  const ms = performance.now() - startMs;
  const receiverCpuSeconds = cpuSeconds(since);
  if (received !== sizeBytes) throw new Error(`${name}: received ${received} bytes`);
  await stream.close();
  const report = JSON.parse((await lines.read()).value!) as { cpuSeconds: number };
  await child.status;
  return {
    mbPerSecond: sizeBytes / 1e3 / ms,
    senderCpuSeconds: report.cpuSeconds,
    receiverCpuSeconds,
  };
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      send: { type: "string" },
      receive: { type: "string" },
      mib: { type: "string", default: "1024" },
      only: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  const sizeBytes = Number(values.mib) * MIB;
  if (values.send !== undefined) {
    await send(VARIANTS[values.send]!, sizeBytes);
  } else if (values.receive !== undefined) {
    console.log(JSON.stringify(await receive(values.receive, sizeBytes)));
    Deno.exit(0);
  } else {
    const names = values.only?.split(",") ?? Object.keys(VARIANTS);
    let base: Result | undefined;
    for (const name of names) {
      // A fresh process each, so that one variant's garbage and compiled code are not another's.
      const output = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", import.meta.filename!, "--receive", name, "--mib", values.mib],
        stderr: "inherit",
      }).output();
      const result = JSON.parse(new TextDecoder().decode(output.stdout)) as Result;
      base ??= result;
      if (values.json) console.log(JSON.stringify({ variant: name, ...result }));
      else {
        console.log(
          `${name.padEnd(12)} ${result.mbPerSecond.toFixed(0).padStart(5)} MB/s  ` +
            `CPU s: sender ${result.senderCpuSeconds.toFixed(2)}, ` +
            `receiver ${result.receiverCpuSeconds.toFixed(2)}  ` +
            `${(result.mbPerSecond / base.mbPerSecond).toFixed(2)} x ${names[0]}`,
        );
      }
    }
  }
}
