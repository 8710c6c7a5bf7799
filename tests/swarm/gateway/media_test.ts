import assert from "node:assert/strict";
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Hash } from "../../../src/core/hash.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { systemClock } from "../../../src/host/system.ts";
import { encodeCollection } from "../../../swarm/collection.ts";
import type { MediaFetch } from "../../../swarm/gateway/mod.ts";
import { narrowedAttributes } from "../../../swarm/narrowing.ts";
import { type BlobStore, MemoryBlobStore, type Visibility } from "../../../swarm/store/mod.ts";
import { content } from "../provider/support.ts";
import { ask, connectFrom, startWorld, type World } from "./support.ts";

const GROUP = 16 * 1024;
const FILM_BYTES = 4_000_000;

const PLAYLIST = new TextEncoder().encode("#EXTM3U\n#EXTINF:4,\nparts/1 of 2.ts\n");

/** Whom a film is fetched from: 16 groups at a time, from where it is watched on. */
class Swarm {
  readonly store = new MemoryBlobStore({ clock: systemClock });
  readonly film = content(FILM_BYTES);
  readonly part = content(50_000, 2);
  root = "" as Hash;
  filmHash = "" as Hash;
  /** Fetches that were begun, and those that were stopped. */
  readonly begun: Hash[] = [];
  stoppedCount = 0;
  /** What is thrown instead. */
  trouble: SeedmintError | undefined;
  /** To whom its peers show what they give. */
  visibility: Visibility = "public";
  /** How long a piece takes. */
  pieceMs = 0;
  fetchedGroups = 0;

  static async make(): Promise<Swarm> {
    const swarm = new Swarm();
    const parts = [
      { name: "film.mp4", bytes: swarm.film },
      { name: "film.m3u8", bytes: PLAYLIST },
      { name: "parts/1 of 2.ts", bytes: swarm.part, mediaType: "video/mp2t" },
    ];
    const children = [];
    for (const { bytes, ...child } of parts) {
      const { hash, size } = await swarm.store.importBytes(bytes);
      if (bytes === swarm.film) swarm.filmHash = hash;
      children.push({ ...child, hash, size });
    }
    const bytes = encodeCollection(children);
    swarm.root = (await swarm.store.importBytes(bytes, { kind: "collection" })).hash;
    return swarm;
  }

  fetchInto(target: BlobStore): MediaFetch {
    return async ({ hash, attributes, position, signal }) => {
      this.begun.push(hash);
      if (this.trouble !== undefined) throw this.trouble;
      await using reader = await this.store.openReader(hash);
      const count = Math.ceil(reader.size / GROUP);
      const bring = async (groups: RangeSet) => {
        const ingest = await target.ingestEncoded(hash, groups, {
          ...narrowedAttributes(target, { hash, visibility: this.visibility }, attributes),
          size: reader.size,
        });
        for await (const piece of reader.encode(groups)) await ingest.push(piece);
        await ingest.finish();
        this.fetchedGroups += groups.count;
      };
      signal.addEventListener("abort", () => this.stoppedCount++);
      await bring(RangeSet.of(count - 1, count));
      while (target.status(hash)!.state !== "complete") {
        await systemClock.sleep(this.pieceMs, { signal });
        const missing = RangeSet.of(0, count).subtract(target.status(hash)!.groups);
        const from = Math.floor((position() ?? 0) / GROUP);
        const next = missing.intersect(RangeSet.of(from, count));
        const first = (next.isEmpty ? missing : next).first!;
        await bring(missing.intersect(RangeSet.of(first, first + 16)));
      }
    };
  }
}

/** A gateway that plays what `swarm` has, with the collection here unless told otherwise. */
async function startPlayer(
  swarm: Swarm,
  options: { readonly hasCollection?: boolean } = {},
): Promise<World> {
  const store = new MemoryBlobStore({ clock: systemClock });
  const world = await startWorld({ store, media: { fetch: swarm.fetchInto(store) } });
  world.seller.free.add(swarm.root);
  world.seller.decide = () => Promise.resolve({ decision: "free" });
  if (options.hasCollection !== false) {
    await using reader = await swarm.store.openReader(swarm.root);
    const bytes = new Uint8Array(reader.size);
    await reader.read(0, bytes);
    await store.importBytes(bytes, { kind: "collection" });
  }
  return world;
}

/** Waits for what must happen soon. */
async function until(what: string, isSo: () => boolean): Promise<void> {
  for (let turn = 0; !isSo(); turn++) {
    assert.ok(turn < 10_000, `waited in vain: ${what}`);
    await systemClock.sleep(1);
  }
}

/** As a video element asks. */
const PAGE = {
  "user-agent": "Mozilla/5.0",
  "sec-fetch-site": "cross-site",
  "sec-fetch-dest": "video",
  referer: "http://player.example/",
};

Deno.test("GET /media plays a film from the swarm to a page's video element, whole and from any place", async () => {
  const swarm = await Swarm.make();
  await using world = await startPlayer(swarm);
  const path = `/media/${swarm.root}/film.mp4`;
  const seek = await ask(world, path, { headers: { ...PAGE, range: "bytes=3000000-3099999" } });
  assert.equal(seek.status, 206);
  assert.deepEqual(seek.body, swarm.film.slice(3_000_000, 3_100_000));
  assert.equal(seek.headers.get("content-range"), `bytes 3000000-3099999/${FILM_BYTES}`);
  assert.equal(seek.headers.get("content-type"), "video/mp4");
  assert.equal(seek.headers.get("accept-ranges"), "bytes");
  const whole = await ask(world, path, { headers: { ...PAGE, range: "bytes=0-" } });
  assert.equal(whole.status, 206);
  assert.deepEqual(whole.body, swarm.film);
  const again = await ask(world, path, { headers: PAGE });
  assert.equal(again.status, 200);
  assert.deepEqual(again.body, swarm.film);
  assert.equal(swarm.begun.length, 1);
});

Deno.test("GET /media seeks without fetching what lies before", async () => {
  const swarm = await Swarm.make();
  swarm.pieceMs = 30;
  await using world = await startPlayer(swarm);
  const path = `/media/${swarm.root}/film.mp4`;
  const seek = await ask(world, path, { headers: { range: "bytes=2000000-2000999" } });
  assert.deepEqual(seek.body, swarm.film.slice(2_000_000, 2_001_000));
  assert.ok(swarm.fetchedGroups <= 80, `${swarm.fetchedGroups}`);
  const record = world.store.status(swarm.filmHash);
  assert.equal(record?.visibility, "public");
  assert.equal(record?.state, "partial");
});

Deno.test("GET /media ends a fetch some seconds after its last viewer left", async () => {
  const swarm = await Swarm.make();
  swarm.pieceMs = 50;
  const timers = new Set<() => void>();
  const store = new MemoryBlobStore({ clock: systemClock });
  // Only the lingering is as long as that; a test calls it by hand.
  const clock = {
    nowMs: () => systemClock.nowMs(),
    monotonicMs: () => systemClock.monotonicMs(),
    sleep: systemClock.sleep.bind(systemClock),
    timer: (ms: number, callback: () => void) => {
      if (ms !== 5_000) return systemClock.timer(ms, callback);
      timers.add(callback);
      return () => timers.delete(callback);
    },
  };
  await using world = await startWorld({
    store,
    clock,
    media: { fetch: swarm.fetchInto(store) },
  });
  world.seller.decide = () => Promise.resolve({ decision: "free" });
  await using reader = await swarm.store.openReader(swarm.root);
  const bytes = new Uint8Array(reader.size);
  await reader.read(0, bytes);
  await store.importBytes(bytes, { kind: "collection" });
  const socket = await connectFrom(world.gateway.port, "127.0.0.1");
  socket.on("error", () => {});
  const host = `127.0.0.1:${world.gateway.port}`;
  socket.write(`GET /media/${swarm.root}/film.mp4 HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
  await until("some of it is here", () => swarm.fetchedGroups >= 20);
  assert.equal(timers.size, 0);
  socket.destroy();
  await until("the viewer's leaving is noticed", () => timers.size > 0);
  assert.equal(swarm.stoppedCount, 0);
  for (const callback of timers) callback();
  assert.equal(swarm.stoppedCount, 1);
});

Deno.test("GET /media gives playlists and segments with the types that players want", async () => {
  const swarm = await Swarm.make();
  await using world = await startPlayer(swarm);
  const list = await ask(world, `/media/${swarm.root}/film.m3u8`, { headers: PAGE });
  assert.equal(list.headers.get("content-type"), "application/vnd.apple.mpegurl");
  assert.deepEqual(list.body, PLAYLIST);
  const path = `/media/${swarm.root}/parts/1%20of%202.ts`;
  for (let count = 0; count < 2; count++) {
    const part = await ask(world, path, { headers: PAGE });
    assert.equal(part.headers.get("content-type"), "video/mp2t");
    assert.equal(part.headers.get("access-control-allow-origin"), "*");
    assert.deepEqual(part.body, swarm.part);
    const etag = part.headers.get("etag")!;
    const known = await ask(world, path, { headers: { "if-none-match": etag } });
    assert.equal(known.status, 304);
  }
  const head = await ask(world, `/media/${swarm.root}/film.mp4`, { method: "HEAD" });
  assert.equal(head.headers.get("content-length"), `${FILM_BYTES}`);
});

Deno.test("GET /media is 404 for what no collection lists, and for what nobody delivers", async () => {
  const swarm = await Swarm.make();
  await using world = await startPlayer(swarm);
  const paths = ["film.mkv", "parts", "parts/", "../film.mp4", "parts%2F1%20of%202.tsx"];
  for (const path of paths) {
    const answer = await ask(world, `/media/${swarm.root}/${path}`);
    assert.equal(answer.status, 404, path);
  }
  assert.equal((await ask(world, `/media/${swarm.root}/%ff`)).status, 400);
  assert.equal((await ask(world, "/media/zz/film.mp4")).status, 400);
  assert.equal(swarm.begun.length, 0);
  const table = [["not-found", 404], ["unavailable", 404], ["timeout", 503]] as const;
  for (const [code, status] of table) {
    swarm.trouble = new SeedmintError(code, "secret");
    const answer = await ask(world, `/media/${swarm.root}/film.mp4`);
    assert.equal(answer.status, status);
    assert.doesNotMatch(answer.text, /secret/);
  }
});

Deno.test("GET /media fetches for this machine alone, and no collection that only a page names", async () => {
  const swarm = await Swarm.make();
  await using world = await startPlayer(swarm);
  const path = `/media/${swarm.root}/film.mp4`;
  const others: Record<string, string>[] = [
    { "x-forwarded-for": "203.0.113.7" },
    { via: "1.1 proxy" },
    { host: "films.example" },
  ];
  for (const headers of others) {
    assert.equal((await ask(world, path, { headers })).status, 404, JSON.stringify(headers));
  }
  await using bare = await startPlayer(swarm, { hasCollection: false });
  assert.equal((await ask(bare, path, { headers: PAGE })).status, 404);
  assert.equal((await ask(bare, path, { headers: { origin: "null" } })).status, 404);
  assert.equal(swarm.begun.length, 0);
  const program = await ask(bare, path, { headers: { range: "bytes=0-9" } });
  assert.deepEqual(program.body, swarm.film.slice(0, 10));
  assert.deepEqual(swarm.begun, [swarm.root, swarm.filmHash]);
});

Deno.test("GET /media tells nothing of what the operator hides, and fetches none of it", async () => {
  const swarm = await Swarm.make();
  await using world = await startPlayer(swarm);
  await world.store.importBytes(swarm.film, { visibility: "private" });
  assert.equal((await ask(world, `/media/${swarm.root}/film.mp4`)).status, 404);
  world.store.setAttributes(swarm.root, { visibility: "fleet" });
  assert.equal((await ask(world, `/media/${swarm.root}/film.m3u8`)).status, 404);
  assert.equal(swarm.begun.length, 0);
});

Deno.test("GET /media makes nothing public that peers show to their fleet alone", async () => {
  for (const hasCollection of [true, false]) {
    const swarm = await Swarm.make();
    swarm.visibility = "fleet";
    await using world = await startPlayer(swarm, { hasCollection });
    assert.equal((await ask(world, `/media/${swarm.root}/film.mp4`)).status, 404);
    const fetched = hasCollection ? swarm.filmHash : swarm.root;
    assert.equal(world.store.status(fetched)?.visibility, "fleet");
    assert.equal((await ask(world, `/media/${swarm.root}/film.mp4`)).status, 404);
  }
});

Deno.test("GET /media fetches nothing for who would have to pay for it", async () => {
  const swarm = await Swarm.make();
  await using world = await startPlayer(swarm);
  world.seller.decide = () => Promise.resolve({ decision: "pay", ...world.seller.terms });
  const path = `/media/${swarm.root}/film.mp4`;
  assert.equal((await ask(world, path, { headers: PAGE })).status, 404);
  assert.equal(swarm.begun.length, 0);
  await world.store.importBytes(swarm.film);
  assert.equal((await ask(world, path, { headers: PAGE })).status, 402);
});

Deno.test("GET /media lets a film be watched by many with one fetch", async () => {
  const swarm = await Swarm.make();
  swarm.pieceMs = 1;
  await using world = await startPlayer(swarm);
  const path = `/media/${swarm.root}/film.mp4`;
  const answers = await Promise.all(
    [0, 1_000_000, 2_500_000, 3_999_999].map(async (start) => {
      const { body } = await ask(world, path, { headers: { range: `bytes=${start}-` } });
      return { start, body };
    }),
  );
  for (const { start, body } of answers) assert.deepEqual(body, swarm.film.slice(start));
  assert.deepEqual(swarm.begun, [swarm.filmHash]);
});
