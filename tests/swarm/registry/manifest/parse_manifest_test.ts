import assert from "node:assert/strict";
import fc from "fast-check";
import { utf8 } from "../../../../src/core/bytes.ts";
import { isSeedmintError } from "../../../../src/core/errors.ts";
import {
  buildIndex,
  CHILDREN_MAX,
  digestOfBytes,
  EMPTY_INDEX,
  MANIFEST_BYTES_MAX,
  MEDIA_TYPES,
  parseConfigPlatform,
  parseManifest,
  referrerOf,
} from "../../../../swarm/registry/manifest/mod.ts";
import { artifactOf, describe, imageOf, indexOf, jsonPart, layerOf } from "./fixture.ts";

const image = imageOf([layerOf("a"), layerOf("b")]);

function fails(mediaType: string | undefined, value: unknown, pattern: RegExp): void {
  const bytes = value instanceof Uint8Array
    ? value as Uint8Array<ArrayBuffer>
    : utf8(JSON.stringify(value));
  assert.throws(() => parseManifest(mediaType, bytes), (error: unknown) => {
    assert.ok(isSeedmintError(error, "invalid"), `${error}`);
    assert.match(error.message, pattern);
    return true;
  });
}

const plain = () => JSON.parse(new TextDecoder().decode(image.manifest.bytes));

Deno.test("parseManifest() reads an image's configuration and layers in order", () => {
  const parsed = parseManifest(image.manifest.mediaType, image.manifest.bytes);
  assert.equal(parsed.kind, "image");
  assert.equal(parsed.digest, image.manifest.digest);
  assert.equal(parsed.size, image.manifest.bytes.length);
  assert.deepEqual(parsed.children.map(({ digest }) => digest), [
    image.config.digest,
    ...image.layers.map(({ digest }) => digest),
  ]);
  assert.equal(parsed.config?.digest, image.config.digest);
});

Deno.test("parseManifest() reads Docker's schema 2, its lists, and parameters of a media type", () => {
  const docker = imageOf([layerOf("d")], { isDocker: true });
  assert.equal(parseManifest(docker.manifest.mediaType, docker.manifest.bytes).kind, "image");
  const list = jsonPart({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.dockerList,
    manifests: [describe(docker.manifest, { platform: docker.platform })],
  }, MEDIA_TYPES.dockerList);
  const parsed = parseManifest(`${MEDIA_TYPES.dockerList}; charset=utf-8`, list.bytes);
  assert.equal(parsed.kind, "index");
  assert.deepEqual(parsed.children[0]!.platform, { os: "linux", architecture: "amd64" });
});

Deno.test("parseManifest() takes what a manifest says of itself when nobody else says", () => {
  assert.equal(parseManifest(undefined, image.manifest.bytes).kind, "image");
  assert.equal(parseManifest(undefined, indexOf([image]).bytes).kind, "index");
  const { mediaType: _, ...bare } = plain();
  assert.equal(
    parseManifest(undefined, utf8(JSON.stringify(bare))).mediaType,
    MEDIA_TYPES.ociManifest,
  );
  assert.equal(
    parseManifest(undefined, utf8('{"schemaVersion":2,"manifests":[]}')).mediaType,
    MEDIA_TYPES.ociIndex,
  );
});

Deno.test("parseManifest() tells artifacts from images, with the type that referrers are asked by", () => {
  const { manifest, config } = artifactOf(image.manifest);
  const parsed = parseManifest(manifest.mediaType, manifest.bytes);
  assert.equal(parsed.kind, "artifact");
  assert.equal(parsed.subject?.digest, image.manifest.digest);
  assert.equal(referrerOf(parsed).artifactType, config.mediaType);
  assert.deepEqual({ ...referrerOf(parsed).annotations }, { "org.example.note": "none" });
  const typed = artifactOf(image.manifest, { artifactType: "application/vnd.example.sbom" });
  const other = parseManifest(typed.manifest.mediaType, typed.manifest.bytes);
  assert.equal(referrerOf(other).artifactType, "application/vnd.example.sbom");
});

Deno.test("referrerOf() gives an image about another its configuration's type", () => {
  const about = imageOf([layerOf("x")], { subject: describe(image.manifest) });
  const parsed = parseManifest(about.manifest.mediaType, about.manifest.bytes);
  assert.equal(parsed.kind, "image");
  assert.equal(referrerOf(parsed).artifactType, MEDIA_TYPES.ociConfig);
});

Deno.test("parseManifest() keeps foreign layers apart: a registry need not have them", () => {
  const foreign = {
    ...describe(layerOf("w")),
    mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    urls: ["https://example.com/layer"],
  };
  const manifest = { ...plain(), layers: [...plain().layers, foreign] };
  const parsed = parseManifest(MEDIA_TYPES.ociManifest, utf8(JSON.stringify(manifest)));
  assert.equal(parsed.children.length, 3);
  assert.deepEqual(parsed.foreign.map(({ digest }) => digest), [foreign.digest]);
});

Deno.test("parseManifest() refuses what two readers would read as two things", () => {
  const type = MEDIA_TYPES.ociManifest;
  fails(type, { ...plain(), manifests: [] }, /is no index and lists manifests/);
  const index = JSON.parse(new TextDecoder().decode(indexOf([image]).bytes));
  fails(MEDIA_TYPES.ociIndex, { ...index, layers: [] }, /index and lists layers/);
  fails(MEDIA_TYPES.ociIndex, { ...index, config: describe(image.config) }, /lists layers/);
  fails(type, { ...plain(), Layers: [] }, /"Layers", which is read as "layers"/);
  const config = { ...plain().config, Digest: image.layers[0]!.digest };
  fails(type, { ...plain(), config }, /"Digest", which is read as "digest"/);
  fails(MEDIA_TYPES.dockerManifest, plain(), /says itself that it is/);
});

Deno.test("parseManifest() refuses malformed manifests with what is wrong", () => {
  const type = MEDIA_TYPES.ociManifest;
  fails(type, utf8("{"), /not JSON/);
  fails(type, Uint8Array.of(0x7b, 0xff, 0x7d), /not JSON in UTF-8/);
  fails(type, [], /not an object/);
  fails(type, { ...plain(), schemaVersion: 1 }, /schemaVersion/);
  fails("text/html", plain(), /no media type of a manifest/);
  fails("application/vnd.docker.distribution.manifest.v1+prettyjws", plain(), /schema 1/);
  fails(type, { ...plain(), layers: {} }, /"layers" is no list/);
  fails(type, { ...plain(), config: undefined }, /configuration is not an object/);
  fails(type, { ...plain(), subject: 3 }, /subject is not an object/);
  fails(type, { ...plain(), annotations: { a: 1 } }, /annotation of it is not text/);
  fails(type, { ...plain(), artifactType: "x" }, /artifact type/);
  for (const size of [-1, 1.5, 2 ** 60, "3", null]) {
    fails(type, { ...plain(), layers: [{ ...describe(layerOf("a")), size }] }, /layers\[0\]/);
  }
  for (const digest of ["sha256:00", `sha512:${"0".repeat(128)}`, "", `SHA256:${"0".repeat(64)}`]) {
    fails(
      type,
      { ...plain(), layers: [{ ...describe(layerOf("a")), digest }] },
      /digest of layers/,
    );
  }
});

Deno.test("parseManifest() takes what tools in the field write beside the letter of the standard", () => {
  const none = { ...plain(), layers: null };
  assert.equal(parseManifest(undefined, utf8(JSON.stringify(none))).children.length, 1);
  const index = utf8('{"schemaVersion":2,"manifests":null}');
  assert.deepEqual(parseManifest(MEDIA_TYPES.ociIndex, index).children, []);
  const text = { ...describe(layerOf("t")), mediaType: "text/plain; charset=utf-8" };
  const manifest = utf8(JSON.stringify({ ...plain(), layers: [text] }));
  assert.equal(parseManifest(undefined, manifest).children[1]?.mediaType, text.mediaType);
  const attestation = { ...describe(image.manifest), platform: { os: "", architecture: "" } };
  const list = utf8(JSON.stringify({ schemaVersion: 2, manifests: [attestation] }));
  assert.equal(parseManifest(undefined, list).children[0]?.platform, undefined);
  for (const mediaType of ["", "x", "a/", "/a", "a/b\n", "ä/b", " a/b"]) {
    fails(undefined, { ...plain(), layers: [{ ...text, mediaType }] }, /media type of layers/);
  }
});

Deno.test("parseManifest() holds its limits", () => {
  const layer = describe(layerOf("a"));
  const many = { ...plain(), layers: Array.from({ length: CHILDREN_MAX + 1 }, () => layer) };
  fails(MEDIA_TYPES.ociManifest, many, /at most 4096/);
  fails(MEDIA_TYPES.ociManifest, new Uint8Array(MANIFEST_BYTES_MAX + 1), /at most 4194304/);
  const large = describe(image.manifest, { size: MANIFEST_BYTES_MAX + 1 });
  fails(MEDIA_TYPES.ociIndex, { schemaVersion: 2, manifests: [large] }, /manifest has at most/);
});

Deno.test("parseManifest() throws nothing but invalid, whatever it is given", () => {
  const value = fc.oneof(
    fc.json().map((text) => utf8(text)),
    fc.uint8Array({ maxLength: 64 }).map((bytes) => Uint8Array.from(bytes)),
    fc.record({
      schemaVersion: fc.constantFrom(1, 2, "2"),
      mediaType: fc.constantFrom(...Object.values(MEDIA_TYPES), 7),
      config: fc.jsonValue(),
      layers: fc.oneof(fc.jsonValue(), fc.array(fc.jsonValue())),
      manifests: fc.jsonValue(),
      subject: fc.jsonValue(),
      annotations: fc.jsonValue(),
    }, { requiredKeys: [] }).map((object) => utf8(JSON.stringify(object))),
  );
  fc.assert(
    fc.property(value, fc.constantFrom(undefined, ...Object.values(MEDIA_TYPES)), (bytes, type) => {
      try {
        assert.equal(parseManifest(type, bytes).digest, digestOfBytes(bytes));
      } catch (error) {
        assert.ok(isSeedmintError(error, "invalid"), `${error}`);
      }
    }),
  );
});

Deno.test("buildIndex() gives an index that reads as what it was made of, and one digest for it", () => {
  const about = artifactOf(image.manifest, { artifactType: "application/x-a", text: "1" });
  const referrer = referrerOf(parseManifest(about.manifest.mediaType, about.manifest.bytes));
  const index = buildIndex([referrer]);
  const parsed = parseManifest(index.mediaType, index.bytes);
  assert.deepEqual(
    parsed.children.map((child) => ({ ...child, annotations: { ...child.annotations } })),
    [{ ...referrer, annotations: { ...referrer.annotations } }],
  );
  assert.equal(index.digest, buildIndex([referrer]).digest);
  assert.deepEqual(JSON.parse(new TextDecoder().decode(EMPTY_INDEX.bytes)).manifests, []);
});

Deno.test("parseConfigPlatform() reads what an image runs on, or nothing", () => {
  assert.deepEqual(
    parseConfigPlatform(utf8('{"os":"linux","architecture":"arm","variant":"v7"}')),
    {
      os: "linux",
      architecture: "arm",
      variant: "v7",
    },
  );
  for (const text of ["{}", "[]", "nonsense", '{"os":1,"architecture":"arm"}', '{"os":""}']) {
    assert.equal(parseConfigPlatform(utf8(text)), undefined, text);
  }
});
