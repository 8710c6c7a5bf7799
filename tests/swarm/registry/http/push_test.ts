import assert from "node:assert/strict";
import fc from "fast-check";
import { content } from "../../provider/support.ts";
import { exchangeRaw, readAnswer } from "../../gateway/support.ts";
import {
  ask,
  codesOf,
  digestFor,
  MANIFEST_TYPE,
  type PushWorld,
  requestBytes,
  startPush,
} from "./support.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const UPLOADS = "/v2/acme/web/blobs/uploads/";

async function begin(world: PushWorld): Promise<string> {
  const answer = await ask(world, UPLOADS, { method: "POST", body: "" });
  assert.equal(answer.status, 202);
  assert.equal(answer.headers.get("range"), "0-0");
  assert.ok(answer.headers.get("docker-upload-uuid"));
  return answer.headers.get("location")!;
}

async function assertPulls(world: PushWorld, digest: string, bytes: Bytes): Promise<void> {
  const answer = await ask(world, `/v2/acme/web/blobs/${digest}`);
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.body, bytes);
}

Deno.test("a blob is pushed with one POST, and by POST and PUT", async () => {
  await using world = await startPush();
  const one = content(100_000, 1);
  const first = await digestFor(one);
  const posted = await ask(world, `${UPLOADS}?digest=${first}`, { method: "POST", body: one });
  assert.equal(posted.status, 201);
  assert.equal(posted.headers.get("location"), `/v2/acme/web/blobs/${first}`);
  assert.equal(posted.headers.get("docker-content-digest"), first);
  await assertPulls(world, first, one);
  for (const chunkBytes of [undefined, 7, 30_000]) {
    const other = content(chunkBytes === 7 ? 5_000 : 100_000, chunkBytes ?? 2);
    const second = await digestFor(other);
    const location = await begin(world);
    const put = await ask(world, `${location}?digest=${second.replace(":", "%3A")}`, {
      method: "PUT",
      body: other,
      ...(chunkBytes === undefined ? {} : { chunkBytes }),
    });
    assert.equal(put.status, 201);
    await assertPulls(world, second, other);
  }
});

Deno.test("a blob is pushed as a stream of chunks of HTTP, as docker and podman do it", async () => {
  await using world = await startPush();
  const bytes = content(1_000_003);
  const digest = await digestFor(bytes);
  const location = await begin(world);
  const patched = await ask(world, location, {
    method: "PATCH",
    body: bytes,
    chunkBytes: 32 * 1024,
    headers: { "content-type": "application/octet-stream" },
  });
  assert.equal(patched.status, 202);
  assert.equal(patched.headers.get("range"), "0-1000002");
  const put = await ask(world, `${patched.headers.get("location")}?digest=${digest}`, {
    method: "PUT",
    body: "",
  });
  assert.equal(put.status, 201);
  await assertPulls(world, digest, bytes);
});

Deno.test("a blob is pushed in chunks, and one out of order is refused with what comes next", async () => {
  await using world = await startPush();
  const bytes = content(90_000);
  const digest = await digestFor(bytes);
  const location = await begin(world);
  const patch = (start: number, end: number) =>
    ask(world, location, {
      method: "PATCH",
      body: bytes.slice(start, end),
      headers: { "content-range": `${start}-${end - 1}` },
    });
  assert.equal((await patch(0, 30_000)).headers.get("range"), "0-29999");
  for (const [start, end] of [[60_000, 90_000], [0, 30_000], [29_999, 60_000]] as const) {
    const refused = await patch(start, end);
    assert.equal(refused.status, 416);
    assert.deepEqual(codesOf(refused), ["BLOB_UPLOAD_INVALID"]);
    assert.equal(refused.headers.get("range"), "0-29999");
    assert.equal(refused.headers.get("location"), location);
  }
  const status = await ask(world, location);
  assert.equal(status.status, 204);
  assert.equal(status.headers.get("range"), "0-29999");
  assert.equal((await patch(30_000, 60_000)).status, 202);
  const last = await ask(world, `${location}?digest=${digest}`, {
    method: "PUT",
    body: bytes.slice(60_000),
    headers: { "content-range": "60000-89999" },
  });
  assert.equal(last.status, 201);
  await assertPulls(world, digest, bytes);
  assert.equal((await ask(world, location)).status, 404);
});

Deno.test("chunks that say one size and bring another are refused", async () => {
  await using world = await startPush();
  const location = await begin(world);
  const table: [range: string, status: number][] = [
    ["0-9", 400],
    ["bytes 0-9/*", 400],
    ["9-0", 416],
    ["0", 416],
    ["a-b", 416],
    ["0-99999999999999999999", 416],
  ];
  for (const [range, status] of table) {
    const answer = await ask(world, location, {
      method: "PATCH",
      body: "12345",
      headers: { "content-range": range },
    });
    assert.equal(answer.status, status, range);
  }
  assert.equal((await ask(world, location)).headers.get("range"), "0-0");
});

Deno.test("bytes with another digest are refused and not kept", async () => {
  await using world = await startPush();
  const bytes = content(50_000);
  const wrong = await digestFor(content(50_000, 9));
  const posted = await ask(world, `${UPLOADS}?digest=${wrong}`, { method: "POST", body: bytes });
  assert.equal(posted.status, 400);
  assert.deepEqual(codesOf(posted), ["DIGEST_INVALID"]);
  const location = await begin(world);
  const put = await ask(world, `${location}?digest=${wrong}`, { method: "PUT", body: bytes });
  assert.equal(put.status, 400);
  assert.deepEqual(codesOf(put), ["DIGEST_INVALID"]);
  assert.equal((await ask(world, `/v2/acme/web/blobs/${wrong}`)).status, 404);
  const bad = ["sha512:00", "sha256:zz", "", `sha512:${"ab".repeat(64)}`];
  for (const digest of bad) {
    const answer = await ask(world, `${await begin(world)}?digest=${digest}`, {
      method: "PUT",
      body: bytes,
    });
    assert.equal(answer.status, 400, digest);
    assert.deepEqual(codesOf(answer), ["DIGEST_INVALID"], digest);
  }
});

Deno.test("an upload can be cancelled, and one that is not there is unknown", async () => {
  await using world = await startPush();
  const location = await begin(world);
  assert.equal((await ask(world, location, { method: "DELETE" })).status, 204);
  for (const method of ["GET", "DELETE", "PATCH", "PUT"]) {
    const answer = await ask(world, location, { method });
    assert.equal(answer.status, 404, method);
    assert.deepEqual(codesOf(answer), ["BLOB_UPLOAD_UNKNOWN"], method);
  }
});

Deno.test("a blob is mounted from another repository, else an upload begins", async () => {
  await using world = await startPush();
  const bytes = content(1000);
  const digest = await digestFor(bytes);
  await ask(world, `/v2/base/os/blobs/uploads/?digest=${digest}`, { method: "POST", body: bytes });
  for (const from of ["&from=base%2Fos", ""]) {
    const mounted = await ask(world, `${UPLOADS}?mount=${digest}${from}`, { method: "POST" });
    assert.equal(mounted.status, 201, from);
    assert.equal(mounted.headers.get("location"), `/v2/acme/web/blobs/${digest}`);
    await assertPulls(world, digest, bytes);
  }
  const missing = await digestFor(content(1000, 5));
  const refused = [`mount=${missing}&from=base/os`, `mount=${digest}&from=../etc`];
  for (const query of refused) {
    const begun = await ask(world, `/v2/other/x/blobs/uploads/?${query}`, { method: "POST" });
    assert.equal(begun.status, 202, query);
    assert.match(begun.headers.get("location") ?? "", /^\/v2\/other\/x\/blobs\/uploads\/./);
  }
});

async function pushImage(world: PushWorld) {
  const config = new TextEncoder().encode("{}");
  const layer = content(20_000);
  for (const blob of [config, layer]) {
    const digest = await digestFor(blob);
    await ask(world, `${UPLOADS}?digest=${digest}`, { method: "POST", body: blob });
  }
  const descriptor = async (mediaType: string, bytes: Bytes) => ({
    mediaType,
    digest: await digestFor(bytes),
    size: bytes.length,
  });
  const image = {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: await descriptor("application/vnd.oci.image.config.v1+json", config),
    layers: [await descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer)],
  };
  const bytes = new TextEncoder().encode(JSON.stringify(image));
  return { image, bytes, digest: await digestFor(bytes) };
}

Deno.test("a manifest is pushed by tag and by digest with tags, listed, and deleted", async () => {
  await using world = await startPush();
  const { bytes, digest, image } = await pushImage(world);
  const headers = { "content-type": `${MANIFEST_TYPE}; charset=utf-8` };
  const put = (path: string, body: Bytes) =>
    ask(world, `/v2/acme/web/manifests/${path}`, { method: "PUT", headers, body });
  const tagged = await put("v1", bytes);
  assert.equal(tagged.status, 201);
  assert.equal(tagged.headers.get("location"), `/v2/acme/web/manifests/${digest}`);
  assert.equal(tagged.headers.get("docker-content-digest"), digest);
  const many = await put(`${digest}?tag=v2&tag=latest`, bytes);
  assert.equal(many.status, 201);
  assert.deepEqual(many.headers.get("oci-tag")?.split(", "), ["v2", "latest"]);
  for (const reference of ["v1", "v2", "latest", digest]) {
    const answer = await ask(world, `/v2/acme/web/manifests/${reference}`);
    assert.deepEqual([answer.status, answer.headers.get("content-type")], [200, MANIFEST_TYPE]);
    assert.deepEqual(answer.body, bytes);
  }
  const signature = new TextEncoder().encode(
    JSON.stringify({ ...image, subject: { mediaType: MANIFEST_TYPE, digest, size: bytes.length } }),
  );
  assert.equal((await put("sig", signature)).headers.get("oci-subject"), digest);
  const list = await ask(world, "/v2/acme/web/tags/list");
  assert.deepEqual(JSON.parse(list.text).tags, ["latest", "sig", "v1", "v2"]);
  const remove = (reference: string) =>
    ask(world, `/v2/acme/web/manifests/${reference}`, { method: "DELETE" });
  assert.equal((await remove("v1")).status, 202);
  assert.equal((await remove("v1")).status, 404);
  assert.equal((await ask(world, "/v2/acme/web/manifests/v2")).status, 200);
  assert.equal((await remove(digest)).status, 202);
  assert.equal((await ask(world, "/v2/acme/web/manifests/v2")).status, 404);
});

Deno.test("manifests that are none, too large, or list what is not here are refused", async () => {
  await using world = await startPush();
  const { bytes, image } = await pushImage(world);
  const put = (path: string, body: Bytes | string, type = MANIFEST_TYPE) =>
    ask(world, `/v2/acme/web/manifests/${path}`, {
      method: "PUT",
      headers: { "content-type": type },
      body,
    });
  const missing = JSON.stringify({
    ...image,
    layers: [{ ...image.layers[0], digest: `sha256:${"ab".repeat(32)}` }],
  });
  const table: [path: string, body: Bytes | string, status: number, code: string][] = [
    ["1", "no json", 400, "MANIFEST_INVALID"],
    ["1", missing, 400, "MANIFEST_BLOB_UNKNOWN"],
    [`sha256:${"ab".repeat(32)}`, bytes, 400, "DIGEST_INVALID"],
    ["sha256:baddigeststring", bytes, 400, "DIGEST_INVALID"],
    ["-bad-", bytes, 400, "MANIFEST_INVALID"],
    ["1?tag=2", bytes, 400, "MANIFEST_INVALID"],
    [`${await digestFor(bytes)}?tag=-`, bytes, 400, "MANIFEST_INVALID"],
    ["1", new Uint8Array(4 * 1024 * 1024 + 1), 413, "SIZE_INVALID"],
  ];
  for (const [path, body, status, code] of table) {
    const answer = await put(path, body);
    assert.equal(answer.status, status, `${path} ${answer.text}`);
    assert.deepEqual(codesOf(answer), [code], path);
  }
  assert.equal((await ask(world, "/v2/acme/web/manifests/1")).status, 404);
});

Deno.test("a blob is deleted from one repository", async () => {
  await using world = await startPush();
  const bytes = content(1000);
  const digest = await digestFor(bytes);
  await ask(world, `${UPLOADS}?digest=${digest}`, { method: "POST", body: bytes });
  const remove = () => ask(world, `/v2/acme/web/blobs/${digest}`, { method: "DELETE" });
  assert.equal((await remove()).status, 202);
  assert.equal((await remove()).status, 404);
  assert.equal((await ask(world, `/v2/acme/web/blobs/${digest}`)).status, 404);
});

Deno.test("a body may be cut into chunks in any way, and the next request on the connection is read right", async () => {
  await using world = await startPush();
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 0, maxLength: 3000 }),
      fc.integer({ min: 1, max: 3000 }),
      async (array, chunkBytes) => {
        const bytes = new Uint8Array(array);
        const digest = await digestFor(bytes);
        const { port } = world.server;
        const post = requestBytes(port, `${UPLOADS}?digest=${digest}`, {
          method: "POST",
          body: bytes,
          chunkBytes,
          headers: { connection: "keep-alive" },
        });
        const get = requestBytes(port, `/v2/acme/web/blobs/${digest}`);
        const both = new Uint8Array(post.length + get.length);
        both.set(post);
        both.set(get, post.length);
        const all = await exchangeRaw(port, both);
        const text = new TextDecoder("latin1").decode(all);
        assert.match(text, /^HTTP\/1\.1 201 /);
        const second = readAnswer(all.slice(text.indexOf("HTTP/1.1 200 ")));
        assert.deepEqual(second.body, bytes);
      },
    ),
    { numRuns: 30 },
  );
});

Deno.test("a coding that is not chunked, and one together with a length, are refused", async () => {
  await using world = await startPush();
  const location = await begin(world);
  const table: Record<string, string>[] = [
    { "transfer-encoding": "gzip, chunked", "content-length": "" },
    { "transfer-encoding": "identity", "content-length": "" },
    { "transfer-encoding": "chunked" },
  ];
  for (const headers of table) {
    const answer = await ask(world, location, {
      method: "PATCH",
      body: "5\r\nhello\r\n0\r\n\r\n",
      headers,
    });
    assert.equal(answer.status, 411, JSON.stringify(headers));
    assert.equal(answer.headers.get("connection"), "close");
  }
  assert.equal((await ask(world, location)).headers.get("range"), "0-0");
});

Deno.test("an uploader that asks first is told to go on", async () => {
  await using world = await startPush();
  const bytes = content(1000);
  const digest = await digestFor(bytes);
  const all = await exchangeRaw(
    world.server.port,
    requestBytes(world.server.port, `${UPLOADS}?digest=${digest}`, {
      method: "POST",
      body: bytes,
      headers: { expect: "100-continue" },
    }),
  );
  assert.match(new TextDecoder().decode(all), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /);
});
