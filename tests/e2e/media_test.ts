/** A film in a collection of one node, watched through the gateway of another. */
import assert from "node:assert/strict";
import { Bench, ok, testBytes } from "./support.ts";

Deno.test("a browser plays a film of another node's collection, and seeks in it", async () => {
  await using bench = await Bench.open();
  const film = testBytes(6 << 20);
  await Deno.mkdir(bench.path("film/parts"), { recursive: true });
  await Deno.writeFile(bench.path("film/film.mp4"), film);
  await Deno.writeTextFile(bench.path("film/film.m3u8"), "#EXTM3U\nparts/1.ts\n");
  await Deno.writeFile(bench.path("film/parts/1.ts"), film.subarray(0, 100_000));
  const added = await ok("add", bench.path("film"), "--data", bench.path("seeder"));
  const relay = ["--relay", await bench.relay()];
  const [, player] = await Promise.all([
    bench.node("seeder", ...relay),
    bench.node("player", ...relay, "--gateway-listen", "127.0.0.1:0"),
  ]);
  const [gateway] = player.ready.gateways as string[];
  const media = `${gateway}/media/${added.hash}`;

  // A page plays what is here, and brings nothing that its owner did not choose.
  const page = { "sec-fetch-site": "cross-site", "sec-fetch-dest": "video" };
  const early = await fetch(`${media}/film.mp4`, { headers: page });
  await early.body?.cancel();
  assert.equal(early.status, 404);
  const list = await fetch(`${media}/film.m3u8`);
  assert.equal(await list.text(), "#EXTM3U\nparts/1.ts\n");
  assert.equal(list.headers.get("content-type"), "application/vnd.apple.mpegurl");

  const seek = await fetch(`${media}/film.mp4`, {
    headers: { ...page, range: "bytes=5000000-5999999" },
  });
  assert.equal(seek.status, 206);
  assert.equal(seek.headers.get("content-type"), "video/mp4");
  assert.deepEqual(await seek.bytes(), film.slice(5_000_000, 6_000_000));
  const whole = await fetch(`${media}/film.mp4`, { headers: page });
  assert.equal(whole.headers.get("content-length"), `${film.length}`);
  assert.deepEqual(await whole.bytes(), film);
  const part = await fetch(`${media}/parts/1.ts`, { headers: page });
  assert.deepEqual(await part.bytes(), film.slice(0, 100_000));
});
