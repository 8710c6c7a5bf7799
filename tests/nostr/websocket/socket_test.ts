import assert from "node:assert/strict";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { CLIENT_SOCKET_LIMITS, HTTP_HEAD_BYTES_MAX } from "../../../src/nostr/limits.ts";
import { connectSocket } from "../../../src/nostr/websocket/connect.ts";
import { encodeFrame, OPCODE } from "../../../src/nostr/websocket/frames.ts";
import { Socket } from "../../../src/nostr/websocket/socket.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const clock = systemClock;
const random = systemRandom;
const limits = {
  ...CLIENT_SOCKET_LIMITS,
  messageBytesMax: 1000,
  queueBytesMax: 100_000,
  closeMs: 200,
};
const options = { limits, connectMs: 2000, clock, random };

/** A TCP connection to ourselves. */
async function pair(): Promise<[Deno.TcpConn, Deno.TcpConn]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  return await Promise.all([Deno.connect({ hostname: "127.0.0.1", port }), listener.accept()]);
}

function listen(handle: (conn: Deno.Conn) => Promise<void>) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const running = (async () => {
    try {
      using conn = await listener.accept();
      await handle(conn);
    } catch {
      // The test is over.
    }
  })();
  return {
    url: `ws://127.0.0.1:${listener.addr.port}`,
    async [Symbol.asyncDispose]() {
      listener.close();
      await running;
    },
  };
}

Deno.test("connectSocket and Deno's server exchange messages and a close", async () => {
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => {
      if (data === "bye") socket.close(4000, "as you wish");
      else socket.send(`echo ${data}`);
    };
    return response;
  });
  const socket = await connectSocket(`ws://127.0.0.1:${server.addr.port}/path?x=1`, options);
  socket.send("hé".repeat(300));
  assert.equal(await socket.receive(), `echo ${"hé".repeat(300)}`);
  socket.send("bye");
  assert.equal(await socket.receive(), undefined);
  assert.deepEqual(await socket.ended, { code: 4000, reason: "as you wish" });
});

Deno.test("connectSocket refuses a server that is no WebSocket", async () => {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("hello"),
  );
  await assert.rejects(
    connectSocket(`ws://127.0.0.1:${server.addr.port}`, options),
    (error) => isSeedmintError(error, "protocol") && error.message.includes("200 OK"),
  );
});

Deno.test("connectSocket refuses a 101 without the right proof", async () => {
  await using server = listen(async (conn) => {
    await conn.read(new Uint8Array(1000));
    await conn.write(new TextEncoder().encode(
      "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
    ));
  });
  await assert.rejects(connectSocket(server.url, options), { code: "protocol" });
});

Deno.test("connectSocket gives up on a head without end, and on silence", async () => {
  await using endless = listen(async (conn) => {
    for (;;) await conn.write(new Uint8Array(HTTP_HEAD_BYTES_MAX).fill(65));
  });
  await assert.rejects(connectSocket(endless.url, options), { code: "protocol" });
  await using silent = listen(async (conn) => {
    while (await conn.read(new Uint8Array(1000)) !== null);
  });
  await assert.rejects(connectSocket(silent.url, { ...options, connectMs: 50 }), {
    code: "timeout",
  });
});

Deno.test("connectSocket rejects with the reason of an abort", async () => {
  await using silent = listen(async (conn) => {
    await conn.read(new Uint8Array(1000));
    await conn.read(new Uint8Array(1000));
  });
  const reason = new Error("no longer wanted");
  const controller = new AbortController();
  const connecting = connectSocket(silent.url, { ...options, signal: controller.signal });
  setTimeout(() => controller.abort(reason), 20);
  await assert.rejects(connecting, reason);
});

Deno.test("Socket ends a connection whose message has fragments without end", async () => {
  const [theirs, ours] = await pair();
  const socket = new Socket(ours, { role: "server", limits, clock, random });
  const receiving = socket.receive();
  const mask = new Uint8Array(4);
  const first = encodeFrame(OPCODE.text, new Uint8Array(500).fill(65), mask);
  const more = encodeFrame(OPCODE.continuation, new Uint8Array(500).fill(65), mask);
  first[0]! &= 0x7f;
  more[0]! &= 0x7f;
  await theirs.write(first);
  for (let count = 0; count < 3; count++) await theirs.write(more).catch(() => {});
  assert.equal(await receiving, undefined);
  const end = await socket.ended;
  assert.equal(end.code, 1009);
  theirs.close();
});

Deno.test("Socket cuts off a reader that does not read", async () => {
  const [theirs, ours] = await pair();
  const socket = new Socket(ours, {
    role: "server",
    limits: { ...limits, queueBytesMax: 50_000 },
    clock,
    random,
  });
  while (socket.open) {
    socket.send("x".repeat(10_000));
    assert.ok(socket.queuedBytes <= 70_000);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert.match((await socket.ended).reason, /reads too slowly/);
  theirs.close();
});

Deno.test("Socket cuts off a flood of pings", async () => {
  const [theirs, ours] = await pair();
  const socket = new Socket(ours, { role: "server", limits, clock, random });
  const receiving = socket.receive();
  const ping = encodeFrame(OPCODE.ping, new Uint8Array(0), new Uint8Array(4));
  for (let count = 0; count < 100; count++) await theirs.write(ping).catch(() => {});
  assert.equal(await receiving, undefined);
  assert.match((await socket.ended).reason, /control frames/);
  theirs.close();
});

Deno.test("Socket pings a silent connection, and ends it when no answer comes", async () => {
  const [theirs, ours] = await pair();
  const manual = new ManualClock();
  const socket = new Socket(ours, { role: "server", limits, clock: manual, random });
  const receiving = socket.receive();
  await manual.advance(limits.pingMs);
  const buffer = new Uint8Array(10);
  assert.equal(await theirs.read(buffer), 2);
  assert.equal(buffer[0], 0x89);
  await manual.advance(limits.pongMs);
  assert.equal(await receiving, undefined);
  assert.match((await socket.ended).reason, /silent/);
  assert.equal(manual.timerCount, 0);
  theirs.close();
});

Deno.test("Socket keeps a silent connection that answers pings", async () => {
  const [theirs, ours] = await pair();
  const manual = new ManualClock();
  const client = new Socket(theirs, { role: "client", limits, clock, random });
  const server = new Socket(ours, { role: "server", limits, clock: manual, random });
  const receiving = [client.receive(), server.receive()];
  for (let round = 0; round < 5; round++) {
    await manual.advance(limits.pingMs);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await manual.advance(limits.pongMs);
  }
  assert.ok(server.open);
  client.close();
  await Promise.all([...receiving, client.ended, server.ended]);
});

Deno.test("Socket ends soon after close even if the other side never answers", async () => {
  const [theirs, ours] = await pair();
  const socket = new Socket(ours, { role: "server", limits, clock, random });
  const startedMs = performance.now();
  socket.close(1001, "shutting down");
  assert.equal(socket.open, false);
  assert.deepEqual(await socket.ended, { code: 1001, reason: "shutting down" });
  assert.ok(performance.now() - startedMs < 1000);
  assert.equal(await socket.receive(), undefined);
  theirs.close();
});
