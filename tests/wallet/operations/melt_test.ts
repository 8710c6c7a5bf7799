import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { beginMelt, meltResultOf } from "../../../wallet/operations/melt.ts";
import { assertConserved, fundedKit, meltPosts, shopInvoice, shopSat } from "./melt_world.ts";

Deno.test("melt pays an invoice once, takes its change, and shows preimage, fee and change", async () => {
  await using world = await fundedKit();
  const { kit, alice } = world;
  kit.mints[0]!.admin.setFeeReserve({ minSat: 10 });
  const { bolt11, paymentHash } = await shopInvoice(kit, 100n);
  const begun = await beginMelt(alice.context, { mint: kit.url(), invoice: bolt11 });
  const done = await alice.driveToEnd(begun.id);
  assert.equal(done.status, "done", done.reason);
  assert.equal(shopSat(kit), 100n);
  assert.equal(meltPosts(kit), 1);
  const result = meltResultOf(done);
  const hash = createHash("sha256").update(Uint8Array.fromHex(result.preimage!)).digest("hex");
  assert.equal(hash, paymentHash);
  assert.equal(result.isProven, true);
  assert.equal(result.feeSat, done.fee);
  assert.equal(alice.free(), 900n - done.fee);
  assert.ok(result.changeSat! > 0n);
  assert.ok(done.fee <= result.feeMaxSat!);
  assertConserved(kit, alice);
});
