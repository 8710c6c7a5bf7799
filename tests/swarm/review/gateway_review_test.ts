/** What a client of the gateway must not be able to learn, take or be kept waiting for. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { nostrPublicKey } from "../../../src/nostr/nostr.ts";
import { encodeCollection } from "../../../swarm/collection.ts";
import {
  ALICE,
  ask,
  authorization,
  FakeSeller,
  sha256Of,
  startWorld,
  tokenOf,
} from "../gateway/support.ts";
import { content } from "../provider/support.ts";

Deno.test("Gateway tells a session without credit the price at once, however small that is", async () => {
  const seller = new FakeSeller();
  // A chunk group costs one msat.
  seller.terms = { ...seller.terms, priceMsatPerMiB: 64 };
  await using world = await startWorld({ seller });
  const { hash } = await world.store.importBytes(content(16_384));
  const body = JSON.stringify({ blobs: [hash] });
  const headers = { "x-cashu": tokenOf(10) };
  const opened = await ask(world, "/session", { method: "POST", headers, body });
  equal(opened.status, 201);
  const bearer = { authorization: `Bearer ${JSON.parse(opened.text).session}` };
  for (const account of seller.accounts.values()) account.used = account.paid;
  const refused = await ask(world, `/blob/${hash}`, { headers: bearer });
  equal(refused.status, 402);
  equal((await ask(world, `/blob/${hash}`, { method: "HEAD", headers: bearer })).status, 402);
  // One msat is what it costs, and enough.
  for (const account of seller.accounts.values()) account.used -= 2 ** 20;
  equal((await ask(world, `/blob/${hash}`, { headers: bearer })).status, 200);
});

Deno.test("Gateway counts a session for many blobs as many requests", async () => {
  await using world = await startWorld({ limits: { requestsPerSecondPerAddress: 10 } });
  const children = [];
  for (let index = 0; index < 3000; index++) {
    const { hash, size } = await world.store.importBytes(Uint8Array.of(index >> 8, index & 255));
    children.push({ name: `${index}`.padStart(4, "0"), hash, size });
  }
  const bytes = encodeCollection(children);
  const { hash: collection } = await world.store.importBytes(bytes, { kind: "collection" });
  const open = (body: unknown, from?: string) =>
    ask(world, "/session", { method: "POST", body: JSON.stringify(body), ...(from && { from }) });
  for (let index = 0; index < 5; index++) {
    equal((await open({ blobs: [children[0]!.hash] })).status, 402);
  }
  equal((await open({ collection })).status, 402);
  const again = await open({ collection });
  equal(again.status, 429);
  ok(Number(again.headers.get("retry-after")) > 0);
  equal((await open({ collection }, "127.0.0.2")).status, 402, "others are none the worse");
});

Deno.test("GET /list tells nothing of an upload that the operator hid since", async () => {
  const key = nostrPublicKey(ALICE);
  await using world = await startWorld({ uploads: { keys: [key] } });
  const hidden = content(2000, 1);
  const sha256 = await sha256Of(hidden);
  const headers = { authorization: authorization({ verb: "upload", x: [sha256] }) };
  const uploaded = await ask(world, "/upload", { method: "PUT", headers, body: hidden });
  equal(uploaded.status, 201);
  equal((await ask(world, `/list/${key}?cursor=${sha256}`)).status, 200);
  const record = world.store.findBySha256(sha256 as never)!;
  world.store.setAttributes(record.hash, { visibility: "private" });
  const asked = await ask(world, `/list/${key}?cursor=${sha256}`);
  const absent = await ask(world, `/list/${key}?cursor=${"0".repeat(64)}`);
  deepEqual([asked.status, asked.text], [absent.status, absent.text]);
  match(absent.text, /names nothing here/);
});

Deno.test("Gateway knows its proxies when it listens on IPv6 and is reached over IPv4", async () => {
  await using world = await startWorld({
    hostname: "::",
    proxies: ["127.0.0.2"],
    limits: { requestsPerSecondPerAddress: 1 },
  });
  for (let index = 0; index < 8; index++) {
    const headers = { "x-forwarded-for": `192.0.2.${index}` };
    equal((await ask(world, "/", { headers, from: "127.0.0.2" })).status, 200);
  }
});

Deno.test("Gateway takes no proxy's word for a client that is no address", async () => {
  await using world = await startWorld({
    proxies: ["127.0.0.2"],
    limits: { requestsPerSecondPerAddress: 1 },
  });
  const statuses = [];
  for (let index = 0; index < 12; index++) {
    const named = ["192.0.2.1:", "::::", "1.", "[2001:db8::1]:", "x"][index % 5]!;
    const headers = { "x-forwarded-for": `${named}${index}` };
    statuses.push((await ask(world, "/", { headers, from: "127.0.0.2" })).status);
  }
  ok(statuses.includes(429), "all of them are the proxy");
});

Deno.test("the local cache gives what has a price to programs, and to no page", async () => {
  await using world = await startWorld({ localCache: {} });
  const { hash } = await world.store.importBytes(content(40_000));
  equal((await ask(world, `/blob/${hash}`)).status, 200);
  const headers = { origin: "https://page.example" };
  equal((await ask(world, `/blob/${hash}`, { headers })).status, 402);
  equal(world.seller.meterCount, 0);
});
