import assert from "node:assert/strict";
import { digestOfBytes } from "../../../../swarm/registry/manifest/mod.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { OCI_MANIFEST } from "./fake_registry.ts";
import { FakeWeb } from "./fake_web.ts";
import { bytesOf, clientOf, HOST, manifestOf, readAll, signal } from "./support.ts";

const LATEST = { tag: "latest" };
const BYTES = new TextEncoder().encode(JSON.stringify(manifestOf()));
const BLOB = digestOfBytes(bytesOf(100));

/** A registry that can be told to answer nothing. */
function world() {
  const state = { isSilent: true };
  const clock = new ManualClock();
  const web = new FakeWeb().host(HOST, (request) => {
    if (state.isSilent) return new Promise<Response>(() => {});
    if (request.url.includes("/blobs/")) return new Response(bytesOf(100));
    return new Response(BYTES, { headers: { "content-type": OCI_MANIFEST } });
  });
  const client = clientOf(web, { clock });
  const ask = (options: { signal: AbortSignal } = { signal }) =>
    client.manifest("a/b", LATEST, options);
  return { state, clock, web, client, ask };
}

Deno.test("RegistryClient leaves a registry alone for ten seconds that left a question without an answer", async () => {
  const { state, clock, web, ask } = world();
  const first = assert.rejects(ask(), { code: "timeout" });
  await clock.advance(8_000);
  await first;
  const askedCount = web.seen.length;
  state.isSilent = false;
  await clock.advance(9_000);
  const left = { code: "unavailable", retryable: true, message: /asked again in 1 s/ };
  await assert.rejects(ask(), left);
  assert.equal(web.seen.length, askedCount, "nothing was sent");
  await clock.advance(1_000);
  assert.equal((await ask()).status, "found");
});

Deno.test("RegistryClient asks a registry that is down once and without a pause, until it answers", async () => {
  const clock = new ManualClock();
  let isDown = true;
  const web = new FakeWeb().host(HOST, () => {
    if (isDown) return Promise.reject(new TypeError("connection refused"));
    return new Response(BYTES, { headers: { "content-type": OCI_MANIFEST } });
  });
  const client = clientOf(web, { clock });
  const ask = () => client.manifest("a/b", LATEST, { signal });
  const first = assert.rejects(ask(), { code: "unavailable" });
  await clock.advance(300);
  await first;
  assert.equal(web.seen.length, 2, "the first question is asked twice");
  await assert.rejects(ask(), { code: "unavailable" });
  assert.equal(web.seen.length, 3, "the next one once, and at once");
  isDown = false;
  assert.equal((await ask()).status, "found");
  isDown = true;
  const again = assert.rejects(ask(), { code: "unavailable" });
  await clock.advance(300);
  await again;
  assert.equal(web.seen.length, 6, "what answered since is worth a second try");
});

Deno.test("RegistryClient takes a caller's patience for silence after five seconds, and not before", async () => {
  const { state, clock, ask } = world();
  for (const [ms, code] of [[4_900, undefined], [5_000, "unavailable"]] as const) {
    const abort = new AbortController();
    state.isSilent = true;
    const asked = assert.rejects(ask({ signal: abort.signal }));
    await clock.advance(ms);
    abort.abort();
    await asked;
    await clock.advance(0);
    state.isSilent = false;
    if (code === undefined) assert.equal((await ask()).status, "found");
    else await assert.rejects(ask(), { code });
  }
});

Deno.test("RegistryClient asks on when another question was answered meanwhile, and reads blobs in any case", async () => {
  const { state, clock, client, ask } = world();
  const slow = assert.rejects(ask(), { code: "timeout" });
  await clock.advance(2_000);
  state.isSilent = false;
  assert.equal((await ask()).status, "found");
  await clock.advance(6_000);
  await slow;
  assert.equal((await ask()).status, "found");
  state.isSilent = true;
  const silent = assert.rejects(ask(), { code: "timeout" });
  await clock.advance(8_000);
  await silent;
  state.isSilent = false;
  assert.equal((await readAll(client.blobOrigin("a/b", BLOB))).length, 100);
  assert.equal((await ask()).status, "found", "the blob's answer ended the silence");
});
