import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { systemClock } from "../../../src/host/system.ts";
import { concatBytes, equalBytes } from "../../../src/core/bytes.ts";
import { isSeedmintError } from "../../../src/core/errors.ts";
import type { Hash } from "../../../src/core/hash.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { GROUP_BYTES } from "../../../swarm/bao/geometry.ts";
import { encodedSize } from "../../../swarm/bao/mod.ts";
import { DirectClient, encodeDirectRequest } from "../../../swarm/direct/mod.ts";
import type { DirectGrant, Granted } from "../../../swarm/protocol/mod.ts";
import { costOf, payment, TERMS, unitsOfMsat } from "../provider/memory_gate.ts";
import { Shop } from "../provider/shop.ts";
import { content, encodingOf, FETCHER, until } from "../provider/support.ts";

const MIB = 1024 * 1024;
const SIZE = 3 * MIB + 7;
const DIRECT = { port: 0, hostname: "127.0.0.1" };

function start(limits: Record<string, number> = {}): Promise<Shop> {
  return Shop.start({ provider: { direct: DIRECT, limits } });
}

/** What one request on the direct path brought, and how it failed. */
interface Got {
  readonly data: Uint8Array;
  readonly error?: unknown;
}

/** A requester of the direct path that takes what comes. */
class Asker implements Disposable {
  readonly #client = new DirectClient({ clock: systemClock });
  readonly #shop: Shop;
  readonly #hash: Hash;
  readonly #grant: DirectGrant;
  #counter = 0;

  constructor(shop: Shop, hash: Hash, grant: DirectGrant) {
    this.#shop = shop;
    this.#hash = hash;
    this.#grant = grant;
  }

  async get(ranges: RangeSet, onBytes: (count: number) => void = () => {}): Promise<Got> {
    const parts: Uint8Array[] = [];
    const { session, key } = this.#grant;
    let bytes = 0;
    try {
      await this.#client.post({
        hostname: "127.0.0.1",
        port: this.#shop.nodes.provider.directPort!,
        answerMs: 10_000,
        body: () => {
          const counter = this.#counter++;
          return encodeDirectRequest({ session, hash: this.#hash, ranges, counter }, key);
        },
        onAnswered: () => {},
        breaks: () => {},
        use: async (response) => {
          equal(response.size, encodedSize(SIZE, ranges));
          for (let part = await response.read(); part; part = await response.read()) {
            parts.push(part.slice());
            onBytes(bytes += part.length);
          }
        },
      });
      return { data: concatBytes(...parts) };
    } catch (error) {
      return { data: concatBytes(...parts), error };
    }
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }
}

/** Imports a blob and asks for the direct path, with the payment of `msat`. */
async function ask(shop: Shop, msat: number): Promise<{ hash: Hash; asker: Asker }> {
  const { hash } = await shop.nodes.seeding.importBytes(content(SIZE));
  const line = await shop.nodes.open();
  const paid = payment(1, msat);
  await line.send({ t: "want", hash, format: "blob", direct: true, payment: paid });
  const { messages } = await line.paidAnswer();
  const granted = messages[0] as Granted;
  equal(granted.priceMsatPerMiB, TERMS.priceMsatPerMiB);
  equal(granted.creditMsat, msat);
  deepEqual(messages.at(-1), { t: "end" });
  line.stream.abort(new Error("done"));
  return { hash, asker: new Asker(shop, hash, granted.direct!) };
}

Deno.test("DirectServer charges exactly the content of what it sends, to who was granted it", async () => {
  await using shop = await start();
  const { hash, asker: asked } = await ask(shop, 64_000);
  using asker = asked;
  let bytes = 0;
  for (const ranges of [RangeSet.of(0, 1), RangeSet.of(3, 150), RangeSet.of(150)]) {
    const { data, error } = await asker.get(ranges);
    equal(error, undefined);
    ok(equalBytes(data, await encodingOf(shop.nodes.seeding, hash, ranges)));
    bytes += ranges.equals(RangeSet.of(150))
      ? SIZE - 150 * GROUP_BYTES
      : ranges.count * GROUP_BYTES;
  }
  await until(() => shop.nodes.events.length === 4);
  equal(shop.units, unitsOfMsat(64_000) - costOf(bytes));
  const events = shop.nodes.events.map(({ path, outcome, paidBytes }) =>
    `${path} ${outcome} ${paidBytes ?? 0}`
  );
  deepEqual(events.slice(0, 2), ["stream direct 0", `direct served ${GROUP_BYTES}`]);
  equal(shop.nodes.events.at(-1)!.priceMsatPerMiB, 1000);
});

Deno.test("DirectServer waits for a top-up in the middle of a body, and goes on", async () => {
  await using shop = await start();
  const { hash, asker: asked } = await ask(shop, 1500);
  using asker = asked;
  const getting = asker.get(RangeSet.ALL);
  await until(() => shop.units <= 0n);
  await systemClock.sleep(30);
  const line = await shop.nodes.open();
  await line.send({ t: "top-up", payment: payment(2, 64_000) });
  const { data, error } = await getting;
  equal(error, undefined);
  ok(equalBytes(data, await encodingOf(shop.nodes.seeding, hash, RangeSet.ALL)));
  equal(shop.units, unitsOfMsat(65_500) - costOf(SIZE));
});

Deno.test("DirectServer ends a body early when no top-up comes, and DirectClient says so", async () => {
  await using shop = await start({ unpaidMs: 60 });
  const { hash, asker: asked } = await ask(shop, 1500);
  using asker = asked;
  const { data, error } = await asker.get(RangeSet.ALL);
  ok(isSeedmintError(error, "reset") && error.retryable, String(error));
  ok(/ended early: [0-9]+ of [0-9]+ bytes/.test(error.message));
  const whole = await encodingOf(shop.nodes.seeding, hash, RangeSet.ALL);
  ok(equalBytes(data, whole.subarray(0, data.length)));
  equal(Math.floor(data.length / GROUP_BYTES), 96); // 1.5 MiB
  equal(shop.units, 0n);
  await until(() => shop.nodes.events.at(-1)!.outcome === "unpaid");
  // Without credit the session leads nowhere, and with credit it does again.
  const refused = await asker.get(RangeSet.of(100, 101));
  ok(isSeedmintError(refused.error, "denied"));
  shop.gate.give(FETCHER, 100);
  equal((await asker.get(RangeSet.of(100, 101))).error, undefined);
});

Deno.test("DirectServer serves at no other price than the one that was granted", async () => {
  await using shop = await start();
  const { hash, asker: asked } = await ask(shop, 64_000);
  using asker = asked;
  shop.gate.terms = { ...TERMS, priceMsatPerMiB: 1001 };
  ok(isSeedmintError((await asker.get(RangeSet.of(0, 1))).error, "denied"));
  equal(shop.units, unitsOfMsat(64_000));
  shop.gate.free.add(hash);
  equal((await asker.get(RangeSet.of(0, 1))).error, undefined);
  equal(shop.units, unitsOfMsat(64_000));
});

Deno.test("DirectServer serves nothing for free that got a price since it was granted", async () => {
  await using shop = await start();
  const { hash } = await shop.nodes.seeding.importBytes(content(SIZE));
  shop.gate.free.add(hash);
  const line = await shop.nodes.open();
  await line.send({ t: "want", hash, format: "blob", direct: true });
  const granted = (await line.paidAnswer()).messages[0] as Granted;
  equal(granted.priceMsatPerMiB, undefined);
  using asker = new Asker(shop, hash, granted.direct!);
  equal((await asker.get(RangeSet.of(0, 1))).error, undefined);
  shop.gate.free.clear();
  shop.gate.give(FETCHER, 64_000);
  ok(isSeedmintError((await asker.get(RangeSet.of(0, 1))).error, "denied"));
  equal(shop.units, unitsOfMsat(64_000));
});

for (const broken of ["isFree", "decide", "creditOf", "openMeter"] as const) {
  Deno.test(`DirectServer serves nothing when ${broken} of the gate throws`, async () => {
    await using shop = await start();
    const { asker: asked } = await ask(shop, 64_000);
    using asker = asked;
    shop.gate.broken.add(broken);
    const { data, error } = await asker.get(RangeSet.of(0, 10));
    ok(isSeedmintError(error, "denied"), String(error));
    equal(data.length, 0);
    equal(shop.units, unitsOfMsat(64_000));
  });
}

for (const broken of ["take", "isLow"] as const) {
  Deno.test(`DirectServer sends no byte of content when ${broken} of the meter throws`, async () => {
    await using shop = await start();
    const { asker: asked } = await ask(shop, 64_000);
    using asker = asked;
    shop.gate.broken.add(broken);
    const { data, error } = await asker.get(RangeSet.of(0, 10));
    ok(isSeedmintError(error, "reset"), String(error));
    equal(data.length, 0);
    await until(() => shop.gate.openCount === 0);
    equal(shop.units, unitsOfMsat(64_000));
  });
}

Deno.test("DirectServer gives back what it charged and could not send", async () => {
  await using shop = await start({ stallMs: 80 });
  const { hash } = await shop.nodes.seeding.importBytes(content(64 * MIB));
  shop.gate.give(FETCHER, 100_000);
  const line = await shop.nodes.open();
  await line.send({ t: "want", hash, format: "blob", direct: true });
  const { direct } = (await line.paidAnswer()).messages[0] as Granted;
  const port = shop.nodes.provider.directPort!;
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const { session, key } = direct!;
  const body = encodeDirectRequest({ session, hash, ranges: RangeSet.ALL, counter: 0 }, key);
  const head = `POST /seedmint/direct/1 HTTP/1.1\r\nContent-Length: ${body.length}\r\n\r\n`;
  await connection.write(concatBytes(new TextEncoder().encode(head), body));
  await until(() => shop.nodes.events.some(({ path }) => path === "direct"));
  const { paidBytes, bytes, outcome } = shop.nodes.events.at(-1)!;
  equal(outcome, "reset");
  ok(paidBytes! <= bytes);
  equal(shop.units, unitsOfMsat(100_000) - costOf(paidBytes!));
  connection.close();
});

Deno.test("Provider stops while a direct answer waits for money", async () => {
  const shop = await start();
  const { asker: asked } = await ask(shop, 100);
  using asker = asked;
  const getting = asker.get(RangeSet.ALL);
  await until(() => shop.units <= 0n);
  await systemClock.sleep(20);
  const startedMs = performance.now();
  await shop[Symbol.asyncDispose]();
  ok(performance.now() - startedMs < 5000);
  ok(isSeedmintError((await getting).error, "reset"));
  await rejects(Deno.connect({ hostname: "127.0.0.1", port: shop.nodes.provider.directPort! }));
});
