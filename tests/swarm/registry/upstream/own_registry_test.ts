/** The client against the registry of a node itself: what one pushes the other keeps and gives back. */
import assert from "node:assert/strict";
import { systemClock } from "../../../../src/host/system.ts";
import { digestOfBytes } from "../../../../swarm/registry/manifest/mod.ts";
import { RegistryClient } from "../../../../swarm/registry/upstream/mod.ts";
import { startPush } from "../http/support.ts";
import { OCI_INDEX, OCI_MANIFEST } from "./fake_registry.ts";
import { bytesOf, readAll, signal } from "./support.ts";

const ASK = { signal };
const CONFIG = new TextEncoder().encode('{"architecture":"amd64","os":"linux"}');
const LAYER = bytesOf(9_000_000);

function describe(bytes: Uint8Array, mediaType: string) {
  return { mediaType, digest: digestOfBytes(bytes), size: bytes.length };
}

function encode(content: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(content));
}

const MANIFEST = encode({
  schemaVersion: 2,
  mediaType: OCI_MANIFEST,
  config: describe(CONFIG, "application/vnd.oci.image.config.v1+json"),
  layers: [describe(LAYER, "application/vnd.oci.image.layer.v1.tar+gzip")],
});

function blobOf(bytes: Uint8Array<ArrayBuffer>) {
  return {
    digest: digestOfBytes(bytes),
    size: bytes.length,
    async *read({ start, end }: { readonly start: number; readonly end: number }) {
      for (let at = start; at < end; at += 262_144) {
        yield await Promise.resolve(bytes.slice(at, Math.min(end, at + 262_144)));
      }
    },
  };
}

Deno.test("RegistryClient pushes an image to a node's own registry and reads it from there", async () => {
  await using world = await startPush();
  const { host } = new URL(world.server.url);
  const client = new RegistryClient({
    registry: host,
    url: world.server.url,
    clock: systemClock,
  });
  assert.equal(await client.pushBlob("acme/web", blobOf(CONFIG), ASK), "uploaded");
  assert.equal(await client.pushBlob("acme/web", blobOf(LAYER), ASK), "uploaded");
  assert.equal(await client.pushBlob("acme/web", blobOf(LAYER), ASK), "present");
  const mounted = { ...blobOf(LAYER), mountFrom: "acme/web" };
  assert.equal(await client.pushBlob("acme/copy", mounted, ASK), "mounted");
  const manifest = { mediaType: OCI_MANIFEST, bytes: MANIFEST };
  const digest = await client.pushManifest("acme/web", { tag: "v1" }, manifest, ASK);
  await assert.rejects(client.pushManifest("acme/copy", { tag: "v1" }, manifest, ASK), {
    code: "not-found",
    message: /MANIFEST_BLOB_UNKNOWN/,
  });
  const found = await client.manifest("acme/web", { tag: "v1" }, ASK);
  assert.ok(found.status === "found" && found.digest === digest);
  assert.deepEqual(found.bytes, MANIFEST);
  const known = { signal, etag: found.etag! };
  assert.equal((await client.manifest("acme/web", { tag: "v1" }, known)).status, "unchanged");
  const { digest: layer } = blobOf(LAYER);
  assert.deepEqual(await client.blobSize("acme/web", layer, ASK), {
    status: "found",
    size: LAYER.length,
  });
  const origin = client.blobOrigin("acme/web", layer);
  assert.equal(digestOfBytes(await readAll(origin)), layer);
  assert.deepEqual(await readAll(origin, { offset: 8_999_990 }), LAYER.slice(8_999_990));
  assert.deepEqual(await client.tags("acme/web", { count: 9 }, ASK), {
    items: ["v1"],
    hasMore: false,
  });
  assert.equal((await client.manifest("acme/none", { tag: "v1" }, ASK)).status, "missing");
});

Deno.test("RegistryClient finds what refers to an image that was pushed to a node's own registry", async () => {
  await using world = await startPush();
  const { host } = new URL(world.server.url);
  const client = new RegistryClient({ registry: host, url: world.server.url, clock: systemClock });
  const blobs = [CONFIG, new TextEncoder().encode("{}")];
  for (const bytes of blobs) await client.pushBlob("acme/web", blobOf(bytes), ASK);
  const subject = describe(MANIFEST, OCI_MANIFEST);
  const bytes = encode({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType: "application/vnd.example.sbom",
    config: describe(blobs[1]!, "application/vnd.oci.empty.v1+json"),
    layers: [describe(CONFIG, "application/vnd.example.sbom")],
    subject,
  });
  const reference = { digest: digestOfBytes(bytes) };
  await client.pushManifest("acme/web", reference, { mediaType: OCI_MANIFEST, bytes }, ASK);
  const found = await client.referrers("acme/web", subject.digest, ASK);
  assert.deepEqual(found?.map(({ digest, artifactType }) => [digest, artifactType]), [
    [reference.digest, "application/vnd.example.sbom"],
  ]);
  // The registry lists it itself, so that nothing is tagged.
  assert.deepEqual((await client.tags("acme/web", { count: 9 }, ASK))?.items ?? [], []);
  const index = encode({
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [describe(bytes, OCI_MANIFEST)],
  });
  await client.pushManifest(
    "acme/web",
    { tag: "all" },
    { mediaType: OCI_INDEX, bytes: index },
    ASK,
  );
  const all = await client.manifest("acme/web", { tag: "all" }, { signal, isHead: true });
  assert.ok(all.status === "found" && all.mediaType === OCI_INDEX && all.bytes.length === 0);
});
