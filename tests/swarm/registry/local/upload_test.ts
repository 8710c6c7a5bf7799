import assert from "node:assert/strict";
import fc from "fast-check";
import { concatBytes } from "../../../../src/core/bytes.ts";
import { isSeedmintError } from "../../../../src/core/errors.ts";
import { UPLOAD_IDLE_MS } from "../../../../swarm/registry/local/mod.ts";
import { digestOfBytes } from "../../../../swarm/registry/manifest/mod.ts";
import { sha256Of } from "../../../../swarm/registry/names.ts";
import { layerOf } from "../manifest/fixture.ts";
import { chunkOf, LocalKit, NEVER, pullBlob } from "./kit.ts";

const bytes = layerOf("upload", 10_000).bytes;
const digest = digestOfBytes(bytes);

/** A chunk that goes on when it is told, as a slow client's. */
function slowChunk() {
  const stream = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
  const writer = stream.writable.getWriter();
  return {
    chunk: stream.readable,
    send: (part: Uint8Array<ArrayBuffer>) => writer.write(part),
    writer,
  };
}

Deno.test("An upload takes chunks in order and tells where the next one begins", async () => {
  await using kit = await LocalKit.open();
  const { registry } = kit;
  const { id, offset } = await registry.beginUpload("a");
  assert.equal(offset, 0);
  const append = (start: number | undefined, end: number) =>
    registry.append("a", id, chunkOf(bytes.slice(start ?? 0, end)), {
      signal: NEVER,
      ...(start === undefined ? {} : { start }),
    });
  assert.equal((await append(0, 4000))?.offset, 4000);
  for (const start of [0, 3999, 4001]) {
    await assert.rejects(
      append(start, 9000),
      (error: unknown) => isSeedmintError(error, "conflict"),
    );
  }
  assert.equal(registry.uploadStatus("a", id)?.offset, 4000);
  assert.equal((await append(4000, 10_000))?.offset, 10_000);
  assert.equal(await registry.finishUpload("a", id, digest), true);
  assert.deepEqual(await pullBlob(registry, "a", digest), bytes);
  assert.deepEqual(kit.uploadFiles, []);
});

Deno.test("An upload belongs to its repository: another one does not see it", async () => {
  await using kit = await LocalKit.open();
  const { registry } = kit;
  const { id } = await registry.beginUpload("a");
  assert.equal(registry.uploadStatus("b", id), undefined);
  assert.equal(await registry.append("b", id, chunkOf(bytes), { signal: NEVER }), undefined);
  assert.equal(await registry.finishUpload("b", id, digest), false);
  assert.equal(await registry.cancelUpload("b", id), false);
  assert.equal(await registry.cancelUpload("a", id), true);
  assert.equal(await registry.cancelUpload("a", id), false);
  assert.deepEqual(kit.uploadFiles, []);
});

Deno.test("A chunk that breaks off leaves what was acknowledged, and nothing else", async () => {
  await using kit = await LocalKit.open();
  const { registry } = kit;
  const { id } = await registry.beginUpload("a");
  await registry.append("a", id, chunkOf(bytes.slice(0, 1000)), { signal: NEVER });
  const broken = (async function* () {
    yield await Promise.resolve(bytes.slice(0, 5000));
    throw new Error("the client went away");
  })();
  await assert.rejects(registry.append("a", id, broken, { signal: NEVER }));
  assert.equal(registry.uploadStatus("a", id)?.offset, 1000);
  const client = new AbortController();
  const { chunk, send } = slowChunk();
  const appending = registry.append("a", id, chunk, { signal: client.signal });
  await send(bytes.slice(0, 700));
  client.abort(new Error("gone"));
  await assert.rejects(appending, /gone/);
  assert.equal(registry.uploadStatus("a", id)?.offset, 1000);
  await registry.append("a", id, chunkOf(bytes.slice(1000)), { signal: NEVER });
  assert.equal(await registry.finishUpload("a", id, digest), true);
});

Deno.test("One request at a time works on an upload", async () => {
  await using kit = await LocalKit.open();
  const { registry } = kit;
  const { id } = await registry.beginUpload("a");
  const { chunk, send, writer } = slowChunk();
  const appending = registry.append("a", id, chunk, { signal: NEVER });
  await send(bytes);
  const isBusy = (error: unknown) => isSeedmintError(error, "busy");
  await assert.rejects(registry.append("a", id, chunkOf(bytes), { signal: NEVER }), isBusy);
  await assert.rejects(registry.finishUpload("a", id, digest), isBusy);
  await writer.close();
  assert.equal((await appending)?.offset, bytes.length);
  assert.equal(await registry.finishUpload("a", id, digest), true);
});

Deno.test("Cancelling stops a chunk that hangs, and removes the file", async () => {
  await using kit = await LocalKit.open();
  const { registry } = kit;
  const { id } = await registry.beginUpload("a");
  const { chunk, send } = slowChunk();
  const appending = registry.append("a", id, chunk, { signal: NEVER });
  await send(bytes);
  const failed = assert.rejects(appending, (error: unknown) => isSeedmintError(error, "aborted"));
  assert.equal(await registry.cancelUpload("a", id), true);
  await failed;
  assert.deepEqual(kit.uploadFiles, []);
});

Deno.test("An upload that nobody goes on with is dropped, even in the middle of a chunk", async () => {
  await using kit = await LocalKit.open();
  const { registry } = kit;
  const idle = await registry.beginUpload("a");
  const hanging = await registry.beginUpload("a");
  const { chunk, send } = slowChunk();
  const appending = registry.append("a", hanging.id, chunk, { signal: NEVER });
  await send(bytes);
  const failed = assert.rejects(appending, (error: unknown) => isSeedmintError(error, "aborted"));
  await kit.clock.advance(UPLOAD_IDLE_MS / 2);
  const young = await registry.beginUpload("a");
  await kit.clock.advance(UPLOAD_IDLE_MS / 2 + 1);
  await failed;
  await registry.tidy();
  assert.equal(registry.uploadStatus("a", idle.id), undefined);
  assert.equal(registry.uploadStatus("a", hanging.id), undefined);
  assert.equal(registry.uploadStatus("a", young.id)?.offset, 0);
  assert.deepEqual(kit.uploadFiles, [young.id]);
});

Deno.test("Uploads are bounded in number and in bytes", async () => {
  await using kit = await LocalKit.open({ limits: { uploadsMax: 2, uploadBytesMax: 5000 } });
  const { registry } = kit;
  const { id } = await registry.beginUpload("a");
  await registry.beginUpload("a");
  await assert.rejects(
    registry.beginUpload("a"),
    (error: unknown) => isSeedmintError(error, "busy") && error.retryable,
  );
  await assert.rejects(
    registry.append("a", id, chunkOf(bytes), { signal: NEVER }),
    (error: unknown) => isSeedmintError(error, "no-space"),
  );
  assert.equal(registry.uploadStatus("a", id)?.offset, 0);
  assert.equal((await Deno.stat(`${kit.directory.path}/uploads/${id}`)).size, 0);
  await kit.clock.advance(UPLOAD_IDLE_MS + 1);
  await registry.beginUpload("a");
});

Deno.test("A restart goes on with an upload where it was acknowledged, and removes stray files", async () => {
  await using kit = await LocalKit.open();
  const { id } = await kit.registry.beginUpload("a");
  await kit.registry.append("a", id, chunkOf(bytes.slice(0, 6000)), { signal: NEVER });
  const lost = await kit.registry.beginUpload("a");
  await kit.close();
  const uploads = `${kit.directory.path}/uploads`;
  // As a kill in the middle of a chunk leaves it.
  await Deno.writeFile(`${uploads}/${id}`, bytes.slice(0, 999), { append: true });
  await Deno.writeFile(`${uploads}/${"0".repeat(32)}`, bytes);
  await Deno.remove(`${uploads}/${lost.id}`);
  await kit.reopen();
  assert.deepEqual(kit.uploadFiles, [id]);
  assert.equal(kit.registry.uploadStatus("a", id)?.offset, 6000);
  assert.equal(kit.registry.uploadStatus("a", lost.id), undefined);
  const rest = { start: 6000, signal: NEVER };
  await kit.registry.append("a", id, chunkOf(bytes.slice(6000)), rest);
  assert.equal(await kit.registry.finishUpload("a", id, digest), true);
  assert.deepEqual(await pullBlob(kit.registry, "a", digest), bytes);
  await kit.reopen();
  assert.deepEqual(await pullBlob(kit.registry, "a", digest), bytes);
});

Deno.test("Finishing fails for a reason of the disk and works the next time", async () => {
  await using kit = await LocalKit.open();
  const { registry, store } = kit;
  const { id } = await registry.beginUpload("a");
  await registry.append("a", id, chunkOf(bytes), { signal: NEVER });
  const file = `${kit.directory.path}/uploads/${id}`;
  await Deno.rename(file, `${file}.away`);
  await assert.rejects(registry.finishUpload("a", id, digest));
  assert.equal(registry.uploadStatus("a", id)?.offset, bytes.length);
  await Deno.rename(`${file}.away`, file);
  assert.equal(await registry.finishUpload("a", id, digest), true);
  assert.ok(store.findBySha256(sha256Of(digest)));
});

type Deed =
  | { readonly kind: "append"; readonly parts: readonly number[]; readonly breaks: boolean }
  | { readonly kind: "restart" }
  | { readonly kind: "wrong start"; readonly by: number };

const deed: fc.Arbitrary<Deed> = fc.oneof(
  fc.record({
    kind: fc.constant("append" as const),
    parts: fc.array(fc.integer({ min: 0, max: 4000 }), { maxLength: 4 }),
    breaks: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("restart" as const) }),
  fc.record({ kind: fc.constant("wrong start" as const), by: fc.integer({ min: 1, max: 50 }) }),
);

Deno.test("Whatever breaks off or restarts, an upload is exactly the chunks that were acknowledged", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { maxLength: 8 }), async (deeds) => {
      await using kit = await LocalKit.open();
      const { id } = await kit.registry.beginUpload("a");
      const kept: Uint8Array<ArrayBuffer>[] = [];
      let seed = 0;
      for (const one of deeds) {
        const offset = kept.reduce((sum, { length }) => sum + length, 0);
        if (one.kind === "restart") await kit.reopen();
        else if (one.kind === "wrong start") {
          const start = offset + one.by;
          await assert.rejects(
            kit.registry.append("a", id, chunkOf(bytes), { start, signal: NEVER }),
          );
        } else {
          const parts = one.parts.map((size) => layerOf(`part ${seed++}`, size).bytes);
          const chunk = (async function* () {
            yield* chunkOf(...parts);
            if (one.breaks) throw new Error("broken off");
          })();
          const appended = kit.registry.append("a", id, chunk, { start: offset, signal: NEVER });
          if (one.breaks) await assert.rejects(appended);
          else {
            await appended;
            kept.push(...parts);
          }
        }
      }
      const whole = concatBytes(...kept);
      assert.equal(kit.registry.uploadStatus("a", id)?.offset, whole.length);
      assert.equal(await kit.registry.finishUpload("a", id, digestOfBytes(whole)), true);
      assert.deepEqual(
        await pullBlob(kit.registry, "a", digestOfBytes(whole)),
        Uint8Array.from(whole),
      );
    }),
    { numRuns: 40 },
  );
});
