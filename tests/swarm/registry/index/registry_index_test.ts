import assert from "node:assert/strict";
import fc from "fast-check";
import { isSeedmintError } from "../../../../src/core/errors.ts";
import type { Hash, Sha256 } from "../../../../src/core/hash.ts";
import { hashBytes } from "../../../../swarm/bao/mod.ts";
import { RegistryIndex } from "../../../../swarm/registry/index/mod.ts";
import { parseManifest } from "../../../../swarm/registry/manifest/mod.ts";
import { type Digest, digestOf, type RepositoryName } from "../../../../swarm/registry/names.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { TemporaryDirectory } from "../../store/fixture.ts";
import { artifactOf, imageOf, indexOf, layerOf, type Part } from "../manifest/fixture.ts";

const NAME: RepositoryName = { registry: "docker.io", repository: "library/a" };
const OTHER: RepositoryName = { registry: "ghcr.io", repository: "library/a" };
const image = imageOf([layerOf("1"), layerOf("2")]);
const { digest } = image.manifest;

function openIndex(
  clock = new ManualClock(),
  options: Partial<Parameters<typeof RegistryIndex.open>[0]> = {},
): RegistryIndex {
  return RegistryIndex.open({ path: ":memory:", clock, ...options });
}

function put(index: RegistryIndex, part: Part): void {
  index.manifests.put(parseManifest(part.mediaType, part.bytes), hashBytes(part.bytes));
}

function someDigest(seed: number): Digest {
  return digestOf(seed.toString(16).padStart(64, "0") as Sha256);
}

Deno.test("RegistryIndex has after it was closed what it had before", () => {
  using directory = new TemporaryDirectory();
  const clock = new ManualClock();
  const path = `${directory.path}/registry.sqlite`;
  {
    using index = openIndex(clock, { path });
    put(index, image.manifest);
    index.members.add(NAME, digest, { kind: "manifest", isPrivate: true });
    index.tags.set(NAME, "latest", { digest, etag: '"x"' });
    index.authorizations.note(NAME, clock.nowMs());
    index.mappings.put({
      sha256: digest.slice(7) as Sha256,
      hash: hashBytes(new Uint8Array(1)),
      size: 1,
    });
    index.uploads.add("u", "a");
    index.uploads.acknowledge("u", 5);
  }
  using index = openIndex(clock, { path });
  const entry = index.manifests.get(digest)!;
  assert.deepEqual(entry.manifest, {
    ...parseManifest(image.manifest.mediaType, image.manifest.bytes),
  });
  assert.equal(entry.hash, hashBytes(image.manifest.bytes));
  assert.equal(index.members.isPrivate(digest), true);
  assert.deepEqual(index.tags.get(NAME, "latest"), {
    tag: "latest",
    digest,
    etag: '"x"',
    checkedMs: clock.nowMs(),
    setMs: clock.nowMs(),
  });
  assert.equal(index.authorizations.atMs(NAME), clock.nowMs());
  assert.equal(index.mappings.get(digest.slice(7) as Sha256)?.size, 1);
  assert.deepEqual(index.uploads.all().map(({ offset }) => offset), [5]);
});

Deno.test("RegistryIndex refuses a file that is no index, and says what to do", () => {
  using directory = new TemporaryDirectory();
  const path = `${directory.path}/registry.sqlite`;
  Deno.writeTextFileSync(path, "no database at all".repeat(100));
  assert.throws(
    () => openIndex(new ManualClock(), { path }),
    (error: unknown) => isSeedmintError(error, "storage"),
  );
});

Deno.test("A transaction of the index that fails changes nothing, and nothing is remembered of it", () => {
  using index = openIndex();
  assert.throws(() =>
    index.transaction(() => {
      put(index, image.manifest);
      assert.ok(index.manifests.get(digest));
      index.members.add(NAME, digest, { kind: "manifest" });
      throw new Error("stop");
    }), /stop/);
  assert.equal(index.manifests.get(digest), undefined);
  assert.equal(index.members.has(NAME, digest), false);
});

Deno.test("Manifests knows who lists what, and forgets all of one that is removed", () => {
  using index = openIndex();
  const list = indexOf([image]);
  put(index, image.manifest);
  put(index, list);
  index.members.add(NAME, digest, { kind: "manifest" });
  index.tags.set(NAME, "1", { digest });
  assert.deepEqual(index.manifests.parentsOf(digest), [list.digest]);
  assert.deepEqual(index.manifests.parentsOf(image.layers[0]!.digest), [digest]);
  index.manifests.remove(digest);
  assert.equal(index.manifests.get(digest), undefined);
  assert.deepEqual(index.manifests.parentsOf(image.layers[0]!.digest), []);
  assert.deepEqual(index.manifests.parentsOf(digest), [list.digest]);
  assert.equal(index.members.has(NAME, digest), false);
  assert.equal(index.tags.get(NAME, "1"), undefined);
});

Deno.test("A member that was once had without a credential is private no more", () => {
  using index = openIndex();
  const { members } = index;
  assert.equal(members.isPrivate(digest), false);
  members.add(NAME, digest, { kind: "blob", isPrivate: true });
  assert.equal(members.isPrivate(digest), true);
  assert.equal(members.isOpen(NAME, digest), false);
  members.add(OTHER, digest, { kind: "blob" });
  assert.equal(members.isPrivate(digest), false);
  assert.equal(members.isOpen(NAME, digest), false);
  members.add(NAME, digest, { kind: "blob" });
  members.add(NAME, digest, { kind: "blob", isPrivate: true });
  assert.equal(members.isOpen(NAME, digest), true);
  assert.deepEqual(members.repositoriesOf(digest), [
    { ...NAME, isPrivate: false },
    { ...OTHER, isPrivate: false },
  ]);
  assert.deepEqual(members.repositoriesOf(digest, { registry: "ghcr.io" }).length, 1);
  assert.equal(members.has(NAME, digest, "manifest"), false);
  assert.equal(members.remove(NAME, digest, "manifest"), false);
  assert.equal(members.remove(NAME, digest, "blob"), true);
  assert.equal(members.isRepository(NAME), false);
});

Deno.test("Referrers are those of one repository, in order, and by type", () => {
  using index = openIndex();
  const about = ["a", "b", "c"].map((text) =>
    artifactOf(image.manifest, { text, artifactType: `application/x-${text}` }).manifest
  );
  for (const [at, part] of about.entries()) {
    put(index, part);
    index.members.add(at === 2 ? OTHER : NAME, part.digest, { kind: "manifest" });
  }
  const found = index.members.referrers(NAME, digest);
  const wanted = about.slice(0, 2).map((part) => part.digest).sort();
  assert.deepEqual(found.map((entry) => entry.digest), wanted);
  const typed = index.members.referrers(NAME, digest, { artifactType: "application/x-b" });
  assert.deepEqual(typed.map((entry) => entry.digest), [about[1]!.digest]);
  assert.equal(index.members.isListed(NAME, artifactOf(image.manifest).config.digest), true);
  assert.equal(index.members.isListed(NAME, digest), false);
});

Deno.test("A tag that is checked again and again is written now and then, and always told right", () => {
  using directory = new TemporaryDirectory();
  const clock = new ManualClock();
  const path = `${directory.path}/registry.sqlite`;
  const startMs = clock.nowMs();
  {
    using index = openIndex(clock, { path });
    index.tags.set(NAME, "latest", { digest });
    for (let minute = 1; minute <= 14; minute++) {
      clock.jump(60_000);
      index.tags.set(NAME, "latest", { digest });
      assert.equal(index.tags.get(NAME, "latest")?.checkedMs, clock.nowMs());
      assert.equal(index.tags.get(NAME, "latest")?.setMs, startMs);
      index.authorizations.note(NAME, clock.nowMs());
      assert.equal(index.authorizations.atMs(NAME), clock.nowMs());
    }
    const moved = someDigest(1);
    clock.jump(1);
    index.tags.set(NAME, "moved", { digest });
    index.tags.set(NAME, "moved", { digest: moved, checkedMs: 5 });
    assert.deepEqual(index.tags.get(NAME, "moved"), {
      tag: "moved",
      digest: moved,
      checkedMs: 5,
      setMs: clock.nowMs(),
    });
  }
  using index = openIndex(clock, { path });
  const { checkedMs } = index.tags.get(NAME, "latest")!;
  assert.ok(checkedMs >= clock.nowMs() - 6 * 60_000 && checkedMs < clock.nowMs() - 60_000);
  assert.ok(clock.nowMs() - index.authorizations.atMs(NAME)! < 6 * 60_000);
});

Deno.test("An authorisation that is taken back is gone, in memory and on the disk", () => {
  using index = openIndex();
  assert.equal(index.authorizations.atMs(NAME), undefined);
  index.authorizations.note(NAME, 1000);
  index.authorizations.note(NAME, 2000);
  assert.equal(index.authorizations.atMs(NAME), 2000);
  assert.equal(index.authorizations.atMs(OTHER), undefined);
  index.authorizations.revoke(NAME);
  assert.equal(index.authorizations.atMs(NAME), undefined);
});

Deno.test("Mappings are bounded: the oldest are forgotten", () => {
  const clock = new ManualClock();
  using index = openIndex(clock, { mappingsMax: 20 });
  for (let seed = 0; seed < 50; seed++) {
    clock.jump(1);
    index.mappings.put({
      sha256: someDigest(seed).slice(7) as Sha256,
      hash: someDigest(seed + 1000).slice(7) as string as Hash,
      size: seed,
    });
  }
  const known = Array.from(
    { length: 50 },
    (_, seed) => index.mappings.get(someDigest(seed).slice(7) as Sha256)?.size,
  ).filter((size) => size !== undefined);
  assert.ok(known.length <= 20 && known.length >= 18);
  assert.equal(known.at(-1), 49);
});

Deno.test("Pages of tags and repositories together are all of them, each once, in order of bytes", () => {
  const tag = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,5}$/);
  const repository = fc.stringMatching(/^[a-z0-9]{1,3}(\/[a-z0-9]{1,3})?$/);
  fc.assert(
    fc.property(
      fc.uniqueArray(tag, { maxLength: 20 }),
      fc.uniqueArray(repository, { maxLength: 12 }),
      fc.integer({ min: 1, max: 7 }),
      (tags, repositories, count) => {
        using index = openIndex();
        index.transaction(() => {
          for (const one of tags) index.tags.set(NAME, one, { digest });
          for (const one of repositories) {
            index.members.add({ registry: "x", repository: one }, digest, { kind: "blob" });
            index.members.add({ registry: "x", repository: one }, digest, { kind: "manifest" });
          }
        });
        const all = (page: (last?: string) => { items: readonly string[]; hasMore: boolean }) => {
          const found: string[] = [];
          for (;;) {
            const { items, hasMore } = page(found.at(-1));
            found.push(...items);
            if (!hasMore) return found;
            assert.equal(items.length, count);
          }
        };
        const after = (last?: string) => ({ count, ...(last === undefined ? {} : { last }) });
        const byBytes = (a: string, b: string) => a < b ? -1 : 1;
        assert.deepEqual(all((last) => index.tags.page(NAME, after(last))), tags.sort(byBytes));
        assert.deepEqual(
          all((last) => index.members.repositories("x", after(last))),
          repositories.sort(byBytes),
        );
      },
    ),
    { numRuns: 40 },
  );
});
