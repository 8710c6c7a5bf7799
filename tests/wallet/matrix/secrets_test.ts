/** S1: no log, error, event or file tells what could be spent. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { MatrixWorld } from "../../support/matrix_world.ts";
import { SecretBook } from "../../support/secret_scan.ts";
import type { PaymentOutcome } from "../../../wallet/wallet_api.ts";

Deno.test("S1 logs, errors and files of wallets in every kind of trouble tell no secret", async (test) => {
  await using world = await MatrixWorld.start({ mints: 2, feePpk: 100 });
  const folder = await world.funded("alice", 2_000);
  const [from, to] = world.urls as [string, string];
  let token = "";
  {
    await using child = await world.open(folder);
    const ask = (amountSat: number) =>
      child.ask<PaymentOutcome>({
        do: "payment",
        request: { paymentId: `p${amountSat}`, acceptedMints: [from], priceSat: amountSat },
      });
    const made = await ask(77);
    assert.ok(made.status === "ready");
    token = made.token;
    // Everything that can go wrong is told of, in words.
    for (const path of ["/v1/swap", "/v1/melt/bolt11", "/v1/mint/bolt11", "/v1/melt/quote/*"]) {
      for (const proxy of world.proxies) {
        proxy.fault({ action: "html", match: { path }, count: 2 });
        proxy.fault({ action: "status", status: 500, match: { path }, forward: true });
        proxy.fault({ action: "truncate", match: { path } });
      }
    }
    const spent = { payer: "peer", paymentId: "p" };
    await world.kit.redeem(token).catch(() => {});
    await child.ask({ do: "take", offer: { ...spent, token } });
    await child.ask({ do: "take", offer: { ...spent, token: token.slice(0, -9) } });
    await ask(5_000);
    await ask(130);
    const { bolt11 } = await world.kit.lightning.createInvoice({
      payee: "shop",
      amountMsat: 90_000n,
    });
    const may = (task: Promise<unknown>) => task.catch(() => {});
    await may(child.ask({ do: "pay", request: { invoice: bolt11, mint: from } }));
    await may(child.ask({ do: "pay", request: { invoice: bolt11.slice(0, -5), mint: from } }));
    await may(child.ask({ do: "swap", request: { from, to, amountSat: 60 } }));
    await may(child.ask({ do: "swap", request: { from, to, amountSat: 9_000 } }));
    await may(child.ask({ do: "fund", mint: to, amountSat: 10 }));
    world.kit.mints[0]!.admin.badDleq(20);
    await ask(210);
    await child.ask({ do: "settle" });
  }
  await test.step("none is found", () => {
    assert.deepEqual(world.leaks(), []);
    assert.ok(world.secrets.size > 100, "there was something to look for");
    assert.ok(world.logs.join("").length > 1_000, "and something to look through");
  });
  await test.step("one that is planted is found", () => {
    for (const [secret, kind] of world.secrets.samples()) {
      assert.deepEqual(world.secrets.findIn("log", `x ${secret} y`), [`log holds a ${kind}`]);
    }
    assert.deepEqual(new SecretBook().findIn("log", `got ${token}`), ["log holds a token"]);
    const path = join(folder.directory, "planted.log");
    const [[secret]] = world.secrets.samples() as [[string, string]];
    Deno.writeTextFileSync(path, `{"reason": "${secret}"}`);
    assert.equal(world.leaks().length, 1);
    Deno.removeSync(path);
  });
  await test.step("a database that others can read is found", () => {
    const path = join(folder.directory, "wallet.db.replaced");
    Deno.writeTextFileSync(path, "", { mode: 0o644 });
    assert.deepEqual(world.leaks(), ["wallet.db.replaced has mode 0644, not 0600"]);
    Deno.removeSync(path);
  });
});
