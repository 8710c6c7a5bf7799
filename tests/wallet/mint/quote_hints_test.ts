import assert from "node:assert/strict";
import { systemRandom } from "../../../src/host/system.ts";
import { HINT_FAILURE_COUNT_MAX, HINTS_PER_QUOTE_MAX } from "../../../wallet/mint/limits.ts";
import { parseMintUrl } from "../../../wallet/mint/mint_url.ts";
import {
  type HintSocket,
  type OpenHintSocket,
  openHintSocket,
  QuoteHints,
} from "../../../wallet/mint/quote_hints.ts";
import { JumpClock } from "../../support/wallet_kit.ts";

/** A WebSocket of a script: what was sent, and what the mint says. */
class ScriptedSocket implements HintSocket {
  readonly sent: Record<string, unknown>[] = [];
  readonly #end = Promise.withResolvers<void>();
  readonly #messages: (string | undefined)[] = [];
  #waiting: ((text: string | undefined) => void) | undefined;
  isClosed = false;

  get ended(): Promise<void> {
    return this.#end.promise;
  }

  receive(): Promise<string | undefined> {
    if (this.#messages.length > 0) return Promise.resolve(this.#messages.shift());
    return new Promise((resolve) => this.#waiting = resolve);
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  say(message: unknown): void {
    this.#push(typeof message === "string" ? message : JSON.stringify(message));
  }

  close(): void {
    this.isClosed = true;
    this.#push(undefined);
    this.#end.resolve();
  }

  /** The id of the subscription of the `n`th subscribing message. */
  subId(index = 0): string {
    const subscribed = this.sent.filter(({ method }) => method === "subscribe");
    return (subscribed[index]!.params as { subId: string }).subId;
  }

  #push(text: string | undefined): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#messages.push(text);
    else waiting(text);
  }
}

function scripted(open?: OpenHintSocket) {
  const clock = new JumpClock();
  const sockets: ScriptedSocket[] = [];
  const urls: string[] = [];
  const hints = new QuoteHints({
    url: parseMintUrl("https://mint.example/cashu"),
    clock,
    random: systemRandom,
    resolve: () => Promise.resolve(["8.8.8.8"]),
    open: (url, options) => {
      urls.push(url);
      if (open !== undefined) return open(url, options);
      const socket = new ScriptedSocket();
      sockets.push(socket);
      return Promise.resolve(socket);
    },
  });
  return { clock, sockets, urls, hints };
}

/** What is under way gets its turn. */
async function settled(): Promise<void> {
  for (let count = 0; count < 5; count++) await new Promise((resolve) => setTimeout(resolve, 0));
}

function paid(subId: string, quote: string, state = "PAID") {
  return { jsonrpc: "2.0", method: "subscribe", params: { subId, payload: { quote, state } } };
}

Deno.test("QuoteHints opens one socket for a mint, hints at payments only, and closes it after", async () => {
  const { hints, sockets, urls } = scripted();
  await using _ = hints;
  const heard: string[] = [];
  const first = hints.watch("q1", () => heard.push("q1"));
  const second = hints.watch("q2", () => heard.push("q2"));
  await settled();
  assert.deepEqual(urls, ["wss://mint.example/cashu/v1/ws"]);
  const [socket] = sockets;
  socket!.say(paid(socket!.subId(0), "q1", "UNPAID"));
  socket!.say(paid(socket!.subId(1), "q2"));
  await settled();
  assert.deepEqual(heard, ["q2"]);
  second();
  assert.equal(socket!.sent.at(-1)!.method, "unsubscribe");
  assert.ok(!socket!.isClosed);
  first();
  await settled();
  assert.ok(socket!.isClosed);
  const third = hints.watch("q3", () => heard.push("q3"));
  await settled();
  assert.equal(sockets.length, 2);
  third();
});

Deno.test("QuoteHints takes nothing that is malformed, of others, or too often", async () => {
  const { hints, sockets } = scripted();
  await using _ = hints;
  let count = 0;
  hints.watch("q1", () => count++);
  await settled();
  const [socket] = sockets;
  const subId = socket!.subId();
  for (
    const text of ["", "{", "null", "[]", '{"params":null}', '{"params":{"payload":{}}}', "7"]
  ) socket!.say(text);
  socket!.say(paid(subId, "q2"));
  socket!.say(paid("other", "q1"));
  await settled();
  assert.equal(count, 0);
  for (let times = 0; times < 50; times++) socket!.say(paid(subId, "q1"));
  await settled();
  assert.equal(count, HINTS_PER_QUOTE_MAX);
  for (let times = 0; times < 1_000; times++) socket!.say("{}");
  for (let times = 0; times < 300 && !socket!.isClosed; times++) await settled();
  assert.ok(socket!.isClosed, "who says too much is not listened to");
});

Deno.test("QuoteHints tries a few times, later each time, where there is no socket", async () => {
  let openCount = 0;
  const { hints, clock } = scripted(() => {
    openCount++;
    return Promise.reject(new Error("404"));
  });
  await using _ = hints;
  const unwatch = hints.watch("q1", () => assert.fail("no hint came"));
  for (let times = 0; times < 20; times++) {
    await settled();
    clock.jump(600_000);
  }
  assert.equal(openCount, HINT_FAILURE_COUNT_MAX);
  unwatch();
});

Deno.test("QuoteHints opens nothing where a public name leads into a private network", async () => {
  const clock = new JumpClock();
  await using hints = new QuoteHints({
    url: parseMintUrl("https://mint.example"),
    clock,
    random: systemRandom,
    resolve: () => Promise.resolve(["10.0.0.1"]),
    open: () => assert.fail("no socket may be opened"),
  });
  hints.watch("q1", () => {});
  await settled();
});

Deno.test("QuoteHints is disposed at once while a resolver or a handshake hangs", async () => {
  const never = () => new Promise<never>(() => {});
  const hanging = new QuoteHints({
    url: parseMintUrl("https://mint.example"),
    clock: new JumpClock(),
    random: systemRandom,
    resolve: never,
    open: never,
  });
  hanging.watch("q1", () => {});
  await settled();
  await hanging[Symbol.asyncDispose]();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const real = new QuoteHints({
    url: parseMintUrl(`http://127.0.0.1:${port}`),
    clock: new JumpClock(),
    random: systemRandom,
    open: openHintSocket,
  });
  real.watch("q1", () => {});
  using _ = await listener.accept();
  await real[Symbol.asyncDispose]();
});

Deno.test("QuoteHints lets go of a mint that sends a message without end", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  await using hints = new QuoteHints({
    url: parseMintUrl(`http://127.0.0.1:${port}`),
    clock: new JumpClock(),
    random: systemRandom,
    open: openHintSocket,
  });
  hints.watch("q1", () => {});
  using conn = await listener.accept();
  const { acceptKey } = await import("../../../src/nostr/websocket/mod.ts");
  const head = new Uint8Array(2048);
  const count = await conn.read(head);
  const key = /sec-websocket-key: (\S+)/i.exec(new TextDecoder().decode(head.subarray(0, count!)));
  await conn.write(new TextEncoder().encode(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${acceptKey(key![1]!)}\r\n\r\n`,
  ));
  // Fragments of 1 kB, none of which is the last.
  const fragment = new Uint8Array(4 + 1024);
  fragment.set([0x01, 126, 4, 0]);
  let sentBytes = 0;
  const closed = (async () => {
    while (await conn.read(new Uint8Array(256)) !== null);
  })().catch(() => {});
  let isClosed = false;
  closed.then(() => isClosed = true);
  try {
    while (!isClosed && sentBytes < 10_000_000) {
      await conn.write(fragment);
      fragment[0] = 0x00;
      sentBytes += 1024;
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  } catch {
    // It hung up, as it should.
  }
  assert.ok(sentBytes < 1_000_000, `${sentBytes} bytes were taken`);
  await closed;
});
