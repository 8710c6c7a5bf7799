/** What members of a fleet get from one origin at one moment. */
import assert from "node:assert/strict";
import { systemClock } from "../../src/host/system.ts";
import { MemoryBlobStore } from "../../swarm/store/mod.ts";
import { Bench, ok, testBytes } from "./support.ts";

const SIZE = 6_000_000;
const NODES = ["ann", "ben", "cleo", "dan", "eva"];

Deno.test("members that get one blob at one moment read its origin about once, unless it is private", async () => {
  await using bench = await Bench.open();
  const peerIds = await Promise.all(
    NODES.map(async (name) => String((await ok("status", "--data", bench.path(name))).peerId)),
  );
  const fleet = peerIds.flatMap((peerId) => ["--fleet", peerId]);
  const addresses: string[] = [];
  for (const name of NODES) {
    const peers = addresses.flatMap((address) => ["--peer", address]);
    const { ready } = await bench.node(name, ...fleet, ...peers);
    addresses.push((ready.addresses as string[])[0]!);
  }
  await using origin = new SlowOrigin();
  const shared = await origin.offer(testBytes(SIZE, 1));
  const results = await Promise.all(
    NODES.map((name) => ok(...get(origin, shared), "--data", bench.path(name))),
  );
  assert.deepEqual(results.map(({ size }) => size), NODES.map(() => SIZE));
  const times = origin.sentBytes / SIZE;
  assert.ok(times <= 1.3, `the origin sent ${times.toFixed(2)} times the blob`);

  const own = await origin.offer(testBytes(SIZE, 2));
  const before = origin.sentBytes;
  await Promise.all(
    NODES.slice(0, 2).map((name) => {
      const data = ["--data", bench.path(name)];
      return ok(...get(origin, own), "--visibility", "private", ...data);
    }),
  );
  assert.ok(origin.sentBytes - before >= 2 * SIZE, "what is private is passed on to nobody");
});

function get(origin: SlowOrigin, hash: string): string[] {
  return ["get", hash, "--origin", origin.urlOf(hash)];
}

/** An HTTP server that sends 4 MB a second, and counts. */
class SlowOrigin implements AsyncDisposable {
  sentBytes = 0;
  readonly #blobs = new Map<string, Uint8Array<ArrayBuffer>>();
  readonly #server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => this.#answer(request),
  );

  async offer(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
    await using store = new MemoryBlobStore({ clock: systemClock });
    const { hash } = await store.importBytes(bytes);
    this.#blobs.set(`/${hash}`, bytes);
    return hash;
  }

  urlOf(hash: string): string {
    return `http://127.0.0.1:${this.#server.addr.port}/${hash}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  #answer(request: Request): Response {
    const bytes = this.#blobs.get(new URL(request.url).pathname);
    if (bytes === undefined) return new Response(null, { status: 404 });
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "");
    const start = Number(range?.[1] ?? 0);
    const end = range?.[2] ? Number(range[2]) + 1 : bytes.length;
    let at = start;
    const body = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        await new Promise((resolve) => setTimeout(resolve, 16));
        const piece = bytes.subarray(at, Math.min(end, at + 65_536));
        at += piece.length;
        this.sentBytes += piece.length;
        if (piece.length > 0) controller.enqueue(piece);
        if (at >= end) controller.close();
      },
    });
    return new Response(body, {
      status: range === null ? 200 : 206,
      headers: {
        "accept-ranges": "bytes",
        "content-length": String(end - start),
        ...(range === null ? {} : { "content-range": `bytes ${start}-${end - 1}/${bytes.length}` }),
      },
    });
  }
}
