import assert from "node:assert/strict";
import fc from "fast-check";
import { SeedmintError } from "../../../../src/core/errors.ts";
import { content } from "../../provider/support.ts";
import {
  ask,
  codesOf,
  digestFor,
  MANIFEST_TYPE,
  manifestOf,
  type MirrorWorld,
  startMirror,
} from "./support.ts";

async function withBlob(world: MirrorWorld, size: number) {
  const bytes = content(size);
  await world.store.importBytes(bytes);
  const digest = await digestFor(bytes);
  return { bytes, digest, path: `/v2/acme/web/blobs/${digest}` };
}

Deno.test("RegistryServer says that it is a registry, and that nobody must log in", async () => {
  await using world = await startMirror();
  for (const path of ["/v2/", "/v2", "/v2/?ns=docker.io"]) {
    const answer = await ask(world, path);
    assert.equal(answer.status, 200, path);
    assert.equal(answer.headers.get("docker-distribution-api-version"), "registry/2.0");
    assert.equal(answer.text, "{}");
  }
  assert.equal((await ask(world, "/v2/", { method: "HEAD" })).headers.get("content-length"), "2");
});

Deno.test("RegistryServer answers a manifest byte for byte, with its type, length and digest", async () => {
  await using world = await startMirror();
  const manifest = await manifestOf('{ "schemaVersion":2 }');
  world.reader.manifests.set("latest", manifest).set(manifest.digest, manifest);
  for (const reference of ["latest", manifest.digest, manifest.digest.replace(":", "%3A")]) {
    for (const method of ["GET", "HEAD"]) {
      const answer = await ask(world, `/v2/nginx/manifests/${reference}`, {
        method,
        headers: { accept: `${MANIFEST_TYPE}, application/json;q=0.5` },
      });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.get("content-type"), MANIFEST_TYPE);
      assert.equal(answer.headers.get("content-length"), `${manifest.bytes.length}`);
      assert.equal(answer.headers.get("docker-content-digest"), manifest.digest);
      assert.equal(answer.headers.get("etag"), `"${manifest.digest}"`);
      assert.equal(answer.headers.get("content-encoding"), null);
      assert.equal(answer.text, method === "GET" ? '{ "schemaVersion":2 }' : "");
    }
  }
  const [first, second] = world.reader.asked;
  assert.deepEqual(first!.name, { registry: "docker.io", repository: "library/nginx" });
  assert.deepEqual(first!.accept, [MANIFEST_TYPE, "application/json;q=0.5"]);
  assert.deepEqual([first!.isHead, second!.isHead], [false, true]);
});

Deno.test("RegistryServer says of a stale manifest that it is stale, and of a known one nothing new", async () => {
  await using world = await startMirror();
  const manifest = await manifestOf("{}");
  world.reader.manifests.set("old", { ...manifest, isStale: true }).set("new", manifest);
  const stale = await ask(world, "/v2/nginx/manifests/old");
  assert.match(stale.headers.get("warning") ?? "", /^299 - "[^"]+"$/);
  assert.equal(stale.headers.get("x-seedmint-stale"), "true");
  const fresh = await ask(world, "/v2/nginx/manifests/new");
  assert.equal(fresh.headers.get("warning"), null);
  const known = await ask(world, "/v2/nginx/manifests/new", {
    headers: { "if-none-match": `"x", W/"${manifest.digest}"` },
  });
  assert.equal(known.status, 304);
  assert.equal(known.body.length, 0);
  const other = await ask(world, "/v2/nginx/manifests/new", {
    headers: { "if-none-match": '"x"' },
  });
  assert.equal(other.status, 200);
});

Deno.test("RegistryServer understands the three ways in which clients name a registry", async () => {
  await using world = await startMirror();
  const manifest = await manifestOf("{}");
  world.reader.manifests.set("1", manifest);
  const table: [path: string, registry: string, repository: string, namespace: string | null][] = [
    ["/v2/nginx/manifests/1", "docker.io", "library/nginx", null],
    ["/v2/acme/web/manifests/1", "docker.io", "acme/web", null],
    ["/v2/library/nginx/manifests/1?ns=docker.io", "docker.io", "library/nginx", "docker.io"],
    ["/v2/nginx/manifests/1?ns=index.docker.io", "docker.io", "library/nginx", "index.docker.io"],
    ["/v2/acme/web/manifests/1?ns=ghcr.io", "ghcr.io", "acme/web", "ghcr.io"],
    ["/v2/ghcr.io/acme/web/manifests/1", "ghcr.io", "acme/web", null],
    ["/v2/docker.io/nginx/manifests/1", "docker.io", "library/nginx", null],
    ["/v2/ghcr.io/acme/web/manifests/1?ns=ghcr.io", "ghcr.io", "acme/web", "ghcr.io"],
    ["/v2/my.group/web/manifests/1?ns=ghcr.io", "ghcr.io", "my.group/web", "ghcr.io"],
    ["/v2/127.0.0.1:5000/lab/x/manifests/1", "127.0.0.1:5000", "lab/x", null],
    ["/v2/127.0.0.1%3A5000/lab/x/manifests/1", "127.0.0.1:5000", "lab/x", null],
    ["/v2/acme/manifests/blobs/tags/manifests/1", "docker.io", "acme/manifests/blobs/tags", null],
  ];
  for (const [path, registry, repository, namespace] of table) {
    const answer = await ask(world, path);
    assert.equal(answer.status, 200, path);
    assert.deepEqual(world.reader.asked.at(-1)!.name, { registry, repository }, path);
    assert.equal(answer.headers.get("oci-namespace"), namespace, path);
  }
});

Deno.test("RegistryServer answers 404 at once for registries that are not mirrored, its own names among them", async () => {
  await using world = await startMirror();
  const paths = [
    "/v2/evil.example/a/manifests/1",
    "/v2/a/manifests/1?ns=evil.example",
    "/v2/localhost/a/blobs/x",
    "/v2/seedmint.local/a/manifests/1",
    "/v2/a/b/tags/list?ns=seedmint.local",
  ];
  for (const path of paths) {
    const answer = await ask(world, path);
    assert.equal(answer.status, 404, path);
    assert.deepEqual(codesOf(answer), ["NAME_UNKNOWN"], path);
  }
  const malformed = ["/v2/UPPER/manifests/1", "/v2/a//b/manifests/1", "/v2/a/manifests/1?ns=..%2f"];
  for (const path of malformed) {
    const answer = await ask(world, path);
    assert.equal(answer.status, 400, path);
    assert.deepEqual(codesOf(answer), ["NAME_INVALID"], path);
  }
  assert.equal(world.reader.asked.length, 0);
});

Deno.test("RegistryServer answers what is not here with the codes of the specification", async () => {
  await using world = await startMirror();
  const digest = `sha256:${"ab".repeat(32)}`;
  const table: [path: string, status: number, code: string][] = [
    ["/v2/a/manifests/latest", 404, "MANIFEST_UNKNOWN"],
    [`/v2/a/manifests/${digest}`, 404, "MANIFEST_UNKNOWN"],
    ["/v2/a/manifests/sha256:baddigeststring", 404, "MANIFEST_UNKNOWN"],
    ["/v2/a/manifests/-bad-tag-", 404, "MANIFEST_UNKNOWN"],
    [`/v2/a/blobs/${digest}`, 404, "BLOB_UNKNOWN"],
    [`/v2/a/blobs/sha512:${"ab".repeat(64)}`, 404, "BLOB_UNKNOWN"],
    ["/v2/a/blobs/sha256:baddigeststring", 400, "DIGEST_INVALID"],
    ["/v2/no/where/tags/list", 404, "NAME_UNKNOWN"],
    ["/v2/a/referrers/sha256:bad", 400, "DIGEST_INVALID"],
    ["/elsewhere", 404, "NAME_UNKNOWN"],
    ["/v2/a/b/c", 404, "NAME_UNKNOWN"],
  ];
  for (const [path, status, code] of table) {
    const answer = await ask(world, path);
    assert.equal(answer.status, status, path);
    assert.deepEqual(codesOf(answer), [code], path);
    assert.equal(answer.headers.get("content-type"), "application/json");
    const head = await ask(world, path, { method: "HEAD" });
    assert.equal(head.status, status, path);
  }
});

Deno.test("a mirror refuses to be written to", async () => {
  await using world = await startMirror();
  const digest = `sha256:${"ab".repeat(32)}`;
  const table: [method: string, path: string][] = [
    ["PUT", "/v2/a/manifests/1"],
    ["DELETE", `/v2/a/manifests/${digest}`],
    ["DELETE", `/v2/a/blobs/${digest}`],
    ["POST", "/v2/a/blobs/uploads/"],
    ["POST", `/v2/a/blobs/uploads/?mount=${digest}&from=b`],
    ["PATCH", "/v2/a/blobs/uploads/0123"],
    ["GET", "/v2/a/blobs/uploads/0123"],
    ["OPTIONS", "/v2/"],
    ["POST", "/v2/_catalog"],
  ];
  for (const [method, path] of table) {
    const answer = await ask(world, path, { method, ...(method === "PUT" ? { body: "{}" } : {}) });
    assert.equal(answer.status, 405, `${method} ${path}`);
    assert.deepEqual(codesOf(answer), ["UNSUPPORTED"]);
    assert.match(answer.headers.get("allow") ?? "", /GET/);
  }
});

Deno.test("RegistryServer answers a blob with its length and digest, and never compresses it", async () => {
  await using world = await startMirror();
  const { bytes, digest, path } = await withBlob(world, 700_001);
  const headers = { "accept-encoding": "zstd;q=1.0, gzip;q=0.8, deflate;q=0.5" };
  const answer = await ask(world, path, { headers });
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.body, bytes);
  assert.equal(answer.headers.get("content-length"), "700001");
  assert.equal(answer.headers.get("content-encoding"), null);
  assert.equal(answer.headers.get("transfer-encoding"), null);
  assert.equal(answer.headers.get("docker-content-digest"), digest);
  assert.equal(answer.headers.get("accept-ranges"), "bytes");
  const head = await ask(world, path, { method: "HEAD", headers });
  assert.equal(head.headers.get("content-length"), "700001");
  assert.equal(head.headers.get("docker-content-digest"), digest);
  assert.deepEqual(world.events.map(({ status, bytes, route }) => [status, bytes, route]), [
    [200, 700_001, "blob"],
    [200, 0, "blob"],
  ]);
  assert.equal(world.reader.openCount, 0);
});

Deno.test("RegistryServer answers ranges and conditions as RFC 9110 and the conformance suite want them", async () => {
  await using world = await startMirror();
  const { bytes, digest, path } = await withBlob(world, 4000);
  const table: [headers: Record<string, string>, status: number, start?: number, end?: number][] = [
    [{ range: "bytes=500-1499" }, 206, 500, 1500],
    [{ range: "bytes=500-" }, 206, 500, 4000],
    [{ range: "bytes=-500" }, 206, 3500, 4000],
    [{ range: "bytes=-9000" }, 206, 0, 4000],
    [{ range: "bytes=2000-9999" }, 206, 2000, 4000],
    [{ range: "bytes=0-0" }, 206, 0, 1],
    [{ range: "bytes=3999-" }, 206, 3999, 4000],
    [{ range: "bytes=500-0" }, 416],
    [{ range: "bytes=4000-" }, 416],
    [{ range: "bytes=-0" }, 416],
    [{ range: "bytes=0-1,5-9" }, 200, 0, 4000],
    [{ range: "lines=0-1" }, 200, 0, 4000],
    [{ range: "bytes=500-1499", "if-range": `"${digest}"` }, 206, 500, 1500],
    [{ range: "bytes=500-1499", "if-range": '"other"' }, 200, 0, 4000],
    [{ "if-none-match": `"${digest}"` }, 304],
    [{ "if-match": '"other"' }, 412],
  ];
  for (const [headers, status, start, end] of table) {
    const answer = await ask(world, path, { headers });
    const what = JSON.stringify(headers);
    assert.equal(answer.status, status, what);
    if (start === undefined) continue;
    assert.deepEqual(answer.body, bytes.slice(start, end), what);
    assert.equal(answer.headers.get("content-length"), `${end! - start}`, what);
    const contentRange = status === 206 ? `bytes ${start}-${end! - 1}/4000` : null;
    assert.equal(answer.headers.get("content-range"), contentRange, what);
  }
  const unsatisfiable = await ask(world, path, { headers: { range: "bytes=4000-" } });
  assert.equal(unsatisfiable.headers.get("content-range"), "bytes */4000");
});

Deno.test("RegistryServer gives the very bytes of any range, of any piece of a blob", async () => {
  await using world = await startMirror();
  const { bytes, path } = await withBlob(world, 600_000);
  await fc.assert(
    fc.asyncProperty(fc.nat(599_999), fc.nat(599_999), async (a, b) => {
      const [start, last] = a < b ? [a, b] : [b, a];
      const answer = await ask(world, path, { headers: { range: `bytes=${start}-${last}` } });
      assert.equal(answer.status, 206);
      assert.deepEqual(answer.body, bytes.slice(start, last + 1));
    }),
    { numRuns: 40 },
  );
});

Deno.test("RegistryServer answers an empty blob", async () => {
  await using world = await startMirror();
  const { path } = await withBlob(world, 0);
  const answer = await ask(world, path);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("content-length"), "0");
});

Deno.test("a mirror never says 401, 403 or 429 for its reader, and tells nothing of the reason", async () => {
  await using world = await startMirror();
  const digest = `sha256:${"ab".repeat(32)}`;
  const expected = { "not-found": 404, denied: 404 } as Readonly<Record<string, number>>;
  const codes = ["not-found", "denied", "busy", "unavailable", "timeout", "storage"] as const;
  for (const code of codes) {
    world.reader.trouble = new SeedmintError(code, "token=secret");
    for (const path of ["/v2/a/manifests/1", `/v2/a/blobs/${digest}`, "/v2/a/tags/list"]) {
      const answer = await ask(world, path);
      assert.equal(answer.status, expected[code] ?? 503, code);
      assert.doesNotMatch(answer.text, /secret/);
      assert.equal(codesOf(answer).length, 1);
    }
  }
  world.reader.trouble = new Error("a mistake of ours");
  assert.deepEqual(codesOf(await ask(world, "/v2/a/manifests/1")), ["UNKNOWN"]);
});

Deno.test("RegistryServer answers many requests on one connection", async () => {
  await using world = await startMirror();
  const { bytes, path } = await withBlob(world, 50_000);
  for (let count = 0; count < 3; count++) {
    const answer = await fetch(`${world.server.url}${path}`);
    assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), bytes);
    const missing = await fetch(`${world.server.url}/v2/a/manifests/x`);
    assert.equal(missing.status, 404);
    await missing.body?.cancel();
  }
});
