import assert from "node:assert/strict";
import { concatBytes } from "../../../src/core/bytes.ts";
import { isSeedmintError, SeedmintError } from "../../../src/core/errors.ts";
import { applyLayer, Budget, RootedTree } from "../../../provisioning/unpack/mod.ts";
import {
  PATHS_CHARS_MAX,
  RESERVE_BYTES,
  RESERVE_FILES,
} from "../../../provisioning/unpack/limits.ts";
import type { ImageLayer } from "../../../provisioning/ports.ts";
import { imageOf, layerOf } from "../../support/provisioning/tar.ts";
import { idOffset, namesIn, signal, skip, world } from "./support.ts";

Deno.test({
  ...skip,
  name: "UnpackedImages stops a decompression bomb at the limit",
  fn: async () => {
    await using it = await world({ imageBytesMax: 1024 * 1024 });
    const bomb = layerOf([{ name: "zero", content: new Uint8Array(64 * 1024 * 1024) }]);
    assert.ok(bomb.size < 100_000);
    await assert.rejects(
      it.unpack(imageOf([bomb])),
      (error) => isSeedmintError(error, "no-space"),
    );
    assert.deepEqual(namesIn(it.folder), []);
  },
});

Deno.test({
  ...skip,
  name: "UnpackedImages counts what empty files take of the disk",
  fn: async () => {
    await using it = await world({ imageBytesMax: 1024 * 1024 });
    const files = Array.from({ length: 230 }, (_, index) => ({ name: `${index}` }));
    await it.unpack(imageOf([layerOf(files.slice(0, 200))]));
    await assert.rejects(
      it.unpack(imageOf([layerOf(files)])),
      (error) => isSeedmintError(error, "no-space"),
    );
  },
});

Deno.test({
  ...skip,
  name: "applyLayer() refuses paths that are longer together than memory is spared for",
  fn: async () => {
    const root = await Deno.makeTempDir({ prefix: "seedmint-unpack-" });
    // As long as the kernel has them, so that a million of them would be four GiB.
    const folder = `${"d".repeat(250)}/`.repeat(15);
    const layer = layerOf(Array.from({ length: 400 }, (_, index) => ({
      name: `${folder}${"n".repeat(220)}${index}`,
      type: "2",
      link: "x",
    })));
    const budget = () => new Budget(undefined, { pathCharsMax: 1_000_000 });
    await assert.rejects(
      applyLayer(layer, new RootedTree(root, { idOffset }), budget(), { signal }),
      (error) => isSeedmintError(error, "invalid") && /paths/.test(error.message),
    );
    const madeCount = namesIn(`${root}/${folder}`).length;
    assert.ok(madeCount > 200 && madeCount < 260, `${madeCount} entries were made`);
    await Deno.remove(root, { recursive: true });
    assert.ok(PATHS_CHARS_MAX < 20_000 * folder.length);
  },
});

Deno.test({
  ...skip,
  name: "applyLayer() counts directories that a path only implies as entries",
  fn: async () => {
    const root = await Deno.makeTempDir({ prefix: "seedmint-unpack-" });
    const layer = layerOf(Array.from({ length: 10 }, (_, index) => ({
      name: `${index}/${"d/".repeat(99)}file`,
    })));
    const tree = new RootedTree(root, { idOffset });
    await assert.rejects(
      applyLayer(layer, tree, new Budget(undefined, { entriesMax: 500 }), { signal }),
      (error) => isSeedmintError(error, "invalid") && /more than 500 entries/.test(error.message),
    );
    assert.equal(namesIn(root).length, 5);
    await applyLayer(layer, tree, new Budget(undefined, { entriesMax: 1010 }), { signal });
    await Deno.remove(root, { recursive: true });
  },
});

for (const form of ["tar", "gzip", "zstd"] as const) {
  Deno.test({
    ...skip,
    name: `UnpackedImages lets go of a ${form} layer that it did not read to its end`,
    fn: async () => {
      await using it = await world();
      const noise = () => crypto.getRandomValues(new Uint8Array(64 * 1024));
      const content = concatBytes(...Array.from({ length: 64 }, noise));
      const good = layerOf([{ name: "../out" }, { name: "large", content }], form);
      const cancelled = Promise.withResolvers<void>();
      const bytes = new Uint8Array(await new Response(await good.open()).arrayBuffer());
      let at = 0;
      const layer: ImageLayer = {
        ...good,
        open: () =>
          Promise.resolve(
            new ReadableStream({
              pull: (controller) => {
                if (at < bytes.length) controller.enqueue(bytes.slice(at, at += 4096));
                else controller.close();
              },
              cancel: () => cancelled.resolve(),
            }),
          ),
      };
      await assert.rejects(
        it.unpack(imageOf([layer])),
        (error) => isSeedmintError(error, "invalid"),
      );
      await cancelled.promise;
      assert.ok(at < bytes.length, "it was read to its end");
    },
  });
}

/** A large disk with so much above what must stay free. */
const diskWith = (bytes: number, fileCount = 1_000_000) => () =>
  Promise.resolve({
    freeBytes: RESERVE_BYTES + bytes,
    usedBytes: 100 * RESERVE_BYTES,
    freeFileCount: RESERVE_FILES + fileCount,
    fileCountMax: 100 * RESERVE_FILES,
  });

/** A disk of 100 MiB and 2000 files. */
const smallDiskWith = (freeMib: number, freeFileCount: number) => () =>
  Promise.resolve({
    freeBytes: freeMib * 1024 ** 2,
    usedBytes: (100 - freeMib) * 1024 ** 2,
    freeFileCount,
    fileCountMax: 2000,
  });

Deno.test({
  ...skip,
  name: "UnpackedImages takes a small disk but for a part of it",
  fn: async () => {
    await using it = await world({ disk: smallDiskWith(6, 101) });
    await it.unpack(imageOf([layerOf([{ name: "a", content: "1" }])]));
  },
});

for (
  const [what, disk] of [
    ["bytes", diskWith(-1)],
    ["files", diskWith(0, -1)],
    ["bytes of a small disk", smallDiskWith(4, 2000)],
    ["files of a small disk", smallDiskWith(100, 99)],
  ] as const
) {
  Deno.test({
    ...skip,
    name: `UnpackedImages unpacks nothing where few ${what} are free`,
    fn: async () => {
      let askedCount = 0;
      const makeRoom = () => Promise.resolve(void askedCount++);
      await using it = await world({ disk, makeRoom });
      await assert.rejects(
        it.unpack(imageOf([layerOf([{ name: "a" }])])),
        (error) => isSeedmintError(error, "no-space") && error.retryable,
      );
      assert.equal(askedCount, 1);
      assert.deepEqual(namesIn(it.folder), []);
    },
  });
}

Deno.test({
  ...skip,
  name: "UnpackedImages stops in the middle of an image once the disk is nearly full",
  fn: async () => {
    let looks = 0;
    await using it = await world({ disk: () => diskWith(looks++ < 2 ? 0 : -1)() });
    const image = imageOf([layerOf([{ name: "zero", content: new Uint8Array(64 * 1024 * 1024) }])]);
    await assert.rejects(it.unpack(image), (error) => isSeedmintError(error, "no-space"));
    assert.ok(looks >= 3);
    assert.deepEqual(namesIn(it.folder), []);
  },
});

Deno.test({
  ...skip,
  name: "UnpackedImages goes on once what nobody needs is gone",
  fn: async () => {
    let disk = diskWith(-1);
    const makeRoom = () => Promise.resolve(void (disk = diskWith(0)));
    await using it = await world({ disk: () => disk(), makeRoom });
    const root = await it.unpack(imageOf([layerOf([{ name: "a", content: "1" }])]));
    assert.equal(await Deno.readTextFile(`${root}/a`), "1");
  },
});

Deno.test({
  ...skip,
  name: "UnpackedImages shows no image whose files may not outlive a power cut",
  fn: async () => {
    const image = imageOf([layerOf([{ name: "a", content: "1" }])]);
    let isBroken = true;
    await using it = await world({
      sync: async (folder) => {
        assert.equal(await Deno.readTextFile(`${folder}/a`), "1");
        assert.equal(await it.images.has(image.digest), false);
        if (isBroken) throw new SeedmintError("unavailable", "the disk is broken");
      },
    });
    await assert.rejects(it.unpack(image), /the disk is broken/);
    assert.deepEqual(namesIn(it.folder), []);
    isBroken = false;
    await it.unpack(image);
    assert.equal(await it.images.has(image.digest), true);
  },
});
