/** The relay as clients meet it: those of nostr-tools, of Deno, and ones that mean no good. */
import assert from "node:assert/strict";
import { finalizeEvent, generateSecretKey, getPublicKey } from "nostr-tools/pure";
import { fetchRelayInformation } from "nostr-tools/nip11";
import { Relay } from "nostr-tools/relay";
import { wrapEvent } from "nostr-tools/nip17";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import type { NostrEvent } from "../../../src/nostr/nostr.ts";
import { RELAY_LIMITS } from "../../../src/nostr/relay/limits.ts";
import { RelayPool } from "../../../src/nostr/relay_pool.ts";
import type { RelayServer } from "../../../src/nostr/relay/relay_server.ts";
import { event, listen, nowS, pause, rawClient, settled, withPool } from "./support.ts";

Deno.test("RelayServer serves SimplePool: publish, query, subscribe, replace, delete", async () => {
  await using server = await listen();
  await withPool(server, async (pool, urls) => {
    const secret = generateSecretKey();
    const publish = (fields: object) => {
      const signed = finalizeEvent(
        { kind: 30081, created_at: nowS(), tags: [["d", "x"]], content: "", ...fields },
        secret,
      );
      return Promise.all(pool.publish(urls, signed)).then(() => signed);
    };
    const live: string[] = [];
    const eose = Promise.withResolvers<void>();
    const subscription = pool.subscribe(urls, { kinds: [30081] }, {
      onevent: (one) => void live.push(one.content),
      oneose: () => eose.resolve(),
    });
    await eose.promise;
    await publish({ content: "first", created_at: nowS() - 10 });
    const second = await publish({ content: "second" });
    await assert.rejects(publish({ content: "stale", created_at: nowS() - 5 }), /replaced/);
    const found = await pool.querySync(urls, { kinds: [30081], "#d": ["x"] });
    assert.deepEqual(found.map((one) => one.content), ["second"]);
    assert.deepEqual((await pool.get(urls, { ids: [second.id] }))?.sig, second.sig);
    await publish({ kind: 5, tags: [["a", `30081:${getPublicKey(secret)}:x`]] });
    assert.deepEqual(await pool.querySync(urls, { kinds: [30081] }), []);
    await pause(20);
    assert.deepEqual(live, ["first", "second"]);
    subscription.close();
  });
});

Deno.test("RelayServer passes on ephemeral events and keeps none", async () => {
  await using server = await listen();
  await withPool(server, async (pool, urls) => {
    const got = Promise.withResolvers<string>();
    const ready = Promise.withResolvers<void>();
    pool.subscribe(urls, { kinds: [20384] }, {
      onevent: (one) => got.resolve(one.content),
      oneose: () => ready.resolve(),
    });
    await ready.promise;
    await Promise.all(pool.publish(urls, event({ kind: 20384, content: "beat" }) as never));
    assert.equal(await got.promise, "beat");
    assert.deepEqual(await pool.querySync(urls, { kinds: [20384] }), []);
    assert.equal(server.stats().storedCount, 0);
  });
});

Deno.test("RelayServer tells its limits to nostr-tools (NIP-11), to browsers of any page", async () => {
  await using server = await listen({ name: "ours", publicUrls: ["wss://relay.example"] });
  const information = await fetchRelayInformation(server.url);
  assert.equal(information.name, "ours");
  assert.deepEqual(information.supported_nips, [1, 9, 11, 40, 42]);
  const { limitation } = information as unknown as { limitation: Record<string, number> };
  assert.equal(limitation.max_message_length, RELAY_LIMITS.socket.messageBytesMax);
  const response = await fetch(server.url.replace("ws", "http"));
  assert.equal(response.headers.get("access-control-allow-origin"), "*");
  assert.match(await response.text(), /Nostr relay/);
});

Deno.test("RelayServer gives gift wraps to whom they are addressed, after NIP-42, with nostr-tools", async () => {
  await using server = await listen();
  const [ann, bob, eve] = [generateSecretKey(), generateSecretKey(), generateSecretKey()];
  const wrap = wrapEvent(ann, { publicKey: getPublicKey(bob) }, "for Bob");
  const filter = { kinds: [1059], "#p": [getPublicKey(bob)] };
  await withPool(server, async (pool, urls) => {
    await Promise.all(pool.publish(urls, wrap));
    assert.deepEqual(await pool.querySync(urls, filter, { maxWait: 100 }), []);
  });
  await withPool(server, async (pool, urls) => {
    assert.deepEqual(await pool.querySync(urls, filter, { maxWait: 100 }), []);
  }, eve);
  // A subscription that a relay closes leaves its timer running in nostr-tools.
  await pause(150);
  // A first query is refused with auth-required; nostr-tools then proves its key.
  const relay = await Relay.connect(server.url);
  await pause(20);
  await relay.auth((template) => Promise.resolve(finalizeEvent(template, bob)));
  const found: string[] = [];
  await new Promise<void>((oneose) =>
    relay.subscribe([filter], { onevent: (one) => void found.push(one.id), oneose })
  );
  assert.deepEqual(found, [wrap.id]);
  relay.close();
  await settled(server);
});

Deno.test("RelayServer shows private kinds to nobody who has not proven a key, live or stored", async () => {
  await using server = await listen();
  await using client = await rawClient(server);
  await using author = await rawClient(server);
  assert.deepEqual(await client.ask("REQ", "all", {}), ["EOSE", "all"]);
  assert.match(
    (await client.ask("REQ", "asks", { kinds: [1059] }))![2] as string,
    /^auth-required:/,
  );
  await author.ask("EVENT", event({ kind: 1059, tags: [["p", "a".repeat(64)]] }));
  const open = event();
  await author.ask("EVENT", open);
  assert.deepEqual(await client.next(), ["EVENT", "all", open]);
  assert.deepEqual(await client.ask("REQ", "later", {}), ["EVENT", "later", open]);
  assert.deepEqual(await client.next(), ["EOSE", "later"]);
});

Deno.test("RelayServer accepts a proof of a key only if challenge, relay, time and signature are right", async () => {
  await using server = await listen({ publicUrls: ["wss://relay.example/path"] });
  await using client = await rawClient(server);
  const answer = async (
    fields: { relay?: string; challenge?: string; kind?: number; at?: number },
  ) => {
    const signed = event({
      kind: fields.kind ?? 22242,
      created_at: fields.at ?? nowS(),
      tags: [["relay", fields.relay ?? server.url], [
        "challenge",
        fields.challenge ?? client.challenge,
      ]],
    });
    const [, , accepted, reason] = await client.ask("AUTH", signed) as [
      string,
      string,
      boolean,
      string,
    ];
    return accepted ? "accepted" : reason;
  };
  assert.match(await answer({ challenge: "other" }), /wrong challenge/);
  assert.match(await answer({ relay: "wss://evil.example" }), /another relay/);
  assert.match(await answer({ relay: "ws://127.0.0.1:1" }), /another relay/);
  assert.match(await answer({ kind: 1 }), /kind 22242/);
  assert.match(await answer({ at: nowS() - 1000 }), /too old/);
  assert.match(
    (await client.ask("AUTH", {
      ...event({ kind: 22242, tags: [["relay", server.url], ["challenge", client.challenge]] }),
      sig: "0".repeat(128),
    }))![3] as string,
    /signature/,
  );
  assert.equal(await answer({ relay: server.url.replace("127.0.0.1", "localhost") }), "accepted");
  assert.equal(await answer({ relay: "wss://relay.example/" }), "accepted");
  assert.match((await client.ask("EVENT", event({ kind: 22242 })))![3] as string, /AUTH/);
});

Deno.test("RelayServer refuses events that are forged, expired, in the future or over a limit", async () => {
  await using server = await listen();
  await using client = await rawClient(server);
  const reason = async (one: unknown) => (await client.ask("EVENT", one))![3];
  assert.match(await reason({ ...event(), content: "EVIL" }) as string, /^invalid: wrong id/);
  assert.match(await reason(event({ created_at: nowS() + 2000 })) as string, /future/);
  assert.match(
    await reason(event({ tags: [["expiration", String(nowS())]] })) as string,
    /expired/,
  );
  const tags = Array.from({ length: 1001 }, (_, index) => ["t", String(index)]);
  assert.match(await reason(event({ tags })) as string, /too many tags/);
  assert.equal(server.stats().storedCount, 0);
  assert.equal(server.stats().refusedCount, 4);
});

Deno.test("RelayServer answers a second copy with OK and duplicate", async () => {
  await using server = await listen();
  await using client = await rawClient(server);
  const one = event();
  assert.deepEqual(await client.ask("EVENT", one), ["OK", one.id, true, ""]);
  const again = await client.ask("EVENT", one);
  assert.match(again![3] as string, /^duplicate:/);
  assert.equal(again![2], true);
});

Deno.test("RelayServer with writers takes events of nobody else", async () => {
  const member = generateSecretKey();
  await using server = await listen({ writers: [getPublicKey(member)] });
  await using client = await rawClient(server);
  assert.match((await client.ask("EVENT", event()))![3] as string, /^restricted:/);
  assert.equal((await client.ask("EVENT", event({}, member)))![2], true);
});

Deno.test("RelayServer with readers shows nothing to anybody else, stored or live", async () => {
  const member = generateSecretKey();
  const stranger = generateSecretKey();
  await using server = await listen({ readers: [getPublicKey(member)] });
  const poolOf = (authSecretKey?: Uint8Array) =>
    new RelayPool({
      relays: [server.url],
      clock: systemClock,
      random: systemRandom,
      ...(authSecretKey === undefined ? {} : { authSecretKey }),
    });
  const count = async (pool: RelayPool) => {
    let found = 0;
    for await (const _ of pool.query([{}])) found++;
    return found;
  };
  await using inside = poolOf(member);
  await using outside = poolOf(stranger);
  await using unknown = poolOf();
  assert.equal((await unknown.publish(event())).acceptedCount, 1);
  let live = 0;
  outside.subscribe([{}], { onEvent: () => live++ });
  assert.deepEqual(await Promise.all([inside, outside, unknown].map(count)), [1, 0, 0]);
  await unknown.publish(event({ content: "later" }));
  await pause(50);
  assert.equal(live, 0);
});

Deno.test("RelayServer answers nonsense with a notice and goes on", async () => {
  await using server = await listen();
  await using client = await rawClient(server);
  for (
    const text of [
      "",
      "{}",
      "[",
      "[1]",
      '["REQ"]',
      '["REQ","a"]',
      '["COUNT","a",{}]',
      '["REQ",5,{}]',
      `["REQ","${"x".repeat(65)}",{}]`,
      "[".repeat(50_000),
    ]
  ) {
    client.sendRaw(text);
    assert.equal((await client.next())![0], "NOTICE", text.slice(0, 20));
  }
  for (const filter of [null, [], { kinds: "1" }, { ids: ["x"] }, { nonsense: [1] }]) {
    assert.match((await client.ask("REQ", "a", filter))![2] as string, /^invalid:/);
  }
  assert.deepEqual(await client.ask("REQ", "a", {}), ["EOSE", "a"]);
});

Deno.test("RelayServer cuts answers to its limit, and subscriptions and filters to theirs", async () => {
  await using server = await listen({
    limits: { limitMax: 3, subscriptionsMax: 2, filtersMax: 2 },
  });
  await using client = await rawClient(server);
  for (let at = 0; at < 5; at++) {
    await client.ask("EVENT", event({ content: `${at}`, created_at: nowS() - at }));
  }
  client.send("REQ", "a", { limit: 100 });
  for (let at = 0; at < 3; at++) {
    assert.equal(((await client.next())![2] as NostrEvent).content, `${at}`);
  }
  assert.deepEqual(await client.next(), ["EOSE", "a"]);
  assert.deepEqual(await client.ask("REQ", "b", { limit: 0 }), ["EOSE", "b"]);
  assert.match((await client.ask("REQ", "c", {}))![2] as string, /at most 2 subscriptions/);
  assert.deepEqual(await client.ask("REQ", "b", { limit: 0 }), ["EOSE", "b"], "one may be renewed");
  client.send("CLOSE", "a");
  assert.deepEqual(await client.ask("REQ", "c", { limit: 0 }), ["EOSE", "c"]);
  assert.match((await client.ask("REQ", "c", {}, {}, {}))![2] as string, /at most 2 filters/);
});

Deno.test("RelayServer holds no more values of open filters for one connection than its limit", async () => {
  await using server = await listen({ limits: { openValuesMax: 3 } });
  await using client = await rawClient(server);
  assert.deepEqual(await client.ask("REQ", "a", { kinds: [1, 2] }), ["EOSE", "a"]);
  assert.match((await client.ask("REQ", "b", { kinds: [1, 2] }))![2] as string, /at most 3 values/);
  assert.deepEqual(await client.ask("REQ", "a", { kinds: [1, 2, 3] }), ["EOSE", "a"]);
});

Deno.test("RelayServer makes a client wait whose searches cost too much", async () => {
  await using server = await listen({ limits: { searchBurstMs: 0.001, searchMsPerSecond: 0.5 } });
  await using client = await rawClient(server);
  await client.ask("EVENT", event());
  const startedMs = performance.now();
  for (let at = 0; at < 3; at++) {
    await client.ask("REQ", "a", {});
    await client.next();
  }
  assert.ok(performance.now() - startedMs > 20, "three searches of some 20 µs at 0.5 ms a second");
});

Deno.test("RelayServer limits the events of one connection, and of all, before it verifies", async () => {
  await using server = await listen({ limits: { eventsBurst: 2, eventsPerSecond: 0.01 } });
  await using client = await rawClient(server);
  const answers = [];
  for (let at = 0; at < 3; at++) {
    answers.push((await client.ask("EVENT", event({ content: `${at}` })))![2]);
  }
  assert.deepEqual(answers, [true, true, false]);
  await using shared = await listen({ limits: { eventsBurstAll: 1, eventsPerSecondAll: 0.01 } });
  await using first = await rawClient(shared);
  await using second = await rawClient(shared);
  assert.equal((await first.ask("EVENT", event()))![2], true);
  assert.match((await second.ask("EVENT", event({ content: "x" })))![3] as string, /rate-limited/);
});

Deno.test("RelayServer ends a connection that keeps sending invalid events", async () => {
  await using server = await listen();
  await using client = await rawClient(server);
  for (let at = 0; at < 10; at++) client.send("EVENT", { ...event(), content: `EVIL ${at}` });
  assert.equal((await client.closed).code, 1008);
});

Deno.test("RelayServer ends a connection that sends a message over the limit", async () => {
  await using server = await listen();
  await using client = await rawClient(server);
  client.sendRaw("x".repeat(RELAY_LIMITS.socket.messageBytesMax + 1));
  assert.equal((await client.closed).code, 1009);
});

Deno.test("RelayServer reads a client no faster than its limit", async () => {
  await using server = await listen({ limits: { messagesBurst: 1, messagesPerSecond: 50 } });
  await using client = await rawClient(server);
  const startedMs = performance.now();
  for (let at = 0; at < 21; at++) client.send("REQ", "a", { limit: 0 });
  for (let at = 0; at < 21; at++) await client.next();
  assert.ok(performance.now() - startedMs > 350);
});

Deno.test("RelayServer cuts off a client that does not read its answer, and remembers little", async () => {
  await using server = await listen({
    limits: { stallMs: 100, socket: { ...RELAY_LIMITS.socket, closeMs: 100 } },
  });
  {
    await using writer = new RelayPool({
      relays: [server.url],
      clock: systemClock,
      random: systemRandom,
    });
    for (let at = 0; at < 120; at++) {
      const report = await writer.publish(event({ content: `${at}`.padEnd(60_000) }));
      assert.equal(report.acceptedCount, 1);
    }
  }
  await settled(server);
  const conn = await Deno.connect({
    hostname: "127.0.0.1",
    port: Number(new URL(server.url).port),
  });
  await conn.write(new TextEncoder().encode(handshake(server)));
  await conn.write(maskedText(JSON.stringify(["REQ", "a", {}])));
  await pause(50);
  assert.equal(server.stats().connectionCount, 1);
  await settled(server);
  assert.equal(server.stats().connectionCount, 0);
  assert.ok(server.stats().sentCount < 120 + 120);
  conn.close();
});

function handshake(server: RelayServer, headers: Record<string, string> = {}): string {
  const all = {
    Host: new URL(server.url).host,
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    ...headers,
  };
  const lines = Object.entries(all).filter(([, value]) => value !== "").map(([name, value]) =>
    `${name}: ${value}\r\n`
  );
  return `GET / HTTP/1.1\r\n${lines.join("")}\r\n`;
}

function maskedText(text: string): Uint8Array {
  const payload = new TextEncoder().encode(text);
  assert.ok(payload.length < 126);
  return Uint8Array.of(0x81, 0x80 | payload.length, 0, 0, 0, 0, ...payload);
}

/** The status line that a head is answered with; empty when the connection ends without. */
async function statusOf(server: RelayServer, head: string): Promise<string> {
  const { hostname, port } = new URL(server.url);
  using conn = await Deno.connect({ hostname, port: Number(port) });
  await conn.write(new TextEncoder().encode(head));
  const buffer = new Uint8Array(1000);
  const count = await conn.read(buffer).catch(() => null);
  return new TextDecoder().decode(buffer.subarray(0, count ?? 0)).split("\r\n")[0]!;
}

Deno.test("RelayServer on loopback answers loopback names and no foreign page", async () => {
  await using server = await listen({ publicUrls: ["wss://relay.example"] });
  const status = (headers: Record<string, string>) => statusOf(server, handshake(server, headers));
  const welcome = "HTTP/1.1 101 Switching Protocols";
  const refused = "HTTP/1.1 403 Forbidden";
  assert.equal(await status({}), welcome);
  assert.equal(await status({ Host: "localhost:80" }), welcome);
  assert.equal(await status({ Host: "[::1]" }), welcome);
  assert.equal(await status({ Host: "relay.example", Origin: "https://app.example" }), welcome);
  assert.equal(await status({ Origin: "http://localhost:3000" }), welcome);
  assert.equal(await status({ Host: "evil.example" }), refused);
  assert.equal(await status({ Host: "127.0.0.1.evil.example" }), refused);
  assert.equal(await status({ Host: "" }), refused);
  assert.equal(await status({ Origin: "https://evil.example" }), refused);
  assert.equal(await status({ Origin: "null" }), refused);
});

Deno.test("RelayServer refuses malformed handshakes and other methods", async () => {
  await using server = await listen();
  const status = (head: string) => statusOf(server, head);
  assert.match(await status(handshake(server, { "Sec-WebSocket-Key": "short" })), / 400 /);
  assert.match(await status(handshake(server, { "Sec-WebSocket-Version": "8" })), / 426 /);
  assert.match(await status(handshake(server).replace("GET", "POST")), / 405 /);
  assert.equal(await status(`GET / HTTP/1.1\r\n${"X: y\r\n".repeat(2000)}\r\n`), "");
  assert.equal(await status("nonsense\r\nwithout colon\r\n\r\n"), "");
});

Deno.test("RelayServer waits for a head no longer than its limit", async () => {
  await using server = await listen({ limits: { headMs: 50 } });
  const startedMs = performance.now();
  assert.equal(await statusOf(server, "GET / HTTP/1.1\r\n"), "");
  assert.ok(performance.now() - startedMs < 1000);
});

Deno.test("RelayServer turns away connections over its limits", async () => {
  await using server = await listen({ limits: { connectionsPerAddressMax: 2 } });
  await using _first = await rawClient(server);
  {
    await using _second = await rawClient(server);
    assert.equal(await statusOf(server, handshake(server)), "");
    assert.equal(server.stats().turnedAwayCount, 1);
  }
  for (let turn = 0; turn < 100 && server.stats().connectionCount > 1; turn++) await pause(5);
  await using _third = await rawClient(server);
});

Deno.test("RelayServer says goodbye to its clients when it closes, and ends those that say nothing", async () => {
  const server = await listen({ limits: { socket: { ...RELAY_LIMITS.socket, closeMs: 100 } } });
  const polite = await rawClient(server);
  const { hostname, port } = new URL(server.url);
  const rude = await Deno.connect({ hostname, port: Number(port) });
  await rude.write(new TextEncoder().encode(handshake(server)));
  const waiting = await Deno.connect({ hostname, port: Number(port) });
  await pause(30);
  const startedMs = performance.now();
  await server[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  assert.ok(performance.now() - startedMs < 1000);
  assert.equal((await polite.closed).code, 1001);
  rude.close();
  waiting.close();
});

Deno.test("RelayServer remembers across restarts when it has a path", async () => {
  const path = await Deno.makeTempFile({ suffix: ".db" });
  const kept = event({ kind: 30081, tags: [["d", "x"]] });
  {
    await using server = await listen({ storage: { path } });
    await using client = await rawClient(server);
    assert.equal((await client.ask("EVENT", kept))![2], true);
  }
  await using server = await listen({ storage: { path } });
  await using client = await rawClient(server);
  assert.deepEqual(await client.ask("REQ", "a", { "#d": ["x"] }), ["EVENT", "a", kept]);
  await Deno.remove(path);
});

Deno.test("RelayServer.listen says what is wrong when the port is taken", async () => {
  await using server = await listen();
  const port = Number(new URL(server.url).port);
  await assert.rejects(listen({ port }), { code: "unavailable" });
});
