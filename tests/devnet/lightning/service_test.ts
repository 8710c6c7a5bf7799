import assert from "node:assert/strict";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { ChildProcess } from "../../../devnet/processes.ts";
import { FakeLightning, LightningAdmin, LightningService } from "../../../devnet/lightning/mod.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { decodeInvoice } from "../../../wallet/lightning/bolt11.ts";

function startService(): LightningService {
  const options = { clock: systemClock, random: systemRandom };
  const lightning = FakeLightning.open({ ...options, fees: { baseMsat: 1000n, ppm: 0n } });
  return LightningService.start({ lightning });
}

Deno.test("HttpLightning answers as FakeLightning does", async () => {
  await using service = startService();
  const client = new LightningAdmin(`${service.url}/`);
  const { bolt11, paymentHash } = await client.createInvoice({ payee: "B", amountMsat: 21_000n });
  assert.equal(decodeInvoice(bolt11).amountMsat, 21_000n);
  assert.equal(await client.estimateFeeMsat(bolt11, "A"), 1000n);
  assert.equal(await client.payment(paymentHash, "A"), undefined);
  const waiting = client.invoice(paymentHash, { waitMs: 10_000 });
  const paid = await client.pay({ bolt11, from: "A", maxFeeMsat: 1000n });
  assert.deepEqual(paid, await service.lightning.payment(paymentHash, "A"));
  assert.deepEqual(await client.payment(paymentHash, "A"), paid);
  assert.deepEqual(await waiting, await service.lightning.invoice(paymentHash));
  assert.deepEqual(await client.books(), service.lightning.books());
});

Deno.test("LightningAdmin orders what FakeLightning does", async () => {
  await using service = startService();
  const client = new LightningAdmin(service.url);
  const { bolt11, paymentHash } = await client.createInvoice({ payee: "B", amountMsat: 21_000n });
  const pay = () => client.pay({ bolt11, from: "A", maxFeeMsat: 7n });
  assert.match((await pay()).reason!, /fee limit/);
  await client.setFees({ baseMsat: 7n, ppm: 0n });
  await client.script({ action: "fail", count: "always" });
  assert.equal((await pay()).state, "failed");
  await client.clearScripts();
  await client.script({ match: { from: "A" }, action: "hold" });
  assert.equal((await pay()).state, "pending");
  assert.equal(await client.fail(paymentHash), 1);
  await client.script({ action: "hold" });
  assert.equal((await pay()).state, "pending");
  assert.equal(await client.settle(paymentHash, "A"), 1);
  assert.equal((await pay()).feeMsat, 7n);
  await client.offline(true);
  await assert.rejects(pay(), (error) => isSeedmintError(error, "unavailable"));
  await client.offline(false);
  assert.equal((await pay()).state, "succeeded");
});

Deno.test("LightningService refuses what makes no sense with a reason", async () => {
  await using service = startService();
  const client = new LightningAdmin(service.url);
  await assert.rejects(
    client.script({ action: "explode" as "fail" }),
    (error) => isSeedmintError(error, "usage") && /notify-never/.test(error.message),
  );
  await assert.rejects(client.invoice("00"), (error) => isSeedmintError(error, "not-found"));
  const ask = async (path: string, body: string) => {
    const response = await fetch(service.url + path, { method: "POST", body });
    await response.body?.cancel();
    return response.status;
  };
  assert.equal(await ask("/invoices", "[broken"), 400);
  assert.equal(await ask("/invoices", JSON.stringify({ payee: "B", amountMsat: 1.5 })), 400);
  assert.equal(await ask("/invoices", "x".repeat(1 << 17)), 400);
  assert.equal(await ask("/nothing", "{}"), 404);
});

Deno.test("HttpLightning says that nobody answers when nobody does", async () => {
  const service = startService();
  const client = new LightningAdmin(service.url);
  const { bolt11 } = await client.createInvoice({ payee: "B", amountMsat: 21_000n });
  await client.script({ action: "silent" });
  const asked = assert.rejects(
    client.pay({ bolt11, from: "A", maxFeeMsat: 1000n }),
    (error) => isSeedmintError(error, "unavailable") && error.retryable,
  );
  while (service.lightning.payments().length === 0) {
    await new Promise((done) => setTimeout(done, 5));
  }
  await service[Symbol.asyncDispose]();
  await asked;
  await assert.rejects(client.books(), (error) => isSeedmintError(error, "unavailable"));
});

Deno.test("the Lightning process survives a kill with all that it answered", async () => {
  const data = await Deno.makeTempDir();
  try {
    const options = { script: "devnet/lightning/main.ts", flags: ["--allow-all"] };
    const first = new ChildProcess({ ...options, args: ["--data", data, "--json"] });
    const { url } = await first.waitFor((line) => line.event === "ready");
    const client = new LightningAdmin(String(url));
    const { bolt11, paymentHash } = await client.createInvoice({ payee: "B", amountMsat: 21_000n });
    await client.script({ action: "hold" });
    await client.pay({ bolt11, from: "A", maxFeeMsat: 5000n });
    await first.kill();
    const { port } = new URL(String(url));
    const args = ["--data", data, "--json", "--port", port];
    await using second = new ChildProcess({ ...options, args });
    await second.waitFor((line) => line.event === "ready");
    assert.equal((await client.payment(paymentHash, "A"))?.state, "pending");
    await client.settle(paymentHash);
    assert.equal((await client.invoice(paymentHash)).state, "paid");
    assert.ok((await client.books()).isBalanced);
  } finally {
    await Deno.remove(data, { recursive: true });
  }
});
