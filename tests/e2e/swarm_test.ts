import assert from "node:assert/strict";
import { runVerb } from "../../devnet/processes.ts";
import { Bench, failed, lastOf, ok, testBytes } from "./support.ts";

const MIB = 2 ** 20;

Deno.test("two nodes exchange a directory through a relay, and a third finds it", async () => {
  await using bench = await Bench.open();
  const photos = bench.path("photos");
  await Deno.mkdir(`${photos}/2024`, { recursive: true });
  const files: Record<string, Uint8Array<ArrayBuffer>> = {
    "a.txt": new TextEncoder().encode("hello"),
    "2024/big.raw": testBytes(3 * MIB + 7),
    "2024/empty": new Uint8Array(),
  };
  for (const [name, bytes] of Object.entries(files)) {
    await Deno.writeFile(`${photos}/${name}`, bytes);
  }
  const relay = await bench.relay();
  const { ready } = await bench.node("one", "--relay", relay);
  assert.deepEqual(
    Object.keys(ready).sort(),
    [
      "addresses",
      "data",
      "event",
      "gateways",
      "metrics",
      "mirror",
      "npub",
      "peerId",
      "push",
      "relays",
    ],
  );
  assert.deepEqual(ready.relays, [relay]);
  await bench.node("two", "--relay", relay);

  const added = await runVerb("add", photos, "--data", bench.path("one"));
  const collection = lastOf(0, added, "add");
  assert.equal(added.lines.length, 4);
  for (const line of added.lines) {
    assert.deepEqual(Object.keys(line).sort(), ["hash", "name", "sha256", "size"]);
  }
  assert.equal(collection.name, "photos");
  const hash = String(collection.hash);

  const ticket = await ok("ticket", hash, "--data", bench.path("one"));
  assert.match(String(ticket.ticket), /^seedmint:[\w-]+$/);
  const out = bench.path("out");
  const done = await ok("get", String(ticket.ticket), "-o", out, "--data", bench.path("two"));
  assert.equal(done.event, "done");
  assert.equal(done.hash, hash);
  assert.equal(done.path, out);
  assert.equal(done.size, 3 * MIB + 12);
  assert.deepEqual((done.sources as { id: string }[]).map(({ id }) => id), [ready.peerId]);
  for (const [name, bytes] of Object.entries(files)) {
    assert.deepEqual(await Deno.readFile(`${out}/${name}`), bytes, name);
  }

  const third = ["find", hash, "--relay", relay, "--no-mdns", "--data", bench.path("three")];
  const found = await waitFor(async () => {
    const { lines } = await runVerb(...third);
    return lines.filter((line) => line.holds === "all").length >= 2 ? lines : undefined;
  });
  assert.ok(found.some((line) => line.peerId === ready.peerId));

  const held = await runVerb("ls", "--data", bench.path("two"));
  assert.ok(held.lines.some((line) => line.hash === hash && line.kind === "collection"));
  const again = await ok("get", hash, "-o", out, "--data", bench.path("two"));
  assert.deepEqual((again.sources as { kind: string }[]).map(({ kind }) => kind), ["store"]);
});

Deno.test("content known by its SHA-256 alone is found and fetched, by advert and by asking", async () => {
  await using bench = await Bench.open();
  const bytes = testBytes(200_000);
  const file = bench.path("file");
  await Deno.writeFile(file, bytes);
  const relay = await bench.relay();
  const { ready } = await bench.node("seeder", "--relay", relay);
  const { hash, sha256 } = await ok("add", file, "--data", bench.path("seeder"));
  const digest = `sha256:${sha256}`;
  const ways = {
    advert: ["--relay", relay],
    asking: ["--peer", (ready.addresses as string[])[0]!],
  };
  for (const [name, way] of Object.entries(ways)) {
    const flags = [...way, "--no-mdns", "--data", bench.path(name)];
    const found = await waitFor(async () => {
      const { lines } = await runVerb("find", digest, ...flags);
      return lines.find((line) => line.holds === "all");
    });
    assert.deepEqual([found.hash, found.peerId], [hash, ready.peerId]);
    const out = bench.path(`${name}.out`);
    assert.equal((await ok("get", digest, "-o", out, ...flags)).hash, hash);
    assert.deepEqual(await Deno.readFile(out), bytes);
  }
  const absent = `sha256:${"0".repeat(64)}`;
  const flags = [...ways.asking, "--no-mdns", "--data", bench.path("none")];
  assert.equal((await failed(1, "get", absent, ...flags)).code, "not-found");
});

Deno.test("get resumes after kill -9 without fetching again what it had", async () => {
  await using bench = await Bench.open();
  const size = 24 * MIB;
  const file = bench.path("file");
  await Deno.writeFile(file, testBytes(size));
  const { ready } = await bench.node("seeder", "--upload-rate", "8MiB");
  const { hash } = await ok("add", "--in-place", file, "--data", bench.path("seeder"));
  const peer = (ready.addresses as string[])[0]!;
  const get = [
    ...["get", String(hash), "--peer", peer, "--no-mdns"],
    ...["--data", bench.path("mine"), "-o", bench.path("out")],
  ];
  const killed = bench.spawn(...get);
  await killed.waitFor((line) => line.event === "progress" && Number(line.bytes) > size / 4);
  await killed.kill();
  await assert.rejects(Deno.stat(bench.path("out")));
  const done = await ok(...get);
  const bytesOf = (kind: string) =>
    (done.sources as { kind: string; bytes: number }[])
      .filter((source) => source.kind === kind)
      .reduce((sum, source) => sum + source.bytes, 0);
  assert.ok(bytesOf("store") >= size / 8, `kept ${bytesOf("store")}`);
  assert.equal(bytesOf("store") + bytesOf("peer"), size);
  assert.deepEqual(await Deno.readFile(bench.path("out")), testBytes(size));
});

Deno.test("get succeeds by the origin when the swarm is broken, and tells why it was asked", async () => {
  await using bench = await Bench.open();
  const bytes = testBytes(2 * MIB + 1);
  const { origin, url } = serveOrigin(bytes);
  await using _ = { [Symbol.asyncDispose]: () => origin.shutdown() };
  const file = bench.path("file");
  await Deno.writeFile(file, bytes);
  const { hash, sha256 } = await ok("add", file, "--data", bench.path("hasher"));
  const broken = ["--relay", "ws://127.0.0.1:9", "--no-mdns", "--origin", url];
  const out = bench.path("out");
  const done = await ok("get", String(hash), ...broken, "-o", out, "--data", bench.path("a"));
  assert.deepEqual((done.sources as { kind: string }[]).map(({ kind }) => kind), ["origin"]);
  assert.match(String(done.originReason), /relay.* ws:\/\/127\.0\.0\.1:9/);
  assert.deepEqual(await Deno.readFile(out), bytes);

  // A broken port: libp2p cannot start, and the running node still fetches by the origin.
  const bad = ["--listen", "/ip4/203.0.113.1/tcp/1", "--no-mdns"];
  await bench.start("start", "--data", bench.path("b"), ...bad);
  const status = await ok("status", "--data", bench.path("b"));
  assert.match(String((status.problems as string[])[0]), /network did not start/);
  const dataB = ["--data", bench.path("b")];
  const byDigest = await ok("get", `sha256:${sha256}`, "--origin", url, ...dataB);
  assert.equal(byDigest.hash, hash);

  const lying = serveOrigin(testBytes(2 * MIB + 1, 99));
  await using __ = { [Symbol.asyncDispose]: () => lying.origin.shutdown() };
  const never = ["-o", bench.path("never"), "--data", bench.path("c")];
  const refused = await failed(
    1,
    "get",
    String(hash),
    "--origin",
    lying.url,
    "--no-mdns",
    ...never,
  );
  assert.equal(refused.event, "error");
  await assert.rejects(Deno.stat(bench.path("never")));
});

function serveOrigin(bytes: Uint8Array<ArrayBuffer>): { origin: Deno.HttpServer; url: string } {
  const origin = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const match = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "");
    if (match === null) return new Response(bytes);
    const first = Number(match[1]);
    const last = match[2] === "" ? bytes.length - 1 : Number(match[2]);
    return new Response(bytes.subarray(first, last + 1), {
      status: 206,
      headers: { "content-range": `bytes ${first}-${last}/${bytes.length}` },
    });
  });
  return { origin, url: `http://127.0.0.1:${(origin.addr as Deno.NetAddr).port}/file` };
}

async function waitFor<T>(look: () => Promise<T | undefined>): Promise<T> {
  const deadline = AbortSignal.timeout(60_000);
  while (!deadline.aborted) {
    const found = await look();
    if (found !== undefined) return found;
  }
  assert.fail("it did not come in 60 s");
}
