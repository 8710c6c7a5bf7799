/**
 * The embedded relay under the load of a large fleet: 1,000 connections, each with a subscription,
 * and 10,000 stored adverts, while single `#d` queries are timed from `REQ` to `EOSE`, event included.
 * Meanwhile adverts are published and the other connections ask, too. The relay is a process of its own.
 *
 *     deno run -A bench/relay.ts [--connections 1000] [--adverts 10000] [--queries 2000]
 */
import { parseArgs } from "node:util";
import { systemClock, systemRandom } from "../src/host/system.ts";
import { CLIENT_SOCKET_LIMITS } from "../src/nostr/limits.ts";
import { type NostrEvent, signEvent } from "../src/nostr/nostr.ts";
import { RELAY_LIMITS } from "../src/nostr/relay/limits.ts";
import { RelayServer } from "../src/nostr/relay/relay_server.ts";
import { SqliteStorage } from "../src/nostr/relay/sqlite_storage.ts";
import { connectSocket } from "../src/nostr/websocket/connect.ts";
import type { Socket } from "../src/nostr/websocket/socket.ts";

const BAR_MS = 20;
const PUBLISHES_PER_SECOND = 20;
const OTHER_QUERIES_PER_SECOND = 100;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    connections: { type: "string", default: "1000" },
    adverts: { type: "string", default: "10000" },
    queries: { type: "string", default: "2000" },
    path: { type: "string" },
  },
});
const connectionCount = Number(values.connections);
const advertCount = Number(values.adverts);
const queryCount = Number(values.queries);
const nowS = Math.floor(Date.now() / 1000);
const hashOf = (index: number) => index.toString(16).padStart(64, "0");

/** An advert of a made-up author; the storage is filled below the check of signatures. */
function storedAdvert(index: number): NostrEvent {
  const author = index % 500;
  return {
    id: hashOf(index + 2 ** 40),
    pubkey: hashOf(author + 2 ** 41),
    created_at: nowS - (index % 3600),
    kind: 30081,
    tags: [
      ["d", hashOf(index)],
      ["t", "seedmint"],
      ["x", hashOf(index + 2 ** 42)],
      ["expiration", String(nowS + 10_800)],
    ],
    content: JSON.stringify({
      v: 1,
      endpoint_id: "12D3KooW".padEnd(52, "x"),
      addrs: ["/ip4/192.0.2.1/tcp/4001"],
      size: index,
    }),
    sig: "0".repeat(128),
  };
}

async function serve(): Promise<void> {
  const limits = {
    ...RELAY_LIMITS,
    connectionsPerAddressMax: connectionCount + 100,
    connectionsMax: connectionCount + 100,
    // One client asks here as often as many would; its turns are not what is measured.
    messagesPerSecond: 100_000,
    messagesBurst: 100_000,
  };
  const server = await RelayServer.listen({
    storage: { path: values.path! },
    limits,
    clock: systemClock,
    random: systemRandom,
  });
  console.log(server.url);
  for await (const _ of Deno.stdin.readable) {
    console.log(JSON.stringify({ ...server.stats(), rssMiB: Deno.memoryUsage().rss / 2 ** 20 }));
  }
  await server[Symbol.asyncDispose]();
}

/** One client: asks and waits for the end of the answer. */
class Client {
  readonly #socket: Socket;
  #waiting = new Map<string, (messageCount: number) => void>();
  #eventCount = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#read();
  }

  static async connect(url: string): Promise<Client> {
    return new Client(
      await connectSocket(url, {
        limits: CLIENT_SOCKET_LIMITS,
        connectMs: 30_000,
        clock: systemClock,
        random: systemRandom,
      }),
    );
  }

  ask(id: string, filter: object): Promise<number> {
    return new Promise((resolve) => {
      this.#eventCount = 0;
      this.#waiting.set(id, resolve);
      this.#socket.send(JSON.stringify(["REQ", id, filter]));
    });
  }

  publish(event: NostrEvent): Promise<number> {
    return new Promise((resolve) => {
      this.#waiting.set(event.id, resolve);
      this.#socket.send(JSON.stringify(["EVENT", event]));
    });
  }

  async close(): Promise<void> {
    this.#socket.close();
    await this.#socket.ended;
  }

  async #read(): Promise<void> {
    for (;;) {
      const text = await this.#socket.receive();
      if (text === undefined) return;
      if (text.startsWith('["EVENT"')) {
        this.#eventCount++;
        continue;
      }
      const [type, id, accepted] = JSON.parse(text);
      if (type === "OK" && !accepted) throw new Error(`refused: ${text}`);
      this.#waiting.get(id)?.(this.#eventCount);
      this.#waiting.delete(id);
    }
  }
}

/** Calls `work` so many times a second until `signal` is aborted. */
async function repeat(
  perSecond: number,
  work: (round: number) => Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  for (let round = 0; !signal.aborted; round++) {
    await work(round);
    await systemClock.sleep(1000 / perSecond, { signal }).catch(() => {});
  }
}

async function measure(
  url: string,
  stats: () => Promise<Record<string, number>>,
): Promise<boolean> {
  const pick = () => Math.floor(Math.random() * advertCount);
  const startedMs = performance.now();
  const clients: Client[] = [];
  while (clients.length < connectionCount) {
    const batch = Array.from({ length: 50 }, () => Client.connect(url));
    clients.push(...(await Promise.all(batch)).slice(0, connectionCount - clients.length));
  }
  await Promise.all(
    clients.map((client) => client.ask("live", { kinds: [30081], "#d": [hashOf(pick())] })),
  );
  const openMs = performance.now() - startedMs;
  const asking = await Client.connect(url);
  const publishing = await Client.connect(url);
  const secret = systemRandom.bytes(32);
  const stop = new AbortController();
  const load = Promise.all([
    repeat(PUBLISHES_PER_SECOND, (round) =>
      publishing.publish(signEvent({
        ...storedAdvert(round),
        created_at: Math.floor(Date.now() / 1000),
      }, secret)), stop.signal),
    repeat(OTHER_QUERIES_PER_SECOND, (round) =>
      clients[round % clients.length]!.ask("once", {
        kinds: [30081],
        "#x": [hashOf(pick() + 2 ** 42)],
      }), stop.signal),
  ]);
  const times: number[] = [];
  const emptyTimes: number[] = [];
  for (let query = 0; query < queryCount; query++) {
    const askedMs = performance.now();
    const found = await asking.ask("q", { kinds: [30081], "#d": [hashOf(pick())], limit: 50 });
    const answeredMs = performance.now();
    times.push(answeredMs - askedMs);
    // The same way to the relay and back without a search: what the machine's noise alone costs.
    await asking.ask("q", { limit: 0 });
    emptyTimes.push(performance.now() - answeredMs);
    if (found < 1) throw new Error("a stored advert was not found");
    await systemClock.sleep(1);
  }
  stop.abort();
  await load;
  const at = await stats();
  const percentile = (share: number, of = times) =>
    of.toSorted((a, b) => a - b)[Math.floor((of.length - 1) * share)]!;
  console.log(
    `connections        ${at.connectionCount}, opened and subscribed in ${openMs.toFixed(0)} ms`,
  );
  console.log(`adverts stored     ${at.storedCount}`);
  console.log(`published          ${at.acceptedCount} meanwhile, ${at.queryCount} queries in all`);
  console.log(`memory             ${at.rssMiB!.toFixed(0)} MiB`);
  console.log(
    `#d query           p50 ${percentile(0.5).toFixed(2)} ms, p99 ${
      percentile(0.99).toFixed(2)
    } ms, slowest ${percentile(1).toFixed(2)} ms (bar: p99 under ${BAR_MS} ms)`,
  );
  console.log(
    `empty query        p50 ${percentile(0.5, emptyTimes).toFixed(2)} ms, p99 ${
      percentile(0.99, emptyTimes).toFixed(2)
    } ms (the same way without a search)`,
  );
  await Promise.all([...clients, asking, publishing].map((client) => client.close()));
  if (percentile(0.99, emptyTimes) >= BAR_MS) {
    console.log("This machine is too busy to tell: even an empty query misses the bar.");
    return true;
  }
  return percentile(0.99) < BAR_MS;
}

async function main(): Promise<void> {
  const scratch = await Deno.makeTempDir({ prefix: "seedmint-relay-" });
  const path = `${scratch}/relay.sqlite`;
  {
    using storage = SqliteStorage.open(path, RELAY_LIMITS);
    for (let index = 0; index < advertCount; index++) storage.save(storedAdvert(index));
  }
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      new URL(import.meta.url).pathname,
      "serve",
      `--connections=${connectionCount}`,
      `--path=${path}`,
    ],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const input = child.stdin.getWriter();
  const next = async () => (await lines.read()).value!.trim();
  const url = await next();
  const passed = await measure(url, async () => {
    await input.write(new TextEncoder().encode("stats\n"));
    return JSON.parse(await next());
  });
  await input.close();
  await child.status;
  await Deno.remove(scratch, { recursive: true });
  Deno.exit(passed ? 0 : 1);
}

if (positionals[0] === "serve") await serve();
else await main();
