import assert from "node:assert/strict";
import { systemClock } from "../../../src/host/system.ts";
import { FileBlobStore } from "../../../swarm/store/mod.ts";
import { content } from "../provider/support.ts";
import { ask, startWorld } from "./support.ts";

const SIZE = 700_001;
const BYTES = content(SIZE);

async function withFree(fields: Parameters<typeof startWorld>[0] = {}) {
  const world = await startWorld(fields);
  const record = await world.store.importBytes(BYTES, { mediaType: "video/mp4" });
  world.seller.free.add(record.hash);
  return { world, record, path: `/blob/${record.hash}` };
}

Deno.test("Gateway serves a blob by BLAKE3 and by SHA-256, with and without an extension", async () => {
  const { world, record, path } = await withFree();
  await using _ = world;
  for (
    const name of [path, `/${record.sha256}`, `/${record.sha256}.mp4`, `/${record.sha256}.tar.gz`]
  ) {
    const answer = await ask(world, name);
    assert.equal(answer.status, 200, name);
    assert.deepEqual(answer.body, BYTES);
    assert.equal(answer.headers.get("content-type"), "video/mp4");
    assert.equal(answer.headers.get("accept-ranges"), "bytes");
    assert.equal(answer.headers.get("access-control-allow-origin"), "*");
    assert.equal(answer.headers.get("cache-control"), "public, max-age=31536000, immutable");
    const hash = name === path ? record.hash : record.sha256;
    assert.equal(answer.headers.get("etag"), `"${hash}"`);
  }
  assert.equal(world.events.at(-1)!.bytes, SIZE);
  assert.equal(world.seller.decideCount, 0, "free content never asks the gate");
});

Deno.test("Gateway answers HEAD as GET, without the body and without opening the blob", async () => {
  const { world, record, path } = await withFree();
  await using _ = world;
  let openedCount = 0;
  const { store } = world;
  const open = store.openReader.bind(store);
  store.openReader = (hash) => (openedCount++, open(hash));
  const get = await ask(world, path);
  const head = await ask(world, path, { method: "HEAD" });
  assert.equal(head.status, 200);
  for (const name of ["content-length", "content-type", "etag", "accept-ranges"]) {
    assert.equal(head.headers.get(name), get.headers.get(name), name);
  }
  assert.equal(openedCount, 1);
  assert.equal((await ask(world, `/${record.sha256}`, { method: "HEAD" })).status, 200);
});

Deno.test("Gateway serves every kind of single range, and refuses what lies outside", async () => {
  const { world, path } = await withFree();
  await using _ = world;
  const ranges: readonly (readonly [range: string, start: number, end: number])[] = [
    ["bytes=0-0", 0, 1],
    ["bytes=0-", 0, SIZE],
    ["bytes=16384-16384", 16384, 16385],
    ["bytes=100-300000", 100, 300_001],
    ["bytes=262143-262144", 262_143, 262_145],
    ["bytes=-1", SIZE - 1, SIZE],
    ["bytes=-99999999999999999999", 0, SIZE],
    ["bytes=700000-99999999999999999999999", 700_000, SIZE],
  ];
  for (const [range, start, end] of ranges) {
    const answer = await ask(world, path, { headers: { range } });
    assert.equal(answer.status, 206, range);
    assert.deepEqual(answer.body, BYTES.slice(start, end), range);
    assert.equal(answer.headers.get("content-range"), `bytes ${start}-${end - 1}/${SIZE}`);
    assert.equal(answer.headers.get("content-length"), `${end - start}`);
  }
  for (const range of ["bytes=700001-", "bytes=-0", "bytes=99999999999999999999-"]) {
    const answer = await ask(world, path, { headers: { range } });
    assert.equal(answer.status, 416, range);
    assert.equal(answer.headers.get("content-range"), `bytes */${SIZE}`);
  }
  for (const range of ["bytes=5-3", "bytes=a-b", "bytes=-", "lines=1-2", "bytes=0-1,5-6"]) {
    const answer = await ask(world, path, { headers: { range } });
    assert.equal(answer.status, 200, `${range} is ignored`);
  }
});

Deno.test("Gateway keeps to conditions: If-None-Match, If-Match and If-Range", async () => {
  const { world, record, path } = await withFree();
  await using _ = world;
  const etag = `"${record.hash}"`;
  const statusOf = async (headers: Record<string, string>) =>
    (await ask(world, path, { headers })).status;
  assert.equal(await statusOf({ "if-none-match": etag }), 304);
  assert.equal(await statusOf({ "if-none-match": `"x", W/${etag}` }), 304);
  assert.equal(await statusOf({ "if-none-match": "*" }), 304);
  assert.equal(await statusOf({ "if-none-match": '"x"' }), 200);
  assert.equal(await statusOf({ "if-match": etag }), 200);
  assert.equal(await statusOf({ "if-match": '"x"' }), 412);
  assert.equal(await statusOf({ "if-match": `W/${etag}` }), 412);
  assert.equal(await statusOf({ range: "bytes=1-2", "if-range": etag }), 206);
  assert.equal(await statusOf({ range: "bytes=1-2", "if-range": '"x"' }), 200);
  assert.equal(
    await statusOf({ range: "bytes=1-2", "if-range": "Wed, 11 Nov 2026 11:11:11 GMT" }),
    200,
  );
});

Deno.test("Gateway tells no difference between what is hidden and what is not there", async () => {
  const { world } = await withFree();
  await using _ = world;
  const answers = [];
  for (const visibility of ["private", "fleet"] as const) {
    const hidden = await world.store.importBytes(content(5000, visibility.length), { visibility });
    world.seller.free.add(hidden.hash);
    answers.push(await ask(world, `/blob/${hidden.hash}`));
    answers.push(await ask(world, `/${hidden.sha256}`));
    answers.push(await ask(world, `/${hidden.sha256}`, { headers: { "if-none-match": "*" } }));
  }
  answers.push(await ask(world, `/blob/${"0".repeat(64)}`));
  for (const { status, headers, text } of answers) {
    assert.equal(status, 404);
    headers.delete("date");
    assert.deepEqual(
      [...headers],
      [...answers.at(-1)!.headers].filter(([name]) => name !== "date"),
    );
    assert.equal(text, answers.at(-1)!.text);
  }
});

Deno.test("Gateway serves an empty blob", async () => {
  const { world } = await withFree();
  await using _ = world;
  const { hash } = await world.store.importBytes(new Uint8Array(0));
  const answer = await ask(world, `/blob/${hash}`);
  assert.deepEqual([answer.status, answer.body.length], [200, 0], "and even if it had a price");
  assert.equal((await ask(world, `/blob/${hash}`, { headers: { range: "bytes=0-" } })).status, 416);
});

Deno.test("Gateway answers many requests on one connection, in order", async () => {
  const { world, path } = await withFree();
  await using _ = world;
  const conn = await Deno.connect({ port: world.gateway.port });
  const host = "Host: 127.0.0.1\r\n";
  const requests = `GET ${path} HTTP/1.1\r\n${host}Range: bytes=0-3\r\n\r\n` +
    `HEAD ${path} HTTP/1.1\r\n${host}\r\n` +
    `GET /nothing HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nabcde` +
    `GET ${path} HTTP/1.1\r\n${host}Range: bytes=4-7\r\nConnection: close\r\n\r\n`;
  await conn.write(new TextEncoder().encode(requests));
  const text = new TextDecoder("latin1").decode(
    new Uint8Array(await new Response(conn.readable).arrayBuffer()),
  );
  const statuses = [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1]);
  assert.deepEqual(statuses, ["206", "200", "404", "206"]);
});

Deno.test("Gateway says what its paths take", async () => {
  const { world, path } = await withFree();
  await using _ = world;
  const post = await ask(world, path, { method: "POST" });
  assert.deepEqual([post.status, post.headers.get("allow")], [405, "GET, HEAD, OPTIONS"]);
  assert.equal((await ask(world, "/", { method: "HEAD" })).status, 200);
  assert.equal((await ask(world, "/blob/abc")).status, 400);
  assert.equal((await ask(world, "/list/abc")).status, 400);
  assert.ok((await ask(world, "/favicon.ico")).headers.get("x-reason")!.length > 10);
  const preflight = await ask(world, "/upload", { method: "OPTIONS" });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers.get("access-control-allow-headers"), "Authorization, *");
  assert.equal(preflight.headers.get("access-control-allow-methods"), "GET, HEAD, PUT, DELETE");
  assert.equal(preflight.headers.get("access-control-max-age"), "86400");
});

Deno.test("Gateway cuts off a file in place that changes, and never sends its new bytes", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await using store = await FileBlobStore.open({
      directory: `${directory}/store`,
      quotaBytes: 2 ** 30,
      clock: systemClock,
    });
    await using world = await startWorld({ store });
    const file = `${directory}/film`;
    await Deno.writeFile(file, BYTES);
    const { hash } = await store.importFile(file, { mode: "in-place" });
    world.seller.free.add(hash);
    assert.deepEqual((await ask(world, `/blob/${hash}`)).body, BYTES);
    await Deno.writeFile(file, new Uint8Array(SIZE).fill(0x58));
    const answer = await ask(world, `/blob/${hash}`);
    assert.equal(answer.status, 404);
    assert.ok(!answer.text.includes("XXXX"));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
