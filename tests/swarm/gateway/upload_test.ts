import assert from "node:assert/strict";
import { nostrPublicKey } from "../../../src/nostr/nostr.ts";
import { content } from "../provider/support.ts";
import { systemClock } from "../../../src/host/system.ts";
import { FileBlobStore } from "../../../swarm/store/mod.ts";
import {
  ALICE,
  ask,
  authorization,
  encodeAuthorization,
  exchangeRaw,
  MALLORY,
  sha256Of,
  startWorld,
} from "./support.ts";

const KEY = nostrPublicKey(ALICE);
const BYTES = content(40_000);
const SHA256 = await sha256Of(BYTES);
const nowS = () => Math.floor(Date.now() / 1000);

function withUploads(fields: Parameters<typeof startWorld>[0] = {}) {
  return startWorld({ uploads: { keys: [KEY], bytesMax: 100_000 }, ...fields });
}

type Uploading = Awaited<ReturnType<typeof startWorld>>;

function upload(world: Uploading, headers: Record<string, string>, body = BYTES) {
  return ask(world, "/upload", { method: "PUT", headers, body });
}

Deno.test("PUT /upload stores a blob once, and says where it is", async () => {
  await using world = await withUploads();
  const headers = {
    authorization: authorization({ verb: "upload", x: [SHA256] }),
    "content-type": "image/png",
    "x-sha-256": SHA256,
  };
  const first = await upload(world, headers);
  assert.equal(first.status, 201);
  const descriptor = JSON.parse(first.text);
  assert.equal(descriptor.url, `http://127.0.0.1:${world.gateway.port}/${SHA256}.png`);
  assert.deepEqual(
    [descriptor.sha256, descriptor.size, descriptor.type],
    [SHA256, BYTES.length, "image/png"],
  );
  assert.ok(Math.abs(descriptor.uploaded - nowS()) < 5);
  const second = await upload(world, headers);
  assert.equal(second.status, 200);
  assert.deepEqual(JSON.parse(second.text), descriptor);
  world.seller.free.add(descriptor.blake3);
  assert.deepEqual((await ask(world, `/${SHA256}.png`)).body, BYTES);
  assert.equal(world.store.status(descriptor.blake3)!.visibility, "public");
});

Deno.test("PUT /upload keeps nothing of what does not match, is too large or breaks off", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await using store = await FileBlobStore.open({
      directory,
      quotaBytes: 2 ** 30,
      clock: systemClock,
    });
    await using world = await withUploads({ store });
    const auth = authorization({ verb: "upload", x: [SHA256] });
    const wrong = BYTES.slice();
    wrong.set([wrong.at(-1)! ^ 1], 39_999);
    assert.equal((await upload(world, { authorization: auth }, wrong)).status, 409);
    const large = content(100_001);
    const largeAuth = authorization({ verb: "upload", x: [await sha256Of(large)] });
    assert.equal((await upload(world, { authorization: largeAuth }, large)).status, 413);
    const head = `PUT /upload HTTP/1.1\r\nHost: a\r\nAuthorization: ${auth}\r\n`;
    const half = await Deno.connect({ port: world.gateway.port });
    await half.write(new TextEncoder().encode(`${head}Content-Length: ${BYTES.length}\r\n\r\n`));
    await half.write(BYTES.subarray(0, 20_000));
    half.close();
    const chunked = `${head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`;
    const answer = await exchangeRaw(world.gateway.port, new TextEncoder().encode(chunked));
    assert.match(new TextDecoder().decode(answer), /^HTTP\/1\.1 411 /);
    while (world.events.length < 4) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(store.usage().blobCount, 0);
    assert.equal(store.usage().bytes, 0);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("PUT /upload takes an authorization that is right in every part", async () => {
  await using world = await withUploads({ publicUrl: "https://cdn.example.com" });
  const cases: readonly (readonly [string, Parameters<typeof authorization>[0], number])[] = [
    ["no x tag", { verb: "upload" }, 401],
    ["another blob", { verb: "upload", x: ["0".repeat(64)] }, 401],
    ["upper case", { verb: "upload", x: [SHA256.toUpperCase()] }, 401],
    ["another verb", { verb: "get", x: [SHA256] }, 401],
    ["no verb", { x: [SHA256] }, 401],
    ["two verbs", { verb: "upload", x: [SHA256], more: [["t", "delete"]] }, 401],
    ["another kind", { verb: "upload", x: [SHA256], kind: 27235 }, 401],
    ["the future", { verb: "upload", x: [SHA256], createdS: nowS() + 3600 }, 401],
    ["expired", { verb: "upload", x: [SHA256], expirationS: nowS() - 1 }, 401],
    ["for ever", { verb: "upload", x: [SHA256], expirationS: nowS() + 10 * 86_400 }, 401],
    ["two expirations", { verb: "upload", x: [SHA256], more: [["expiration", "9999999999"]] }, 401],
    ["another server", { verb: "upload", x: [SHA256], more: [["server", "evil.example"]] }, 401],
    ["a server as URL", {
      verb: "upload",
      x: [SHA256],
      more: [["server", "https://cdn.example.com"]],
    }, 401],
    ["a stranger's key", { verb: "upload", x: [SHA256], key: MALLORY }, 403],
  ];
  for (const [name, fields, status] of cases) {
    const answer = await upload(world, {
      authorization: authorization(fields),
      "x-sha-256": SHA256,
    });
    assert.equal(answer.status, status, name);
    assert.ok(answer.headers.get("x-reason"), name);
  }
  const good = { verb: "upload", x: [SHA256] } as const;
  const wire = authorization(good);
  const event = JSON.parse(
    new TextDecoder().decode(Uint8Array.fromBase64(wire.slice(6), { alphabet: "base64url" })),
  );
  const forged = [
    encodeAuthorization({ ...event, sig: "0".repeat(128) }),
    encodeAuthorization({ ...event, content: "changed" }),
    encodeAuthorization({ ...event, pubkey: KEY.replace(/./, (c) => (c === "0" ? "1" : "0")) }),
    encodeAuthorization([event]),
    "Nostr !!!",
    "Nostr",
    "Bearer abc",
    `Nostr ${"A".repeat(30_000)}`,
  ];
  for (const text of forged) {
    const answer = await upload(world, { authorization: text });
    assert.ok(answer.status === 401 || answer.status === 403, text.slice(0, 40));
  }
  assert.equal((await upload(world, {})).status, 401);
  assert.equal(world.store.usage().blobCount, 0);
  const servers = [["server", "other.example"], ["server", "cdn.example.com"]];
  const ours = authorization({ ...good, more: servers });
  const answer = await upload(world, { authorization: ours });
  assert.equal(answer.status, 201);
  assert.match(JSON.parse(answer.text).url, /^https:\/\/cdn\.example\.com\/[0-9a-f]{64}\.bin$/);
});

Deno.test("PUT /upload takes standard base64 as older clients send it", async () => {
  await using world = await withUploads();
  const bytes = Uint8Array.fromBase64(
    authorization({ verb: "upload", x: [SHA256] }).slice(6),
    { alphabet: "base64url" },
  );
  const answer = await upload(world, { authorization: `Nostr ${bytes.toBase64()}` });
  assert.equal(answer.status, 201);
});

Deno.test("HEAD /upload says beforehand what PUT would say", async () => {
  await using world = await withUploads();
  const auth = { authorization: authorization({ verb: "upload", x: [SHA256] }) };
  const preflight = async (headers: Record<string, string>) =>
    (await ask(world, "/upload", { method: "HEAD", headers })).status;
  const size = { "x-content-length": "40000", "x-sha-256": SHA256, "x-content-type": "image/png" };
  assert.equal(await preflight(size), 401);
  assert.equal(await preflight({ ...auth, ...size }), 200);
  assert.equal(await preflight({ ...auth, ...size, "x-content-length": "100001" }), 413);
  assert.equal(await preflight({ ...auth, ...size, "x-content-length": "many" }), 400);
  assert.equal(await preflight({ ...auth, "x-sha-256": SHA256 }), 411);
  assert.equal(await preflight({ ...auth, ...size, "x-sha-256": "abc" }), 400);
  await using closed = await startWorld();
  assert.equal(
    (await ask(closed, "/upload", { method: "HEAD", headers: { ...auth, ...size } })).status,
    403,
  );
});

Deno.test("DELETE takes back an upload, and an authorization of it works once", async () => {
  await using world = await withUploads();
  const put = authorization({ verb: "upload", x: [SHA256], createdS: nowS() - 1 });
  await upload(world, { authorization: put });
  const remove = (auth: string, sha256 = SHA256) =>
    ask(world, `/${sha256}`, { method: "DELETE", headers: { authorization: auth } });
  assert.equal((await remove(authorization({ verb: "upload", x: [SHA256] }))).status, 401);
  const other = authorization({ verb: "delete", x: ["0".repeat(64), "1".repeat(64)] });
  assert.equal((await remove(other)).status, 401);
  const old = authorization({ verb: "delete", x: [SHA256], createdS: nowS() - 60 });
  assert.equal((await remove(old)).status, 401, "it may have been used before we started");
  const once = authorization({ verb: "delete", x: [SHA256] });
  assert.equal((await remove(once)).status, 204);
  assert.equal(world.store.usage().blobCount, 0);
  assert.equal((await ask(world, `/${SHA256}`)).status, 404);
  assert.equal((await upload(world, { authorization: put })).status, 401, "a replayed upload");
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const again = authorization({ verb: "upload", x: [SHA256] });
  assert.equal((await upload(world, { authorization: again })).status, 201);
  assert.equal((await remove(once)).status, 401, "a replayed deletion");
  assert.equal(world.store.usage().blobCount, 1);
});

Deno.test("DELETE leaves what the operator added, pinned or needs, and what others uploaded", async () => {
  const bob = new Uint8Array(32).fill(9);
  const needed = new Set<string>();
  const keys = [KEY, nostrPublicKey(bob)];
  await using world = await withUploads({
    uploads: { keys, isNeeded: (hash) => needed.has(hash) },
  });
  const put = (key: Uint8Array, sha256: string, bytes: Uint8Array<ArrayBuffer>) =>
    upload(world, { authorization: authorization({ verb: "upload", x: [sha256], key }) }, bytes);
  const remove = async (key: Uint8Array, sha256: string) => {
    const headers = { authorization: authorization({ verb: "delete", x: [sha256], key }) };
    return (await ask(world, `/${sha256}`, { method: "DELETE", headers })).status;
  };
  const own = await world.store.importBytes(BYTES);
  await put(ALICE, SHA256, BYTES);
  assert.equal(await remove(bob, SHA256), 403);
  assert.equal(await remove(ALICE, SHA256), 204);
  assert.ok(world.store.status(own.hash), "it was here before");
  const shared = content(3000, 5);
  const sharedSha = await sha256Of(shared);
  await put(ALICE, sharedSha, shared);
  await put(bob, sharedSha, shared);
  assert.equal(await remove(ALICE, sharedSha), 204);
  assert.equal(world.store.usage().blobCount, 2);
  const { hash } = world.store.findBySha256(sharedSha as never)!;
  needed.add(hash);
  assert.equal(await remove(bob, sharedSha), 204);
  assert.ok(world.store.status(hash));
});

Deno.test("DELETE leaves a blob of the operator whose SHA-256 nobody had computed yet", async () => {
  await using world = await withUploads();
  const { store } = world;
  const own = await store.importBytes(BYTES);
  await new Promise((resolve) => setTimeout(resolve, 5));
  // As of a blob that came from peers a moment ago.
  const find = store.findBySha256.bind(store);
  store.findBySha256 = () => undefined;
  const put = authorization({ verb: "upload", x: [SHA256] });
  assert.equal((await upload(world, { authorization: put })).status, 200);
  store.findBySha256 = find;
  const headers = { authorization: authorization({ verb: "delete", x: [SHA256] }) };
  assert.equal((await ask(world, `/${SHA256}`, { method: "DELETE", headers })).status, 204);
  assert.ok(store.status(own.hash));
});

Deno.test("PUT /upload publishes nothing that the operator hid", async () => {
  await using world = await withUploads();
  const { hash } = await world.store.importBytes(BYTES, {
    visibility: "private",
    mediaType: "a/b",
  });
  const answer = await upload(world, {
    authorization: authorization({ verb: "upload", x: [SHA256] }),
    "content-type": "image/png",
  });
  assert.equal(answer.status, 403);
  const record = world.store.status(hash)!;
  assert.deepEqual([record.visibility, record.mediaType, record.tags], ["private", "a/b", []]);
});

Deno.test("GET /list pages through what a key uploaded, the newest first", async () => {
  await using world = await withUploads();
  const hashes: string[] = [];
  for (let index = 0; index < 5; index++) {
    const bytes = content(2000, index + 1);
    const sha256 = await sha256Of(bytes);
    hashes.unshift(sha256);
    await upload(world, { authorization: authorization({ verb: "upload", x: [sha256] }) }, bytes);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  await world.store.importBytes(content(77));
  const list = async (query: string, key = KEY): Promise<string[]> => {
    const answer = await ask(world, `/list/${key}${query}`);
    return JSON.parse(answer.text).map((item: { sha256: string }) => item.sha256);
  };
  assert.deepEqual(await list(""), hashes);
  assert.deepEqual(await list("?limit=2"), hashes.slice(0, 2));
  assert.deepEqual(await list(`?limit=2&cursor=${hashes[1]}`), hashes.slice(2, 4));
  assert.deepEqual(await list(`?until=${nowS() - 100}`), []);
  assert.deepEqual(await list("", nostrPublicKey(MALLORY)), []);
  for (const query of ["?limit=x", "?cursor=x", `?cursor=${"0".repeat(64)}`]) {
    assert.equal((await ask(world, `/list/${KEY}${query}`)).status, 400, query);
  }
});

Deno.test("PUT /mirror fetches for an allowed key, never for a page", async () => {
  const asked: string[] = [];
  const world = await withUploads({
    uploads: {
      keys: [KEY],
      mirror: async ({ sha256, servers }) => {
        asked.push(`${servers.join()} ${sha256}`);
        if (sha256 !== SHA256) return false;
        await world.store.importBytes(BYTES);
        return true;
      },
    },
  });
  await using _ = world;
  const mirror = (sha256: string, headers: Record<string, string> = {}) => {
    const url = `https://other.example/${sha256}.png`;
    const auth = authorization({ verb: "upload", x: [sha256] });
    return ask(world, "/mirror", {
      method: "PUT",
      body: JSON.stringify({ url }),
      headers: { authorization: auth, ...headers },
    });
  };
  assert.equal((await mirror(SHA256, { origin: "https://page.example" })).status, 403);
  assert.equal((await mirror(SHA256, { authorization: "Nostr x" })).status, 401);
  assert.equal(asked.length, 0);
  assert.equal((await mirror(SHA256)).status, 201);
  assert.equal((await mirror(SHA256)).status, 200);
  assert.equal((await mirror("0".repeat(64))).status, 502);
  assert.deepEqual(asked[0], `https://other.example ${SHA256}`);
  for (
    const url of ["file:///etc/passwd", "https://u:p@other.example/x", "x", "https://a.example/x"]
  ) {
    const answer = await ask(world, "/mirror", { method: "PUT", body: JSON.stringify({ url }) });
    assert.equal(answer.status, 400, url);
  }
});
