import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Catalog,
  compareVersions,
  findRelease,
  formatSelector,
  isPreRelease,
  newCatalog,
  parseSelector,
  select,
  withFile,
  withImage,
  withReleaseFile,
} from "../../../trust/catalog/mod.ts";
import { DAY_S, fileOf, NOW_S } from "../publisher.ts";

Deno.test("compareVersions() counts as people do", () => {
  const ascending = [
    "0.9",
    "1.0-alpha.1",
    "1.0-alpha.2",
    "1.0-alpha.10",
    "1.0-beta",
    "1.0-rc1",
    "1.0-rc2",
    "1.0",
    "1.0.1",
    "1.2",
    "1.10",
    "2.0.0",
    "2024.1",
    "99999999999999999999.1",
  ];
  for (const [index, version] of ascending.entries()) {
    for (const [other, against] of ascending.entries()) {
      assert.equal(
        Math.sign(compareVersions(version, against)),
        Math.sign(index - other),
        `${version} ${against}`,
      );
    }
  }
  assert.equal(Math.sign(compareVersions("v1.10", "1.9")), 1);
  assert.ok(isPreRelease("1.0~rc1") && !isPreRelease("1.0+build-7"));
});

Deno.test("compareVersions() is an order: whatever the texts, both ways and over three", () => {
  const version = fc.stringMatching(/^v?[0-9a-c.+~-]{1,7}$/);
  fc.assert(
    fc.property(version, version, version, (a, b, c) => {
      assert.equal(Math.sign(compareVersions(a, b)), 0 - Math.sign(compareVersions(b, a)));
      assert.equal(compareVersions(a, b) === 0, a === b);
      if (compareVersions(a, b) < 0 && compareVersions(b, c) < 0) {
        assert.ok(compareVersions(a, c) < 0, `${a} ${b} ${c}`);
      }
    }),
    { numRuns: 2000 },
  );
});

function catalog(): Catalog {
  let made = newCatalog({
    name: "tools",
    root: "ab".repeat(16),
    issuedS: NOW_S,
    expiresS: NOW_S + DAY_S,
  });
  for (const version of ["1.0", "1.1", "2.0-rc1"]) {
    for (const platform of ["linux/amd64", "linux/arm64"]) {
      const file = { ...fileOf(version + platform), platform, name: `tool-${platform.slice(6)}` };
      made = withReleaseFile(made, { name: "tool", version }, { file, replaces: false });
    }
    const notes = { ...fileOf(`notes ${version}`), name: "notes.txt" };
    made = withReleaseFile(made, { name: "tool", version }, { file: notes, replaces: false });
  }
  made = withReleaseFile(made, { name: "other", version: "3" }, {
    file: fileOf("other"),
    replaces: false,
  });
  made = withFile(made, {
    file: { ...fileOf("film"), name: "film", price: "free" },
    replaces: false,
  });
  return withImage(made, {
    image: {
      reference: "ghcr.io/acme/web:1.2",
      digest: `sha256:${"cd".repeat(32)}`,
      price: "free",
      platforms: ["linux/amd64"],
      blobs: [],
    },
    replaces: false,
  });
}

function chosen(...texts: string[]): string[] {
  return select(catalog(), texts.map(parseSelector)).map((one) =>
    one.kind === "release"
      ? `${one.release.name}@${one.release.version}: ${one.files.map(({ name }) => name).join(" ")}`
      : one.kind === "image"
      ? one.image.reference
      : one.file.name
  );
}

Deno.test("select() takes the latest version that is done, of this platform and of none", () => {
  assert.deepEqual(chosen("tool#linux/arm64"), ["tool@1.1: notes.txt tool-arm64"]);
  assert.deepEqual(chosen("release:tool@1.0#linux/amd64"), ["tool@1.0: notes.txt tool-amd64"]);
  assert.deepEqual(chosen("tool@*"), [
    "tool@1.0: notes.txt tool-amd64 tool-arm64",
    "tool@1.1: notes.txt tool-amd64 tool-arm64",
    "tool@2.0-rc1: notes.txt tool-amd64 tool-arm64",
  ]);
});

Deno.test("select() chooses by kind and by pattern, each thing once", () => {
  assert.deepEqual(chosen("image:*"), ["ghcr.io/acme/web:1.2"]);
  assert.deepEqual(chosen("acme/web@1.*"), ["ghcr.io/acme/web:1.2"]);
  assert.deepEqual(chosen("image:*#linux/s390x"), []);
  assert.deepEqual(chosen("file:*", "fi*"), ["film"]);
  assert.deepEqual(chosen("nothing"), []);
  assert.equal(chosen("*", "*").length, 4);
});

Deno.test("findRelease() falls back on a pre-release when there is nothing else", () => {
  const all = catalog();
  assert.equal(findRelease(all, "tool", undefined)!.version, "1.1");
  assert.equal(findRelease(all, "tool", "latest")!.version, "1.1");
  assert.equal(findRelease(all, "tool", "2.0-rc1")!.version, "2.0-rc1");
  const early = { ...all, releases: all.releases.filter(({ version }) => version === "2.0-rc1") };
  assert.equal(findRelease(early, "tool", undefined)!.version, "2.0-rc1");
});

Deno.test("parseSelector() reads what formatSelector() writes, and refuses the rest", () => {
  for (
    const text of ["tool@latest", "release:t*@1.*#linux/arm/v7", "image:ghcr.io/acme/*@latest"]
  ) {
    assert.equal(formatSelector(parseSelector(text)), text);
  }
  for (const bad of ["", "a b", "release:", "tool@", "tool#Linux", "tool#linux", "x".repeat(500)]) {
    assert.throws(() => parseSelector(bad), SyntaxError, bad);
  }
});
