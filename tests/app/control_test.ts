import assert from "node:assert/strict";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { SeedmintError } from "../../src/core/errors.ts";
import type { MethodName, Methods, NodeApi } from "../../src/app/api/methods.ts";
import { RemoteNode } from "../../src/app/api/remote.ts";
import { checkControl } from "../../src/app/control/guard.ts";
import {
  listenForMetrics,
  listenOnLoopback,
  listenOnSocket,
  openToken,
} from "../../src/app/control/listen.ts";
import { isForeignSocket } from "../../src/app/control/owner.ts";
import { socketPath } from "../../src/app/control/paths.ts";
import { ControlServer } from "../../src/app/control/server.ts";

type Call = (
  method: MethodName,
  params: unknown,
  options: { signal: AbortSignal; onEvent: (event: unknown) => void },
) => Promise<unknown>;

/** A node that does what a test says. */
function fakeNode(call: Call): NodeApi {
  return {
    mode: "running",
    call: (method, params, options) =>
      call(method, params, options as never) as Promise<Methods[typeof method]["result"]>,
    readBlob: (target) => Promise.resolve(new Blob([`bytes of ${target}`]).stream()),
    addStream: async (stream, attributes) => {
      const size = (await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).bytes())
        .length;
      return {
        event: "added",
        hash: "h",
        size,
        sha256: null,
        kind: "blob",
        name: "n",
        attributes,
      } as never;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function serverOf(call: Call, options: { token?: string; errors?: unknown[] } = {}): ControlServer {
  return new ControlServer({
    node: fakeNode(call),
    identify: () => Promise.resolve({ version: "0", peerId: "p" }),
    metrics: () => Promise.resolve("up 1\n"),
    onError: (error) => options.errors?.push(error),
    ...(options.token === undefined ? {} : { token: options.token }),
  });
}

async function withSocket(
  call: Call,
  run: (node: RemoteNode, path: string) => Promise<void>,
  errors: unknown[] = [],
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "seedmint-control-" });
  try {
    const path = socketPath(directory);
    await using _ = await listenOnSocket(serverOf(call, { errors }), path);
    await using node = await RemoteNode.connect(path);
    assert.ok(node);
    await run(node, path);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("a remote call carries parameters, events and the result", async () => {
  await withSocket((method, params, { onEvent }) => {
    assert.equal(method, "gc");
    assert.deepEqual(params, { dryRun: true });
    onEvent({ event: "removed", hash: "a", size: 1 });
    onEvent({ event: "removed", hash: "ü\n", size: 2 });
    return Promise.resolve({ blobCount: 2, bytes: 3 });
  }, async (node) => {
    const events: unknown[] = [];
    const result = await node.call("gc", { dryRun: true }, {
      onEvent: (event) => events.push(event),
    });
    assert.deepEqual(result, { blobCount: 2, bytes: 3 });
    assert.deepEqual(events, [
      { event: "removed", hash: "a", size: 1 },
      { event: "removed", hash: "ü\n", size: 2 },
    ]);
  });
});

Deno.test("a remote call fails as the node's own call does; a mistake of the node is logged there", async () => {
  const errors: unknown[] = [];
  let error: Error = new SeedmintError("not-found", "It is not here");
  await withSocket(() => Promise.reject(error), async (node) => {
    await assert.rejects(node.call("status", {}), (found) => {
      assert.ok(found instanceof SeedmintError);
      assert.deepEqual([found.code, found.message], ["not-found", "It is not here"]);
      return true;
    });
    assert.equal(errors.length, 0);
    error = new TypeError("x is not a function");
    await assert.rejects(node.call("status", {}), /A mistake of the node/);
    assert.deepEqual(errors, [error]);
  }, errors);
});

Deno.test("a remote call that is aborted cancels the work in the node", async () => {
  const cancelled = Promise.withResolvers<void>();
  await withSocket((_method, _params, { signal, onEvent }) => {
    onEvent({ event: "progress", label: "", bytes: 1 });
    return new Promise((_, reject) =>
      signal.addEventListener("abort", () => {
        cancelled.resolve();
        reject(signal.reason);
      })
    );
  }, async (node) => {
    const abort = new AbortController();
    await assert.rejects(
      node.call("verify", { targets: [] }, {
        signal: abort.signal,
        onEvent: () => abort.abort(new SeedmintError("aborted", "Enough")),
      }),
      /Enough/,
    );
    await cancelled.promise;
  });
});

Deno.test("a remote call tells when the node vanishes in the middle", async () => {
  const directory = await Deno.makeTempDir({ prefix: "seedmint-control-" });
  const path = join(directory, "s");
  const http = Deno.serve({ path, onListen: () => {} }, (request) => {
    if (request.method === "GET") return Response.json({});
    return new Response('{"event":"progress","label":"","bytes":1}\n');
  });
  await using node = await RemoteNode.connect(path);
  await assert.rejects(node!.call("status", {}), /ended before the work was done/);
  await http.shutdown();
  await assert.rejects(node!.call("status", {}), /does not answer/);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("blobs are read and added as streams through the socket", async () => {
  await withSocket(() => Promise.reject(new Error("never")), async (node) => {
    assert.equal(await new Response(await node.readBlob("a/b c")).text(), "bytes of a/b c");
    const added = await node.addStream(new Blob(["12345"]).stream(), {
      pinned: true,
      visibility: "private",
      name: "ä",
    }) as unknown as { size: number; attributes: unknown };
    assert.equal(added.size, 5);
    assert.deepEqual(added.attributes, { pinned: true, visibility: "private", name: "ä" });
  });
});

Deno.test("the socket is for its owner alone, in a directory that nobody else enters", async () => {
  await withSocket(() => Promise.resolve({}), async (_node, path) => {
    assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
  });
  const directory = await Deno.makeTempDir({ prefix: "seedmint-control-" });
  await Deno.chmod(directory, 0o755);
  await assert.rejects(
    listenOnSocket(serverOf(() => Promise.resolve({})), socketPath(directory)),
    /others may enter .* chmod 700/,
  );
  await Deno.remove(directory);
});

Deno.test("socketPath() stays below what a Unix socket can take", () => {
  assert.equal(socketPath("/data"), "/data/control.sock");
  const long = socketPath(`/${"deep/".repeat(40)}`);
  assert.match(long, /^\/tmp\/seedmint-[0-9a-f]{32}\/control\.sock$/);
  assert.ok(long.length <= 103);
  assert.notEqual(long, socketPath(`/${"deep/".repeat(41)}`));
});

Deno.test("isForeignSocket() trusts no directory below /tmp that others own or may enter", async () => {
  const top = await Deno.makeTempDir({ prefix: "seedmint-control-" });
  const data = join(top, "deep/".repeat(40), "data");
  const path = socketPath(data);
  const directory = dirname(path);
  try {
    await Deno.mkdir(data, { recursive: true });
    assert.equal(await isForeignSocket(data), false);
    await using _ = await listenOnSocket(serverOf(() => Promise.resolve({})), path);
    assert.equal(await isForeignSocket(data), false);
    await using node = await RemoteNode.of(data);
    assert.ok(node);
    await Deno.chmod(directory, 0o777);
    assert.equal(await isForeignSocket(data), true);
    assert.equal(await RemoteNode.of(data), undefined);
    await Deno.chmod(directory, 0o700);
    if (Deno.uid() !== 0) return;
    await Deno.chown(directory, 1234, null);
    assert.equal(await isForeignSocket(data), true);
    assert.equal(await RemoteNode.of(data), undefined);
    await Deno.chown(data, 1234, null);
    assert.equal(await isForeignSocket(data), false);
  } finally {
    await Deno.remove(top, { recursive: true });
  }
});

Deno.test("a socket that nobody listens on means that no node runs", async () => {
  const directory = await Deno.makeTempDir({ prefix: "seedmint-control-" });
  const path = join(directory, "control.sock");
  assert.equal(await RemoteNode.connect(path), undefined);
  await Deno.writeTextFile(path, "");
  assert.equal(await RemoteNode.connect(path), undefined);
  await Deno.remove(path);
  // A socket left by a killed process: bound, and then nobody there.
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `Deno.listen({ transport: "unix", path: "${path}" }); Deno.kill(Deno.pid, "SIGKILL")`,
    ],
  });
  await child.output();
  assert.ok((await Deno.lstat(path)).isSocket);
  assert.equal(await RemoteNode.connect(path), undefined);
  await using _ = await listenOnSocket(serverOf(() => Promise.resolve({})), path);
  await using node = await RemoteNode.connect(path);
  assert.ok(node);
  await Deno.remove(directory, { recursive: true });
});

const loopback = { via: "loopback", port: 9 } as const;
const ask = (headers: Record<string, string>) => new Request("http://127.0.0.1:9/v1", { headers });

Deno.test("checkControl() takes only a right Host, no Origin, and the token", () => {
  const token = "t".repeat(43);
  const bearer = `Bearer ${token}`;
  const codeOf = (headers: Record<string, string>, listener = loopback) =>
    checkControl(ask(headers), listener, token)?.status;
  assert.equal(codeOf({ host: "127.0.0.1:9", authorization: bearer }), undefined);
  assert.equal(codeOf({ host: "LOCALHOST:9", authorization: bearer }), undefined);
  assert.equal(codeOf({ host: "[::1]:9", authorization: bearer }), undefined);
  assert.equal(codeOf({ host: "evil.example", authorization: bearer }), 421);
  assert.equal(codeOf({ host: "127.0.0.1:8", authorization: bearer }), 421);
  assert.equal(codeOf({ host: "127.0.0.1", authorization: bearer }), 421);
  assert.equal(codeOf({ authorization: bearer }), 421);
  for (const origin of ["null", "http://127.0.0.1:9", "https://evil.example"]) {
    assert.equal(codeOf({ host: "127.0.0.1:9", authorization: bearer, origin }), 403);
  }
  for (
    const authorization of ["", "Bearer ", `Bearer ${"u".repeat(43)}`, `Bearer ${token}t`, token]
  ) {
    assert.equal(codeOf({ host: "127.0.0.1:9", authorization }), 401);
  }
  assert.equal(
    checkControl(ask({ host: "127.0.0.1:9", authorization: bearer }), loopback, undefined)?.status,
    401,
  );
  const socket = { via: "socket" } as const;
  assert.equal(checkControl(ask({ host: "seedmint" }), socket, undefined), undefined);
  assert.equal(checkControl(ask({ host: "evil.example" }), socket, undefined)?.status, 421);
  assert.equal(
    checkControl(ask({ host: "seedmint", origin: "null" }), socket, undefined)?.status,
    403,
  );
});

/** One HTTP request as raw bytes, for `fetch` sets Host and Origin by itself. */
async function raw(port: number, lines: readonly string[]): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let answer = "";
  const socket = connect(port, "127.0.0.1", () => socket.end(lines.join("\r\n") + "\r\n\r\n"));
  socket.on("data", (bytes) => answer += bytes).on("error", reject).on(
    "close",
    () => resolve(answer),
  );
  return await promise;
}

Deno.test("control on loopback works with its token and refuses what a web page could send", async () => {
  const directory = await Deno.makeTempDir({ prefix: "seedmint-control-" });
  const token = await openToken(directory);
  assert.equal(await openToken(directory), token);
  assert.equal(((await Deno.stat(join(directory, "control.token"))).mode ?? 0) & 0o777, 0o600);
  let callCount = 0;
  const server = serverOf(() => Promise.resolve({ callCount: ++callCount }), { token });
  await using listener = listenOnLoopback(server, { hostname: "127.0.0.1", port: 0 });
  const port = Number(new URL(listener.address).port);
  const post = (headers: Record<string, string>, body = "{}") =>
    fetch(`${listener.address}/v1/status`, {
      method: "POST",
      body,
      headers: { "content-type": "application/json", authorization: `Bearer ${token}`, ...headers },
    });
  const good = await post({});
  assert.equal(await good.text(), '{"event":"result","result":{"callCount":1}}\n');
  for (
    const [headers, status] of [
      [{ origin: "http://evil.example" }, 403],
      [{ authorization: "Bearer guess" }, 401],
      [{ "content-type": "text/plain" }, 415],
    ] as const
  ) {
    const refused = await post(headers as Record<string, string>);
    assert.equal(refused.status, status);
    await refused.body?.cancel();
  }
  const rebound = await raw(port, [
    "POST /v1/status HTTP/1.1",
    "Host: evil.example",
    `Authorization: Bearer ${token}`,
    "Content-Type: application/json",
    "Connection: close",
    "Content-Length: 0",
  ]);
  assert.match(rebound, /^HTTP\/1\.1 421 /);
  assert.equal(callCount, 1);
  await Deno.chmod(join(directory, "control.token"), 0o644);
  await assert.rejects(openToken(directory), /others may read it/);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("parameters are checked before a method sees them", async () => {
  let callCount = 0;
  await withSocket(() => Promise.resolve({ callCount: ++callCount }), async (node) => {
    const wrong: readonly (readonly [MethodName, unknown])[] = [
      ["status", { extra: 1 }],
      ["pin", {}],
      ["pin", { targets: [1] }],
      ["pin", { targets: [""] }],
      ["gc", { dryRun: "yes" }],
      ["add", { paths: ["relative"], mode: "copy", pinned: false }],
      ["add", { paths: ["/a"], mode: "steal", pinned: false }],
      ["export", { target: "a", output: "/x\0", overwrite: false }],
      ["verify", []],
    ];
    for (const [method, params] of wrong) {
      await assert.rejects(
        node.call(method, params as never),
        (error) => error instanceof SeedmintError && error.code === "usage",
        JSON.stringify(params),
      );
    }
    await assert.rejects(node.call("constructor" as never, {} as never), /There is no POST/);
    assert.equal(callCount, 0);
    await assert.rejects(node.call("pin", { targets: ["x".repeat(5 << 20)] }), /at most/);
  });
});

Deno.test("metrics need no token, but a right Host", async () => {
  await using listener = listenForMetrics(
    { hostname: "127.0.0.1", port: 0 },
    () => Promise.resolve("up 1\n"),
  );
  const answer = await fetch(`${listener.address}/metrics`);
  assert.equal(await answer.text(), "up 1\n");
  const port = Number(new URL(listener.address).port);
  const lines = ["GET /metrics HTTP/1.1", "Host: evil.example", "Connection: close"];
  assert.match(await raw(port, lines), /^HTTP\/1\.1 421 /);
  assert.equal(
    (await fetch(`${listener.address}/v1`).then(async (r) => (await r.text(), r))).status,
    404,
  );
});

Deno.test("ControlServer takes a broken escape in a path for the caller's mistake", async () => {
  const server = serverOf(() => Promise.resolve({}));
  const request = new Request("http://seedmint/v1/blobs/%ff", { headers: { host: "seedmint" } });
  const response = await server.handle(request, { via: "socket" });
  assert.equal(response.status, 400);
  assert.match((await response.json()).message, /broken % escape/);
});
