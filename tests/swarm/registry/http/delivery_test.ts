import assert from "node:assert/strict";
import { SeedmintError } from "../../../../src/core/errors.ts";
import type { Sha256 } from "../../../../src/core/hash.ts";
import type { BlobDelivery } from "../../../../swarm/registry/ports.ts";
import { type BlobStore, MemoryBlobStore } from "../../../../swarm/store/mod.ts";
import { systemClock } from "../../../../src/host/system.ts";
import { connectFrom } from "../../gateway/support.ts";
import { content } from "../../provider/support.ts";
import {
  ask,
  codesOf,
  digestFor,
  type MirrorWorld,
  requestBytes,
  startMirror,
  until,
} from "./support.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Read = BlobDelivery["read"];

/** A blob that only a delivery has. */
async function scripted(world: MirrorWorld, bytes: Bytes, read: Read): Promise<string> {
  const digest = await digestFor(bytes);
  world.reader.blobs.set(digest, { size: bytes.length, read });
  return `/v2/a/blobs/${digest}`;
}

/** Delivers `bytes` in pieces, up to `until`; then `atEnd` happens. */
function delivering(
  bytes: Bytes,
  options: { readonly until?: number; readonly atEnd?: () => unknown } = {},
): Read {
  return async function* ({ start, end }) {
    const { until = bytes.length, atEnd } = options;
    const buffer = new Uint8Array(10_000);
    for (let at = start; at < Math.min(end, until); at += buffer.length) {
      const piece = bytes.subarray(at, Math.min(at + buffer.length, end, until));
      buffer.set(piece);
      yield buffer.subarray(0, piece.length);
      // An array is valid until the next is asked, and no longer.
      buffer.fill(0xee);
    }
    if (end > until) await atEnd?.();
  };
}

Deno.test("RegistryServer sends a blob as it arrives, whole and in ranges", async () => {
  await using world = await startMirror();
  const bytes = content(123_456);
  const path = await scripted(world, bytes, delivering(bytes));
  const whole = await ask(world, path);
  assert.equal(whole.headers.get("content-length"), "123456");
  assert.deepEqual(whole.body, bytes);
  const tail = await ask(world, path, { headers: { range: "bytes=100000-" } });
  assert.equal(tail.status, 206);
  assert.deepEqual(tail.body, bytes.slice(100_000));
  assert.equal(world.reader.openCount, 0);
});

Deno.test("RegistryServer can still say 404 or 503 while no byte has come", async () => {
  await using world = await startMirror();
  const bytes = content(100_000);
  const table = [["not-found", 404], ["unavailable", 503], ["corrupt", 503]] as const;
  for (const [code, status] of table) {
    const fail = () => {
      throw new SeedmintError(code, "secret");
    };
    const path = await scripted(world, bytes, delivering(bytes, { until: 0, atEnd: fail }));
    const answer = await ask(world, path);
    assert.equal(answer.status, status, code);
    assert.equal(codesOf(answer).length, 1);
    assert.equal(world.reader.openCount, 0);
  }
});

Deno.test("RegistryServer cuts an answer off that nobody can go on with, or that has a wrong length", async () => {
  await using world = await startMirror();
  const bytes = content(100_000);
  const fail = () => {
    throw new SeedmintError("unavailable", "all are gone");
  };
  const cut = await ask(
    world,
    await scripted(world, bytes, delivering(bytes, { until: 50_000, atEnd: fail })),
  );
  assert.equal(cut.status, 200);
  assert.equal(cut.headers.get("content-length"), "100000");
  assert.deepEqual(cut.body, bytes.slice(0, 50_000));
  const short = await ask(
    world,
    await scripted(world, bytes, delivering(bytes, { until: 50_000 })),
  );
  assert.equal(short.body.length, 50_000);
  const long: Read = async function* () {
    yield bytes;
    yield bytes;
  };
  const answer = await ask(world, await scripted(world, bytes, long));
  assert.deepEqual(answer.body, bytes);
  assert.equal(world.reader.openCount, 0);
});

Deno.test("RegistryServer ends the work for a client that goes away, while it waits and while it reads", async () => {
  await using world = await startMirror();
  const bytes = content(50_000_000);
  for (const end of [0, 20_000, bytes.length]) {
    const gone = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    let isAborted = false;
    const path = await scripted(world, bytes, async function* (range, signal) {
      signal.addEventListener("abort", () => {
        isAborted = true;
        gone.resolve();
      });
      begun.resolve();
      try {
        yield* delivering(bytes, { until: end, atEnd: () => gone.promise })(range, signal);
      } finally {
        gone.resolve();
      }
    });
    const socket = await connectFrom(world.server.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.pause();
    socket.write(requestBytes(world.server.port, path));
    await begun.promise;
    socket.destroy();
    await gone.promise;
    await until("the delivery is closed", () => world.reader.openCount === 0);
    if (end < bytes.length) assert.ok(isAborted, `${end}`);
  }
});

Deno.test("RegistryServer asks for no more of a blob than a client reads", async () => {
  await using world = await startMirror();
  const bytes = content(64_000_000);
  let delivered = 0;
  const path = await scripted(world, bytes, async function* (range, signal) {
    for await (const piece of delivering(bytes)(range, signal)) {
      delivered += piece.length;
      yield piece;
    }
  });
  const socket = await connectFrom(world.server.port, "127.0.0.1");
  socket.on("error", () => {});
  socket.pause();
  socket.write(requestBytes(world.server.port, path, { headers: { range: "bytes=1000-" } }));
  let before = -1;
  while (delivered === 0 || delivered > before) {
    before = delivered;
    await systemClock.sleep(100);
  }
  socket.destroy();
  // What the sockets' buffers take, which the system decides.
  assert.ok(delivered < 20_000_000, `${delivered}`);
});

Deno.test("RegistryServer goes on with a delivery where the store's file fails in the middle", async () => {
  const bytes = content(1_000_000);
  await using inner = new MemoryBlobStore({ clock: systemClock });
  await inner.importBytes(bytes);
  let failAt = 600_000;
  const store: BlobStore = new Proxy(inner, {
    get(target, key) {
      if (key === "openReader") {
        return async (...args: Parameters<BlobStore["openReader"]>) => {
          const reader = await target.openReader(...args);
          if (failAt < 0) throw new SeedmintError("not-found", "evicted");
          return {
            size: reader.size,
            groups: reader.groups,
            read: (offset: number, piece: Uint8Array) =>
              offset + piece.length > failAt
                ? Promise.reject(new SeedmintError("not-found", "its file is shorter than it was"))
                : reader.read(offset, piece),
            [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
          };
        };
      }
      const value = Reflect.get(target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  await using world = await startMirror({ store });
  const path = await scripted(world, bytes, delivering(bytes));
  for (const at of [600_000, 0, -1]) {
    failAt = at;
    const answer = await ask(world, path);
    assert.equal(answer.status, 200, `${at}`);
    assert.deepEqual(answer.body, bytes, `${at}`);
    const range = await ask(world, path, { headers: { range: "bytes=5-900000" } });
    assert.deepEqual(range.body, bytes.slice(5, 900_001), `${at}`);
  }
});

Deno.test("RegistryServer keeps memory flat however many read one blob at one time", async () => {
  await using world = await startMirror();
  const bytes = content(8_000_000);
  await world.store.importBytes(bytes);
  const path = `/v2/a/blobs/${await digestFor(bytes)}`;
  const sockets = await Promise.all(
    Array.from({ length: 200 }, () => connectFrom(world.server.port, "127.0.0.1")),
  );
  const before = Deno.memoryUsage();
  for (const socket of sockets) {
    socket.on("error", () => {});
    socket.pause();
    socket.write(requestBytes(world.server.port, path));
  }
  await until("all have asked", () => world.reader.asked.length === 200);
  await systemClock.sleep(300);
  const after = Deno.memoryUsage();
  for (const socket of sockets) socket.destroy();
  const grown = after.external + after.heapUsed - before.external - before.heapUsed;
  assert.ok(grown < 80 * 1024 * 1024, `${grown}`);
});

Deno.test("an image for LXD and Incus is told by its hash and its URL, and can be had by it", async () => {
  const bytes = content(300_000);
  const hidden = content(300_000, 2);
  const elsewhere = content(300_000, 3);
  const shared = content(300_000, 4);
  const opened = content(300_000, 5);
  const digest = await digestFor(elsewhere);
  const openDigest = await digestFor(opened);
  await using world = await startMirror({
    isOpenImage: (sha256) => `sha256:${sha256}` === openDigest,
    findImage: (sha256) =>
      Promise.resolve(
        `sha256:${sha256}` !== digest ? undefined : {
          digest,
          size: elsewhere.length,
          read: delivering(elsewhere),
          [Symbol.asyncDispose]: () => Promise.resolve(),
        },
      ),
  });
  await world.store.importBytes(bytes, { visibility: "public" });
  await world.store.importBytes(hidden, { visibility: "private" });
  for (const some of [shared, opened]) {
    await world.store.importBytes(some, { visibility: "fleet" });
  }
  const table = [
    [bytes, 200],
    [elsewhere, 200],
    [opened, 200],
    [hidden, 404],
    [shared, 404],
  ] as const;
  for (const [image, expected] of table) {
    const sha256 = (await digestFor(image)).slice(7) as Sha256;
    const path = `/images/${sha256}`;
    const head = await ask(world, path, { method: "HEAD" });
    assert.equal(head.status, expected);
    if (expected !== 200) continue;
    const url = `${world.server.url}${path}`;
    for (const server of ["LXD", "Incus"]) {
      assert.equal(head.headers.get(`${server}-Image-Hash`), sha256);
      assert.equal(head.headers.get(`${server}-Image-URL`), url);
    }
    assert.equal(head.headers.get("content-length"), "300000");
    assert.deepEqual(await (await fetch(url)).bytes(), image);
  }
  assert.equal((await ask(world, "/images/zz")).status, 404);
});
