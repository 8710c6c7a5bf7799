import assert from "node:assert/strict";
import fc from "fast-check";
import { canonicalJson } from "../../../trust/canonical_json.ts";
import {
  type Catalog,
  type CatalogImage,
  findRelease,
  newCatalog,
  openSealed,
  parseCatalog,
  parseSeal,
  readSeal,
  renewed,
  withFile,
  withImage,
  without,
  withReleaseFile,
  writeCatalog,
  writeSeal,
} from "../../../trust/catalog/mod.ts";
import { CATALOG_BYTES_MAX, ENTRIES_MAX } from "../../../trust/catalog/limits.ts";
import { DAY_S, fileOf, NOW_S, Publisher, sealed } from "../publisher.ts";

const EMPTY: Catalog = newCatalog({
  name: "tools",
  root: "ab".repeat(16),
  issuedS: NOW_S,
  expiresS: NOW_S + 30 * DAY_S,
});

const IMAGE: CatalogImage = {
  reference: "docker.io/library/web:1.2",
  digest: `sha256:${"cd".repeat(32)}`,
  price: "free",
  platforms: ["linux/amd64", "linux/arm64"],
  blobs: [],
};

const bytesOf = (value: unknown) => new TextEncoder().encode(canonicalJson(value));

function full(): Catalog {
  const released = withReleaseFile(EMPTY, { name: "tool", version: "1.0.0", notes: "First" }, {
    file: { ...fileOf("a"), platform: "linux/amd64", origins: ["https://example.org/tool.bin"] },
    replaces: false,
  });
  const file = {
    ...fileOf("film"),
    name: "film",
    kind: "collection" as const,
    price: "priced" as const,
  };
  return withImage(withFile(released, { file, replaces: false }), {
    image: IMAGE,
    replaces: false,
  });
}

Deno.test("parseCatalog() reads what writeCatalog() writes, byte for byte", () => {
  const bytes = new TextEncoder().encode(writeCatalog(full()));
  const catalog = parseCatalog(bytes);
  assert.deepEqual(catalog, full());
  assert.deepEqual(new TextEncoder().encode(writeCatalog(catalog)), bytes);
});

Deno.test("parseCatalog() refuses every text but the canonical one", () => {
  const text = writeCatalog(full());
  const wrong = [
    ` ${text}`,
    `${text}\n`,
    JSON.stringify(JSON.parse(text), undefined, 2),
    text.replace('"sequence":1', '"sequence":1.0'),
    text.replace('"sequence":1', '"sequence":1,"sequence":1'),
    text.replace("tool.bin", "tool\\u002ebin"),
    `\ufeff${text}`,
  ];
  for (const one of wrong) {
    assert.throws(() => parseCatalog(new TextEncoder().encode(one)), SyntaxError, one.slice(0, 40));
  }
  assert.throws(() => parseCatalog(Uint8Array.of(0xff, 0xfe)), /UTF-8/);
  assert.throws(() => parseCatalog(new Uint8Array(CATALOG_BYTES_MAX + 1)), /more than/);
});

Deno.test("parseCatalog() refuses every entry that breaks a rule, and says which", () => {
  const base = full();
  const [release] = base.releases;
  const [file] = release!.files;
  const inFile = (change: object) => ({
    ...base,
    releases: [{ ...release, files: [{ ...file, ...change }] }],
  });
  const inImage = (change: object) => ({ ...base, images: [{ ...IMAGE, ...change }] });
  const blob = { sha256: "11".repeat(32), blake3: "22".repeat(32), size: 3 };
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ ...base, type: "seedmint/catalog/v2" }, /type/],
    [{ ...base, name: "Tools" }, /name/],
    [{ ...base, root: "" }, /root/],
    [{ ...base, sequence: 0 }, /sequence/],
    [{ ...base, sequence: 2 ** 41 }, /sequence/],
    [{ ...base, expiresS: base.issuedS }, /expires/],
    [{ ...base, more: [] }, /fields/],
    [{ ...base, releases: [{ ...release, price: "priced" }] }, /a release is free/],
    [{ ...base, releases: [{ ...release, files: [] }] }, /files wanted/],
    [{ ...base, releases: [{ ...release, version: "1 0" }] }, /version/],
    [{ ...base, releases: [release, release] }, /different ones in ascending/],
    [inFile({ name: "../up" }), /name/],
    [inFile({ name: ".." }), /name/],
    [inFile({ name: "a\u202eb" }), /name/],
    [inFile({ name: "a\u0000b" }), /name/],
    [inFile({ size: -1 }), /size/],
    [inFile({ blake3: "AB".repeat(32) }), /blake3/],
    [inFile({ sha256: "ab" }), /sha256/],
    [inFile({ platform: "Linux" }), /platform/],
    [inFile({ mediaType: "text" }), /media type/],
    [inFile({ kind: "blob" }), /kind/],
    [inFile({ origins: ["ftp://example.org/a"] }), /origins/],
    [inFile({ origins: ["https://user:pw@example.org/a"] }), /origins/],
    [inFile({ origins: ["https://example.org/a", "https://example.org/a"] }), /origins/],
    [inFile({ price: "free" }), /wanted/],
    [inImage({ reference: "web:1.2" }), /reference/],
    [inImage({ reference: "docker.io/library/web" }), /reference/],
    [inImage({ digest: "sha512:00" }), /digest/],
    [inImage({ platforms: ["b/b", "a/a"] }), /platforms/],
    [inImage({ blobs: [blob, blob] }), /blobs/],
    [inImage({ blobs: [{ ...blob, size: -1 }] }), /blobs/],
    [inImage({ price: "cheap" }), /price/],
    [
      {
        ...base,
        images: [
          { ...IMAGE, blobs: [blob] },
          { ...IMAGE, reference: "docker.io/library/x:1", blobs: [{ ...blob, size: 4 }] },
        ],
      },
      /in two ways/,
    ],
    [{ ...base, files: [{ ...base.files[0], price: "gratis" }] }, /price/],
  ];
  for (const [value, expected] of cases) {
    assert.throws(
      () => parseCatalog(bytesOf(value)),
      (error: Error) => error instanceof SyntaxError && expected.test(error.message),
      `${expected}`,
    );
  }
});

Deno.test("parseCatalog() refuses more entries than the limit without looking at each", () => {
  const files = Array.from({ length: ENTRIES_MAX + 1 }, () => ({}));
  assert.throws(() => parseCatalog(bytesOf({ ...EMPTY, files })), /at most 20000/);
});

Deno.test("parseCatalog() and readSeal() never throw anything else for anything", () => {
  fc.assert(fc.property(fc.jsonValue(), fc.uint8Array(), (value, noise) => {
    for (const bytes of [new TextEncoder().encode(JSON.stringify(value)), noise]) {
      assert.throws(() => parseCatalog(bytes), SyntaxError);
    }
    assert.equal(readSeal(value), undefined);
  }));
});

Deno.test("what is listed already is replaced only when that is said", () => {
  const other = { ...fileOf("b"), platform: "linux/amd64" };
  const about = { name: "tool", version: "1.0.0" };
  assert.throws(
    () => withReleaseFile(full(), about, { file: other, replaces: false }),
    /--force/,
  );
  const replaced = withReleaseFile(full(), about, { file: other, replaces: true });
  assert.equal(replaced.releases[0]!.files[0]!.blake3, other.blake3);
  assert.equal(replaced.releases[0]!.notes, "First");
  const image = { ...IMAGE, digest: `sha256:${"ee".repeat(32)}` as const };
  assert.throws(() => withImage(full(), { image, replaces: false }), /--force/);
  assert.equal(withImage(full(), { image, replaces: true }).images.length, 1);
});

Deno.test("entries stay in order however they are added, and go by name and version", () => {
  let catalog = EMPTY;
  for (const version of ["2.0", "1.10", "1.9"]) {
    catalog = withReleaseFile(catalog, { name: "tool", version }, {
      file: fileOf(version),
      replaces: false,
    });
  }
  assert.deepEqual(parseCatalog(bytesOf(catalog)), catalog);
  assert.equal(findRelease(catalog, "tool", undefined)!.version, "2.0");
  const rest = without(catalog, ({ name, version }) => name === "tool" && version === "2.0");
  assert.equal(findRelease(rest, "tool", undefined)!.version, "1.10");
  assert.equal(findRelease(rest, "tool", "1.9")!.version, "1.9");
  assert.equal(findRelease(rest, "tool", "3"), undefined);
});

Deno.test("renewed() is the next of its name with the same content", () => {
  const next = renewed(full(), { issuedS: NOW_S + 5, expiresS: NOW_S + 50 });
  assert.deepEqual({ ...next, sequence: 1, issuedS: NOW_S, expiresS: EMPTY.expiresS }, full());
  assert.equal(next.sequence, 2);
});

Deno.test("openSealed() takes the very bytes that were signed, and no others", async () => {
  const publisher = await Publisher.begin();
  const { seal, bytes, catalog } = await publisher.seal();
  assert.deepEqual(openSealed(seal, bytes), catalog);
  for (let bit = 0; bit < 64; bit++) {
    const changed = bytes.slice();
    const at = Math.floor((bit / 64) * bytes.length);
    changed[at] = changed[at]! ^ (1 << (bit % 8));
    assert.throws(() => openSealed(seal, changed), SyntaxError);
  }
  assert.throws(() => openSealed(seal, bytes.subarray(1)), /bytes/);
});

Deno.test("openSealed() refuses a catalog that says something else than its seal", async () => {
  const publisher = await Publisher.begin();
  const { catalog } = await publisher.seal();
  const changes: readonly Partial<Catalog>[] = [
    { name: "other" },
    { sequence: 9 },
    { expiresS: catalog.expiresS + 1 },
    { issuedS: catalog.issuedS - 1 },
    { root: "00".repeat(16) },
  ];
  for (const change of changes) {
    const { seal, bytes } = await sealed({ ...catalog, ...change }, ["root"]);
    const { name, sequence, expiresS, issuedS, root } = catalog;
    const stated = { ...seal.signed, catalog: name, sequence, expiresS, issuedS, root };
    assert.throws(() => openSealed({ ...seal, signed: stated }, bytes), /are others/);
  }
});

Deno.test("parseSeal() reads what writeSeal() writes, and refuses statements that break a rule", async () => {
  const { seal } = await (await Publisher.begin()).seal();
  assert.deepEqual(parseSeal(`${writeSeal(seal)}\n`), seal);
  const changes: readonly object[] = [
    { type: "seedmint/root/v1" },
    { size: CATALOG_BYTES_MAX + 1 },
    { size: 0 },
    { sequence: 0 },
    { catalog: "A" },
    { blake3: "00" },
    { expiresS: 1 },
    { more: 1 },
  ];
  for (const change of changes) {
    const text = canonicalJson({ ...seal, signed: { ...seal.signed, ...change } });
    assert.throws(() => parseSeal(text), SyntaxError, JSON.stringify(change));
  }
  assert.throws(() => parseSeal("x".repeat(20_000)), SyntaxError);
});
