/** Private messages over real connections: ours, and those of another implementation. */
import assert from "node:assert/strict";
import { decrypt as decrypt04, encrypt as encrypt04 } from "nostr-tools/nip04";
import { unwrapEvent, wrapEvent } from "nostr-tools/nip59";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import {
  MemorySeenIds,
  type NostrEvent,
  PrivateInbox,
  type PrivateMessage,
  RelayPool,
  RelayServer,
  sendPrivate,
  signEvent,
} from "../../../src/nostr/mod.ts";
import { KEYS, SECRETS } from "./support.ts";

const listen = () =>
  RelayServer.listen({ storage: "memory", clock: systemClock, random: systemRandom });

const poolOf = (relays: readonly string[], authSecretKey: Uint8Array) =>
  new RelayPool({ relays, clock: systemClock, random: systemRandom, authSecretKey });

/** An inbox whose messages are waited for one by one. */
function openInbox(pool: RelayPool, secretKey: Uint8Array) {
  const ready: PrivateMessage[] = [];
  const waiting: ((message: PrivateMessage) => void)[] = [];
  const inbox = PrivateInbox.open({
    pool,
    secretKey,
    clock: systemClock,
    seen: new MemorySeenIds(),
    onMessage: (message) => {
      const next = waiting.shift();
      if (next === undefined) ready.push(message);
      else next(message);
    },
  });
  const next = () => {
    const message = ready.shift();
    return message === undefined
      ? new Promise<PrivateMessage>((resolve) => waiting.push(resolve))
      : Promise.resolve(message);
  };
  return { inbox, next, ready };
}

const sender = (secretKey: Uint8Array, pool: RelayPool) => ({
  secretKey,
  pool,
  clock: systemClock,
  random: systemRandom,
});

Deno.test("a request over three relays is one message, and is answered in kind", async () => {
  const servers = await Promise.all([listen(), listen(), listen()]);
  const urls = servers.map((server) => server.url);
  await using stack = new AsyncDisposableStack();
  for (const server of servers) stack.use(server);
  const providerPool = stack.use(poolOf(urls, SECRETS.provider));
  const lesseePool = stack.use(poolOf(urls, SECRETS.lessee));
  const provider = openInbox(providerPool, SECRETS.provider);
  const lessee = openInbox(lesseePool, SECRETS.lessee);
  stack.use(provider.inbox);
  stack.use(lessee.inbox);
  for (const kind of ["nip04", "nip17"] as const) {
    const sent = await sendPrivate(
      { kind, recipient: KEYS.provider, text: `ask by ${kind}` },
      { ...sender(SECRETS.lessee, lesseePool), graceMs: 5000 },
    );
    assert.equal(sent.report.acceptedCount, 3);
    const request = await provider.next();
    assert.deepEqual(
      [request.id, request.kind, request.sender, request.text],
      [sent.id, kind, KEYS.lessee, `ask by ${kind}`],
    );
    const { sender: recipient } = request;
    await sendPrivate(
      { kind: request.kind, recipient, text: `answer by ${kind}` },
      sender(SECRETS.provider, providerPool),
    );
    const answer = await lessee.next();
    assert.deepEqual(
      [answer.kind, answer.sender, answer.text],
      [kind, KEYS.provider, `answer by ${kind}`],
    );
  }
  // The copies of the other relays are in by now, and were not given.
  await systemClock.sleep(100);
  assert.deepEqual([provider.ready.length, lessee.ready.length], [0, 0]);
  assert.equal(provider.inbox.status().handledCount, 2);
});

Deno.test("an old client's request that came while we were away is heard, and its answer opens there", async () => {
  await using server = await listen();
  await using oldPool = poolOf([server.url], SECRETS.lessee);
  const nowS = Math.floor(Date.now() / 1000);
  const old = signEvent({
    kind: 4,
    created_at: nowS,
    tags: [["p", KEYS.provider]],
    content: encrypt04(SECRETS.lessee, KEYS.provider, "by nip04"),
  }, SECRETS.lessee);
  const wrap = wrapEvent(
    { kind: 14, content: "by nip17", tags: [["p", KEYS.provider]] },
    SECRETS.lessee,
    KEYS.provider,
  );
  await oldPool.publish(old);
  await oldPool.publish(wrap);

  await using pool = poolOf([server.url], SECRETS.provider);
  const { inbox, next } = openInbox(pool, SECRETS.provider);
  await using _ = inbox;
  const messages = [await next(), await next()].sort((a, b) => a.text < b.text ? -1 : 1);
  assert.deepEqual(messages.map(({ text, kind }) => [text, kind]), [
    ["by nip04", "nip04"],
    ["by nip17", "nip17"],
  ]);

  for (const { kind, sender: recipient } of messages) {
    await sendPrivate({ kind, recipient, text: `re ${kind}` }, sender(SECRETS.provider, pool));
  }
  const answers = new Map<number, NostrEvent>();
  for await (const event of oldPool.query([{ "#p": [KEYS.lessee], kinds: [4, 1059] }])) {
    answers.set(event.kind, event);
  }
  assert.equal(decrypt04(SECRETS.lessee, KEYS.provider, answers.get(4)!.content), "re nip04");
  const wrapped = answers.get(1059)!;
  const rumor = unwrapEvent(
    { ...wrapped, tags: wrapped.tags.map((tag) => [...tag]) },
    SECRETS.lessee,
  );
  assert.deepEqual([rumor.content, rumor.pubkey], ["re nip17", KEYS.provider]);
});

Deno.test("a message that is sent while the relay is away comes once it is back", async () => {
  const storage = { path: await Deno.makeTempFile({ suffix: ".sqlite" }) };
  const options = { storage, clock: systemClock, random: systemRandom };
  const first = await RelayServer.listen(options);
  const { port } = new URL(first.url);
  await using pool = new RelayPool({
    relays: [first.url],
    clock: systemClock,
    random: systemRandom,
    authSecretKey: SECRETS.provider,
    limits: { backoffMinMs: 50, backoffMaxMs: 100 },
  });
  const { inbox, next } = openInbox(pool, SECRETS.provider);
  await using _ = inbox;
  await using lesseePool = poolOf([first.url], SECRETS.lessee);
  const message = { kind: "nip17", recipient: KEYS.provider } as const;
  await sendPrivate({ ...message, text: "before" }, sender(SECRETS.lessee, lesseePool));
  assert.equal((await next()).text, "before");
  await first[Symbol.asyncDispose]();
  await systemClock.sleep(200);
  await using _second = await RelayServer.listen({ ...options, port: Number(port) });
  await using freshPool = poolOf([first.url], SECRETS.lessee);
  await sendPrivate({ ...message, text: "after" }, sender(SECRETS.lessee, freshPool));
  assert.equal((await next()).text, "after");
  await Deno.remove(storage.path);
});
