import assert from "node:assert/strict";
import { FaultProxyClient } from "../../../devnet/fault_proxy/mod.ts";
import { ChildProcess } from "../../../devnet/processes.ts";

Deno.test("the fault proxy's process takes orders over HTTP", async () => {
  await using mint = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => Response.json({ signatures: [] }),
  );
  const target = `http://127.0.0.1:${mint.addr.port}`;
  await using child = new ChildProcess({
    script: "devnet/fault_proxy/main.ts",
    args: ["--target", target, "--json"],
    flags: ["--allow-all"],
  });
  const { url, adminUrl } = await child.waitFor((line) => line.event === "ready");
  const orders = new FaultProxyClient(String(adminUrl));
  const ask = async () => {
    const response = await fetch(`${url}/v1/swap`, { method: "POST", body: "{}" });
    await response.body?.cancel();
    return response.status;
  };
  await orders.fault({ action: "status", status: 500, count: "always" });
  assert.equal(await ask(), 500);
  await orders.clear();
  assert.equal(await ask(), 200);
  await orders.offline(true);
  await assert.rejects(ask(), TypeError);
  await orders.offline(false);
  await orders.setTarget("http://127.0.0.1:1");
  await assert.rejects(ask(), TypeError);
  await orders.setTarget(target);
  assert.equal((await orders.replay(0)).status, 200);
  const log = await orders.log();
  assert.deepEqual(log.map((entry) => entry.action), ["status", "pass", "pass"]);
  await assert.rejects(orders.fault({ action: "explode" as "pass" }), /its action is one of/);
});
