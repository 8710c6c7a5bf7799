import assert from "node:assert/strict";
import { beginMelt, meltResultOf } from "../../../wallet/operations/melt.ts";
import type { MeltPlan } from "../../../wallet/operations/melt_plan.ts";
import type { Operation } from "../../../wallet/operations/operation.ts";
import {
  AMOUNT,
  assertConserved,
  assertPaid,
  assertTakenBack,
  begin,
  fundedKit,
  meltPosts,
  paidBy,
  play,
  SAGAS,
  shopInvoice,
  type WalletKit,
} from "./melt_world.ts";

Deno.test("P1: a payment that is pending is held until it is paid, also over a restart", async (test) => {
  await test.step("settles after three looks", async () => {
    await using world = await fundedKit();
    const { kit, alice } = world;
    kit.lightning.script({ action: "hold" });
    const begun = await begin(alice);
    let looks = 0;
    const between = (kit: WalletKit, { state }: Operation) => {
      if (state === "pending" && ++looks === 3) kit.lightning.settle(begun.plan.paymentHash);
    };
    assertPaid(kit, alice, await play({ between }, alice, begun.id));
    assert.equal(meltPosts(kit), 1);
  });
  await test.step("settles after a restart", async () => {
    await using world = await fundedKit();
    const { kit, alice } = world;
    kit.lightning.script({ action: "hold" });
    const begun = await begin(alice);
    assert.equal((await alice.engine.drive(begun.id)).state, "pending");
    const again = await alice.reopen();
    kit.lightning.settle(begun.plan.paymentHash);
    assertPaid(kit, again, await play({}, again, begun.id));
    assert.equal(meltPosts(kit), 1);
  });
  await test.step("never: held for ever, people hear of it once, and nothing is released", async () => {
    await using world = await fundedKit();
    const { kit, alice } = world;
    kit.mints[0]!.admin.pendingForever();
    const begun = await begin(alice);
    let operation = await alice.engine.drive(begun.id);
    for (let count = 0; count < 40; count++) {
      kit.clock.jump(60_000);
      operation = await alice.engine.drive(begun.id);
      assert.equal(operation.state, "pending");
    }
    assert.equal(operation.status, "open");
    assert.ok(operation.nextAtMs !== undefined);
    assert.match(operation.reason!, /under way/);
    assert.equal(alice.events.filter((one) => one.event === "attention").length, 1);
    assert.ok(alice.store.balances()[0]!.reserved > AMOUNT);
    assert.deepEqual(alice.troubles(), []);
    await kit.mints[0]!.admin.releasePending();
    assertPaid(kit, alice, await play({}, alice, begun.id));
  });
  await test.step("pending, then given up by the mint: taken back", async () => {
    await using world = await fundedKit();
    const { kit, alice } = world;
    kit.mints[0]!.admin.pendingForever();
    const begun = await begin(alice);
    assert.equal((await alice.engine.drive(begun.id)).state, "pending");
    assert.equal(kit.mints[0]!.admin.failPending(), 1);
    assertTakenBack(kit, alice, await play({}, alice, begun.id));
  });
});

Deno.test("P2: a melt is never posted again to learn how it goes, whatever the mint keeps", async () => {
  await using world = await fundedKit();
  const { kit, alice } = world;
  kit.mints[0]!.admin.change({ cachePending: true });
  kit.lightning.script({ action: "hold" });
  const begun = await begin(alice);
  let looks = 0;
  const between = (kit: WalletKit, { state }: Operation) => {
    if (state === "pending" && ++looks === 5) kit.lightning.settle(begun.plan.paymentHash);
  };
  assertPaid(kit, alice, await play({ between }, alice, begun.id));
  assert.equal(meltPosts(kit), 1);
});

Deno.test("P3: a mint that says it failed to pay, and paid, is found out", async () => {
  await using world = await fundedKit();
  const { kit, alice } = world;
  kit.mints[0]!.admin.setFeeReserve({ minSat: 20 });
  kit.mints[0]!.admin.lieAfterPaying();
  const begun = await begin(alice);
  const ended = await play({}, alice, begun.id);
  assertPaid(kit, alice, ended);
  assert.ok(meltResultOf(ended).changeSat! > 0n, "the change is claimed");
});

Deno.test("P3: Lightning that pays and says that it failed loses nothing for us", async () => {
  await using world = await fundedKit();
  const { kit, alice } = world;
  kit.lightning.script({ action: "lie" });
  const begun = await begin(alice);
  const ended = await play({}, alice, begun.id);
  // The mint believes its node: it is the mint that paid, and we have our ecash back.
  assert.equal(ended.status, "failed");
  assert.equal(alice.free(), 1000n - ended.fee);
  assertConserved(kit, alice);
});

Deno.test("P4: a late copy of a melt that failed cannot be paid once the fence is up", async () => {
  let copy: (() => Promise<Response>) | undefined;
  await using world = await fundedKit({
    wallet: {
      fetch: (input, init) => {
        if (String(input).endsWith("/v1/melt/bolt11")) copy = () => fetch(String(input), init);
        return fetch(input, init);
      },
    },
  });
  const { kit, alice } = world;
  kit.mints[0]!.admin.change({ cacheTtlS: 0 });
  kit.lightning.script({ action: "fail" });
  const begun = await begin(alice);
  const ended = await play({}, alice, begun.id);
  assertTakenBack(kit, alice, ended);
  const late = await copy!();
  assert.equal(late.status, 400);
  assert.equal((await late.json()).code, 11001);
  assertTakenBack(kit, alice, alice.store.operation(begun.id)!);
});

Deno.test("P4: a late copy that is faster than the fence is seen paid, and nothing is lost", async () => {
  let copy: (() => Promise<Response>) | undefined;
  await using world = await fundedKit({
    wallet: {
      fetch: async (input, init) => {
        const url = String(input);
        if (url.endsWith("/v1/melt/bolt11")) copy = () => fetch(url, init);
        if (url.endsWith("/v1/swap") && copy !== undefined) await (await copy()).text();
        return await fetch(input, init);
      },
    },
  });
  const { kit, alice } = world;
  kit.mints[0]!.admin.change({ cacheTtlS: 0 });
  kit.lightning.script({ action: "fail" });
  const begun = await begin(alice);
  const ended = await play({}, alice, begun.id);
  assertPaid(kit, alice, ended);
  assert.ok(alice.points.includes("melt.fencing.after-commit"), "there was a fence");
});

Deno.test("P6: what the mint quotes must be what the invoice says and what is allowed", async (test) => {
  const path = "/v1/melt/quote/bolt11";
  const cases: readonly {
    readonly name: string;
    readonly spoil: (kit: WalletKit) => void | Promise<void>;
    readonly says: RegExp;
  }[] = [
    {
      name: "a reserve above the cap",
      spoil: (kit) => kit.mints[0]!.admin.setFeeReserve({ minSat: 51 }),
      says: /51 sat in reserve for fees, and 50 sat are allowed/,
    },
    {
      name: "another amount",
      spoil: (kit) => kit.mints[0]!.admin.alterAnswers(path, { amount: 101 }),
      says: /quoted 101 sat for an invoice of 100 sat/,
    },
    {
      name: "another invoice",
      spoil: async (kit) => {
        const { bolt11 } = await shopInvoice(kit, AMOUNT);
        kit.mints[0]!.admin.alterAnswers(path, { request: bolt11 }, { count: 100 });
      },
      says: /could not be prepared/,
    },
    {
      name: "paid already",
      spoil: (kit) => kit.mints[0]!.admin.alterAnswers(path, { state: "PAID" }),
      says: /is paid already/,
    },
  ];
  for (const { name, spoil, says } of cases) {
    await test.step(name, async () => {
      await using world = await fundedKit();
      const { kit, alice } = world;
      await spoil(kit);
      const begun = await begin(alice);
      const ended = await play({}, alice, begun.id);
      assert.match(ended.reason!, says);
      assertTakenBack(kit, alice, ended);
      assert.equal(ended.fee, 0n);
      assert.equal(meltPosts(kit), 0);
    });
  }
});

Deno.test("Q1: a rotation between plan and request is no trouble for a melt", async () => {
  await using world = await fundedKit();
  const { kit, alice } = world;
  kit.mints[0]!.admin.setFeeReserve({ minSat: 20 });
  const begun = await begin(alice, { holdMs: 60_000 });
  assert.equal((await alice.engine.drive(begun.id)).state, "prepared");
  kit.mints[0]!.admin.rotateKeyset();
  await alice.engine.confirm(begun.id);
  assertPaid(kit, alice, await play({}, alice, begun.id));
});

Deno.test("Q1: a rotation while a melt is pending loses no change", async (test) => {
  for (const changeKeyset of ["blank", "active"] as const) {
    await test.step(`change of the ${changeKeyset} keyset`, async () => {
      await using world = await fundedKit();
      const { kit, alice } = world;
      const { admin } = kit.mints[0]!;
      admin.setFeeReserve({ minSat: 20 });
      admin.change({ changeKeyset });
      kit.lightning.script({ action: "hold" });
      const begun = await begin(alice);
      assert.equal((await alice.engine.drive(begun.id)).state, "pending");
      admin.rotateKeyset();
      kit.lightning.settle(begun.plan.paymentHash);
      const ended = await play({}, alice, begun.id);
      assertPaid(kit, alice, ended);
      assert.ok(meltResultOf(ended).changeSat! >= 18n);
    });
  }
});

Deno.test("Q1: blanks of a keyset that was rotated out are planned anew", async () => {
  await using world = await fundedKit();
  const { kit, alice } = world;
  kit.mints[0]!.admin.setFeeReserve({ minSat: 20 });
  kit.mints[0]!.admin.failNext("/v1/melt/bolt11", 1, 400, {
    code: 12002,
    detail: "Keyset is inactive",
  });
  const begun = await begin(alice);
  const ended = await play({}, alice, begun.id);
  assertPaid(kit, alice, ended);
  assert.equal((ended.plan as MeltPlan).meltRound, 2);
  assert.equal(alice.store.request(begun.id, "melt")!.sendCount, 1);
  assert.equal(alice.store.request(begun.id, "melt.2")!.sendCount, 1);
});

Deno.test("Q2: input fees that rise before the request are paid, or end it without effect", async (test) => {
  await test.step("from 0 to 100 ppk while held: old proofs keep their fee", async () => {
    await using world = await fundedKit();
    const { kit, alice } = world;
    const begun = await begin(alice, { holdMs: 60_000 });
    await alice.engine.drive(begun.id);
    kit.mints[0]!.admin.setFee(100);
    await alice.engine.confirm(begun.id);
    assertPaid(kit, alice, await play({}, alice, begun.id));
  });
  await test.step("1000 ppk: dust is never chosen", async () => {
    await using world = await fundedKit({ feePpk: 1000, sat: 1023n });
    const { kit, alice } = world;
    const begun = await begin(alice);
    assert.equal((await alice.engine.drive(begun.id)).status, "done");
    assertConserved(kit, alice);
    const spent = alice.store.proofs({ mint: kit.url(), state: "spent" });
    assert.ok(spent.every((proof) => proof.amount > 1n), "no proof that its fee eats was spent");
  });
  await test.step("an unbalanced transaction is planned anew", async () => {
    await using world = await fundedKit();
    const { kit, alice } = world;
    kit.mints[0]!.admin.failNext("/v1/melt/bolt11", 1, 400, { code: 11005, detail: "unbalanced" });
    const begun = await begin(alice);
    assertPaid(kit, alice, await play({}, alice, begun.id));
  });
});

Deno.test("a melt whose answer is lost, cut off or an error page is paid once", async (test) => {
  const cases: readonly (readonly [string, (text: string) => Response | Promise<Response>])[] = [
    ["lost", () => Promise.reject(new TypeError("connection reset"))],
    ["cut off", (text) => new Response(text.slice(0, 40))],
    ["empty", () => new Response("")],
    ["an error page", () => new Response("<html>502</html>", { status: 502 })],
    ["a page with status 200", () => new Response("<html>hello</html>")],
  ];
  for (const [name, spoil] of cases) {
    await test.step(name, async () => {
      await using world = await fundedKit({
        wallet: {
          fetch: async (input, init) => {
            const response = await fetch(input, init);
            if (!String(input).endsWith("/v1/melt/bolt11")) return response;
            return await spoil(await response.text());
          },
        },
      });
      const { kit, alice } = world;
      const begun = await begin(alice);
      assertPaid(kit, alice, await play({}, alice, begun.id));
      assert.equal(meltPosts(kit), 1);
    });
  }
});

Deno.test("a melt that never reached the mint is taken back, and the mint is asked twice first", async () => {
  await using world = await fundedKit({
    wallet: {
      fetch: (input, init) =>
        String(input).endsWith("/v1/melt/bolt11")
          ? Promise.reject(new TypeError("connection refused"))
          : fetch(input, init),
    },
  });
  const { kit, alice } = world;
  const begun = await begin(alice);
  const ended = await play({}, alice, begun.id);
  assertTakenBack(kit, alice, ended);
  assert.ok(
    kit.mints[0]!.admin.requests().filter(({ path }) => path.startsWith("/v1/melt/quote/bolt11/"))
      .length >= 2,
  );
});

Deno.test("T5: a quote that goes back to unpaid releases nothing", async () => {
  await using world = await fundedKit();
  const { kit, alice } = world;
  kit.lightning.script({ action: "hold" });
  const begun = await begin(alice);
  assert.equal((await alice.engine.drive(begun.id)).state, "pending");
  kit.lightning.settle(begun.plan.paymentHash);
  kit.mints[0]!.admin.staleQuotes(4, { path: "/v1/melt/quote/bolt11" });
  const ended = await play({}, alice, begun.id);
  assertPaid(kit, alice, ended);
  assert.equal(alice.store.request(begun.id, "fence"), undefined, "no fence was needed");
});

Deno.test("O2: a mint that takes no more requests gets the same melt again, later", async () => {
  await using world = await fundedKit();
  const { kit, alice } = world;
  kit.mints[0]!.admin.failNext("/v1/melt/bolt11", 2, 429, { retryAfterS: 3 });
  const begun = await begin(alice);
  assertPaid(kit, alice, await play({}, alice, begun.id));
  const bodies = kit.mints[0]!.admin.requests("/v1/melt/bolt11").map((one) => one.bodySha256);
  assert.equal(bodies.length, 3);
  assert.equal(new Set(bodies).size, 1);
});

Deno.test("O1: a mint that is away after the request is waited for", async () => {
  await using world = await fundedKit();
  const { kit, alice } = world;
  const begun = await begin(alice);
  alice.crashAt("melt.melt.after-send");
  await alice.engine.drive(begun.id).catch(() => {});
  await kit.mints[0]!.admin.offline(true);
  const again = await alice.reopen();
  for (let count = 0; count < 5; count++) {
    const operation = await again.engine.drive(begun.id);
    assert.equal(operation.status, "open");
    assert.ok(again.store.balances()[0]!.reserved > 0n);
    kit.clock.jump(400_000);
  }
  await kit.mints[0]!.admin.offline(false);
  assertPaid(kit, again, await play({}, again, begun.id));
});

Deno.test("C1: eight drives of one melt at once pay once", async () => {
  await using world = await fundedKit();
  const { kit, alice } = world;
  const begun = await begin(alice);
  await Promise.all(Array.from({ length: 8 }, () => alice.engine.drive(begun.id)));
  assertPaid(kit, alice, await play({}, alice, begun.id));
  assert.equal(meltPosts(kit), 1);
});

Deno.test("a melt that was refused for good lets go at once, without a fence", async () => {
  await using world = await fundedKit();
  const { kit, alice } = world;
  kit.mints[0]!.admin.failNext("/v1/melt/bolt11", 1, 400, { code: 11006, detail: "limits" });
  const begun = await begin(alice);
  const ended = await play({}, alice, begun.id);
  assertTakenBack(kit, alice, ended);
  assert.equal(ended.fee, 0n);
  assert.match(ended.reason!, /refused to pay \(code 11006\)/);
  assert.equal(alice.store.request(begun.id, "fence"), undefined);
});

Deno.test("a fence whose answer is lost is sent again, and the ecash is back once", async () => {
  let lost = 0;
  await using world = await fundedKit({
    wallet: {
      fetch: async (input, init) => {
        const response = await fetch(input, init);
        if (!String(input).endsWith("/v1/swap") || lost++ > 1) return response;
        await response.text();
        throw new TypeError("connection reset");
      },
    },
  });
  const { kit, alice } = world;
  kit.lightning.script({ action: "fail" });
  const begun = await begin(alice);
  assertTakenBack(kit, alice, await play({}, alice, begun.id));
  assert.ok(lost > 1);
});

Deno.test("a fence over a rotation is planned anew", async () => {
  await using world = await fundedKit();
  const { kit, alice } = world;
  kit.lightning.script({ action: "fail" });
  const begun = await begin(alice);
  alice.crashAt("melt.unpaid.after-commit");
  await alice.engine.drive(begun.id).catch(() => {});
  kit.mints[0]!.admin.rotateKeyset();
  const again = await alice.reopen();
  const ended = await play({}, again, begun.id);
  assertTakenBack(kit, again, ended);
  assert.equal((ended.plan as MeltPlan).fenceRound, 2);
});

Deno.test("a wallet whose copy spent what a melt had reserved writes it off, and says so", async () => {
  await using world = await fundedKit({ sat: 512n });
  const { kit, alice } = world;
  const begun = await begin(alice, { holdMs: 60_000 });
  assert.equal((await alice.engine.drive(begun.id)).state, "prepared");
  const copy = kit.wallet("copy", { wordsOf: "alice", sagas: SAGAS });
  copy.store.transact((tx) => {
    const proofs = alice.store.proofs({ mint: kit.url(), state: "reserved" });
    tx.insertProofs(proofs, { mint: kit.url(), state: "free" });
    for (const { keysetId } of proofs) tx.advanceCounter(keysetId, 1000);
  });
  const { bolt11 } = await shopInvoice(kit, AMOUNT);
  const other = await beginMelt(copy.context, { mint: kit.url(), invoice: bolt11 });
  assert.equal((await play({}, copy, other.id)).status, "done");
  await alice.engine.confirm(begun.id);
  const ended = await play({}, alice, begun.id);
  assert.equal(ended.status, "failed");
  assert.match(ended.reason!, /512 sat were spent elsewhere/);
  assert.equal(alice.free(), 0n);
  assert.deepEqual(alice.troubles(), []);
});

Deno.test("R1: blanks whose counters another copy of the wallet used are planned anew", async () => {
  await using world = await fundedKit();
  const { kit, alice } = world;
  kit.mints[0]!.admin.setFeeReserve({ minSat: 20 });
  const { keysetId } = alice.store.proofs({ mint: kit.url(), state: "free" })[0]!;
  const copy = kit.wallet("copy", { wordsOf: "alice", sagas: SAGAS });
  copy.store.transact((tx) => tx.advanceCounter(keysetId, alice.store.counter(keysetId)));
  assert.equal((await copy.fund(127n)).status, "done");
  const begun = await begin(alice);
  const ended = await play({}, alice, begun.id);
  assert.equal(ended.status, "done", String(ended.reason));
  assert.ok((ended.plan as MeltPlan).meltRound > 1, "the first blanks were refused");
  assert.equal(paidBy(kit), 1);
  assert.equal(alice.free() + copy.free(), kit.mints[0]!.admin.books().outstanding);
  assert.deepEqual(alice.troubles(), []);
});
