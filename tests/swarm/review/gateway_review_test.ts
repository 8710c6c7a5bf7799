/** What a client of the gateway must not be able to learn, take or be kept waiting for. */
import { equal } from "node:assert/strict";
import { ask, FakeSeller, startWorld, tokenOf } from "../gateway/support.ts";
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
