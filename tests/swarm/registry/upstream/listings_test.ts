import assert from "node:assert/strict";
import { digestOfBytes } from "../../../../swarm/registry/manifest/mod.ts";
import { FakeRegistry, OCI_INDEX, OCI_MANIFEST } from "./fake_registry.ts";
import { FakeWeb, type Handler } from "./fake_web.ts";
import { clientOf, HOST, manifestOf, signal } from "./support.ts";

const ASK = { signal };
const SUBJECT = digestOfBytes(new Uint8Array(3));

function against(handler: Handler) {
  const web = new FakeWeb().host(HOST, handler);
  return { web, client: clientOf(web) };
}

function world(tags: readonly string[]) {
  const web = new FakeWeb();
  const registry = new FakeRegistry({ web, host: HOST });
  for (const tag of tags) registry.addManifest("a/b", manifestOf(), tag);
  return { web, registry, client: clientOf(web) };
}

/** All tags, page by page. */
async function walk(client: ReturnType<typeof clientOf>, count: number) {
  const pages: (readonly string[])[] = [];
  let last: string | undefined;
  while (pages.length < 20) {
    const page = await client.tags("a/b", { count, ...(last === undefined ? {} : { last }) }, ASK);
    pages.push(page!.items);
    if (!page!.hasMore) return pages;
    last = page!.items.at(-1)!;
  }
  throw new Error("the pages have no end");
}

Deno.test("RegistryClient lists tags page by page", async () => {
  const { client } = world(["1.0", "1.1", "2.0", "latest", "v3"]);
  assert.deepEqual(await walk(client, 2), [["1.0", "1.1"], ["2.0", "latest"], ["v3"]]);
  assert.deepEqual(await walk(client, 5), [["1.0", "1.1", "2.0", "latest", "v3"]]);
  assert.deepEqual(await client.tags("none", { count: 5 }, ASK), { items: [], hasMore: false });
});

Deno.test("RegistryClient pages through a registry that cannot begin after a name", async () => {
  const all = ["a", "b", "c", "d", "e"];
  // Pages by a token of its own, two at a time, as Quay does.
  const quay = against((request) => {
    const at = Number(new URL(request.url).searchParams.get("next_page") ?? 0);
    const link = `</v2/a/b/tags/list?n=2&next_page=${at + 2}>; rel="next"`;
    const headers: Record<string, string> = at + 2 < all.length ? { link } : {};
    return Response.json({ tags: all.slice(at, at + 2) }, { headers });
  }).client;
  assert.deepEqual(await walk(quay, 2), [["a", "b"], ["c", "d"], ["e"]]);
  // Sends all of them, whatever it is asked.
  const whole = against(() => Response.json({ tags: all })).client;
  assert.deepEqual(await walk(whole, 2), [["a", "b"], ["c", "d"], ["e"]]);
});

Deno.test("RegistryClient takes from a list what can be a tag, and follows no link elsewhere", async () => {
  const { web, client } = against(() =>
    Response.json({ tags: ["ok", "../x", 7, null, "ok", "a b", "x".repeat(200)] }, {
      headers: { link: '<https://evil.example/v2/a/b/tags/list>; rel="next"' },
    })
  );
  assert.deepEqual(await client.tags("a/b", { count: 9 }, ASK), { items: ["ok"], hasMore: false });
  await client.tags("a/b", { count: 9, last: "zz" }, ASK);
  assert.ok(web.seen.every(({ url }) => url.host === HOST));
  for (const body of ["[]", "null", "<html>", '{"tags":null}', '{"tags":{}}']) {
    const odd = against(() => new Response(body)).client;
    assert.deepEqual(await odd.tags("a/b", { count: 9 }, ASK), { items: [], hasMore: false });
  }
});

Deno.test("RegistryClient walks no list without an end", async () => {
  let count = 0;
  const { client } = against(() => {
    count++;
    return Response.json({ tags: ["a", "b"] }, {
      headers: { link: `</v2/a/b/tags/list?next_page=${count}>; rel="next"` },
    });
  });
  const page = await client.tags("a/b", { count: 1, last: "a" }, ASK);
  assert.deepEqual(page, { items: ["b"], hasMore: false });
  assert.equal(count, 51);
  const large = against(() => Response.json({ tags: ["x".repeat(5_000_000)] })).client;
  await assert.rejects(large.tags("a/b", { count: 1 }, ASK), { code: "protocol" });
});

Deno.test("RegistryClient shows no tags of what it may not see", async () => {
  for (const status of [401, 403, 404, 429]) {
    const { client } = against(() => new Response(null, { status }));
    assert.equal(await client.tags("a/b", { count: 1 }, ASK), undefined);
  }
});

function referrer(name: string, artifactType: string) {
  const subject = { mediaType: OCI_MANIFEST, digest: SUBJECT, size: 3 };
  return { ...manifestOf(name), artifactType, subject };
}

Deno.test("RegistryClient lists what refers to a manifest, of one type if asked", async () => {
  const { registry, client } = world([]);
  const one = registry.addManifest("a/b", referrer("one", "application/vnd.sbom"));
  const two = registry.addManifest("a/b", referrer("two", "application/vnd.signature"));
  registry.addManifest("other", referrer("three", "application/vnd.sbom"));
  const all = await client.referrers("a/b", SUBJECT, ASK);
  assert.deepEqual(all?.map(({ digest }) => digest).sort(), [one, two].sort());
  const artifactType = "application/vnd.sbom";
  const some = await client.referrers("a/b", SUBJECT, { signal, artifactType });
  assert.deepEqual(some?.map(({ digest }) => digest), [one]);
  assert.deepEqual(await client.referrers("a/b", digestOfBytes(new Uint8Array(4)), ASK), []);
});

Deno.test("RegistryClient filters by type itself, and follows pages of referrers", async () => {
  const describe = (seed: number, artifactType: string) => ({
    mediaType: OCI_MANIFEST,
    digest: digestOfBytes(new Uint8Array(seed)),
    size: 5,
    artifactType,
  });
  const { client } = against((request) => {
    const isFirst = !request.url.includes("page=2");
    const manifests = isFirst
      ? [describe(1, "a/a"), describe(2, "b/b"), { digest: "x" }]
      : [describe(3, "a/a"), describe(1, "a/a")];
    const link = `</v2/a/b/referrers/${SUBJECT}?page=2>; rel="next"`;
    return Response.json({ manifests }, { headers: isFirst ? { link } : {} });
  });
  const found = await client.referrers("a/b", SUBJECT, { signal, artifactType: "a/a" });
  assert.deepEqual(found, [describe(1, "a/a"), describe(3, "a/a")]);
});

Deno.test("RegistryClient reads the tag that stands in for a list of referrers", async () => {
  const { registry, client } = world([]);
  registry.fault = (_request, url) =>
    url.pathname.includes("/referrers/")
      ? new Response("404 page not found", { status: 404 })
      : undefined;
  assert.deepEqual(await client.referrers("a/b", SUBJECT, ASK), []);
  const manifests = ["a/a", "b/b"].map((artifactType, index) => ({
    mediaType: OCI_MANIFEST,
    digest: digestOfBytes(new Uint8Array(index)),
    size: 9,
    artifactType,
  }));
  const tag = SUBJECT.replace(":", "-");
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests };
  registry.addManifest("a/b", index, tag, OCI_INDEX);
  assert.deepEqual(await client.referrers("a/b", SUBJECT, ASK), manifests);
  const artifactType = "b/b";
  const some = await client.referrers("a/b", SUBJECT, { signal, artifactType });
  assert.deepEqual(some, manifests.slice(1));
  registry.addManifest("a/b", manifestOf(), tag);
  assert.deepEqual(await client.referrers("a/b", SUBJECT, ASK), []);
  registry.fault = () => new Response(null, { status: 403 });
  assert.equal(await client.referrers("a/b", SUBJECT, ASK), undefined);
});
