import assert from "node:assert/strict";
import { systemClock } from "../../../../src/host/system.ts";
import { testBytes } from "../../fetch/fakes.ts";
import {
  GET,
  HEAD,
  imageOf,
  NGINX,
  PATIENT,
  readAll,
  sha256Of,
  until,
  type World,
  world,
} from "./kit.ts";

const MIB = 1024 * 1024;
const LAYER_BYTES = testBytes(6 * MIB + 77, 1);
const IMAGE = imageOf(LAYER_BYTES);
const LAYER = IMAGE.layers[0]!;
const SHA256 = sha256Of(LAYER);
const OTHER_BYTES = testBytes(LAYER_BYTES.length, 5);

/** A mirror whose client was given the image's manifest. */
async function answered(...args: Parameters<typeof world>): Promise<World> {
  const at = world(...args);
  at.hub.put("library/nginx", IMAGE, "latest");
  assert.ok(await at.mirror.manifest(NGINX, { tag: "latest" }, GET) !== undefined);
  return at;
}

const blobOf = (at: World) => at.mirror.blob(NGINX, LAYER, GET);

Deno.test("A blob that is complete here is delivered as its record, and needs nobody", async () => {
  await using at = await answered();
  await at.store.importBytes(LAYER_BYTES);
  at.hub.weather.isDown = true;
  const delivery = await blobOf(at);
  assert.equal(delivery?.record?.state, "complete");
  assert.equal(delivery.size, LAYER_BYTES.length);
  assert.deepEqual(await readAll(delivery), LAYER_BYTES);
});

Deno.test("Ranges of a complete blob and of one that comes in are exactly what they should be", async () => {
  await using at = await answered();
  await at.swarm.add("member", [LAYER_BYTES], { isTrusted: true, throughput: 40 * MIB });
  const size = LAYER_BYTES.length;
  for (const isHere of [false, true]) {
    for (const [start, end] of [[0, 1], [size - 1, size], [16_383, 16_385], [5 * MIB, size]]) {
      const range = { start: start!, end: end! };
      const bytes = await readAll(await blobOf(at), range);
      assert.deepEqual(bytes, LAYER_BYTES.subarray(start, end));
    }
    if (!isHere) await readAll(await blobOf(at));
  }
});

Deno.test("Under a trusted mapping bytes leave while the rest is still on its way", async () => {
  await using at = await answered();
  await at.swarm.add("member", [LAYER_BYTES], { isTrusted: true, throughput: 10 * MIB });
  await using delivery = (await blobOf(at))!;
  let isEarly = false;
  let count = 0;
  for await (const piece of delivery.read({ start: 0, end: delivery.size }, PATIENT)) {
    assert.deepEqual(piece, LAYER_BYTES.subarray(count, count + piece.length));
    count += piece.length;
    isEarly ||= at.store.findBySha256(SHA256) === undefined;
  }
  assert.equal(count, LAYER_BYTES.length);
  assert.ok(isEarly, "the first byte came before the last");
  assert.equal(at.hub.count("GET blob"), 0);
  await until(() => at.store.findBySha256(SHA256)?.state === "complete", "its SHA-256 is known");
});

Deno.test("A mapping that a signed catalog gives is trusted, whoever the peer is", async () => {
  const probe = world();
  const { hash } = await probe.store.importBytes(LAYER_BYTES);
  await probe[Symbol.asyncDispose]();
  const mapping = { sha256: SHA256, hash, size: LAYER_BYTES.length };
  const pins = { pinOf: () => undefined, mappingOf: () => mapping };
  await using at = await answered({ pins });
  await at.swarm.add("stranger", [LAYER_BYTES], { throughput: 10 * MIB });
  await using delivery = (await blobOf(at))!;
  for await (const piece of delivery.read({ start: 0, end: delivery.size }, PATIENT)) {
    assert.equal(at.store.status(hash)?.state, "partial");
    assert.ok(piece.length > 0);
    break;
  }
});

Deno.test("Where a client reads is fetched first, however far into the blob it is", async () => {
  const bytes = testBytes(48 * MIB, 3);
  const image = imageOf(bytes);
  await using at = world();
  at.hub.put("library/nginx", image, "big");
  await at.swarm.add("member", [bytes], { isTrusted: true, throughput: 24 * MIB });
  await at.mirror.manifest(NGINX, { tag: "big" }, GET);
  const start = 40 * MIB;
  const delivery = await at.mirror.blob(NGINX, image.layers[0]!, GET);
  const found = await readAll(delivery, { start, end: start + 100_000 });
  const { sentBytes } = at.swarm.peers.get("member")!;
  assert.deepEqual(found, bytes.subarray(start, start + 100_000));
  assert.ok(sentBytes < start, `${sentBytes} bytes were sent, the place is at ${start}`);
});

Deno.test("When the peer that sends dies, another goes on in the same answer", async () => {
  await using at = await answered();
  const options = { isTrusted: true, throughput: 12 * MIB };
  await at.swarm.add("dying", [LAYER_BYTES], { ...options, hangsAfterBytes: 2 * MIB });
  await at.swarm.add("steady", [LAYER_BYTES], options);
  assert.deepEqual(await readAll(await blobOf(at)), LAYER_BYTES);
  assert.equal(at.hub.count("GET blob"), 0);
});

Deno.test("When all peers die in the middle, the registry goes on in the same answer", async () => {
  for (const fault of [{ hangsAfterBytes: 2 * MIB }, { resetsAfterBytes: 2 * MIB }]) {
    await using at = await answered();
    await at.swarm.add("a", [LAYER_BYTES], { isTrusted: true, throughput: 12 * MIB, ...fault });
    assert.deepEqual(await readAll(await blobOf(at)), LAYER_BYTES);
  }
});

Deno.test("A trusted peer that sends wrong bytes is found out before any of them leaves", async () => {
  await using at = await answered();
  await at.swarm.add("broken", [LAYER_BYTES], {
    isTrusted: true,
    throughput: 12 * MIB,
    liesAfterBytes: 3 * MIB,
  });
  assert.deepEqual(await readAll(await blobOf(at)), LAYER_BYTES);
});

Deno.test("Under a stranger's word no byte leaves before all of it was checked", async () => {
  await using at = await answered();
  await at.swarm.add("stranger", [LAYER_BYTES], { throughput: 12 * MIB });
  await using delivery = (await blobOf(at))!;
  for await (const piece of delivery.read({ start: 0, end: delivery.size }, PATIENT)) {
    assert.equal(at.store.findBySha256(SHA256)?.state, "complete");
    assert.ok(piece.length > 0);
  }
  assert.equal(at.hub.count("GET blob"), 0, "the registry stood by and was not needed");
  assert.equal(at.store.findBySha256(SHA256)?.visibility, "fleet");
});

Deno.test("A stranger's false word costs its author a ban and the client time only", async () => {
  await using at = await answered();
  const liar = await at.swarm.add("liar", [OTHER_BYTES]);
  const [said] = liar.says.values();
  liar.says.set(SHA256, { ...said!, sha256: SHA256 });
  assert.deepEqual(await readAll(await blobOf(at)), LAYER_BYTES);
  assert.deepEqual(at.swarm.banned, ["liar"]);
  assert.equal(at.store.status(said!.hash), undefined, "what it brought is not kept");
  assert.deepEqual(at.intake.brought, [SHA256]);
});

Deno.test("A false word of a member of the fleet is found out, too: the client sees it, nobody believes it again", async () => {
  await using at = await answered();
  const liar = await at.swarm.add("member", [OTHER_BYTES], { isTrusted: true });
  const [said] = liar.says.values();
  liar.says.set(SHA256, { ...said!, sha256: SHA256 });
  await readAll(await blobOf(at)).catch(() => {});
  await until(() => at.swarm.banned.includes("member"), "the member is banned");
  await until(() => at.mirror.fetchingCount === 0, "the registry brought it");
  assert.deepEqual(await readAll(await blobOf(at)), LAYER_BYTES);
});

Deno.test("A word that gives another size than the manifest is not followed, and a lie once the bytes are here", async () => {
  await using at = await answered();
  const liar = await at.swarm.add("liar", [testBytes(1000, 4)], { isTrusted: true });
  const [said] = liar.says.values();
  liar.says.set(SHA256, { ...said!, sha256: SHA256 });
  assert.deepEqual(await readAll(await blobOf(at)), LAYER_BYTES);
  assert.deepEqual(at.swarm.banned, ["liar"]);
  assert.deepEqual(at.swarm.fetched, []);
});

Deno.test("A word that names a far larger blob is given up when its size is proven", async () => {
  await using at = await answered();
  const huge = testBytes(24 * MIB, 6);
  const liar = await at.swarm.add("liar", [huge], { throughput: 16 * MIB });
  const [said] = liar.says.values();
  liar.says.set(SHA256, { ...said!, sha256: SHA256, size: LAYER_BYTES.length });
  assert.deepEqual(await readAll(await blobOf(at)), LAYER_BYTES);
  assert.deepEqual(at.swarm.banned, ["liar"]);
  assert.ok(at.swarm.peers.get("liar")!.sentBytes < huge.length, "it was not fetched to its end");
});

Deno.test("A stranger that hangs, or would take too long, is overtaken by the registry", async () => {
  for (const fault of [{ hangsAfterBytes: 0 }, { hangsAfterBytes: MIB }, { throughput: MIB }]) {
    await using at = await answered();
    await at.swarm.add("slow", [LAYER_BYTES], fault);
    assert.deepEqual(await readAll(await blobOf(at)), LAYER_BYTES);
    assert.deepEqual(at.intake.brought, [SHA256]);
    assert.deepEqual(at.swarm.banned, [], "slow is no lie");
  }
});

Deno.test("What nobody knows of comes in from the registry once, for all clients at the same time", async () => {
  await using at = await answered();
  at.hub.weather.throughput = 20 * MIB;
  const bodies = await Promise.all(
    Array.from({ length: 20 }, async () => await readAll(await blobOf(at))),
  );
  for (const body of bodies) assert.deepEqual(body, LAYER_BYTES);
  assert.deepEqual(at.intake.brought, [SHA256]);
  assert.equal(at.hub.sentBytes.get(LAYER), LAYER_BYTES.length);
});

Deno.test("A client that goes away does not end what others wait for", async () => {
  await using at = await answered();
  at.hub.weather.throughput = 10 * MIB;
  const leaving = new AbortController();
  const first = at.mirror.blob(NGINX, LAYER, { ...GET, signal: leaving.signal });
  first.catch(() => {});
  const second = blobOf(at);
  await systemClock.sleep(150);
  leaving.abort(new Error("gone"));
  await assert.rejects(async () => {
    const delivery = await first;
    await using held = delivery!;
    for await (const _ of held.read({ start: 0, end: held.size }, leaving.signal));
  }, /gone/);
  assert.deepEqual(await readAll(await second), LAYER_BYTES);
  assert.equal(at.hub.count("GET blob"), 1);
});

Deno.test("When the last client goes away a fetch ends; what was verified stays and is not fetched again", async () => {
  await using at = await answered();
  await at.swarm.add("member", [LAYER_BYTES], { isTrusted: true, throughput: 8 * MIB });
  {
    await using delivery = (await blobOf(at))!;
    for await (const piece of delivery.read({ start: 0, end: delivery.size }, PATIENT)) {
      assert.ok(piece.length > 0);
      break;
    }
  }
  await until(() => at.mirror.fetchingCount === 0, "the fetch ended");
  const [partial] = [...at.store.list()].filter(({ size }) => size === LAYER_BYTES.length);
  assert.equal(partial?.state, "partial");
  assert.deepEqual(await readAll(await blobOf(at)), LAYER_BYTES);
});

Deno.test("A client that leaves with the last byte does not end the check of what it was given", async () => {
  await using at = await answered();
  await at.swarm.add("member", IMAGE.blobs.values(), { isTrusted: true });
  for (const [digest, bytes] of IMAGE.blobs) {
    assert.deepEqual(await readAll(await at.mirror.blob(NGINX, digest, GET)), bytes);
  }
  await until(() => at.kept.length === 1, "the image is kept");
  assert.equal(at.store.findBySha256(SHA256)?.state, "complete");
});

Deno.test("What the registry sends goes on for a moment after its last client left, so that one that comes back finds it", async () => {
  await using at = await answered({ limits: { lingerMs: 400 } });
  at.hub.weather.throughput = 16 * MIB;
  await (await blobOf(at))![Symbol.asyncDispose]();
  assert.equal(at.mirror.fetchingCount, 1);
  assert.deepEqual(await readAll(await blobOf(at)), LAYER_BYTES);
  assert.equal(at.hub.count("GET blob"), 1);
});

Deno.test("And ends when nobody comes back", async () => {
  await using at = await answered();
  at.hub.weather.throughput = MIB;
  await (await blobOf(at))![Symbol.asyncDispose]();
  await until(() => at.mirror.fetchingCount === 0, "the fetch ended");
  await until(() => at.intake.endedCount === 1, "the intake ended");
  assert.ok((at.hub.sentBytes.get(LAYER) ?? 0) < LAYER_BYTES.length);
});

Deno.test("A HEAD of a blob tells its size and fetches nothing", async () => {
  await using at = await answered();
  await using delivery = (await at.mirror.blob(NGINX, LAYER, HEAD))!;
  assert.equal(delivery.size, LAYER_BYTES.length);
  assert.equal(delivery.digest, LAYER);
  assert.equal(at.mirror.fetchingCount, 0);
  assert.deepEqual(at.intake.brought, []);
});

Deno.test("A HEAD of a blob that nobody can deliver any more is 404", async () => {
  await using at = await answered();
  at.hub.weather.isDown = true;
  at.clock.shift(11 * 60_000);
  assert.equal(await at.mirror.blob(NGINX, LAYER, HEAD), undefined);
});

Deno.test("A blob whose manifest never was asked for here is asked about at its registry, once, and brought", async () => {
  await using at = world();
  at.hub.put("library/nginx", IMAGE);
  assert.deepEqual(await readAll(await blobOf(at)), LAYER_BYTES);
  assert.equal(at.hub.count("HEAD blob"), 1);
});

Deno.test("Two repositories that have one blob share its fetch; when the first one's registry fails, the second one's does it", async () => {
  await using at = await answered();
  at.ghcr.put("acme/web", IMAGE, "1");
  const web = { registry: "ghcr.io", repository: "acme/web" };
  await at.mirror.manifest(web, { tag: "1" }, GET);
  at.hub.weather.throughput = 2 * MIB;
  at.hub.weather.cutsAfter = MIB;
  const first = blobOf(at).then((delivery) => readAll(delivery));
  first.catch(() => {});
  await systemClock.sleep(100);
  assert.deepEqual(await readAll(await at.mirror.blob(web, LAYER, GET)), LAYER_BYTES);
  await assert.rejects(first);
});

Deno.test("A blob of nothing is delivered as nothing", async () => {
  const image = imageOf(new Uint8Array(0));
  await using at = world();
  at.hub.put("library/empty", image, "1");
  const name = { registry: "docker.io", repository: "library/empty" };
  await at.mirror.manifest(name, { tag: "1" }, GET);
  assert.deepEqual(
    await readAll(await at.mirror.blob(name, image.layers[0]!, GET)),
    new Uint8Array(0),
  );
});
