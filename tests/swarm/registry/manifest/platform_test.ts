import assert from "node:assert/strict";
import fc from "fast-check";
import {
  accepts,
  formatPlatform,
  hostPlatform,
  isSamePlatform,
  matchesPlatform,
  MEDIA_TYPES,
  parsePlatform,
} from "../../../../swarm/registry/manifest/mod.ts";

Deno.test("parsePlatform() reads platforms as people write them", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["linux/amd64", "linux/amd64"],
    ["Linux/x86_64", "linux/amd64"],
    ["arm64", "linux/arm64"],
    ["linux/aarch64", "linux/arm64"],
    ["linux/arm64/v8", "linux/arm64/v8"],
    [" windows/amd64 ", "windows/amd64"],
  ];
  for (const [text, wanted] of cases) assert.equal(formatPlatform(parsePlatform(text)), wanted);
  for (
    const text of ["", "a/b/c/d", "linux/", "/amd64", "li nux/amd64", `linux/${"a".repeat(65)}`]
  ) {
    assert.throws(() => parsePlatform(text), SyntaxError, text);
  }
});

Deno.test("parsePlatform() reads what formatPlatform() writes", () => {
  const part = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/).filter((text) =>
    !/^(i.86|arm..)$/.test(text)
  );
  fc.assert(
    fc.property(part, part, fc.option(part, { nil: undefined }), (os, architecture, variant) => {
      const platform = { os, architecture, ...(variant === undefined ? {} : { variant }) };
      assert.ok(isSamePlatform(parsePlatform(formatPlatform(platform)), platform));
    }),
  );
});

Deno.test("matchesPlatform() takes variants that go without saying as said", () => {
  const matches = (wanted: string, found: string) =>
    matchesPlatform(parsePlatform(wanted), parsePlatform(found));
  assert.ok(matches("linux/arm64", "linux/arm64/v8"));
  assert.ok(matches("linux/arm64/v8", "linux/arm64"));
  assert.ok(matches("linux/arm", "linux/arm/v6"));
  assert.ok(!matches("linux/arm/v7", "linux/arm/v6"));
  assert.ok(!matches("linux/amd64", "windows/amd64"));
  assert.ok(!matches("linux/amd64", "linux/arm64"));
});

Deno.test("hostPlatform() is the Linux of the machine's architecture", () => {
  assert.deepEqual(hostPlatform({ arch: "x86_64" }), { os: "linux", architecture: "amd64" });
  assert.deepEqual(hostPlatform({ arch: "aarch64" }), { os: "linux", architecture: "arm64" });
});

Deno.test("accepts() honours what a client takes, and takes no answer for any", () => {
  const type = MEDIA_TYPES.ociManifest;
  assert.ok(accepts([], type));
  assert.ok(accepts([""], type));
  assert.ok(accepts(["*/*"], type));
  assert.ok(accepts([`${MEDIA_TYPES.dockerManifest}, ${type};q=0.5`], type));
  assert.ok(accepts([MEDIA_TYPES.dockerManifest, type.toUpperCase()], type));
  assert.ok(accepts(["application/*"], type));
  assert.ok(!accepts([MEDIA_TYPES.dockerManifest], type));
  assert.ok(!accepts([`${type};q=0`], type));
  assert.ok(!accepts(["text/html"], type));
});
