import assert from "node:assert/strict";
import { isSeedmintError, type SeedmintError } from "../../../src/core/errors.ts";
import { RelayPool, RelayServer, signEvent } from "../../../src/nostr/mod.ts";
import { nostrPublicKey } from "../../../src/nostr/nostr.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import {
  catalogFileName,
  type CatalogQuery,
  type FoundPublication,
  publicationEvents,
  publicationFileName,
  readHttp,
  readPublicationEvent,
  readPublicationText,
  RelayFinder,
  UrlFinder,
  writePublication,
} from "../../../trust/follow/mod.ts";
import { EVENT_CHARS_MAX } from "../../../trust/follow/limits.ts";
import { rotation } from "../../../trust/root/mod.ts";
import { DAY_S, NOW_S, Publisher } from "../publisher.ts";

const SECRET = new Uint8Array(32).fill(5);
const signal = new AbortController().signal;

function queryOf(publisher: Publisher, more: Partial<CatalogQuery> = {}): CatalogQuery {
  return {
    root: publisher.newest.signed.id,
    catalog: "tools",
    rootVersion: 1,
    publishers: [],
    ...more,
  };
}

Deno.test("readPublicationText() reads what writePublication() writes, and nothing else", async () => {
  const publisher = await Publisher.begin();
  const { seal } = await publisher.seal();
  const whole = { seal, roots: publisher.chain, urls: ["https://example.org/tools-1.json"] };
  assert.deepEqual(readPublicationText(`${writePublication(whole)}\n`), whole);
  const rootsOnly = { roots: publisher.chain, urls: [] };
  assert.deepEqual(readPublicationText(writePublication(rootsOnly)), rootsOnly);
  for (
    const bad of [
      "",
      "{}",
      writePublication({ ...whole, urls: ["file:///etc/passwd"] }),
      writePublication({
        ...whole,
        urls: Array.from({ length: 5 }, (_, at) => `https://a.b/${at}`),
      }),
      writePublication(whole).replace('"version":1', '"version":-1'),
      " ".repeat(2 * 1024 * 1024),
    ]
  ) assert.equal(readPublicationText(bad), undefined);
});

Deno.test("publicationEvents() keep within what relays take, and give each version of the root its own", async () => {
  const labels = Array.from({ length: 16 }, (_, at) => `r/${at + 1}`);
  const publisher = await Publisher.begin({ labels, threshold: 12 });
  for (let version = 2; version <= 14; version++) {
    await publisher.change(
      rotation({ add: [], remove: [], expiresS: NOW_S + (400 + version) * DAY_S }),
      labels,
    );
  }
  const { seal } = await publisher.seal({ labels });
  const events = publicationEvents({ seal, roots: publisher.chain, urls: [] }, NOW_S)
    .map((template) => signEvent(template, SECRET));
  assert.equal(events.length, 15);
  for (const { content } of events) assert.ok(content.length <= EVENT_CHARS_MAX);
  const read = events.map((event) => readPublicationEvent(event)!);
  assert.deepEqual(
    read.slice(0, 14).map(({ roots }) => roots[0]!.signed.version),
    [
      ...Array(14).keys(),
    ].map((index) => index + 1),
  );
  const last = read.at(-1)!;
  assert.deepEqual(last.seal, seal);
  assert.equal(last.roots.at(-1)!.signed.version, 14);
  assert.ok(last.roots.length > 1 && last.roots.length < 14);
});

Deno.test("readPublicationEvent() refuses an event whose address is another's", async () => {
  const publisher = await Publisher.begin();
  const { seal } = await publisher.seal();
  const [root, catalog] = publicationEvents({ seal, roots: publisher.chain, urls: [] }, NOW_S);
  const moved = (template: typeof catalog, d: string) =>
    signEvent({ ...template!, tags: [["d", d]] }, SECRET);
  assert.equal(readPublicationEvent(moved(catalog, `${"00".repeat(16)}/tools`)), undefined);
  assert.equal(readPublicationEvent(moved(root, `${seal.signed.root}#2`)), undefined);
  assert.equal(readPublicationEvent(signEvent({ ...catalog!, kind: 30081 }, SECRET)), undefined);
  assert.ok(readPublicationEvent(signEvent(catalog!, SECRET)));
});

Deno.test({
  name:
    "RelayFinder finds catalogs and versions of roots, by publisher if one is named, and hears of new ones",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const common = { clock: systemClock, random: systemRandom };
    await using server = await RelayServer.listen({
      hostname: "127.0.0.1",
      port: 0,
      storage: "memory",
      ...common,
    });
    await using pool = new RelayPool({ relays: [server.url], ...common });
    const finder = new RelayFinder(pool);
    const publisher = await Publisher.begin();
    await publisher.change(
      rotation({ add: [], remove: [], expiresS: NOW_S + 500 * DAY_S }),
    );
    const { seal } = await publisher.seal();
    const news = Promise.withResolvers<void>();
    const stop = finder.watch(queryOf(publisher), () => news.resolve());
    const nowS = Math.floor(Date.now() / 1000);
    for (const template of publicationEvents({ seal, roots: publisher.chain, urls: [] }, nowS)) {
      await pool.publish(signEvent(template, SECRET));
    }
    await news.promise;
    stop();
    const found = async (query: CatalogQuery) => {
      const all: FoundPublication[] = [];
      for await (const one of finder.find(query, { signal })) all.push(one);
      return all;
    };
    const all = await found(queryOf(publisher));
    assert.deepEqual(all.filter((one) => one.seal !== undefined).map((one) => one.seal), [seal]);
    assert.deepEqual(
      all.filter((one) => one.seal === undefined).map(({ roots }) => roots[0]!.signed.version),
      [2],
    );
    const own = queryOf(publisher, { publishers: [nostrPublicKey(SECRET)] });
    assert.equal((await found(own)).length, 2);
    assert.equal((await found(queryOf(publisher, { publishers: ["ab".repeat(32)] }))).length, 0);
    assert.equal((await found(queryOf(publisher, { catalog: "other" }))).length, 1);
  },
});

/** An origin that answers by path. */
function serve(answer: (path: string) => Response) {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => answer(new URL(request.url).pathname),
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

Deno.test("UrlFinder reads a publication, and knows where the bytes lie beside it", async () => {
  const publisher = await Publisher.begin();
  const { seal } = await publisher.seal({ sequence: 3 });
  const text = writePublication({ seal, roots: publisher.chain, urls: ["https://cdn.example/x"] });
  await using origin = serve(() => new Response(text));
  const finder = new UrlFinder({ clock: systemClock });
  const url = `${origin.url}/dl/${publicationFileName("tools")}`;
  const [found] = await Array.fromAsync(finder.find(queryOf(publisher, { url }), { signal }));
  assert.deepEqual(found!.seal, seal);
  assert.deepEqual(found!.urls, [
    "https://cdn.example/x",
    `${origin.url}/dl/${catalogFileName("tools", 3)}`,
  ]);
  assert.deepEqual(await Array.fromAsync(finder.find(queryOf(publisher), { signal })), []);
});

Deno.test("endless data: readHttp() reads no further than it may, whatever the origin says of its size", async () => {
  let sent = 0;
  const endless = () =>
    new ReadableStream<Uint8Array>({
      pull: (controller) => {
        sent += 65_536;
        controller.enqueue(new Uint8Array(65_536));
      },
    });
  await using origin = serve(() => new Response(endless()));
  const options = {
    bytesMax: 200_000,
    timeoutMs: 10_000,
    clock: systemClock,
    signal,
    allowPrivate: true,
  };
  await assert.rejects(
    readHttp(origin.url, options),
    (error) => isSeedmintError(error, "protocol") && /more than the 200000/.test(String(error)),
  );
  assert.ok(sent < 8 * 2 ** 20, `${sent} bytes were sent`);
});

Deno.test("slow retrieval: readHttp() gives up when its time is over", async () => {
  const drip = () =>
    new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(Uint8Array.of(1)) });
  await using origin = serve(() => new Response(drip()));
  const options = { bytesMax: 1e6, timeoutMs: 300, clock: systemClock, signal, allowPrivate: true };
  await assert.rejects(readHttp(origin.url, options), (error) => isSeedmintError(error, "timeout"));
});

Deno.test("readHttp() asks nobody in a private network on a stranger's word, redirects included", async () => {
  let asked = 0;
  const fetch: typeof globalThis.fetch = (input) => {
    asked++;
    const { hostname } = new URL(String(input));
    return Promise.resolve(
      hostname === "public.example"
        ? new Response(null, { status: 302, headers: { location: "http://169.254.169.254/" } })
        : new Response("secret"),
    );
  };
  const options = {
    bytesMax: 100,
    timeoutMs: 1000,
    clock: systemClock,
    signal,
    allowPrivate: false,
    fetch,
    resolve: (name: string) =>
      Promise.resolve(name === "inside.example" ? ["10.0.0.1"] : ["93.184.215.14"]),
  };
  for (
    const url of [
      "http://127.0.0.1/",
      "http://[::1]/",
      "http://nas.local/",
      "http://inside.example/",
    ]
  ) {
    await assert.rejects(readHttp(url, options), (error) => isSeedmintError(error, "denied"), url);
  }
  assert.equal(asked, 0);
  await assert.rejects(
    readHttp("http://public.example/", options),
    (error) => isSeedmintError(error, "denied"),
  );
  assert.equal(asked, 1);
});

Deno.test("readHttp() tells what an origin answered, and shows no query of its URL", async () => {
  await using origin = serve((path) =>
    path === "/loop"
      ? new Response(null, { status: 301, headers: { location: "/loop" } })
      : path === "/file"
      ? new Response(null, { status: 302, headers: { location: "file:///etc/passwd" } })
      : new Response(null, { status: Number(path.slice(1)) })
  );
  const codes = [["404", "not-found"], ["403", "denied"], ["500", "unavailable"], [
    "loop",
    "protocol",
  ], ["file", "protocol"]];
  for (const [path, code] of codes) {
    await assert.rejects(
      readHttp(`${origin.url}/${path}?token=abc`, {
        bytesMax: 100,
        timeoutMs: 2000,
        clock: systemClock,
        signal,
        allowPrivate: true,
      }),
      (error: SeedmintError) => error.code === code && !error.message.includes("abc"),
      path,
    );
  }
});
