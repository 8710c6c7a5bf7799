import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import type { Hash } from "../../../src/core/hash.ts";
import { isSeedmintError, SeedmintError } from "../../../src/core/errors.ts";
import { type Range, RangeSet } from "../../../src/core/range_set.ts";
import { encodedSize } from "../../../swarm/bao/mod.ts";
import { type Connect, DirectClient, DirectServer } from "../../../swarm/direct/mod.ts";
import { requestBytes } from "../../../swarm/direct/http.ts";
import { encodeDirectRequest } from "../../../swarm/direct/mod.ts";
import { BLOBS_PROTOCOL, type Granted } from "../../../swarm/protocol/mod.ts";
import { PROVIDER_LIMITS } from "../../../swarm/provider/mod.ts";
import { Metering } from "../../../swarm/provider/metering.ts";
import { MemoryBlobStore } from "../../../swarm/store/mod.ts";
import { PathMemory } from "../../../swarm/requester/mod.ts";
import { ipOfMultiaddr } from "../../../swarm/requester/direct_path.ts";
import {
  bytesOf,
  content,
  never,
  RawLine,
  SEEDER,
  TwoNodes,
  type TwoNodesOptions,
} from "../provider/support.ts";

const MIB = 1024 * 1024;
const SIZE = 5 * MIB + 7;
const LOOPBACK = { port: 0, hostname: "127.0.0.1" };

/** Two nodes on a memory network whose direct path goes over loopback TCP. */
function start(options: TwoNodesOptions = {}, connect?: Connect): Promise<TwoNodes> {
  return TwoNodes.start({
    ...options,
    provider: { direct: LOOPBACK, ...options.provider },
    source: {
      direct: { hostOf: () => "127.0.0.1", ...(connect === undefined ? {} : { connect }) },
      ...options.source,
    },
  });
}

async function fetchAll(nodes: TwoNodes, bytes: Uint8Array): Promise<string[]> {
  const { hash } = await nodes.seeding.importBytes(bytes);
  nodes.events.length = 0;
  await nodes.source.fetch({ hash, groups: RangeSet.ALL, signal: never() });
  equal(nodes.fetching.status(hash)?.state, "complete");
  deepEqual(await bytesOf(nodes.fetching, hash), bytes);
  return nodes.events.map(({ path, outcome }) => `${path} ${outcome}`);
}

Deno.test("PeerSource takes the direct path for a large public blob, and verifies it", async () => {
  await using nodes = await start();
  deepEqual(await fetchAll(nodes, content(SIZE)), ["stream direct", "direct served"]);
});

Deno.test("PeerSource uses one session and one connection for ranges after one another", async () => {
  let connectCount = 0;
  await using nodes = await start({}, async (address) => {
    connectCount += 1;
    return await Deno.connect({ ...address });
  });
  const { hash } = await nodes.seeding.importBytes(content(SIZE));
  const verified: Range[] = [];
  for (let start = 0; start < 321; start += 80) {
    const groups = RangeSet.of(start, Math.min(start + 80, 321));
    const { receivedBytes } = await nodes.source.fetch({
      hash,
      size: SIZE,
      groups: start === 0 ? groups.union(RangeSet.of(320, 321)) : groups,
      onVerified: (range) => verified.push(range),
      signal: never(),
    });
    ok(receivedBytes > 0);
  }
  ok(RangeSet.from(verified).equals(RangeSet.of(0, 321)));
  equal(nodes.fetching.status(hash)?.state, "complete");
  equal(connectCount, 1);
  equal(nodes.events.filter(({ outcome }) => outcome === "direct").length, 1);
});

Deno.test("PeerSource keeps counters in order when it asks for several ranges at one time", async () => {
  await using nodes = await start();
  const { hash } = await nodes.seeding.importBytes(content(SIZE));
  const fetch = (from: number, to: number) =>
    nodes.source.fetch({ hash, size: SIZE, groups: RangeSet.of(from, to), signal: never() });
  await fetch(256, 321);
  nodes.events.length = 0;
  await Promise.all([fetch(0, 64), fetch(64, 128), fetch(128, 192), fetch(192, 256)]);
  deepEqual(nodes.events.map(({ path }) => path), Array(4).fill("direct"));
  equal(nodes.fetching.status(hash)?.state, "complete");
});

Deno.test("PeerSource stays on the stream for a small range, and when told to", async () => {
  await using nodes = await start();
  deepEqual(await fetchAll(nodes, content(500_000)), ["stream served"]);
  await using told = await start({ source: { direct: false } });
  deepEqual(await fetchAll(told, content(SIZE)), ["stream served"]);
  await using unasked = await TwoNodes.start({
    source: { direct: { hostOf: () => "127.0.0.1" } },
  });
  deepEqual(await fetchAll(unasked, content(SIZE)), ["stream served"]);
});

Deno.test("Provider offers the direct path for a fleet blob on a trusted network only", async () => {
  const fleet = { viewerOf: (peerId: string) => Promise.resolve({ peerId, fleet: true }) };
  for (const trustedNetwork of [false, true]) {
    const direct = { ...LOOPBACK, trustedNetwork };
    await using nodes = await start({ provider: { fleet, direct } });
    const { hash } = await nodes.seeding.importBytes(content(SIZE), { visibility: "fleet" });
    await nodes.source.fetch({ hash, groups: RangeSet.ALL, signal: never() });
    equal(nodes.events.at(-1)!.path, trustedNetwork ? "direct" : "stream");
    equal(nodes.fetching.status(hash)?.visibility, "fleet");
  }
});

Deno.test("Provider hides a blob on the direct path as soon as it is hidden", async () => {
  await using nodes = await start();
  const { hash } = await nodes.seeding.importBytes(content(SIZE));
  const fetch = (from: number) =>
    nodes.source.fetch({ hash, size: SIZE, groups: RangeSet.of(from, from + 80), signal: never() });
  await fetch(0);
  nodes.seeding.setAttributes(hash, { visibility: "private" });
  await rejects(fetch(80), (error) => isSeedmintError(error, "not-found"));
});

Deno.test("PeerSource falls back to the stream within 300 ms when the address does not answer", async () => {
  const memory = new PathMemory({ clock: systemClock });
  const connect: Connect = () => new Promise(() => {});
  const direct = { hostOf: () => "127.0.0.1", connect, memory };
  await using nodes = await start({ source: { direct } });
  const startedMs = performance.now();
  deepEqual(await fetchAll(nodes, content(SIZE)), ["stream direct", "stream served"]);
  const ms = performance.now() - startedMs;
  ok(ms >= 290 && ms < 1000, `${ms} ms`);
  equal(memory.prefersDirect(SEEDER), false);
  deepEqual(await fetchAll(nodes, content(SIZE, 2)), ["stream served"]);
});

/** What may happen to a connection, each of which must end on the stream with the right bytes. */
const FAULTS: Readonly<Record<string, Connect>> = {
  "refuses": () => Promise.reject(new Deno.errors.ConnectionRefused("refused")),
  "ends at once": () => Promise.resolve(fake(() => null)),
  "answers with a redirect": () =>
    Promise.resolve(
      fake(once("HTTP/1.1 302 Found\r\nLocation: http://evil/\r\nContent-Length: 0\r\n\r\n")),
    ),
  "answers without a length": () => Promise.resolve(fake(once("HTTP/1.1 200 OK\r\n\r\n"))),
  "answers with another length": () =>
    Promise.resolve(fake(once("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"))),
  "answers noise": () => Promise.resolve(fake(once("\0\x01\x02\r\n\r\n"))),
  "changes a byte": (address) =>
    tamper(address, (bytes, at) => {
      const index = 3 * MIB - at;
      if (index >= 0 && index < bytes.length) bytes[index]! ^= 1;
    }),
  "breaks in the middle": (address) =>
    tamper(address, (_, at) => {
      if (at > 2 * MIB) throw new Deno.errors.ConnectionReset("reset");
    }),
};

for (const [name, connect] of Object.entries(FAULTS)) {
  Deno.test(`PeerSource ends on the stream when the direct path ${name}`, async () => {
    await using nodes = await start({}, connect);
    const { hash } = await nodes.seeding.importBytes(content(SIZE));
    await nodes.source.fetch({ hash, groups: RangeSet.of(0, 1), signal: never() });
    const events = await fetchAll(nodes, content(SIZE));
    equal(events.at(-1), "stream served");
    // What the direct path delivered before it broke was not asked for again.
    const last = nodes.events.at(-1)!;
    if (name === "changes a byte" || name === "breaks in the middle") {
      ok(last.bytes < encodedSize(SIZE, RangeSet.ALL) - MIB, `${last.bytes} bytes`);
    }
  });
}

Deno.test("PeerSource gives up the direct path at once, wherever it stalls", async () => {
  for (const stall of ["connect", "head", "body"] as const) {
    const reached = Promise.withResolvers<void>();
    let closed = 0;
    const connect: Connect = async (address) => {
      if (stall === "connect") {
        reached.resolve();
        return await new Promise(() => {});
      }
      const real = await Deno.connect({ ...address });
      let readCount = 0;
      return {
        read: (target) => {
          if (readCount++ < (stall === "head" ? 0 : 3)) return real.read(target);
          reached.resolve();
          return new Promise(() => {});
        },
        write: (bytes) => real.write(bytes),
        close: () => {
          closed += 1;
          real.close();
        },
      };
    };
    await using nodes = await start({}, connect);
    const { hash } = await nodes.seeding.importBytes(content(SIZE));
    const stop = new AbortController();
    const reason = new Error("the user gave up");
    const fetching = nodes.source.fetch({ hash, groups: RangeSet.ALL, signal: stop.signal });
    await reached.promise;
    stop.abort(reason);
    const startedMs = performance.now();
    await rejects(fetching, (error) => error === reason);
    ok(performance.now() - startedMs < 200, stall);
    if (stall !== "connect") ok(closed >= 1, stall);
  }
});

Deno.test("PeerSource does not blame the direct path for a full disk", async () => {
  await using nodes = await start();
  const { hash } = await nodes.seeding.importBytes(content(SIZE));
  nodes.fetching.ingestEncoded = () =>
    Promise.reject(new SeedmintError("no-space", "The disk is full"));
  await rejects(
    nodes.source.fetch({ hash, groups: RangeSet.ALL, signal: never() }),
    (error) => isSeedmintError(error, "no-space"),
  );
});

Deno.test("PathMemory leaves the direct path aside where the stream is faster", () => {
  let nowMs = 0;
  const memory = new PathMemory({ clock: { monotonicMs: () => nowMs } });
  const measured = (peer: string, path: "stream" | "direct", bytes: number, ms: number) => {
    const end = memory.begin(peer, path);
    nowMs += ms;
    end(bytes);
  };
  equal(memory.prefersDirect("a"), true);
  measured("a", "direct", 10 * MIB, 100);
  equal(memory.prefersDirect("a"), true);
  measured("a", "stream", 10 * MIB, 50);
  equal(memory.prefersDirect("a"), false);
  for (let count = 0; count < 10; count++) measured("a", "stream", 10 * MIB, 400);
  equal(memory.prefersDirect("a"), true);
  measured("b", "stream", 100, 0.001);
  measured("b", "direct", 10 * MIB, 100);
  equal(memory.prefersDirect("b"), true, "a transfer of 100 bytes says nothing");
});

Deno.test("PathMemory measures transfers at one time together", () => {
  let nowMs = 0;
  const memory = new PathMemory({ clock: { monotonicMs: () => nowMs } });
  const alone = memory.begin("a", "stream");
  nowMs += 100;
  alone(10 * MIB);
  // Four at a quarter of the rate each are as fast as one, and a little faster here.
  const ends = [1, 2, 3, 4].map(() => memory.begin("a", "direct"));
  nowMs += 390;
  for (const end of ends) end(10 * MIB);
  equal(memory.prefersDirect("a"), true);
});

Deno.test("DirectServer offers nothing for a relayed stream, a small or a hidden blob", async () => {
  const metering = new Metering({ limits: PROVIDER_LIMITS, clock: systemClock });
  const store = new MemoryBlobStore({ clock: systemClock });
  await using server = await DirectServer.start({
    ...LOOPBACK,
    store,
    metering,
    clock: systemClock,
    random: systemRandom,
    announcedPort: 4801,
  });
  const hash = "11".repeat(32) as Hash;
  const viewer = { peerId: "a", fleet: false };
  const fine = { viewer, relayed: false, hash, visibility: "public", groupCount: 64 } as const;
  equal(server.offer(fine)?.port, 4801);
  equal(server.offer({ ...fine, relayed: true }), undefined);
  equal(server.offer({ ...fine, groupCount: 63 }), undefined);
  equal(server.offer({ ...fine, visibility: "fleet" }), undefined);
  equal(server.offer({ ...fine, visibility: "private" }), undefined);
  await rejects(
    DirectServer.start({
      ...LOOPBACK,
      port: server.port,
      store,
      metering,
      clock: systemClock,
      random: systemRandom,
    }),
    (error) => isSeedmintError(error, "unavailable"),
  );
});

Deno.test("ipOfMultiaddr takes addresses and no names", () => {
  equal(ipOfMultiaddr("/ip4/192.0.2.7/tcp/4001/p2p/x"), "192.0.2.7");
  equal(ipOfMultiaddr("/ip6/2001:db8::1/tcp/4001"), "2001:db8::1");
  for (const odd of ["/dns4/evil.example/tcp/1", "/memory/x", "/ip4/1.2.3.4/udp/1", "", "x"]) {
    equal(ipOfMultiaddr(odd), undefined, odd);
  }
});

Deno.test("DirectServer answers nobody without a fresh, authentic request", async () => {
  await using nodes = await start();
  const { hash } = await nodes.seeding.importBytes(content(SIZE));
  const peer = { peerId: SEEDER, addrs: nodes.seeder.addresses() };
  const line = new RawLine(await nodes.fetcher.openStream(peer, BLOBS_PROTOCOL));
  await line.send({ t: "want", hash, format: "blob", direct: true });
  const { direct } = (await line.answer()).messages[0] as Granted;
  const port = nodes.provider.directPort!;
  equal(direct?.port, port);
  const { session, key } = direct!;
  const body = encodeDirectRequest({ session, hash, ranges: RangeSet.of(0, 1), counter: 0 }, key);
  const forged = Uint8Array.from(body);
  forged[20]! ^= 1;
  const post = (bytes: Uint8Array) => exchange(port, requestBytes("x", bytes));
  const utf8 = (text: string) => new TextEncoder().encode(text);
  equal(await post(forged), "HTTP/1.1 403 Forbidden");
  equal(await post(body), "HTTP/1.1 200 OK");
  equal(await post(body), "HTTP/1.1 403 Forbidden", "a replay");
  const past = { session, hash, ranges: RangeSet.of(400, 401), counter: 1 };
  equal(await post(encodeDirectRequest(past, key)), "HTTP/1.1 200 OK", "means the last group");
  equal(await post(utf8("hello")), "HTTP/1.1 400 Bad Request");
  equal(await exchange(port, utf8("GET / HTTP/1.1\r\n\r\n")), "HTTP/1.1 404 Not Found");
  equal(await exchange(port, utf8("hello\r\n\r\n")), "HTTP/1.1 404 Not Found");
  const long = "POST /seedmint/direct/1 HTTP/1.1\r\nContent-Length: 999999\r\n\r\n";
  equal(await exchange(port, utf8(long)), "HTTP/1.1 400 Bad Request");
  equal(await exchange(port, utf8("x".repeat(5000))), "HTTP/1.1 400 Bad Request");
});

Deno.test("DirectServer takes no more connections from one address than its limit", async () => {
  await using nodes = await start();
  const port = nodes.provider.directPort!;
  const open: Deno.TcpConn[] = [];
  for (let count = 0; count < 130; count++) {
    open.push(await Deno.connect({ hostname: "127.0.0.1", port }));
  }
  await systemClock.sleep(30);
  equal(await open[129]!.read(new Uint8Array(1)), null);
  for (const connection of open) connection.close();
  await systemClock.sleep(30);
  deepEqual(await fetchAll(nodes, content(SIZE)), ["stream direct", "direct served"]);
});

Deno.test("DirectClient opens nothing new when the caller gives up on a connection used before", async () => {
  const head = new TextEncoder().encode("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
  let openCount = 0;
  let requestCount = 0;
  const waiting = Promise.withResolvers<void>();
  using client = new DirectClient({
    clock: systemClock,
    connect: () => {
      openCount += 1;
      return Promise.resolve({
        read: (target: Uint8Array) => {
          if (requestCount > 1) {
            waiting.resolve();
            return new Promise<null>(() => {});
          }
          target.set(head);
          return Promise.resolve(head.length);
        },
        write: (bytes: Uint8Array) => {
          requestCount += 1;
          return Promise.resolve(bytes.length);
        },
        close: () => {},
      });
    },
  });
  let giveUp = () => {};
  const post = () =>
    client.post({
      hostname: "127.0.0.1",
      port: 1,
      body: () => new Uint8Array(1),
      answerMs: 60_000,
      onAnswered: () => {},
      breaks: (breakUp) => giveUp = breakUp,
      use: async (response) => await response.read(),
    });
  await post();
  const second = post();
  await waiting.promise;
  giveUp();
  await rejects(second, { code: "reset" });
  equal(openCount, 1);
});

Deno.test("DirectServer drops a reader that takes nothing", async () => {
  await using nodes = await start({ provider: { direct: LOOPBACK, limits: { stallMs: 80 } } });
  const { hash } = await nodes.seeding.importBytes(content(48 * MIB));
  const line = await nodes.open();
  await line.send({ t: "want", hash, format: "blob", direct: true });
  const { direct } = (await line.answer()).messages[0] as Granted;
  const { session, key } = direct!;
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: direct!.port });
  const body = encodeDirectRequest({ session, hash, ranges: RangeSet.ALL, counter: 0 }, key);
  await connection.write(requestBytes("x", body));
  while (nodes.events.length < 2) await systemClock.sleep(5);
  equal(nodes.events[1]!.outcome, "reset");
  connection.close();
});

/** The first line of the answer to `bytes`. */
async function exchange(port: number, bytes: Uint8Array): Promise<string> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  try {
    await connection.write(bytes);
    const buffer = new Uint8Array(1000);
    const count = await connection.read(buffer);
    return new TextDecoder().decode(buffer.subarray(0, count ?? 0)).split("\r\n")[0]!;
  } finally {
    connection.close();
  }
}

function fake(read: (target: Uint8Array) => number | null) {
  return {
    read: (target: Uint8Array) => Promise.resolve(read(target)),
    write: (bytes: Uint8Array) => Promise.resolve(bytes.length),
    close: () => {},
  };
}

function once(text: string): (target: Uint8Array) => number | null {
  let left: Uint8Array = new TextEncoder().encode(text);
  return (target) => {
    if (left.length === 0) return null;
    target.set(left);
    const count = left.length;
    left = new Uint8Array(0);
    return count;
  };
}

/** A real connection whose bytes pass through `change` with their offset in the stream. */
async function tamper(
  address: { readonly hostname: string; readonly port: number },
  change: (bytes: Uint8Array, at: number) => void,
) {
  const real = await Deno.connect({ ...address });
  let at = 0;
  return {
    read: async (target: Uint8Array) => {
      const count = await real.read(target);
      if (count !== null) {
        change(target.subarray(0, count), at);
        at += count;
      }
      return count;
    },
    write: (bytes: Uint8Array) => real.write(bytes),
    close: () => real.close(),
  };
}
