import assert from "node:assert/strict";
import fc from "fast-check";
import { concatBytes, utf8 } from "../../../../src/core/bytes.ts";
import { isSeedmintError } from "../../../../src/core/errors.ts";
import { encodeCollection } from "../../../../swarm/collection.ts";
import { readCollection } from "../../../../swarm/read_whole.ts";
import { LOCAL_REGISTRY } from "../../../../swarm/registry/index/mod.ts";
import { readTar, type TarFile } from "../../../../swarm/registry/images/tar_read.ts";
import { TAR_END, tarHeader, tarPadding } from "../../../../swarm/registry/images/tar_write.ts";
import { parsePlatform } from "../../../../swarm/registry/manifest/mod.ts";
import { sha256Of } from "../../../../swarm/registry/names.ts";
import { imageOf, indexOf, layerOf, type Part } from "../manifest/fixture.ts";
import { ImagesKit, NGINX } from "./kit.ts";

const base = layerOf("base", 70_000);
const amd64 = imageOf([base, layerOf("amd64"), layerOf("empty", 0)]);
const arm64 = imageOf([base, layerOf("arm64")], { platform: parsePlatform("linux/arm64") });
const index = indexOf([amd64, arm64]);
const APP = { registry: LOCAL_REGISTRY, repository: "library/nginx" };

async function kitWith(root: Part, tag: string): Promise<ImagesKit> {
  const kit = await ImagesKit.open();
  await kit.bring(NGINX, [root]);
  await kit.bringImage(NGINX, amd64);
  await kit.images.collect(NGINX, root.digest);
  kit.index.tags.set(NGINX, tag, { digest: root.digest });
  return kit;
}

async function bytesOf(source: AsyncIterable<Uint8Array<ArrayBuffer>>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part.slice());
  return concatBytes(...parts);
}

async function tarOf(
  files: readonly { readonly name: string; readonly bytes: Uint8Array }[],
): Promise<Uint8Array<ArrayBuffer>> {
  const parts = files.flatMap(({ name, bytes }) => [
    tarHeader(name, bytes.length),
    Uint8Array.from(bytes),
    tarPadding(bytes.length),
  ]);
  return await Promise.resolve(concatBytes(...parts, TAR_END));
}

/** `bytes` cut at the places given. */
async function* cut(
  bytes: Uint8Array<ArrayBuffer>,
  pieceBytes: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    yield await Promise.resolve(bytes.slice(at, at + pieceBytes));
  }
}

for (const format of ["archive", "directory"] as const) {
  Deno.test(`An image exported as ${format} is taken in elsewhere, byte for byte`, async () => {
    await using kit = await kitWith(index, "1.27");
    const path = kit.path("out");
    let progress = 0;
    const bytes = await kit.images.export(NGINX, index.digest, {
      path,
      format,
      onProgress: (count) => progress = count,
    });
    assert.equal(progress, bytes);
    await assert.rejects(
      kit.images.export(NGINX, index.digest, { path, format }),
      (error: unknown) => isSeedmintError(error, "storage"),
    );
    await using other = await ImagesKit.open();
    const [imported, ...more] = await other.images.importLayout(path);
    assert.deepEqual(more, []);
    assert.deepEqual(imported?.name, APP);
    assert.equal(imported?.tag, "1.27");
    assert.equal(imported?.digest, index.digest);
    assert.equal(imported?.collection, kit.images.list()[0]!.collection);
    const info = other.images.find(APP, { tag: "1.27" })!;
    assert.equal(info.isWhole, true);
    assert.equal(info.visibility, "private");
    assert.equal(info.isPinned, true);
    for (const part of [index, amd64.manifest, amd64.config, ...amd64.layers]) {
      assert.ok(other.has(part));
    }
    assert.ok(!other.has(arm64.manifest));
    // Again it costs nothing and changes nothing.
    const blobCount = other.store.usage().blobCount;
    await other.images.importLayout(path);
    assert.equal(other.store.usage().blobCount, blobCount);
  });
}

Deno.test("An archive has the size that was told, the same bytes every time, and what old dockers read", async () => {
  await using kit = await kitWith(amd64.manifest, "old");
  const archive = kit.images.archive(NGINX, amd64.manifest.digest);
  const bytes = await bytesOf(archive.read());
  assert.equal(bytes.length, archive.size);
  assert.deepEqual(await bytesOf(archive.read()), bytes);
  const files = new Map<string, Uint8Array>();
  for await (const { name, body } of readTar(cut(Uint8Array.from(bytes), 1000))) {
    files.set(name, await bytesOf(body));
  }
  const [legacy] = JSON.parse(new TextDecoder().decode(files.get("manifest.json")));
  assert.deepEqual(legacy.RepoTags, ["docker.io/library/nginx:old"]);
  assert.deepEqual(files.get(legacy.Config), Uint8Array.from(amd64.config.bytes));
  assert.deepEqual(
    legacy.Layers.map((name: string) => files.get(name)?.length),
    amd64.layers.map((layer) => layer.bytes.length),
  );
});

Deno.test("An import of a layout that was tampered with keeps nothing", async () => {
  await using kit = await kitWith(index, "1");
  const path = kit.path("layout");
  await kit.images.export(NGINX, index.digest, { path, format: "directory" });
  const file = `${path}/blobs/sha256/${sha256Of(base.digest)}`;
  await Deno.chmod(file, 0o644);
  const bytes = await Deno.readFile(file);
  bytes[500]! ^= 1;
  await Deno.writeFile(file, bytes);
  await using other = await ImagesKit.open();
  await assert.rejects(
    other.images.importLayout(path),
    (error: unknown) => isSeedmintError(error, "corrupt"),
  );
  assert.equal(other.store.usage().blobCount, 0);
  assert.deepEqual(other.images.list(), []);
  await Deno.remove(file);
  await assert.rejects(
    other.images.importLayout(path),
    (error: unknown) => isSeedmintError(error, "invalid"),
  );
  assert.equal(other.store.usage().blobCount, 0);
});

Deno.test("An import takes the name that it is given, and never a tag of another registry", async () => {
  await using kit = await kitWith(amd64.manifest, "1");
  const path = kit.path("image.tar");
  await kit.images.export(NGINX, amd64.manifest.digest, { path });
  await using other = await ImagesKit.open();
  const name = { registry: "ghcr.io", repository: "acme/nginx" };
  const [imported] = await other.images.importLayout(path, { name, visibility: "public" });
  assert.deepEqual(imported?.name, name);
  assert.equal(other.index.tags.get(name, "1"), undefined);
  assert.equal(other.visibilityOf(base), "public");
  assert.equal(other.images.find(name, { digest: amd64.manifest.digest })?.visibility, "public");
});

Deno.test("An import refuses what is no layout, and one without a name", async () => {
  await using kit = await ImagesKit.open();
  const layout = { name: "oci-layout", bytes: utf8('{"imageLayoutVersion":"1.0.0"}') };
  const plain = { name: "index.json", bytes: indexOf([amd64]).bytes };
  const named = (part: Part) => ({
    name: `blobs/sha256/${sha256Of(part.digest)}`,
    bytes: part.bytes,
  });
  const blobs = [amd64.manifest, amd64.config, ...amd64.layers].map(named);
  const cases: readonly (readonly [string, readonly { name: string; bytes: Uint8Array }[]])[] = [
    ["no layout", [plain, ...blobs]],
    ["no index", [layout, ...blobs]],
    ["another version", [{ ...layout, bytes: utf8('{"imageLayoutVersion":"2"}') }, plain]],
    ["no json", [{ ...layout, bytes: utf8("x") }, plain]],
    ["no name", [layout, plain, ...blobs]],
    ["an empty index", [layout, { ...plain, bytes: indexOf([]).bytes }]],
  ];
  for (const [what, files] of cases) {
    await Deno.writeFile(kit.path("image.tar"), await tarOf(files));
    await assert.rejects(
      kit.images.importLayout(kit.path("image.tar")),
      (error: unknown) => isSeedmintError(error, "invalid"),
      what,
    );
    assert.equal(kit.store.usage().blobCount, 0, what);
  }
  const stray = {
    name: `blobs/sha256/${sha256Of(arm64.config.digest)}`,
    bytes: arm64.config.bytes,
  };
  await Deno.writeFile(kit.path("image.tar"), await tarOf([...blobs, stray, plain, layout]));
  const [imported] = await kit.images.importLayout(kit.path("image.tar"), { name: APP, tag: "x" });
  assert.equal(kit.images.find(APP, { tag: "x" })?.digest, imported?.digest);
  assert.ok(!kit.has(arm64.config), "what no image needs is dropped");
  await assert.rejects(
    kit.images.importLayout(kit.path("nowhere")),
    (error: unknown) => isSeedmintError(error, "storage"),
  );
});

Deno.test("adopt() makes an image of a collection that was fetched, once its digests are checked", async () => {
  await using kit = await kitWith(index, "1");
  const { collection } = kit.images.list()[0]!;
  await using other = await ImagesKit.open();
  for (const record of kit.store.list()) {
    await using reader = await kit.store.openReader(record.hash);
    const bytes = new Uint8Array(record.size);
    await reader.read(0, bytes);
    await other.store.importBytes(bytes, { kind: record.kind });
  }
  const adopted = await other.images.adopt(NGINX, collection, { visibility: "fleet" });
  assert.deepEqual(adopted, { digest: index.digest, collection });
  assert.ok(other.index.members.has(NGINX, base.digest, "blob"));
  assert.equal(other.visibilityOf(base), "fleet");
});

Deno.test("adopt() does not open what is secret here to the repository that lists it", async () => {
  await using kit = await kitWith(amd64.manifest, "1");
  const { collection } = kit.images.list()[0]!;
  await using other = await ImagesKit.open();
  await other.bring({ ...APP, repository: "secret" }, [base], { visibility: "private" });
  for (const record of kit.store.list()) {
    await using reader = await kit.store.openReader(record.hash);
    const bytes = new Uint8Array(record.size);
    await reader.read(0, bytes);
    await other.store.importBytes(bytes, { kind: record.kind });
  }
  other.store.setAttributes(other.store.findBySha256(sha256Of(base.digest))!.hash, {
    visibility: "private",
  });
  await other.images.adopt(NGINX, collection, { visibility: "public" });
  assert.equal(other.visibilityOf(base), "private");
  assert.equal(other.visibilityOf(amd64.layers[1]!), "public");
  assert.equal(other.index.members.has(NGINX, base.digest), false);
});

Deno.test("adopt() shows nobody what was added here for this node alone, whoever lists it", async () => {
  for (const kept of [{ name: "notes.txt" }, { tag: "added" }, { pinned: true }]) {
    await using kit = await kitWith(amd64.manifest, "1");
    const { collection } = kit.images.list()[0]!;
    await using other = await ImagesKit.open();
    await other.store.importBytes(base.bytes, { visibility: "private", ...kept });
    for (const record of kit.store.list()) {
      if (record.sha256 === sha256Of(base.digest)) continue;
      await using reader = await kit.store.openReader(record.hash);
      const bytes = new Uint8Array(record.size);
      await reader.read(0, bytes);
      await other.store.importBytes(bytes, { kind: record.kind, visibility: "private" });
    }
    await other.images.adopt(NGINX, collection, { visibility: "public" });
    assert.equal(other.visibilityOf(base), "private");
    assert.equal(other.visibilityOf(amd64.layers[1]!), "public", "it came with the collection");
  }
});

Deno.test("adopt() refuses a collection whose maker lied about a digest", async () => {
  await using kit = await kitWith(index, "1");
  const { collection } = kit.images.list()[0]!;
  const children = await readCollection(kit.store, collection);
  const wrong = await kit.store.importBytes(layerOf("wrong", 70_000).bytes);
  const lie = encodeCollection(
    children.map((child) =>
      child.name.endsWith(sha256Of(base.digest)) ? { ...child, hash: wrong.hash } : child
    ),
  );
  const lying = await kit.store.importBytes(lie, { kind: "collection" });
  await assert.rejects(
    kit.images.adopt(NGINX, lying.hash),
    (error: unknown) => isSeedmintError(error, "corrupt"),
  );
  const plain = await kit.store.importBytes(
    encodeCollection(children.filter(({ name }) => name !== "index.json")),
    { kind: "collection" },
  );
  await assert.rejects(
    kit.images.adopt(NGINX, plain.hash),
    (error: unknown) => isSeedmintError(error, "invalid"),
  );
});

Deno.test("readTar() reads what tarHeader() writes, wherever the input is cut", async () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9/._-]{0,98}[a-z]$/);
  const file = fc.record({ name, bytes: fc.uint8Array({ maxLength: 1500 }) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(file, { maxLength: 5 }),
      fc.integer({ min: 1, max: 2000 }),
      fc.boolean(),
      async (files, pieceBytes, isRead) => {
        const found: { name: string; bytes: Uint8Array }[] = [];
        for await (const { name, body } of readTar(cut(await tarOf(files), pieceBytes))) {
          found.push({ name, bytes: isRead ? await bytesOf(body) : new Uint8Array(0) });
        }
        assert.deepEqual(
          found.map(({ name }) => name),
          files.map(({ name }) => name),
        );
        if (isRead) {
          assert.deepEqual(
            found.map(({ bytes }) => [...bytes]),
            files.map(({ bytes }) => [...bytes]),
          );
        }
      },
    ),
  );
});

Deno.test("readTar() throws nothing but invalid, whatever the archive is", async () => {
  const whole = await tarOf([{ name: "a", bytes: new Uint8Array(600) }, {
    name: "b",
    bytes: new Uint8Array(10),
  }]);
  const damage = fc.array(
    fc.record({ at: fc.nat({ max: whole.length - 1 }), byte: fc.nat({ max: 255 }) }),
    { maxLength: 4 },
  );
  await fc.assert(
    fc.asyncProperty(damage, fc.nat({ max: whole.length }), async (places, end) => {
      const bytes = whole.slice(0, end);
      for (const { at, byte } of places) if (at < end) bytes[at] = byte;
      try {
        let sizes = 0;
        for await (const file of readTar(cut(bytes, 300)) as AsyncIterable<TarFile>) {
          sizes += (await bytesOf(file.body)).length;
        }
        assert.ok(sizes <= whole.length);
      } catch (error) {
        assert.ok(isSeedmintError(error, "invalid"), `${error}`);
      }
    }),
  );
});

Deno.test("tarHeader() and readTar() hold sizes beyond eight gigabytes", async () => {
  const size = 3 * 2 ** 33 + 5;
  const files = readTar(cut(tarHeader("large", size), 512));
  const { value } = await files.next();
  assert.equal((value as TarFile).size, size);
  await assert.rejects(files.next(), (error: unknown) => isSeedmintError(error, "invalid"));
});

Deno.test("readTar() reads the long names of pax and GNU", async () => {
  const long = `${"d/".repeat(80)}file`;
  const record = `path=${long}\n`;
  const length = record.length + 4;
  const pax = utf8(`${length} ${record}`);
  const header = (name: string, size: number, type: string) => {
    const block = tarHeader(name, size);
    block[156] = type.charCodeAt(0);
    block.fill(0x20, 148, 156);
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.set(utf8(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
    return block;
  };
  const archive = concatBytes(
    header("x", pax.length, "x"),
    pax,
    tarPadding(pax.length),
    header("short", 1, "0"),
    utf8("1"),
    tarPadding(1),
    header("././@LongLink", long.length + 1, "L"),
    utf8(`${long}\0`),
    tarPadding(long.length + 1),
    header("short", 1, "0"),
    utf8("2"),
    tarPadding(1),
    header("link", 0, "2"),
    header("./plain", 0, "0"),
    TAR_END,
  );
  const names: string[] = [];
  for await (const { name } of readTar(cut(archive, 777))) names.push(name);
  assert.deepEqual(names, [long, long, "plain"]);
});
