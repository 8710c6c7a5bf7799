import assert from "node:assert/strict";
import { ask, codesOf, startMirror } from "./support.ts";
import type { Digest } from "../../../../swarm/registry/names.ts";

/** Follows the links of a listing. */
async function pages(world: Parameters<typeof ask>[0], path: string, of: (json: never) => unknown) {
  const found: unknown[] = [];
  let next: string | undefined = path;
  while (next !== undefined && found.length < 20) {
    const answer = await ask(world, next);
    assert.equal(answer.status, 200);
    found.push(of(JSON.parse(answer.text) as never));
    const link: string | null = answer.headers.get("link");
    next = link === null ? undefined : /^<([^>]+)>; rel="next"$/.exec(link)?.[1];
  }
  return found;
}

const tagsOf = (json: { tags: string[] }) => json.tags;

Deno.test("tags/list gives pages that link to each other", async () => {
  await using world = await startMirror();
  world.reader.tagNames.push("1", "2", "3", "4", "latest");
  assert.deepEqual(await pages(world, "/v2/ghcr.io/a/b/tags/list?n=2", tagsOf), [
    ["1", "2"],
    ["3", "4"],
    ["latest"],
  ]);
  assert.deepEqual(await pages(world, "/v2/a/b/tags/list?ns=ghcr.io&n=3&last=2", tagsOf), [
    ["3", "4", "latest"],
  ]);
  assert.ok(world.reader.asked.every(({ name }) => name.registry === "ghcr.io"));
  const all = await ask(world, "/v2/ghcr.io/a/b/tags/list");
  assert.deepEqual(JSON.parse(all.text), {
    name: "ghcr.io/a/b",
    tags: ["1", "2", "3", "4", "latest"],
  });
  assert.equal(all.headers.get("link"), null);
});

Deno.test("tags/list with n=0 gives nothing and no link, and refuses what is no number", async () => {
  await using world = await startMirror();
  world.reader.tagNames.push("1", "2");
  const none = await ask(world, "/v2/a/b/tags/list?n=0");
  assert.deepEqual([none.status, tagsOf(JSON.parse(none.text)), none.headers.get("link")], [
    200,
    [],
    null,
  ]);
  assert.equal((await ask(world, "/v2/no/where/tags/list?n=0")).status, 404);
  for (const n of ["-1", "x", "1e3", "99999999999999999999"]) {
    assert.equal((await ask(world, `/v2/a/b/tags/list?n=${n}`)).status, 400, n);
  }
});

Deno.test("listings are cut into pages where a client asks for too much", async () => {
  await using world = await startMirror();
  world.reader.tagNames.push(...Array.from({ length: 1500 }, (_, i) => `${10_000 + i}`));
  const found = await pages(world, "/v2/a/b/tags/list?n=99999", tagsOf) as string[][];
  assert.deepEqual(found.map(({ length }) => length), [1000, 500]);
});

Deno.test("_catalog lists repositories in pages", async () => {
  await using world = await startMirror();
  world.reader.repositoryNames.push("a/b", "a/c", "d");
  const of = (json: { repositories: string[] }) => json.repositories;
  assert.deepEqual(await pages(world, "/v2/_catalog?n=2", of), [["a/b", "a/c"], ["d"]]);
  assert.deepEqual(await pages(world, "/v2/_catalog?n=0", of), [[]]);
});

Deno.test("referrers are an index, empty where nothing refers, filtered if asked", async () => {
  await using world = await startMirror();
  const digest = `sha256:${"ab".repeat(32)}`;
  const empty = await ask(world, `/v2/a/b/referrers/${digest}`);
  assert.equal(empty.status, 200);
  assert.equal(empty.headers.get("content-type"), "application/vnd.oci.image.index.v1+json");
  assert.deepEqual(JSON.parse(empty.text), {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [],
  });
  for (let count = 0; count < 1200; count++) {
    world.reader.referring.push({
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      digest: `sha256:${count.toString(16).padStart(64, "0")}` as Digest,
      size: 10,
      artifactType: count < 1100 ? "x/sbom" : "x/signature",
      annotations: { count: `${count}` },
    });
  }
  const filtered = await ask(world, `/v2/a/b/referrers/${digest}?artifactType=x%2Fsignature`);
  assert.equal(filtered.headers.get("oci-filters-applied"), "artifactType");
  const { manifests } = JSON.parse(filtered.text) as { manifests: { annotations: unknown }[] };
  assert.equal(manifests.length, 100);
  assert.deepEqual(manifests[0]!.annotations, { count: "1100" });
  const countOf = (json: { manifests: unknown[] }) => json.manifests.length;
  assert.deepEqual(
    await pages(world, `/v2/a/b/referrers/${digest}?artifactType=x%2Fsbom`, countOf),
    [1000, 100],
  );
  const long = await ask(world, `/v2/a/b/referrers/${digest}?artifactType=${"x".repeat(300)}`);
  assert.deepEqual([long.status, codesOf(long)], [400, ["UNSUPPORTED"]]);
});
