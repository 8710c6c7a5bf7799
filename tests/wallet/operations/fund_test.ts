import assert from "node:assert/strict";
import { beginFund, FAULT_POINTS } from "../../../wallet/operations/fund_plan.ts";
import { beginSend } from "../../../wallet/operations/send_plan.ts";
import { Resumer } from "../../../wallet/operations/resumer.ts";
import { startKit } from "../../support/wallet_kit.ts";

Deno.test("fund shows an invoice, waits for its payment, and ends with the ecash in the books", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  const begun = await beginFund(alice.context, { mint: kit.url(), amount: 100n });
  assert.equal(begun.state, "intent");
  const quoted = await alice.engine.drive(begun.id);
  assert.equal(quoted.state, "quoted");
  assert.match(alice.invoiceOf(begun), /^lnbcrt1u1/);
  assert.equal(alice.free(), 0n);
  await kit.pay(alice.invoiceOf(begun));
  const done = await alice.driveToEnd(begun.id);
  assert.equal(done.status, "done");
  assert.equal(alice.free(), 100n);
  assert.equal(kit.mints[0]!.admin.books().outstanding, 100n);
  assert.deepEqual(alice.troubles(), []);
});

Deno.test("fund gets its ecash once, wherever it crashed", async (test) => {
  for (const point of FAULT_POINTS) {
    await test.step(point, async () => {
      await using kit = await startKit();
      let alice = kit.wallet();
      const begun = await beginFund(alice.context, { mint: kit.url(), amount: 21n });
      alice.crashAt(point);
      const drive = async () => {
        await alice.engine.drive(begun.id);
        kit.clock.jump(3000);
        await alice.engine.drive(begun.id);
        const quote = alice.store.quotes(begun.id)[0];
        if (quote !== undefined) await kit.pay(quote.request);
        await alice.driveToEnd(begun.id);
      };
      await drive().catch((error) => {
        if (!alice.isDead) throw error;
      });
      assert.ok(alice.isDead, `${point} is never passed: ${alice.points.join(" ")}`);
      alice = await alice.reopen();
      await drive();
      assert.equal(alice.store.operation(begun.id)!.status, "done");
      assert.equal(alice.free(), 21n);
      assert.equal(kit.mints[0]!.admin.books().issued, 21n);
      assert.deepEqual(alice.troubles(), []);
    });
  }
});

Deno.test("fund passes the fault points that it names, and no others", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  const begun = await beginFund(alice.context, { mint: kit.url(), amount: 8n });
  await alice.engine.drive(begun.id);
  kit.clock.jump(3000);
  await alice.engine.drive(begun.id);
  await kit.pay(alice.invoiceOf(begun));
  await alice.driveToEnd(begun.id);
  assert.deepEqual(new Set(alice.points), new Set(FAULT_POINTS));
});

Deno.test("an answer that is lost, late, cut off or an error page gives the same ecash once", async (test) => {
  const cases:
    readonly (readonly [string, (response: Response) => Response | Promise<Response>])[] = [
      ["lost", () => Promise.reject(new TypeError("connection reset"))],
      ["cut off", async (response) => new Response((await response.text()).slice(0, 40))],
      ["empty", () => new Response("")],
      ["an error page", () => new Response("<html>502</html>", { status: 502 })],
      ["a page with status 200", () => new Response("<html>hello</html>")],
    ];
  for (const [name, spoil] of cases) {
    await test.step(name, async () => {
      await using kit = await startKit();
      let spoiledCount = 0;
      const alice = kit.wallet("alice", {
        fetch: async (input, init) => {
          const response = await fetch(input, init);
          if (!String(input).endsWith("/v1/mint/bolt11") || spoiledCount++ > 1) return response;
          // The connection is read to its end, so that the mint has certainly done its part.
          return await spoil(new Response(await response.text(), response));
        },
      });
      const done = await alice.fund(34n);
      assert.equal(done.status, "done");
      assert.equal(alice.free(), 34n);
      assert.equal(kit.mints[0]!.admin.books().issued, 34n);
      assert.deepEqual(alice.troubles(), []);
      const bodies = kit.mints[0]!.admin.requests("/v1/mint/bolt11").map((one) => one.bodySha256);
      assert.equal(new Set(bodies).size, 1, "each copy of the request has the same bytes");
    });
  }
});

Deno.test("fund finds ecash that was issued and lost, without the mint's cache", async () => {
  await using kit = await startKit();
  kit.mints[0]!.admin.change({ cacheTtlS: 0 });
  let alice = kit.wallet();
  const begun = await beginFund(alice.context, { mint: kit.url(), amount: 21n });
  await alice.engine.drive(begun.id);
  await kit.pay(alice.invoiceOf(begun));
  alice.crashAt("fund.mint.after-send");
  await alice.driveToEnd(begun.id).catch(() => {});
  assert.ok(alice.isDead);
  alice = await alice.reopen();
  assert.equal((await alice.driveToEnd(begun.id)).status, "done");
  assert.equal(alice.free(), 21n);
  assert.ok(kit.mints[0]!.admin.requests("/v1/restore").length > 0);
  assert.deepEqual(alice.troubles(), []);
});

Deno.test("an invoice that is paid late, after its expiry was seen, is still claimed", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  const begun = await beginFund(alice.context, { mint: kit.url(), amount: 21n });
  await alice.engine.drive(begun.id);
  const { expiryMs, request } = alice.store.quotes(begun.id)[0]!;
  await kit.pay(request);
  // The mint tells UNPAID until the quote has expired.
  kit.mints[0]!.admin.staleQuotes(2);
  kit.clock.jump(3000);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal((await alice.engine.drive(begun.id)).state, "awaiting-payment");
  kit.clock.jump(expiryMs! - kit.clock.nowMs() + 1000);
  const waiting = await alice.engine.drive(begun.id);
  assert.equal(waiting.status, "open");
  assert.match(waiting.reason!, /expired/);
  const done = await alice.driveToEnd(begun.id);
  assert.equal(done.status, "done");
  assert.equal(alice.free(), 21n);
});

Deno.test("an invoice that nobody pays ends as failed some time after its expiry", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  const begun = await beginFund(alice.context, { mint: kit.url(), amount: 21n });
  const failed = await alice.driveToEnd(begun.id, { tries: 300 });
  assert.equal(failed.status, "failed");
  assert.match(failed.reason!, /nobody paid/);
  const polls = kit.mints[0]!.admin.requests().filter(({ path }) =>
    path.startsWith("/v1/mint/quote/bolt11/")
  );
  assert.ok(polls.length > 20 && polls.length < 300, `${polls.length} questions`);
  assert.deepEqual(alice.troubles(), []);
});

Deno.test("an expiry that makes no sense does not end the watch early, nor keep it for ever", async () => {
  for (const expiry of [0, 1, null, 32_503_680_000]) {
    await using kit = await startKit();
    const alice = kit.wallet("alice", {
      fetch: async (input, init) => {
        const response = await fetch(input, init);
        if (!String(input).includes("/v1/mint/quote/bolt11")) return response;
        return Response.json({ ...await response.json() as Record<string, unknown>, expiry });
      },
    });
    const begun = await beginFund(alice.context, { mint: kit.url(), amount: 21n });
    await alice.engine.drive(begun.id);
    kit.clock.jump(30_000);
    const waiting = await alice.engine.drive(begun.id);
    assert.equal(waiting.status, "open", `expiry ${expiry}`);
    await kit.pay(alice.invoiceOf(begun));
    assert.equal((await alice.driveToEnd(begun.id)).status, "done");
    const unpaid = await beginFund(alice.context, { mint: kit.url(), amount: 21n });
    await alice.engine.drive(unpaid.id);
    kit.clock.jump(8 * 24 * 60 * 60_000);
    assert.equal((await alice.driveToEnd(unpaid.id)).status, "failed");
  }
});

Deno.test("a rotation of keysets between plan and request is planned anew with other outputs", async () => {
  await using kit = await startKit();
  let alice = kit.wallet();
  const begun = await beginFund(alice.context, { mint: kit.url(), amount: 21n });
  await alice.engine.drive(begun.id);
  await kit.pay(alice.invoiceOf(begun));
  alice.crashAt("fund.mint.before-send");
  await alice.driveToEnd(begun.id).catch(() => {});
  assert.ok(alice.isDead);
  const before = kit.mints[0]!.admin.books().keysets.length;
  kit.mints[0]!.admin.rotateKeyset({});
  alice = await alice.reopen();
  assert.equal((await alice.driveToEnd(begun.id)).status, "done");
  assert.equal(alice.free(), 21n);
  const { keysets } = kit.mints[0]!.admin.books();
  assert.equal(keysets.length, before + 1);
  const phases = new Set(alice.store.outputs(begun.id).map((one) => `${one.phase} ${one.state}`));
  assert.deepEqual(phases, new Set(["mint void", "mint.2 signed"]));
  assert.deepEqual(alice.troubles(), []);
});

Deno.test("a mint whose signatures are not its own is blocked, and the operation asks for a person", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  const begun = await beginFund(alice.context, { mint: kit.url(), amount: 21n });
  await alice.engine.drive(begun.id);
  await kit.pay(alice.invoiceOf(begun));
  kit.mints[0]!.admin.badDleq(5);
  const stopped = await alice.driveToEnd(begun.id);
  assert.equal(stopped.status, "attention");
  assert.ok(alice.store.mint(kit.url())!.blockedReason !== undefined);
  assert.ok(alice.events.some((event) => event.event === "mint-blocked"));
  assert.equal(alice.free(), 0n);
  await assert.rejects(
    beginFund(alice.context, { mint: kit.url(), amount: 1n }),
    { code: "denied" },
  );
});

Deno.test("counters that are behind, as after an old backup, are passed and lose nothing", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  await alice.fund(63n);
  const copy = kit.wallet("copy", { wordsOf: "alice" });
  const done = await copy.fund(31n);
  assert.equal(done.status, "done");
  assert.equal(copy.free(), 31n);
  assert.ok(copy.store.outputs(done.id).some((one) => one.state === "void"));
  assert.deepEqual(copy.troubles(), []);
});

Deno.test("eight drives of one fund operation at once issue once", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  const begun = await beginFund(alice.context, { mint: kit.url(), amount: 21n });
  await alice.engine.drive(begun.id);
  await kit.pay(alice.invoiceOf(begun));
  await new Promise((resolve) => setTimeout(resolve, 20));
  kit.clock.jump(3000);
  const ended = await Promise.all(Array.from({ length: 8 }, () => alice.engine.drive(begun.id)));
  assert.ok(ended.every((operation) => operation.status === "done"));
  assert.equal(alice.free(), 21n);
  assert.equal(kit.mints[0]!.admin.requests("/v1/mint/bolt11").length, 1);
});

Deno.test("two processes on one database fund and send once, whoever is faster", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  const twin = kit.wallet("alice", { lock: false });
  const both = (id: string) =>
    Promise.all([alice, twin, alice, twin].map((one) => one.engine.drive(id)));
  const funded = await beginFund(alice.context, { mint: kit.url(), amount: 100n });
  await both(funded.id);
  for (const quote of alice.store.quotes(funded.id)) await kit.pay(quote.request);
  await new Promise((resolve) => setTimeout(resolve, 20));
  kit.clock.jump(3000);
  await both(funded.id);
  assert.equal(twin.store.operation(funded.id)!.status, "done");
  assert.equal(kit.mints[0]!.admin.books().issued, 100n);
  const sent = await beginSend(twin.context, { mint: kit.url(), amount: 21n });
  await both(sent.id);
  assert.equal(alice.store.operation(sent.id)!.state, "token-ready");
  assert.equal(alice.free(), 79n);
  const bodies = new Set(kit.mints[0]!.admin.requests("/v1/swap").map((one) => one.bodySha256));
  assert.equal(bodies.size, 1);
  assert.deepEqual(alice.troubles(), []);
});

Deno.test("a quote for another amount, or that is not locked to our key, is never shown", async (test) => {
  const changes: readonly (readonly [string, Record<string, unknown>])[] = [
    ["another amount", { amount: 22 }],
    ["no key", { pubkey: undefined }],
    ["another key", { pubkey: `02${"11".repeat(32)}` }],
    ["an invoice of nobody", { request: "lnbcrt1nothing" }],
  ];
  for (const [name, change] of changes) {
    await test.step(name, async () => {
      await using kit = await startKit();
      const alice = kit.wallet("alice", {
        fetch: async (input, init) => {
          const response = await fetch(input, init);
          if (!String(input).endsWith("/v1/mint/quote/bolt11")) return response;
          const body = { ...await response.json() as Record<string, unknown>, ...change };
          return Response.json(body);
        },
      });
      const begun = await beginFund(alice.context, { mint: kit.url(), amount: 21n });
      const ended = await alice.engine.drive(begun.id);
      assert.ok(ended.state === "failed" || ended.state === "intent", ended.state);
      assert.deepEqual(alice.store.quotes(begun.id), []);
    });
  }
});

Deno.test("fund refuses what cannot be before it asks anybody", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  const mint = kit.url();
  await assert.rejects(beginFund(alice.context, { mint, amount: 0n }), RangeError);
  await assert.rejects(
    beginFund(alice.context, { mint: "https://other.example" as typeof mint, amount: 1n }),
    { code: "denied" },
  );
  alice.store.transact((tx) => tx.putMint({ ...tx.mint(mint)!, exposureMaxSat: 100n }));
  await assert.rejects(beginFund(alice.context, { mint, amount: 101n }), { code: "denied" });
  assert.equal(kit.mints[0]!.admin.requests().length, 0);
  kit.mints[0]!.admin.disableNuts([20]);
  const begun = await beginFund(alice.context, { mint, amount: 100n });
  const failed = await alice.engine.drive(begun.id);
  assert.equal(failed.status, "failed");
  assert.match(failed.reason!, /NUT-20/);
});

Deno.test("a fund operation whose invoice was shown cannot be cancelled, for it may be paid", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  const begun = await beginFund(alice.context, { mint: kit.url(), amount: 21n });
  const second = await beginFund(alice.context, { mint: kit.url(), amount: 21n });
  await alice.engine.drive(begun.id);
  assert.throws(() => alice.engine.cancel(begun.id), { code: "denied" });
  assert.equal(alice.engine.cancel(second.id).status, "failed");
});

Deno.test("fund gives up when the mint makes no invoice, since nothing was begun", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  await kit.mints[0]!.admin.offline(true);
  const begun = await beginFund(alice.context, { mint: kit.url(), amount: 21n });
  assert.equal((await alice.engine.drive(begun.id)).status, "open");
  const failed = await alice.driveToEnd(begun.id);
  assert.equal(failed.status, "failed");
  assert.deepEqual(alice.store.quotes(begun.id), []);
});

Deno.test("the resumer claims a paid invoice by itself, and again after the wallet was closed", async () => {
  await using kit = await startKit();
  let alice = kit.wallet();
  const ids: string[] = [];
  for (let count = 0; count < 2; count++) {
    const begun = await beginFund(alice.context, { mint: kit.url(), amount: 21n });
    ids.push(begun.id);
    await alice.engine.drive(begun.id);
    await kit.pay(alice.invoiceOf(begun));
    alice = await alice.reopen();
    await using _ = new Resumer(alice.engine);
    const ended = alice.engine.wait(begun.id);
    kit.clock.jump(10_000);
    assert.equal((await ended).status, "done");
  }
  assert.equal(alice.free(), 42n);
  assert.ok(ids.every((id) => alice.store.operation(id)!.status === "done"));
});

Deno.test("a mint that is away delays a fund operation and changes nothing", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  const begun = await beginFund(alice.context, { mint: kit.url(), amount: 21n });
  await alice.engine.drive(begun.id);
  await kit.mints[0]!.admin.offline(true);
  await kit.pay(alice.invoiceOf(begun));
  for (let count = 0; count < 5; count++) {
    kit.clock.jump(60_000);
    assert.equal((await alice.engine.drive(begun.id)).status, "open");
  }
  await kit.mints[0]!.admin.offline(false);
  kit.clock.jump(60_000);
  assert.equal((await alice.driveToEnd(begun.id)).status, "done");
  assert.equal(alice.free(), 21n);
});
