import assert from "node:assert/strict";
import { join } from "node:path";
import { utf8 } from "../../src/core/bytes.ts";
import { isSeedmintError } from "../../src/core/errors.ts";
import { systemClock } from "../../src/host/system.ts";
import {
  blobPath,
  checkFree,
  eachOf,
  placeBlob,
  placeCollection,
} from "../../src/app/api/place.ts";
import { hashBytes } from "../../swarm/bao/mod.ts";
import { encodeCollection } from "../../swarm/collection.ts";
import type { BlobRecord, BlobStore } from "../../swarm/store/blob_store.ts";
import { MemoryBlobStore } from "../../swarm/store/memory_store.ts";

interface Stage {
  readonly store: BlobStore;
  readonly root: string;
  readonly collectionOf: (files: Record<string, string>) => Promise<BlobRecord>;
}

async function stage(run: (stage: Stage) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "seedmint-place-" });
  const store = new MemoryBlobStore({ clock: systemClock });
  const collectionOf = async (files: Record<string, string>) => {
    const children = [];
    for (const [name, text] of Object.entries(files)) {
      const { hash, size } = await store.importBytes(utf8(text));
      children.push({ name, hash, size });
    }
    return await store.importBytes(encodeCollection(children), { kind: "collection" });
  };
  try {
    await run({ store, root, collectionOf });
  } finally {
    await store[Symbol.asyncDispose]();
    await Deno.remove(root, { recursive: true });
  }
}

const options = { overwrite: false, signal: new AbortController().signal };
const isUsage = (error: unknown) => isSeedmintError(error, "usage");

Deno.test("placeCollection() writes the tree, and again without a complaint", async () => {
  await stage(async ({ store, root, collectionOf }) => {
    const collection = await collectionOf({ "a": "1", "b/c/d": "2", "b/e": "" });
    const out = join(root, "new/out");
    for (let round = 0; round < 2; round++) {
      assert.deepEqual(await placeCollection(store, collection, `${out}/`, options), {
        path: out,
        size: 2,
      });
      assert.equal(await Deno.readTextFile(join(out, "b/c/d")), "2");
      assert.equal(await Deno.readTextFile(join(out, "b/e")), "");
    }
  });
});

Deno.test("placeCollection() writes names as long as a file system takes", async () => {
  await stage(async ({ store, root, collectionOf }) => {
    const names = ["a".repeat(255), "ä".repeat(127)];
    const collection = await collectionOf(Object.fromEntries(names.map((name) => [name, "x"])));
    await placeCollection(store, collection, join(root, "out"), options);
    for (const name of names) assert.equal(await Deno.readTextFile(join(root, "out", name)), "x");
  });
});

Deno.test("placeCollection() replaces other content only when it is told to", async () => {
  await stage(async ({ store, root, collectionOf }) => {
    const collection = await collectionOf({ "a": "theirs" });
    await Deno.writeTextFile(join(root, "a"), "mine!!");
    await assert.rejects(placeCollection(store, collection, root, options), isUsage);
    assert.equal(await Deno.readTextFile(join(root, "a")), "mine!!");
    await placeCollection(store, collection, root, { ...options, overwrite: true });
    assert.equal(await Deno.readTextFile(join(root, "a")), "theirs");
  });
});

Deno.test("placeCollection() never writes through a symbolic link", async () => {
  await stage(async ({ store, root, collectionOf }) => {
    const collection = await collectionOf({ "docs/file": "theirs" });
    const outside = join(root, "outside");
    const out = join(root, "out");
    await Deno.mkdir(outside);
    await Deno.mkdir(out);
    await Deno.symlink(outside, join(out, "docs"));
    await assert.rejects(placeCollection(store, collection, out, options), isUsage);
    await assert.rejects(
      placeCollection(store, collection, out, { ...options, overwrite: true }),
      isUsage,
    );
    assert.deepEqual(await Array.fromAsync(Deno.readDir(outside)), []);
  });
});

Deno.test("placeCollection() refuses a file where a directory must be", async () => {
  await stage(async ({ store, root, collectionOf }) => {
    const collection = await collectionOf({ "docs/file": "x" });
    await Deno.writeTextFile(join(root, "docs"), "");
    await assert.rejects(placeCollection(store, collection, root, options), isUsage);
    await assert.rejects(placeCollection(store, collection, join(root, "docs"), options), isUsage);
  });
});

Deno.test("placeBlob() replaces a link itself and not what it leads to", async () => {
  await stage(async ({ store, root }) => {
    const blob = await store.importBytes(utf8("theirs"));
    const target = join(root, "target");
    const link = join(root, "link");
    await Deno.writeTextFile(target, "mine");
    await Deno.symlink(target, link);
    await assert.rejects(placeBlob(store, blob, link, options), isUsage);
    await placeBlob(store, blob, link, { ...options, overwrite: true });
    assert.equal(await Deno.readTextFile(target), "mine");
    assert.equal(await Deno.readTextFile(link), "theirs");
  });
});

Deno.test("blobPath() takes a name of a stranger only when it is a plain one", async () => {
  await stage(async ({ root }) => {
    const hash = "0".repeat(64);
    assert.equal(await blobPath(join(root, "file"), ["x", hash]), join(root, "file"));
    assert.equal(await blobPath(`${root}/`, ["x", hash]), join(root, "x"));
    assert.equal(await blobPath(root, [undefined, "x", hash]), join(root, "x"));
    for (const bad of ["../x", "a/b", "..", ".", "", "a\u0000b", "/etc/passwd", "a\\b"]) {
      assert.equal(await blobPath(root, [bad, hash]), join(root, hash), bad);
    }
  });
});

Deno.test("checkFree() refuses what exists, and a directory even with --force", async () => {
  await stage(async ({ root }) => {
    const file = join(root, "file");
    await checkFree(file, options);
    await Deno.writeTextFile(file, "theirs");
    await assert.rejects(checkFree(file, options), /pass --force/);
    await checkFree(file, { ...options, overwrite: true });
    await checkFree(file, { ...options, hash: hashBytes(utf8("theirs")) });
    await assert.rejects(checkFree(file, { ...options, hash: hashBytes(utf8("mine")) }), isUsage);
    await assert.rejects(checkFree(root, { ...options, overwrite: true }), /it is no file/);
  });
});

Deno.test("eachOf() throws the first failure when nothing that it began goes on any more", async () => {
  let runningCount = 0;
  const begun: number[] = [];
  const working = eachOf([1, 2, 3, 4, 5, 6], 2, async (item) => {
    begun.push(item);
    runningCount++;
    await new Promise((resolve) => setTimeout(resolve, item === 1 ? 1 : 20));
    runningCount--;
    if (item === 1) throw new Error("the first");
  });
  await assert.rejects(working, /the first/);
  assert.equal(runningCount, 0);
  assert.deepEqual(begun, [1, 2]);
});
