import assert from "node:assert/strict";
import { encrypt as encrypt44, getConversationKey } from "nostr-tools/nip44";
import {
  MemorySeenIds,
  PRIVATE_LIMITS,
  PrivateInbox,
  type PrivateInboxOptions,
  type PrivateMessage,
  signEvent,
  SqliteSeenIds,
} from "../../../src/nostr/mod.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { FakePool, KEYS, messageToProvider, SECRETS, until } from "./support.ts";

const DAY_MS = 24 * 3_600_000;

/** An inbox of the provider, and what it was given. */
function openInbox(options: Partial<PrivateInboxOptions> & { readonly clock: ManualClock }) {
  const messages: PrivateMessage[] = [];
  const problems: string[] = [];
  const inbox = PrivateInbox.open({
    pool: new FakePool(),
    secretKey: SECRETS.provider,
    seen: new MemorySeenIds(),
    onMessage: (message) => void messages.push(message),
    onProblem: (problem) => problems.push(problem),
    ...options,
  });
  return { inbox, messages, problems, texts: () => messages.map(({ text }) => text) };
}

const settle = async (clock: ManualClock, inbox: PrivateInbox) => {
  await until(clock, () => inbox.status().queuedCount === 0);
  for (let turn = 0; turn < 5; turn++) await clock.settle();
};

Deno.test("a message that comes from three relays, or in two wraps, is given once", async () => {
  const clock = new ManualClock();
  const pool = new FakePool();
  const { inbox, texts } = openInbox({ clock, pool });
  await using _ = inbox;
  const one = await messageToProvider("hi", { clock });
  const rewrapped = await messageToProvider("hi", { clock });
  const old = await messageToProvider("old", { clock, kind: "nip04" });
  assert.equal(one.id, rewrapped.id);
  for (const { event } of [one, rewrapped, old, one, one, old, rewrapped]) pool.publish(event);
  await settle(clock, inbox);
  for (const { event } of [one, rewrapped, old]) pool.publish(event);
  await settle(clock, inbox);
  assert.deepEqual(texts().sort(), ["hi", "old"]);
});

Deno.test("a copy of a message that is being handled is not given meanwhile", async () => {
  const clock = new ManualClock();
  const pool = new FakePool();
  const release = Promise.withResolvers<void>();
  let count = 0;
  const { inbox } = openInbox({
    clock,
    pool,
    onMessage: async () => {
      count++;
      await release.promise;
    },
  });
  await using _ = inbox;
  for (const kind of ["nip04", "nip17"] as const) {
    const { event } = await messageToProvider("hi", { clock, kind });
    pool.publish(event);
    await settle(clock, inbox);
    pool.publish(event);
    if (kind === "nip17") pool.publish((await messageToProvider("hi", { clock })).event);
    await settle(clock, inbox);
  }
  assert.equal(count, 2);
  release.resolve();
});

Deno.test("what came while the inbox was closed is given, and what was given is not given again", async () => {
  const path = await Deno.makeTempFile({ suffix: ".sqlite" });
  const clock = new ManualClock();
  const pool = new FakePool();
  try {
    for (const expected of [["one"], ["two"], []]) {
      for (const text of expected) pool.publish((await messageToProvider(text, { clock })).event);
      using seen = SqliteSeenIds.open(path);
      const { inbox, texts } = openInbox({ clock, pool, seen });
      await using _ = inbox;
      await settle(clock, inbox);
      assert.deepEqual(texts(), expected);
    }
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("a wrap that is dated 47 hours back is found, live and stored", async () => {
  const clock = new ManualClock();
  const pool = new FakePool();
  const publish = async (text: string) => {
    const { event } = await messageToProvider(text, { clock });
    pool.publish({ ...event, created_at: clock.nowMs() / 1000 - 47 * 3600 });
  };
  await publish("stored");
  const { inbox, texts } = openInbox({ clock, pool });
  await using _ = inbox;
  await publish("live");
  await settle(clock, inbox);
  assert.deepEqual(texts().sort(), ["live", "stored"]);
});

Deno.test("the inbox asks three days back, and anew twice a day", async () => {
  const clock = new ManualClock();
  const pool = new FakePool();
  const { inbox } = openInbox({ clock, pool });
  await using _ = inbox;
  await clock.advance(12 * 3_600_000);
  const nowS = clock.nowMs() / 1000;
  const filter = { kinds: [4, 1059], "#p": [KEYS.provider] };
  assert.deepEqual(pool.asked, [
    [{ ...filter, since: nowS - 12 * 3600 - 3 * 24 * 3600 }],
    [{ ...filter, since: nowS - 3 * 24 * 3600 }],
  ]);
  assert.equal(pool.subscribers.size, 1);
});

Deno.test("messages that are too old, or dated ahead, are left out", async () => {
  const clock = new ManualClock();
  const pool = new FakePool();
  const { inbox, texts } = openInbox({ clock, pool });
  await using _ = inbox;
  for (const kind of ["nip04", "nip17"] as const) {
    for (const offsetMs of [-3 * DAY_MS - 5000, 901_000, -3 * DAY_MS + 5000, 899_000]) {
      const at = new ManualClock(clock.nowMs() + offsetMs);
      const built = await messageToProvider(`${kind} ${offsetMs}`, { clock: at, kind });
      // A wrap may carry any date; what counts is that of the message in it.
      const event = kind === "nip04"
        ? built.event
        : { ...built.event, created_at: clock.nowMs() / 1000 };
      for (const subscriber of pool.subscribers) subscriber.onEvent(event);
    }
  }
  await settle(clock, inbox);
  const offsets = [-3 * DAY_MS + 5000, 899_000];
  assert.deepEqual(
    texts(),
    ["nip04", "nip17"].flatMap((kind) => offsets.map((ms) => `${kind} ${ms}`)),
  );
});

Deno.test("a message whose handler fails is given again, three times in all", async () => {
  const clock = new ManualClock();
  const pool = new FakePool();
  let attempts = 0;
  const { inbox, problems } = openInbox({
    clock,
    pool,
    onMessage: () => {
      attempts++;
      throw new Error("the disk is full");
    },
  });
  await using _ = inbox;
  pool.publish((await messageToProvider("hi", { clock })).event);
  await settle(clock, inbox);
  for (let minute = 0; minute < 10; minute++) {
    await clock.advance(PRIVATE_LIMITS.catchUpPauseMs);
    await settle(clock, inbox);
  }
  assert.equal(attempts, 3);
  assert.equal(inbox.status().failedCount, 3);
  assert.match(problems[0]!, /^Cannot handle a message: the disk is full$/);
});

Deno.test("a message whose handling was not finished is given again after a restart", async () => {
  const clock = new ManualClock();
  const pool = new FakePool();
  const seen = new MemorySeenIds();
  pool.publish((await messageToProvider("hi", { clock })).event);
  const broken = openInbox({ clock, pool, seen, onMessage: () => Promise.reject(new Error("no")) });
  await settle(clock, broken.inbox);
  await broken.inbox[Symbol.asyncDispose]();
  const { inbox, texts } = openInbox({ clock, pool, seen });
  await using _ = inbox;
  await settle(clock, inbox);
  assert.deepEqual(texts(), ["hi"]);
});

Deno.test("a sender that floods is cut off, and others are heard", async () => {
  const clock = new ManualClock();
  const pool = new FakePool();
  const { inbox, messages } = openInbox({
    clock,
    pool,
    limits: { perSenderBurst: 5, perSenderPerSecond: 1, catchUpPauseMs: 10 ** 9 },
  });
  await using _ = inbox;
  for (let index = 0; index < 30; index++) {
    pool.publish((await messageToProvider(`flood ${index}`, { clock, from: SECRETS.other })).event);
  }
  pool.publish((await messageToProvider("hello", { clock })).event);
  await settle(clock, inbox);
  const senders = messages.map(({ sender }) => sender);
  assert.equal(senders.filter((sender) => sender === KEYS.other).length, 5);
  assert.equal(senders.filter((sender) => sender === KEYS.lessee).length, 1);
  assert.equal(inbox.status().overRateCount, 25);
});

Deno.test("events that find no room are asked for again, and none is lost", async () => {
  const clock = new ManualClock();
  const pool = new FakePool();
  const { inbox, texts } = openInbox({ clock, pool, limits: { queueCountMax: 4 } });
  await using _ = inbox;
  const wanted = Array.from({ length: 40 }, (_, index) => `message ${index}`);
  const built = await Promise.all(wanted.map((text) => messageToProvider(text, { clock })));
  for (const { event } of built) pool.publish(event);
  assert.ok(inbox.status().overflowCount > 30);
  assert.equal(inbox.status().queuedCount, 4);
  await until(clock, () => texts().length === wanted.length);
  assert.deepEqual(texts().sort(), wanted.sort());
});

Deno.test("what a relay cuts off is asked for in halves", async () => {
  const clock = new ManualClock();
  const pool = new FakePool({ cap: 10 });
  const wanted = Array.from({ length: 60 }, (_, index) => `message ${index}`);
  for (const text of wanted) pool.publish((await messageToProvider(text, { clock })).event);
  const { inbox, texts } = openInbox({ clock, pool, limits: { pageEventsMax: 8 } });
  await using _ = inbox;
  await until(clock, () => texts().length === wanted.length);
  assert.deepEqual(texts().sort(), wanted.sort());
});

Deno.test("after a relay was away, what came meanwhile is asked for", async () => {
  const clock = new ManualClock();
  const pool = new FakePool();
  const { inbox, texts } = openInbox({ clock, pool });
  await using _ = inbox;
  pool.stored.push((await messageToProvider("missed", { clock })).event);
  await clock.settle();
  assert.deepEqual(texts(), []);
  // The end of a second answer to one question: the connection was made anew.
  for (const { onEose } of pool.subscribers) onEose?.("ws://fake");
  await until(clock, () => texts().length === 1);
  assert.equal(pool.queryCount, 1);
});

Deno.test("senders who are not wanted, and oneself, are not heard", async () => {
  const clock = new ManualClock();
  const pool = new FakePool();
  const { inbox, texts } = openInbox({
    clock,
    pool,
    isWanted: (sender) => sender !== KEYS.other,
  });
  await using _ = inbox;
  for (const kind of ["nip04", "nip17"] as const) {
    for (const [name, from] of Object.entries(SECRETS)) {
      pool.publish((await messageToProvider(`${kind} ${name}`, { clock, kind, from })).event);
    }
  }
  await settle(clock, inbox);
  assert.deepEqual(texts().sort(), ["nip04 lessee", "nip17 lessee"]);
});

Deno.test("only messages of the kinds that are wanted are asked for", async () => {
  const clock = new ManualClock();
  const pool = new FakePool();
  const { inbox } = openInbox({ clock, pool, kinds: ["nip17"] });
  await using _ = inbox;
  assert.deepEqual(pool.asked[0]![0]!.kinds, [1059]);
});

Deno.test("a handler that hangs holds up none of the others, below the limit", async () => {
  const clock = new ManualClock();
  const pool = new FakePool();
  const release = Promise.withResolvers<void>();
  const begun: string[] = [];
  const { inbox } = openInbox({
    clock,
    pool,
    limits: { handlingMax: 3 },
    onMessage: async ({ text }) => {
      begun.push(text);
      if (text === "slow") await release.promise;
    },
  });
  await using _ = inbox;
  for (const text of ["slow", "a", "b", "c"]) {
    pool.publish((await messageToProvider(text, { clock })).event);
  }
  await settle(clock, inbox);
  assert.deepEqual(begun, ["slow", "a", "b", "c"]);
  assert.equal(inbox.status().handledCount, 3);
  release.resolve();
});

Deno.test("no more handlers run at a time than the limit", async () => {
  const clock = new ManualClock();
  const pool = new FakePool();
  let running = 0;
  let most = 0;
  const { inbox } = openInbox({
    clock,
    pool,
    limits: { handlingMax: 2 },
    onMessage: async () => {
      most = Math.max(most, ++running);
      await clock.settle();
      running--;
    },
  });
  await using _ = inbox;
  for (let index = 0; index < 10; index++) {
    pool.publish((await messageToProvider(String(index), { clock })).event);
  }
  await until(clock, () => inbox.status().handledCount === 10);
  assert.equal(most, 2);
});

Deno.test("a thousand malformed events are swallowed, and a good one after them is heard", async () => {
  const clock = new ManualClock();
  const pool = new FakePool();
  const { inbox, texts, problems } = openInbox({
    clock,
    pool,
    limits: { opensPerSecond: 10 ** 6, opensBurst: 10 ** 6 },
  });
  await using _ = inbox;
  const key = getConversationKey(SECRETS.other, KEYS.provider);
  const good = (await messageToProvider("good", { clock })).event;
  const inner = [
    "x",
    "{}",
    "null",
    JSON.stringify(good),
    JSON.stringify({ ...good, kind: 13 }),
    "[".repeat(5000),
  ];
  const payloads = [
    "",
    "A",
    "?iv=",
    "AAAA?iv=AAAA",
    "A".repeat(200_000),
    "Ag".repeat(100),
    `${"A".repeat(64)}?iv=${"A".repeat(22)}==`,
    ...Array(50).fill("Ag=="),
    ...inner.map((text) => encrypt44(text, key)),
  ];
  const template = signEvent({
    kind: 1059,
    created_at: clock.nowMs() / 1000,
    tags: [["p", KEYS.provider]],
    content: "x",
  }, SECRETS.other);
  for (let index = 0; index < 1000; index++) {
    pool.publish({
      ...template,
      // Signatures are the pool's to check; here each has an id of its own.
      id: index.toString(16).padStart(64, "0"),
      kind: index % 3 === 0 ? 4 : 1059,
      content: payloads[index % payloads.length]!,
    });
  }
  pool.publish(good);
  await until(clock, () => texts().length === 1);
  await settle(clock, inbox);
  const { handledCount, ignoredCount, overRateCount } = inbox.status();
  assert.equal(handledCount, 1);
  // Of NIP-04 the sender is known at once, so its own limit holds it off.
  assert.equal(ignoredCount + overRateCount, 1000);
  assert.deepEqual(problems, []);
});

Deno.test("closing waits for the handlers that run, and gives nothing more", async () => {
  const clock = new ManualClock();
  const pool = new FakePool();
  const release = Promise.withResolvers<void>();
  let isDone = false;
  const { inbox } = openInbox({
    clock,
    pool,
    onMessage: async () => {
      await release.promise;
      isDone = true;
    },
  });
  pool.publish((await messageToProvider("hi", { clock })).event);
  await settle(clock, inbox);
  const closing = inbox[Symbol.asyncDispose]();
  for (let index = 0; index < 5; index++) {
    pool.publish((await messageToProvider(`late ${index}`, { clock })).event);
  }
  release.resolve();
  await closing;
  assert.ok(isDone);
  assert.equal(inbox.status().handledCount, 1);
  assert.equal(pool.subscribers.size, 0);
  assert.equal(clock.timerCount, 0);
});

for (const name of ["MemorySeenIds", "SqliteSeenIds"]) {
  const open = (countMax: number) =>
    name === "MemorySeenIds"
      ? new MemorySeenIds({ countMax })
      : SqliteSeenIds.open(":memory:", { countMax });
  const id = (index: number) => index.toString(16).padStart(64, "0");

  Deno.test(`${name} know what was added, once or twice, and nothing else`, () => {
    using seen = open(10);
    seen.add([id(1), id(2)], 5);
    seen.add([id(2)], 6);
    assert.deepEqual([1, 2, 3].map((index) => seen.has(id(index))), [true, true, false]);
  });

  Deno.test(`${name} forget the oldest above their limit, and what is older than asked`, () => {
    using seen = open(3);
    for (let index = 1; index <= 5; index++) seen.add([id(index)], index);
    const has = () => [1, 2, 3, 4, 5].map((index) => seen.has(id(index)));
    assert.deepEqual(has(), [false, false, true, true, true]);
    seen.prune(5);
    assert.deepEqual(has(), [false, false, false, false, true]);
  });
}
