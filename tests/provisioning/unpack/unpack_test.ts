import assert from "node:assert/strict";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { concatBytes } from "../../../src/core/bytes.ts";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { Budget, RootedTree } from "../../../provisioning/unpack/mod.ts";
import { ZstdFrames } from "../../../provisioning/unpack/zstd_frames.ts";
import type { ImageLayer } from "../../../provisioning/ports.ts";
import {
  type Entry,
  imageOf,
  layerOf,
  layerOfTar,
  sha256Of,
  tarOf,
} from "../../support/provisioning/tar.ts";
import { idOffset, namesIn, skip, world } from "./support.ts";

for (const form of ["tar", "gzip", "zstd"] as const) {
  Deno.test({
    ...skip,
    name: `UnpackedImages lays out files, links, owners and times of a ${form} layer`,
    fn: async () => {
      await using it = await world();
      const long = `${"d".repeat(80)}/${"e".repeat(80)}/file`;
      const root = await it.unpack(imageOf([
        layerOf([
          { name: "./", type: "5", mode: 0o755 },
          { name: "bin/", type: "5", modifiedS: 1_600_000_000 },
          { name: "bin/tool", content: "#!", mode: 0o4755, uid: 7, gid: 8 },
          { name: "bin/again", type: "1", link: "bin/tool" },
          { name: "bin/soft", type: "2", link: "/bin/tool", uid: 9 },
          { name: "dev/sda", type: "3" },
          { name: long, content: "x".repeat(100_000), modifiedS: 1_500_000_000 },
        ], form),
      ]));
      const tool = await Deno.stat(`${root}/bin/tool`);
      assert.equal(tool.mode! & 0o7777, 0o4755);
      assert.deepEqual([tool.uid, tool.gid], [idOffset + 7, idOffset + 8]);
      assert.equal(tool.ino, (await Deno.stat(`${root}/bin/again`)).ino);
      assert.equal(await Deno.readLink(`${root}/bin/soft`), "/bin/tool");
      assert.equal((await Deno.lstat(`${root}/bin/soft`)).uid, idOffset + 9);
      assert.equal((await Deno.stat(`${root}/${long}`)).size, 100_000);
      assert.equal((await Deno.stat(`${root}/${long}`)).mtime!.getTime(), 1_500_000_000_000);
      assert.equal((await Deno.stat(`${root}/bin`)).mtime!.getTime(), 1_600_000_000_000);
      await assert.rejects(Deno.lstat(`${root}/dev/sda`), Deno.errors.NotFound);
    },
  });
}

Deno.test({
  ...skip,
  name: "UnpackedImages applies whiteouts and opaque directories of later layers",
  fn: async () => {
    await using it = await world();
    const root = await it.unpack(imageOf([
      layerOf([
        { name: "a/one", content: "1" },
        { name: "a/two", content: "2" },
        { name: "b/old", content: "old" },
        { name: "b/deep/old", content: "old" },
        { name: "c", content: "file" },
        { name: "d/x", content: "x" },
      ]),
      layerOf([
        { name: "a/.wh.one" },
        { name: "b/new", content: "new" },
        { name: "b/.wh..wh..opq" },
        { name: "c/", type: "5" },
        { name: "c/in", content: "in" },
        { name: "d", content: "now a file" },
        { name: ".wh.never" },
      ]),
    ]));
    const names = (path: string) => namesIn(`${root}/${path}`);
    assert.deepEqual(names("a"), ["two"]);
    assert.deepEqual(names("b"), ["new"]);
    assert.deepEqual(names("c"), ["in"]);
    assert.equal(await Deno.readTextFile(`${root}/d`), "now a file");
  },
});

Deno.test({
  ...skip,
  name: "UnpackedImages follows links of lower layers inside the root only",
  fn: async () => {
    await using it = await world();
    const root = await it.unpack(imageOf([
      layerOf([
        { name: "usr/lib/", type: "5" },
        { name: "lib", type: "2", link: "usr/lib" },
        { name: "out", type: "2", link: "../../../.." },
        { name: "abs", type: "2", link: "/" },
        { name: "up", type: "2", link: "/../../tmp" },
      ]),
      layerOf([
        { name: "lib/libx.so", content: "x" },
        { name: "out/secret", content: "inside" },
        { name: "abs/etc/passwd", content: "inside" },
        { name: "up/file", content: "inside" },
      ]),
    ]));
    assert.equal(await Deno.readTextFile(`${root}/usr/lib/libx.so`), "x");
    assert.equal(await Deno.readTextFile(`${root}/secret`), "inside");
    assert.equal(await Deno.readTextFile(`${root}/etc/passwd`), "inside");
    assert.equal(await Deno.readTextFile(`${root}/tmp/file`), "inside");
  },
});

const HOSTILE: readonly (readonly [string, readonly Entry[]])[] = [
  ["climbs out", [{ name: "../secret", content: "owned" }]],
  ["climbs out in the middle", [{ name: "a/../../secret", content: "owned" }]],
  ["hides what is outside", [{ name: "../.wh.secret" }]],
  ["hides the root itself", [{ name: ".wh.." }]],
  ["hides the parent", [{ name: "a/.wh..." }]],
  ["links to what is outside", [{ name: "x", type: "1", link: "../../secret" }]],
  ["links hard through a link", [
    { name: "l", type: "2", link: "../.." },
    { name: "x", type: "1", link: "l/secret" },
  ]],
  ["links to nothing", [{ name: "x", type: "1", link: "nothing" }]],
  ["links to a directory", [{ name: "d/", type: "5" }, { name: "x", type: "1", link: "d" }]],
  ["goes in circles", [
    { name: "a", type: "2", link: "b" },
    { name: "b", type: "2", link: "a" },
    { name: "a/x", content: "" },
  ]],
  ["puts a file below a file", [{ name: "f", content: "" }, { name: "f/x", content: "" }]],
  ["has a name that is too long", [{ name: "n".repeat(256), content: "" }]],
  ["is deeper than can be", [{ name: "d/".repeat(300), type: "5" }]],
];

for (const [what, entries] of HOSTILE) {
  Deno.test({
    ...skip,
    name: `UnpackedImages refuses a layer that ${what}, and leaves nothing`,
    fn: async () => {
      await using it = await world();
      const image = imageOf([layerOf(entries)]);
      await assert.rejects(it.unpack(image), (error) => isSeedmintError(error, "invalid"));
      assert.equal(await it.images.has(image.digest), false);
      assert.deepEqual(namesIn(it.folder), []);
    },
  });
}

Deno.test({
  ...skip,
  name: "UnpackedImages writes through no link that the same layer made",
  fn: async () => {
    await using it = await world();
    const root = await it.unpack(imageOf([layerOf([
      { name: "x", type: "2", link: `${it.outside}/secret` },
      { name: "x", content: "mine" },
      { name: "y", type: "2", link: `${it.outside}` },
      { name: "y/secret", content: "mine" },
      { name: "z", type: "2", link: `${it.outside}/secret` },
      { name: "z", type: "5" },
    ])]));
    assert.equal(await Deno.readTextFile(`${root}/x`), "mine");
    assert.equal(await Deno.readTextFile(`${root}${it.outside}/secret`), "mine");
    assert.ok((await Deno.lstat(`${root}/z`)).isDirectory);
  },
});

Deno.test({
  ...skip,
  name: "UnpackedImages refuses a layer whose content is another than its diffId says",
  fn: async () => {
    await using it = await world();
    const layer = {
      ...layerOf([{ name: "a", content: "1" }]),
      diffId: "0".repeat(64),
    } as ImageLayer;
    const image = imageOf([layer]);
    await assert.rejects(it.unpack(image), (error) => isSeedmintError(error, "corrupt"));
    assert.equal(await it.images.has(image.digest), false);
  },
});

Deno.test({
  ...skip,
  name: "UnpackedImages counts what stands behind the end mark into the digest",
  fn: async () => {
    await using it = await world();
    const tar = tarOf([{ name: "a", content: "1" }]);
    const more = new Uint8Array(tar.length + 4096).fill(7);
    more.set(tar);
    const honest = imageOf([layerOfTar(more)]);
    await it.unpack(honest);
    await it.images.remove(honest.digest);
    const lying = { ...layerOfTar(more), diffId: sha256Of(tar) };
    await assert.rejects(
      it.unpack(imageOf([lying])),
      (error) => isSeedmintError(error, "corrupt"),
    );
  },
});

for (const [form, compress] of [["gzip", gzipSync], ["zstd", zstdCompressSync]] as const) {
  Deno.test({
    ...skip,
    name: `UnpackedImages reads a layer of several ${form} parts, and not one that is cut`,
    fn: async () => {
      await using it = await world();
      const tar = tarOf([{ name: "a", content: "x".repeat(3000) }]);
      const stored = concatBytes(compress(tar.subarray(0, 1000)), compress(tar.subarray(1000)));
      const layer = (bytes: Uint8Array<ArrayBuffer>) => ({
        ...layerOfTar(tar, form),
        sha256: sha256Of(bytes),
        open: () => Promise.resolve(new Blob([bytes]).stream()),
      });
      const root = await it.unpack(imageOf([layer(stored)]));
      assert.equal((await Deno.stat(`${root}/a`)).size, 3000);
      await assert.rejects(
        it.unpack(imageOf([layer(stored.subarray(0, stored.length - 10))])),
        (error) => isSeedmintError(error, "invalid") || isSeedmintError(error, "corrupt"),
      );
    },
  });
}

Deno.test({
  ...skip,
  name: "UnpackedImages unpacks once, however many ask, and again after a failure",
  fn: async () => {
    await using it = await world();
    let opened = 0;
    const good = layerOf([{ name: "a", content: "1" }]);
    const layer: ImageLayer = {
      ...good,
      open: () => {
        if (opened++ === 0) return Promise.reject(new Error("not yet"));
        return good.open();
      },
    };
    const image = imageOf([layer]);
    await assert.rejects(it.unpack(image));
    await Promise.all(Array.from({ length: 8 }, () => it.unpack(image)));
    assert.equal(opened, 2);
    await it.images.remove(image.digest);
    assert.equal(await it.images.has(image.digest), false);
  },
});

Deno.test({
  ...skip,
  name: "UnpackedImages survives any damage to an archive without leaving its root",
  fn: async () => {
    await using it = await world({ imageBytesMax: 4 * 1024 * 1024 });
    const tar = tarOf([
      { name: "dir/", type: "5" },
      { name: "dir/file", content: "hello" },
      { name: "dir/soft", type: "2", link: "../../../secret" },
      { name: "dir/soft2", type: "1", link: "dir/file" },
      { name: `${"long/".repeat(30)}x`, content: "y" },
    ]);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(tar.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        fc.boolean(),
        async (changes, isSumMended) => {
          const bad = tar.slice();
          for (const [at, value] of changes) bad[at] = value;
          if (isSumMended) mendSums(bad);
          try {
            await it.unpack(imageOf([layerOfTar(bad, "tar")]));
          } catch (error) {
            assert.ok(isSeedmintError(error), String(error));
          }
        },
      ),
      { numRuns: 60 },
    );
  },
});

Deno.test("ZstdFrames cuts at the ends of frames only, however the stream is split", () => {
  const parts = [1, 0, 200_000, 5].map((size) =>
    Uint8Array.from(zstdCompressSync(new Uint8Array(size).map((_, index) => index * 7)))
  );
  parts.splice(2, 0, Uint8Array.of(0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9));
  parts.push(Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0));
  const whole = concatBytes(...parts);
  let end = 0;
  const ends = new Set(parts.map((part) => end += part.length));
  fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: whole.length })), (cuts) => {
    const frames = new ZstdFrames();
    const found: Uint8Array[] = [];
    const seen = new Set<number>();
    const places = [0, ...new Set(cuts), whole.length].sort((a, b) => a - b);
    let at = 0;
    places.slice(1).forEach((place, index) => {
      for (const part of frames.cut(whole.subarray(places[index], place))) {
        found.push(part);
        for (const inner of ends) assert.ok(inner <= at || inner >= at + part.length);
        at += part.length;
        if (ends.has(at)) seen.add(at);
      }
    });
    assert.deepEqual(concatBytes(...found), whole);
    assert.equal(seen.size, ends.size);
  }));
  assert.throws(() => [...new ZstdFrames().cut(new Uint8Array(8))], /no zstd/);
});

Deno.test("Budget says how much was spent", () => {
  const budget = new Budget(10);
  budget.spendBytes(4);
  assert.equal(budget.usedBytes, 4);
  assert.throws(() => budget.spendBytes(7), (error) => isSeedmintError(error, "no-space"));
});

Deno.test("RootedTree refuses names that no path has", () => {
  assert.deepEqual(RootedTree.namesIn("/a//./b/"), ["a", "b"]);
  for (const path of ["..", "a/..", "../a", "a\0b", "x".repeat(5000)]) {
    assert.throws(() => RootedTree.namesIn(path), (error) => isSeedmintError(error, "invalid"));
  }
});

/** Makes the sums of all headers right again, so that damage reaches what is behind them. */
function mendSums(tar: Uint8Array): void {
  for (let at = 0; at + 512 <= tar.length; at += 512) {
    if (new TextDecoder().decode(tar.subarray(at + 257, at + 262)) !== "ustar") continue;
    tar.fill(0x20, at + 148, at + 156);
    const sum = tar.subarray(at, at + 512).reduce((total, byte) => total + byte, 0);
    const text = `${sum.toString(8).padStart(6, "0")}\0 `;
    tar.set(new TextEncoder().encode(text), at + 148);
  }
}
