/** The relay under clients that send anything at all. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { type NostrEvent, signEvent } from "../../../src/nostr/nostr.ts";
import { RelayPool } from "../../../src/nostr/relay_pool.ts";
import { RelayServer } from "../../../src/nostr/relay/relay_server.ts";
import { encodeFrame, OPCODE } from "../../../src/nostr/websocket/frames.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const SECRET = new Uint8Array(32).fill(6);
const options = { clock: systemClock, random: systemRandom };
const good = signEvent({ kind: 30081, created_at: 5, tags: [["d", "x"]], content: "" }, SECRET);

const HANDSHAKE = [
  "GET / HTTP/1.1",
  "Host: localhost",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version: 13",
  "",
  "",
].join("\r\n");

async function assertServes(server: RelayServer): Promise<void> {
  await using pool = new RelayPool({ relays: [server.url], ...options });
  const found: NostrEvent[] = [];
  for await (const event of pool.query([{ "#d": ["x"] }])) found.push(event);
  assert.deepEqual(found, [good]);
}

async function withGoodEvent(): Promise<RelayServer> {
  const server = await RelayServer.listen({
    storage: "memory",
    ...options,
    limits: { connectionsPerAddressMax: 1000, messagesPerSecond: 10_000 },
  });
  await using pool = new RelayPool({ relays: [server.url], ...options });
  assert.equal((await pool.publish(good)).acceptedCount, 1);
  return server;
}

/** Sends bytes on a connection of its own and reads: once, or until the server hangs up. */
async function poke(
  server: RelayServer,
  chunks: readonly Uint8Array[],
  { toEnd = false } = {},
): Promise<void> {
  const { hostname, port } = new URL(server.url);
  using conn = await Deno.connect({ hostname, port: Number(port) });
  try {
    for (const chunk of chunks) await conn.write(chunk);
    const buffer = new Uint8Array(10_000);
    while (await conn.read(buffer) !== null && toEnd);
  } catch {
    // It was cut off, as it should be.
  }
}

const MASK = Uint8Array.of(1, 2, 3, 4);
const utf8 = (text: string) => new TextEncoder().encode(text);

Deno.test("RelayServer goes on serving whatever bytes others send", async () => {
  await using server = await withGoodEvent();
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 200 });
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(bytes, { maxLength: 5 }), async (upgraded, chunks) => {
      const ending = upgraded ? [] : [utf8("\r\n\r\n")];
      await poke(server, [...(upgraded ? [utf8(HANDSHAKE)] : []), ...chunks, ...ending]);
    }),
    { numRuns: 100 },
  );
  await assertServes(server);
});

Deno.test("RelayServer goes on serving whatever messages others send", async () => {
  await using server = await withGoodEvent();
  const part = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom("EVENT", "REQ", "CLOSE", "AUTH", "a", {}, [], null, good, { ...good, sig: "" }),
    fc.record({
      ids: fc.anything(),
      kinds: fc.anything(),
      limit: fc.anything(),
      "#d": fc.anything(),
      since: fc.anything(),
    }, { requiredKeys: [] }),
  );
  const message = fc.oneof(
    fc.tuple(fc.constantFrom("EVENT", "REQ", "CLOSE", "AUTH"), part, part).map((parts) => {
      try {
        return JSON.stringify(parts);
      } catch {
        return "[]";
      }
    }),
    fc.json(),
    fc.string(),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 8 }), async (messages) => {
      const frames = messages.map((text) => encodeFrame(OPCODE.text, utf8(text), MASK));
      const goodbye = encodeFrame(OPCODE.close, new Uint8Array(0), MASK);
      await poke(server, [utf8(HANDSHAKE), ...frames, goodbye], { toEnd: true });
    }),
    { numRuns: 150 },
  );
  await assertServes(server);
});

Deno.test("RelayServer keeps no fragments without end, where Deno's own server would", async () => {
  await using server = await withGoodEvent();
  const { hostname, port } = new URL(server.url);
  using conn = await Deno.connect({ hostname, port: Number(port) });
  await conn.write(utf8(HANDSHAKE));
  const fragment = encodeFrame(OPCODE.continuation, new Uint8Array(64 * 1024), MASK);
  const first = Uint8Array.from(fragment);
  first[0] = OPCODE.text;
  fragment[0] = OPCODE.continuation;
  let sentBytes = 0;
  await assert.rejects(async () => {
    for (let chunk = first; sentBytes < 64 * 1024 * 1024; chunk = fragment) {
      for (let offset = 0; offset < chunk.length;) {
        offset += await conn.write(chunk.subarray(offset));
      }
      sentBytes += chunk.length;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });
  await assertServes(server);
});

Deno.test("RelayServer forgets an advert when its time is over, without being told", async () => {
  const clock = new ManualClock();
  await using server = await RelayServer.listen({ storage: "memory", ...options, clock });
  await using pool = new RelayPool({ relays: [server.url], ...options });
  const nowS = clock.nowMs() / 1000;
  const advert = signEvent({
    kind: 30081,
    created_at: nowS,
    tags: [["d", "y"], ["expiration", String(nowS + 30)]],
    content: "",
  }, SECRET);
  assert.equal((await pool.publish(advert)).acceptedCount, 1);
  const count = async () => {
    let found = 0;
    for await (const _ of pool.query([{}])) found++;
    return found;
  };
  assert.equal(await count(), 1);
  await clock.advance(31_000);
  assert.equal(await count(), 0);
  assert.equal(server.stats().storedCount, 1);
  await clock.advance(30_000);
  assert.equal(server.stats().storedCount, 0);
  assert.match((await pool.publish(advert)).outcomes[0]!.reason, /expired/);
});
