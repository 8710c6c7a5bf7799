import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { systemClock } from "../../../src/host/system.ts";
import { sha256FromBytes } from "../../../src/core/hash.ts";
import { addFromOrigin, HttpOrigin, OriginSource } from "../../../swarm/origin/mod.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { MemoryBlobStore } from "../../../swarm/store/memory_store.ts";
import { readWhole, storeWith, testBytes } from "../fetch/fakes.ts";

type Handler = (request: Request, count: number) => Response | Promise<Response>;

/** A web server on loopback that notes what it was asked. */
class Server implements AsyncDisposable {
  readonly requests: { readonly headers: Headers }[] = [];
  readonly url: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(handler: Handler) {
    this.#server = Deno.serve({
      port: 0,
      hostname: "127.0.0.1",
      onListen: () => {},
      onError: () => new Response("", { status: 500 }),
    }, (request) => {
      this.requests.push({ headers: new Headers(request.headers) });
      return handler(request, this.requests.length);
    });
    this.url = `http://127.0.0.1:${this.#server.addr.port}/blob`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** Serves `bytes` with ranges, as a good server does. */
function ranged(bytes: Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}): Handler {
  return (request) => {
    const match = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "");
    if (match === null) return new Response(bytes, { headers });
    const start = Number(match[1]);
    const end = match[2] === "" ? bytes.length : Math.min(bytes.length, Number(match[2]) + 1);
    return new Response(bytes.slice(start, end), {
      status: 206,
      headers: { ...headers, "content-range": `bytes ${start}-${end - 1}/${bytes.length}` },
    });
  };
}

async function read(
  origin: HttpOrigin,
  options: { readonly offset?: number; readonly end?: number; readonly signal?: AbortSignal } = {},
): Promise<Uint8Array> {
  const signal = options.signal ?? new AbortController().signal;
  const opened = await origin.open({ offset: 0, ...options, signal });
  return new Uint8Array(
    await new Response(opened.body as ReadableStream<Uint8Array<ArrayBuffer>>)
      .arrayBuffer(),
  );
}

function originOf(url: string, options: Partial<ConstructorParameters<typeof HttpOrigin>[0]> = {}) {
  return new HttpOrigin({ url, clock: systemClock, ...options });
}

Deno.test("HttpOrigin reads whole bodies and ranges", async () => {
  const bytes = testBytes(200_000);
  await using server = new Server(ranged(bytes));
  const origin = originOf(server.url);
  assert.deepEqual(await read(origin), bytes);
  assert.deepEqual(await read(origin, { offset: 70_000 }), bytes.slice(70_000));
  assert.deepEqual(await read(origin, { offset: 16_384, end: 32_768 }), bytes.slice(16384, 32768));
  assert.equal(server.requests[2]!.headers.get("range"), "bytes=16384-32767");
  assert.equal(server.requests[0]!.headers.get("accept-encoding"), "identity");
});

Deno.test("HttpOrigin skips to the offset when the server knows no ranges", async () => {
  const bytes = testBytes(200_000);
  await using server = new Server(() => new Response(bytes));
  const origin = originOf(server.url);
  assert.deepEqual(await read(origin, { offset: 150_000 }), bytes.slice(150_000));
  assert.deepEqual(await read(origin, { offset: 10, end: 20 }), bytes.slice(10, 20));
});

Deno.test("HttpOrigin resumes a body that breaks, only while the content is the same", async () => {
  const bytes = testBytes(400_000);
  const whole = ranged(bytes, { etag: '"one"' });
  const broken = (request: Request, count: number) => {
    if (count > 2) return whole(request, count);
    const start = count === 1 ? 0 : 100_000;
    return new Response(failingBody(bytes.slice(start, start + 100_000)), {
      status: count === 1 ? 200 : 206,
      headers: {
        etag: '"one"',
        ...(count === 1
          ? { "content-length": `${bytes.length}` }
          : { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` }),
      },
    });
  };
  await using server = new Server(broken);
  assert.deepEqual(await read(originOf(server.url)), bytes);
  const last = server.requests.at(-1)!;
  assert.equal(last.headers.get("if-range"), '"one"');
  assert.equal(last.headers.get("range"), "bytes=200000-");

  await using changed = new Server((request, count) =>
    count === 1 ? broken(request, 1) : ranged(testBytes(400_000, 2), { etag: '"two"' })(request, 1)
  );
  await assert.rejects(read(originOf(changed.url)), { code: "reset", message: /content changed/ });
});

/** Sends `bytes`, then breaks the connection. */
function failingBody(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
  let isSent = false;
  return new ReadableStream({
    async pull(controller) {
      if (!isSent) {
        isSent = true;
        return controller.enqueue(bytes);
      }
      await systemClock.sleep(30);
      controller.error(new Error("the disk of the server broke"));
    },
  });
}

Deno.test("HttpOrigin retries what may pass, honours Retry-After, and gives up in the end", async () => {
  const bytes = testBytes(1000);
  await using server = new Server((_request, count) =>
    count === 1
      ? new Response("later", { status: 503, headers: { "retry-after": "1" } })
      : count === 2
      ? new Response("oops", { status: 500 })
      : new Response(bytes)
  );
  const startMs = systemClock.monotonicMs();
  assert.deepEqual(await read(originOf(server.url)), bytes);
  const tookMs = systemClock.monotonicMs() - startMs;
  assert.ok(tookMs >= 1500, `it waited ${tookMs} ms, 1 s and 500 ms were asked`);

  await using never = new Server(() => new Response("", { status: 500 }));
  await assert.rejects(read(originOf(never.url, { attemptCountMax: 2 })), { code: "unavailable" });
  assert.equal(never.requests.length, 2);

  await using tooLong = new Server(() =>
    new Response("", { status: 429, headers: { "retry-after": "3600" } })
  );
  await assert.rejects(read(originOf(tooLong.url)), { code: "busy" });
  assert.equal(tooLong.requests.length, 1);
});

Deno.test("HttpOrigin tells what cannot pass at once", async () => {
  const cases = [[404, "not-found"], [410, "not-found"], [401, "denied"], [403, "denied"], [
    418,
    "protocol",
  ], [416, "protocol"]] as const;
  for (const [status, code] of cases) {
    await using server = new Server(() => new Response("", { status }));
    await assert.rejects(read(originOf(server.url)), { code }, `${status}`);
    assert.equal(server.requests.length, 1, `${status}`);
  }
  await assert.rejects(read(originOf("http://127.0.0.1:1/blob", { attemptCountMax: 1 })), {
    code: "unavailable",
  });
});

Deno.test("HttpOrigin refuses answers that do not fit what was asked", async () => {
  const answers: [Handler, RegExp][] = [
    [
      () => new Response("x", { status: 206, headers: { "content-range": "bytes 9-9/10" } }),
      /range/,
    ],
    [() => new Response("x", { status: 206 }), /Content-Range/],
    [() => new Response("x", { headers: { "content-encoding": "zstd" } }), /encoding/],
    [() => new Response("x".repeat(2000)), /at most 1000 are wanted/],
  ];
  for (const [handler, message] of answers) {
    await using server = new Server(handler);
    const origin = originOf(server.url, { sizeMax: 1000 });
    await assert.rejects(read(origin), { code: "protocol", message });
  }
});

Deno.test("HttpOrigin follows few redirects, and its secrets stay with its own host", async () => {
  const bytes = testBytes(1000);
  await using storage = new Server(() => new Response(bytes));
  await using server = new Server((request) => {
    const url = new URL(request.url);
    return url.pathname === "/blob"
      ? Response.redirect(new URL("/inside", url), 307)
      : Response.redirect(storage.url, 302);
  });
  const url = server.url.replace("http://", "http://alice:s%40cret@") + "?token=hidden";
  const origin = originOf(url, { headers: { "x-key": "hidden-key" } });
  assert.deepEqual(await read(origin), bytes);
  for (const request of server.requests) {
    assert.equal(request.headers.get("x-key"), "hidden-key");
    assert.equal(request.headers.get("authorization"), `Basic ${btoa("alice:s@cret")}`);
  }
  assert.equal(storage.requests[0]!.headers.get("x-key"), null);
  assert.equal(storage.requests[0]!.headers.get("authorization"), null);
  assert.equal(origin.id, server.url);

  await using loop = new Server((request) => Response.redirect(request.url, 302));
  await assert.rejects(read(originOf(loop.url)), { code: "protocol", message: /redirects more/ });
  assert.equal(loop.requests.length, 6);
});

Deno.test("HttpOrigin shows no secret in any message", async () => {
  const url = "http://alice:password1@127.0.0.1:1/blob?token=hidden2";
  const origin = originOf(url, { headers: { "x-key": "hidden3" }, attemptCountMax: 1 });
  const error = await read(origin).then(() => undefined, (error) => error);
  const shown = `${error.message} ${origin.id} ${error.stack} ${error.cause ?? ""}`;
  for (const secret of ["alice", "password1", "hidden2", "hidden3"]) {
    assert.ok(!shown.includes(secret), shown);
  }
  assert.throws(() => originOf("ftp://alice:password1@host/"), (thrown: Error) => {
    assert.ok(thrown instanceof SyntaxError && !thrown.message.includes("password1"));
    return true;
  });
});

Deno.test("HttpOrigin gives up on a server that never answers or stops in the middle", async () => {
  const gate = Promise.withResolvers<void>();
  await using silent = new Server(async () => {
    await gate.promise;
    return new Response("late");
  });
  const options = { headMs: 100, progressMs: 100, attemptCountMax: 1 };
  await assert.rejects(read(originOf(silent.url, options)), { code: "timeout" });
  await using stuck = new Server(() =>
    new Response(
      new ReadableStream({
        async pull(controller) {
          controller.enqueue(new Uint8Array(10));
          await gate.promise;
          controller.close();
        },
      }, { highWaterMark: 0 }),
    )
  );
  await assert.rejects(read(originOf(stuck.url, options)), { code: "timeout" });
  gate.resolve();
});

Deno.test("HttpOrigin stops at once when it is aborted", async () => {
  await using server = new Server(() => new Response("", { status: 503 }));
  const abort = new AbortController();
  const reading = read(originOf(server.url), { signal: abort.signal });
  await systemClock.sleep(50);
  const startMs = systemClock.monotonicMs();
  abort.abort(new Error("enough"));
  await assert.rejects(reading);
  assert.ok(systemClock.monotonicMs() - startMs < 100);
});

Deno.test("HttpOrigin reads no faster than its reader", async () => {
  let sentBytes = 0;
  await using server = new Server(() =>
    new Response(
      new ReadableStream({
        pull(controller) {
          sentBytes += 65536;
          if (sentBytes > 64 * 1024 * 1024) return controller.close();
          controller.enqueue(new Uint8Array(65536));
        },
      }, { highWaterMark: 0 }),
    )
  );
  const abort = new AbortController();
  const opened = await originOf(server.url).open({ offset: 0, signal: abort.signal });
  const reader = opened.body.getReader();
  await reader.read();
  await systemClock.sleep(300);
  // Sockets of both sides hold a few MiB; the rest waits.
  assert.ok(sentBytes < 24 * 1024 * 1024, `${sentBytes} bytes sent to a reader that reads none`);
  await reader.cancel();
  abort.abort();
});

Deno.test("OriginSource continues from the middle and verifies what it brings", async () => {
  const bytes = testBytes(3_000_000);
  const { store: from, hashes } = await storeWith(bytes);
  const hash = hashes[0]!;
  const store = new MemoryBlobStore({ clock: systemClock });
  await using reader = await from.openReader(hash);
  const first = RangeSet.from([{ start: 0, end: 64 }, { start: 183, end: 184 }]);
  await using ingest = await store.ingestEncoded(hash, first, { size: bytes.length });
  for await (const piece of reader.encode(first)) await ingest.push(piece);
  await ingest.finish();
  await using server = new Server(ranged(bytes));
  const source = new OriginSource({ origin: originOf(server.url), store });
  const { receivedBytes } = await source.fetch({
    hash,
    size: bytes.length,
    groups: RangeSet.of(64, 183),
    signal: new AbortController().signal,
  });
  assert.equal(receivedBytes, (183 - 64) * 16384);
  assert.equal(store.status(hash)?.state, "complete");
  assert.deepEqual(await readWhole(store, hash), bytes);
});

Deno.test("addFromOrigin adds a blob known by SHA-256, and keeps nothing of a lie", async () => {
  const bytes = testBytes(300_000);
  const sha256 = sha256FromBytes(createHash("sha256").update(bytes).digest());
  await using server = new Server(ranged(bytes));
  const store = new MemoryBlobStore({ clock: systemClock });
  const origin = originOf(server.url);
  const record = await addFromOrigin({ store, origin, sha256 });
  assert.equal(record.size, bytes.length);
  assert.deepEqual(await readWhole(store, record.hash), bytes);
  await addFromOrigin({ store, origin, sha256 });
  assert.equal(server.requests.length, 1, "what is here is not read again");

  await using liar = new Server(ranged(testBytes(300_000, 9)));
  const other = new MemoryBlobStore({ clock: systemClock });
  await assert.rejects(addFromOrigin({ store: other, origin: originOf(liar.url), sha256 }), {
    code: "corrupt",
    message: new RegExp(`origin ${liar.url}.*nothing was kept`),
  });
  assert.deepEqual([...other.list()], []);
});

Deno.test("HttpOrigin refuses a user or a password that is badly escaped, and shows neither", () => {
  assert.throws(
    () => new HttpOrigin({ url: "https://joe:100%@origin.example/x", clock: systemClock }),
    (error) => error instanceof SyntaxError && !/joe|100/.test(error.message),
  );
});
