/**
 * Our TCP, Noise and Yamux against go-libp2p's, in both roles. Built from source, so it runs with
 * `--all` only, where Go is installed.
 */
import { createHash } from "node:crypto";
import type { Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p, type Libp2p } from "libp2p";
import { systemClock } from "../../../src/host/system.ts";
import { denoTcp, fastNoise, fastYamux } from "../../../swarm/net/fast/mod.ts";
import { skipSuite } from "../skip_suite.ts";

const PROTOCOL = "/seedmint/interop/echo/1";
const SIZE_BYTES = 32 * 1024 * 1024 + 7;

async function buildPeer(directory: string): Promise<string> {
  const path = `${directory}/peer`;
  const build = new Deno.Command("go", {
    args: ["build", "-o", path, "."],
    cwd: new URL("go/", import.meta.url),
    stdout: "inherit",
    stderr: "inherit",
  });
  const { success } = await build.output().catch(() => skipSuite("Go is not installed"));
  if (!success) throw new Error("The Go peer does not build");
  return path;
}

function startNode(): Promise<Libp2p> {
  return createLibp2p({
    addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
    transports: [denoTcp({ clock: systemClock })],
    connectionEncrypters: [fastNoise()],
    streamMuxers: [fastYamux({ clock: systemClock })],
    connectionMonitor: { enabled: false },
  });
}

async function echo(stream: Stream): Promise<void> {
  for await (const data of stream) {
    if (stream.send(data)) continue;
    await new Promise((resolve) => stream.addEventListener("drain", resolve, { once: true }));
  }
  await stream.close();
}

async function ourDial(node: Libp2p, peer: string): Promise<void> {
  const child = new Deno.Command(peer, { args: ["listen"], stdin: "piped", stdout: "piped" })
    .spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const address = (await lines.read()).value!.trim();
  const stream = await node.dialProtocol(multiaddr(address), PROTOCOL);
  const [sent, received] = [createHash("sha256"), createHash("sha256")];
  let receivedBytes = 0;
  const reading = (async () => {
    for await (const data of stream) {
      received.update(data.subarray());
      receivedBytes += data.byteLength;
    }
  })();
  const noise = crypto.getRandomValues(new Uint8Array(65_521));
  for (let rest = SIZE_BYTES; rest > 0; rest -= noise.length) {
    const piece = noise.subarray(0, rest);
    sent.update(piece);
    if (stream.send(piece)) continue;
    await new Promise((resolve) => stream.addEventListener("drain", resolve, { once: true }));
  }
  await stream.close();
  await reading;
  if (receivedBytes !== SIZE_BYTES || sent.digest("hex") !== received.digest("hex")) {
    throw new Error(`Sent ${SIZE_BYTES} bytes to go-libp2p, got ${receivedBytes} others back`);
  }
  await lines.cancel();
  await child.stdin.close();
  await child.status;
}

async function theirDial(node: Libp2p, peer: string): Promise<void> {
  await node.handle(PROTOCOL, echo);
  const output = await new Deno.Command(peer, {
    args: ["dial", node.getMultiaddrs()[0]!.toString(), `${SIZE_BYTES}`],
  }).output();
  const text = new TextDecoder();
  if (text.decode(output.stdout).trim() !== "ok") {
    throw new Error(`go-libp2p could not use us: ${text.decode(output.stderr)}`);
  }
}

if (!Deno.args.includes("--all")) skipSuite("built from source, pass --all");
const directory = await Deno.makeTempDir({ prefix: "seedmint-libp2p-" });
try {
  const peer = await buildPeer(directory);
  const node = await startNode();
  await ourDial(node, peer);
  console.log("ok: we dial go-libp2p and get 32 MiB back");
  await theirDial(node, peer);
  console.log("ok: go-libp2p dials us and gets 32 MiB back");
  await node.stop();
} finally {
  await Deno.remove(directory, { recursive: true });
}
Deno.exit(0);
