import assert from "node:assert/strict";
import { systemClock, systemRandom } from "../../src/host/system.ts";
import { EVENT_LIMITS, POOL_LIMITS, type PoolLimits } from "../../src/nostr/limits.ts";
import { type NostrEvent, signEvent, tagValue, verifyEvent } from "../../src/nostr/nostr.ts";
import { RelayPool } from "../../src/nostr/relay_pool.ts";
import { RelayServer } from "../../src/nostr/relay/relay_server.ts";
import { type Script, type ScriptedClient, startScriptedRelay } from "../support/scripted_relay.ts";

const clock = systemClock;
const random = systemRandom;
const SECRET = new Uint8Array(32).fill(3);
const OTHER_SECRET = new Uint8Array(32).fill(4);
const nowS = () => Math.floor(Date.now() / 1000);

/** Deadlines that make a slow relay quick to give up on. */
const limits: Partial<PoolLimits> = {
  connectMs: 500,
  publishMs: 500,
  queryMs: 500,
  backoffMinMs: 20,
  backoffMaxMs: 50,
  informationGraceMs: 50,
};

function note(content: string, secret = SECRET): NostrEvent {
  return signEvent({ kind: 1, created_at: nowS(), tags: [], content }, secret);
}

const notes = Array.from({ length: 5 }, (_, index) => note(`note ${index}`));

function pool(
  relays: readonly string[],
  more: Partial<PoolLimits> = {},
  authSecretKey?: Uint8Array,
) {
  return new RelayPool({
    relays,
    clock,
    random,
    limits: { ...limits, ...more },
    ...(authSecretKey === undefined ? {} : { authSecretKey }),
  });
}

const server = (options: { limits?: object } = {}) =>
  RelayServer.listen({ storage: "memory", clock, random, ...options });

/** Answers a REQ with these events, then EOSE. */
function serving(events: readonly unknown[]): Script {
  return ([type, id], client) => {
    if (type !== "REQ") return;
    for (const event of events) client.send(["EVENT", id, event]);
    client.send(["EOSE", id]);
  };
}

async function contents(events: AsyncIterable<NostrEvent>): Promise<string[]> {
  const found: string[] = [];
  for await (const event of events) found.push(event.content);
  return found.sort();
}

function until(condition: () => boolean, ms = 3000): Promise<void> {
  const startedMs = performance.now();
  return new Promise((resolve, reject) => {
    const look = () => {
      if (condition()) return resolve();
      if (performance.now() - startedMs > ms) return reject(new Error("it never came true"));
      setTimeout(look, 5);
    };
    look();
  });
}

Deno.test("RelayPool refuses addresses that are none of a relay, without showing a password", () => {
  assert.throws(() => pool(["https://relay.example"]), SyntaxError);
  assert.throws(() => pool(["nonsense"]), SyntaxError);
  assert.throws(
    () => pool(["wss://me:secret@relay.example"]),
    (error: Error) => error instanceof SyntaxError && !error.message.includes("secret"),
  );
  assert.throws(() => pool(Array.from({ length: 17 }, (_, i) => `ws://h${i}`)), RangeError);
});

Deno.test("RelayPool takes one relay for one, however its address is written", () => {
  const urls = pool(["ws://Relay.example:80/", "ws://relay.example", "wss://a/b/"]).urls;
  assert.deepEqual(urls, ["ws://relay.example", "wss://a/b"]);
});

Deno.test("RelayPool without relays finds nothing and publishes nothing, at once", async () => {
  await using nothing = pool([]);
  assert.deepEqual(await contents(nothing.query([{}])), []);
  assert.deepEqual(await nothing.publish(notes[0]!), { acceptedCount: 0, outcomes: [] });
});

Deno.test("publish succeeds when one relay takes the event, and says how each took it", async () => {
  await using good = await server();
  await using blocking = startScriptedRelay(([, event], client) =>
    client.send(["OK", (event as NostrEvent).id, false, "blocked: not you\u0007"])
  );
  await using silent = startScriptedRelay(() => {});
  await using all = pool([good.url, blocking.url, silent.url, "ws://127.0.0.1:1"]);
  const report = await all.publish(notes[0]!);
  assert.equal(report.acceptedCount, 1);
  assert.deepEqual(report.outcomes.map(({ code }) => code), [
    "accepted",
    "blocked",
    "timeout",
    "unavailable",
  ]);
  assert.equal(report.outcomes[1]!.reason, "blocked: not you ");
});

Deno.test("publish waits for the slow no longer than the grace once one has taken the event", async () => {
  await using good = await server();
  await using silent = startScriptedRelay(() => {});
  await using both = pool([silent.url, good.url], { publishMs: 60_000 });
  const startedMs = performance.now();
  const report = await both.publish(notes[0]!, { graceMs: 50 });
  assert.ok(performance.now() - startedMs < 2000);
  assert.deepEqual(report.outcomes.map(({ code }) => code), ["pending", "accepted"]);
  await until(() => silent.received.length === 1);
});

Deno.test("publish leaves a relay in peace that asked for a pause", async () => {
  await using relay = startScriptedRelay(([, event], client) =>
    client.send(["OK", (event as NostrEvent).id, false, "rate-limited: slow down"])
  );
  await using all = pool([relay.url]);
  for (const event of notes) {
    assert.equal((await all.publish(event)).outcomes[0]!.code, "rate-limited");
  }
  assert.equal(relay.received.length, 1);
});

Deno.test("publish rejects with the reason of an abort", async () => {
  await using silent = startScriptedRelay(() => {});
  await using all = pool([silent.url]);
  const controller = new AbortController();
  const reason = new Error("stop");
  const publishing = all.publish(notes[0]!, { signal: controller.signal });
  setTimeout(() => controller.abort(reason), 50);
  await assert.rejects(publishing, reason);
});

Deno.test("query yields each event once, whoever has it, and ends with the last relay", async () => {
  await using a = await server();
  await using b = await server();
  await using onlyA = pool([a.url]);
  await using onlyB = pool([b.url]);
  for (const event of notes.slice(0, 3)) await onlyA.publish(event);
  for (const event of notes.slice(1, 5)) await onlyB.publish(event);
  await using both = pool([a.url, b.url, "ws://127.0.0.1:1"]);
  assert.deepEqual(await contents(both.query([{ kinds: [1] }])), notes.map((n) => n.content));
});

Deno.test("query yields what comes before a relay's deadline, and ends at it", async () => {
  await using good = startScriptedRelay(serving(notes.slice(0, 2)));
  await using endless = startScriptedRelay(([type, id], client) => {
    if (type === "REQ") client.send(["EVENT", id, notes[2]]);
  });
  await using both = pool([good.url, endless.url]);
  const startedMs = performance.now();
  const times: number[] = [];
  for await (const _ of both.query([{}])) times.push(performance.now() - startedMs);
  const endedMs = performance.now() - startedMs;
  assert.equal(times.length, 3);
  assert.ok(times[2]! < 400, `the last event came after ${times[2]} ms`);
  assert.ok(endedMs > 400 && endedMs < 2000, `it ended after ${endedMs} ms`);
});

Deno.test("query ends quietly when its reader leaves or aborts, and tells the relay", async () => {
  await using relay = startScriptedRelay(([type, id], client) => {
    if (type === "REQ") client.send(["EVENT", id, notes[0]]);
  });
  await using all = pool([relay.url], { queryMs: 60_000 });
  for await (const _ of all.query([{}])) break;
  await until(() => relay.received.some(([type]) => type === "CLOSE"));
  const controller = new AbortController();
  for await (const _ of all.query([{}], { signal: controller.signal })) controller.abort();
  assert.deepEqual(await contents(all.query([{}], { signal: AbortSignal.abort() })), []);
});

Deno.test("query takes no more events from a relay than the limit, whatever the relay gives", async () => {
  const many = Array.from({ length: 30 }, (_, index) => note(`many ${index}`));
  await using flooding = startScriptedRelay(serving(many));
  await using all = pool([flooding.url], { queryEventsMax: 10 });
  assert.equal((await contents(all.query([{ limit: 3 }]))).length, 10);
  assert.equal((await contents(all.query([{ limit: 3 }], { eventsMax: 3 }))).length, 3);
  await until(() => flooding.received.filter(([type]) => type === "CLOSE").length === 2);
});

Deno.test("query takes no more bytes from a relay than the limit", async () => {
  const large = Array.from({ length: 10 }, (_, index) => note(`${index}`.repeat(5000)));
  await using flooding = startScriptedRelay(serving(large));
  await using all = pool([flooding.url], { queryBytesMax: 16_000 });
  assert.equal((await contents(all.query([{}]))).length, 2);
});

Deno.test("query leaves out events that do not match or are forged, and leaves a relay that keeps on", async () => {
  // Ids that nobody else has: a forgery of an event that was verified already is not even looked at.
  const forged = notes.map((event) => ({ ...note(`no ${event.content}`), content: "EVIL" }));
  await using liar = startScriptedRelay(serving([notes[0], ...forged, ...forged]));
  await using good = startScriptedRelay(serving(notes));
  await using both = pool([liar.url, good.url]);
  assert.deepEqual(await contents(both.query([{ kinds: [1] }])), notes.map((n) => n.content));
  await until(() => both.status()[0]!.state === "waiting");
  assert.match(both.status()[0]!.lastError!, /wrong signatures/);
  await contents(both.query([{ kinds: [1] }]));
  assert.equal(liar.connectionCount, 1, "a liar is not asked again for a while");
});

Deno.test("query leaves out what was not asked for", async () => {
  const other = signEvent({ kind: 2, created_at: 1, tags: [], content: "other" }, SECRET);
  await using relay = startScriptedRelay(serving([other, notes[0]]));
  await using all = pool([relay.url]);
  assert.deepEqual(await contents(all.query([{ kinds: [1] }])), ["note 0"]);
});

Deno.test("a forged copy that comes first does not hide the true event of the same id", async () => {
  await using liar = startScriptedRelay(serving([{ ...notes[0], content: "EVIL" }]));
  await using slow = startScriptedRelay(([type, id], client) => {
    if (type === "REQ") setTimeout(() => serving([notes[0]])([type, id], client), 100);
  });
  await using both = pool([liar.url, slow.url]);
  assert.deepEqual(await contents(both.query([{}])), ["note 0"]);
});

Deno.test("RelayPool survives every kind of nonsense", async () => {
  const nonsense = [
    "",
    "null",
    "{",
    "[]",
    "[1,2,3]",
    '["EVENT"]',
    '["EVENT",{}]',
    '["OK","x"]',
    '["OK","x","yes"]',
    '["CLOSED","nobody","why"]',
    '["EOSE","nobody"]',
    '["AUTH",5]',
    '["NOTICE",{}]',
    "[".repeat(50_000),
  ];
  await using relay = startScriptedRelay((message, client) => {
    if (message[0] !== "REQ") return;
    for (const text of nonsense) client.sendRaw(text);
    for (const value of [null, 5, [], {}, { ...notes[0], kind: "1" }, { ...notes[0], tags: {} }]) {
      client.send(["EVENT", message[1], value]);
    }
    serving(notes)(message, client);
  });
  await using all = pool([relay.url]);
  assert.equal((await contents(all.query([{}]))).length, notes.length);
});

Deno.test("RelayPool leaves a relay that sends a message over the limit", async () => {
  await using relay = startScriptedRelay(([type], client) => {
    if (type === "REQ") client.sendRaw("x".repeat(POOL_LIMITS.socket.messageBytesMax + 1));
  });
  await using all = pool([relay.url]);
  assert.deepEqual(await contents(all.query([{}])), []);
  await until(() => all.status()[0]!.state === "waiting");
  assert.match(all.status()[0]!.lastError!, /at most 262144 are accepted/);
});

Deno.test("RelayPool leaves a relay that sends events nobody asked for", async () => {
  await using relay = startScriptedRelay(([type], client) => {
    if (type !== "REQ") return;
    for (let count = 0; count < 60; count++) client.send(["EVENT", "other", notes[0]]);
  });
  await using all = pool([relay.url], { strayMessagesMax: 50 });
  assert.deepEqual(await contents(all.query([{}])), []);
  assert.match(all.status()[0]!.lastError!, /nobody asked for/);
});

Deno.test("RelayPool reads a flooding relay no faster than the limit", async () => {
  const client = Promise.withResolvers<ScriptedClient>();
  await using relay = startScriptedRelay(([type, id], one) => {
    if (type !== "REQ") return;
    client.resolve(one);
    for (let count = 0; count < 200; count++) one.send(["EVENT", id, notes[0]]);
    one.send(["EVENT", id, notes[1]]);
  });
  await using all = pool([relay.url], { eventsPerSecond: 400, eventsBurst: 1 });
  const startedMs = performance.now();
  const got = Promise.withResolvers<void>();
  const stop = all.subscribe([{}], {
    onEvent: (event) => event.id === notes[1]!.id && got.resolve(),
  });
  await got.promise;
  assert.ok(performance.now() - startedMs > 400, "201 events at 400 a second take half a second");
  stop();
});

Deno.test("subscribe asks again with the original filter after each lost connection", async () => {
  const filter = { kinds: [1], since: 5 };
  await using relay = startScriptedRelay(([type, id], client) => {
    if (type !== "REQ") return;
    client.send(["EVENT", id, notes[0]]);
    client.send(["EVENT", id, notes[client.number]]);
    client.send(["EOSE", id]);
  });
  await using all = pool([relay.url]);
  const got: string[] = [];
  const eose: string[] = [];
  const stop = all.subscribe([filter], {
    onEvent: (event) => got.push(event.content),
    onEose: (url) => {
      eose.push(url);
      if (eose.length < 3) relay.disconnectAll();
    },
  });
  await until(() => eose.length === 3);
  assert.deepEqual(got, ["note 0", "note 1", "note 2", "note 3"]);
  assert.deepEqual(
    relay.received.filter(([type]) => type === "REQ").map(([, , asked]) => asked),
    [filter, filter, filter],
  );
  stop();
  await until(() => relay.received.at(-1)![0] === "CLOSE");
});

Deno.test("subscribe begins again when a relay that was down comes up", async () => {
  const first = await server();
  const port = Number(new URL(first.url).port);
  await first[Symbol.asyncDispose]();
  await using all = pool([`ws://127.0.0.1:${port}`]);
  const got: string[] = [];
  const stop = all.subscribe([{ kinds: [1] }], { onEvent: (event) => got.push(event.content) });
  await until(() => all.status()[0]!.failureCount > 1);
  await using _second = await RelayServer.listen({ storage: "memory", port, clock, random });
  await using other = pool([`ws://127.0.0.1:${port}`]);
  await until(() => all.status()[0]!.state === "open");
  await other.publish(notes[0]!);
  await until(() => got.length === 1);
  stop();
});

Deno.test("subscribe gives an event that is dated back, after a reconnection too", async () => {
  const old = signEvent(
    { kind: 1, created_at: nowS() - 200_000, tags: [], content: "old" },
    SECRET,
  );
  await using relay = await server();
  await using all = pool([relay.url]);
  const got: string[] = [];
  const stop = all.subscribe([{ kinds: [1] }], { onEvent: (event) => got.push(event.content) });
  await until(() => all.status()[0]!.state === "open");
  await all.publish(notes[0]!);
  await all.publish(old);
  await until(() => got.length === 2);
  assert.deepEqual(got, ["note 0", "old"]);
  stop();
});

Deno.test("subscribe refuses more than the limit, and gives the place back", () => {
  const none = pool([]);
  const stops = Array.from({ length: 8 }, () => none.subscribe([{}], { onEvent() {} }));
  assert.throws(() => none.subscribe([{}], { onEvent() {} }), RangeError);
  stops[0]!();
  stops[0]!();
  none.subscribe([{}], { onEvent() {} });
  assert.throws(() => none.subscribe([{}], { onEvent() {} }), RangeError);
});

/** A relay that wants NIP-42 for everything, and checks it. */
function authScript(relayUrl: () => string): Script {
  const proven = new Set<number>();
  return ([type, second], client) => {
    const event = second as NostrEvent;
    switch (type) {
      case "AUTH": {
        const good = verifyEvent(event) !== undefined && event.kind === 22242 &&
          tagValue(event, "challenge") === "prove it" &&
          tagValue(event, "relay")?.startsWith(relayUrl());
        if (good) proven.add(client.number);
        return client.send(["OK", event.id, good, good ? "" : "invalid: no"]);
      }
      case "REQ":
        if (proven.has(client.number)) return serving(notes)([type, second], client);
        return client.send(["CLOSED", second, "auth-required: who are you?"]);
      case "EVENT": {
        const ok = proven.has(client.number);
        return client.send(["OK", event.id, ok, ok ? "" : "auth-required: who are you?"]);
      }
    }
  };
}

Deno.test("RelayPool proves its key to a relay that insists, and asks again", async () => {
  let url = "";
  await using relay = startScriptedRelay(authScript(() => url), {
    onConnect: (client) => client.send(["AUTH", "prove it"]),
  });
  url = relay.url;
  await using withKey = pool([url], {}, SECRET);
  assert.equal((await contents(withKey.query([{}]))).length, 5);
  assert.equal((await withKey.publish(notes[0]!)).acceptedCount, 1);
  assert.equal(withKey.status()[0]!.authenticated, true);
  assert.equal(relay.received.filter(([type]) => type === "AUTH").length, 1);
  await using without = pool([url]);
  assert.deepEqual(await contents(without.query([{}])), []);
  assert.equal((await without.publish(notes[0]!)).outcomes[0]!.code, "auth-required");
});

Deno.test("RelayPool shows its key to no relay that does not ask", async () => {
  await using relay = startScriptedRelay(serving(notes), {
    onConnect: (client) => client.send(["AUTH", "curious"]),
  });
  await using all = pool([relay.url], {}, SECRET);
  await contents(all.query([{}]));
  assert.ok(!relay.received.some(([type]) => type === "AUTH"));
});

Deno.test("RelayPool keeps to what a relay says of its limits", async () => {
  await using relay = startScriptedRelay((message, client) => {
    if (message[0] === "EVENT") client.send(["OK", (message[1] as NostrEvent).id, true, ""]);
    serving([])(message, client);
  }, {
    information: {
      limitation: { max_limit: 7, max_message_length: 600, max_event_tags: 1, max_filters: 1 },
    },
  });
  await using all = pool([relay.url], { informationGraceMs: 1000 });
  await contents(all.query([{ limit: 100 }]));
  assert.deepEqual(relay.received.at(0)!.slice(2), [{ limit: 7 }]);
  await contents(all.query([{ limit: 1 }, { limit: 2 }]));
  assert.equal(relay.received.filter(([type]) => type === "REQ").length, 1);
  const outcome = async (event: NostrEvent) => (await all.publish(event)).outcomes[0]!;
  assert.match((await outcome(note("x".repeat(600)))).reason, /the relay takes 600/);
  const tagged = signEvent(
    { kind: 1, created_at: 1, tags: [["a"], ["b"]], content: "" },
    OTHER_SECRET,
  );
  assert.match((await outcome(tagged)).reason, /tags: 2, the relay takes 1/);
  assert.equal((await outcome(notes[0]!)).accepted, true);
});

Deno.test("RelayPool opens no more subscriptions at a time than a relay allows", async () => {
  let open = 0;
  let most = 0;
  await using relay = startScriptedRelay(([type, id], client) => {
    if (type !== "REQ") return;
    most = Math.max(most, ++open);
    setTimeout(() => {
      open--;
      client.send(["EOSE", id]);
    }, 20);
  }, { information: { limitation: { max_subscriptions: 2 } } });
  await using all = pool([relay.url], { informationGraceMs: 1000, queryMs: 5000 });
  await Promise.all(notes.map((event) => contents(all.query([{ ids: [event.id] }]))));
  assert.equal(most, 2);
});

Deno.test("RelayPool closes a connection that stays unused", async () => {
  await using relay = await server();
  await using all = pool([relay.url], { idleMs: 50 });
  await contents(all.query([{}]));
  assert.equal(all.status()[0]!.state, "open");
  await until(() => relay.stats().connectionCount === 0);
  await until(() => all.status()[0]!.state === "idle");
  assert.equal(all.status()[0]!.failureCount, 0, "an end of our own is no failure");
  assert.deepEqual(await contents(all.query([{}])), []);
});

Deno.test("RelayPool refuses events over its own limits before they are verified", async () => {
  await using relay = startScriptedRelay(serving([note("x".repeat(2000)), notes[0]]));
  await using all = pool([relay.url], { event: { ...EVENT_LIMITS, contentCharsMax: 1000 } });
  assert.deepEqual(await contents(all.query([{}])), ["note 0"]);
});

Deno.test("RelayPool can be closed with everything under way", async () => {
  await using silent = startScriptedRelay(() => {});
  const all = pool([silent.url, "ws://127.0.0.1:1"], { queryMs: 60_000, publishMs: 60_000 });
  const querying = contents(all.query([{}]));
  const publishing = assert.rejects(all.publish(notes[0]!));
  all.subscribe([{}], { onEvent() {} });
  await until(() => silent.received.length >= 3);
  await all[Symbol.asyncDispose]();
  assert.deepEqual(await querying, []);
  await publishing;
});
