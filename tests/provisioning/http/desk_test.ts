import assert from "node:assert/strict";
import { nostrPublicKey, verifyEvent } from "../../../src/nostr/mod.ts";
import { readPaymentRequest } from "../../../provisioning/http/mod.ts";
import { readAnswer, readOffer } from "../../../provisioning/wire/mod.ts";
import {
  bareToken,
  PAYMENT_KEY,
  PLAY_MINT,
  playToken,
  safeToken,
} from "../../support/provisioning/memory_till.ts";
import { CAROL, DAVE, HttpWorld, type Wish } from "./support.ts";

const SPAWN = { pod_spec_id: "basic", pod_image: "alpine:3" };

function spawn(token: string, more: object = {}): Wish {
  return { body: { ...SPAWN, ...more }, headers: { "x-cashu": token } };
}

Deno.test("GET /offers says what Paygress says, and has the offer that can be checked", async () => {
  await using world = new HttpWorld();
  await world.start();
  const { status, members, headers } = await world.ask("/offers", { method: "GET" });
  assert.equal(status, 200);
  assert.deepEqual(headers, [["Access-Control-Allow-Origin", "*"]]);
  const { event, ...rest } = members as Record<string, never>;
  const specs = [{
    id: "basic",
    name: "Basic",
    description: "1 vCPU, 1GB RAM",
    cpu_millicores: 1000,
    memory_mb: 1024,
    rate_msats_per_sec: 50,
  }];
  assert.deepEqual(rest, {
    provider_name: "Test",
    location: "EU",
    specs,
    pod_specs: specs,
    whitelisted_mints: [PLAY_MINT],
    // paygress-cli reads nothing without these.
    success: true,
    offers: specs,
    mint_urls: [PLAY_MINT],
    minimum_duration_seconds: 60,
    payment_info: { accepted_tokens: ["cashu"], header_format: "X-Cashu: <token>" },
    provider_npub: "aa".repeat(32),
  });
  assert.ok(verifyEvent(event));
  // Its signer is not the key of this test's provider, and so nobody takes it.
  const nowS = Math.floor(world.leases.clock.nowMs() / 1000);
  assert.equal(readOffer(verifyEvent(event)!, { nowS }), undefined);
  assert.equal((await world.ask("/health", { method: "GET" })).members.status, "healthy");
  world.offer = undefined;
  await world.leases.clock.advance(20_000);
  assert.equal((await world.ask("/offers", { method: "GET" })).status, 503);
});

Deno.test("a spawn without money is answered 402 with a payment request, and with it leads to SSH", async () => {
  await using world = new HttpWorld();
  await world.start();
  const first = await world.ask("/pods/spawn", { body: { ...SPAWN, duration_s: 600 } });
  assert.equal(first.status, 402);
  assert.equal(first.members.error, "payment_required");
  const header = first.headers.find(([name]) => name === "X-Cashu")![1];
  assert.deepEqual(readPaymentRequest(header), {
    a: 30,
    u: "sat",
    m: [PLAY_MINT],
    d: "A lease of tier basic",
    s: true,
    nut10: { k: "P2PK", d: PAYMENT_KEY, t: [] },
  });
  const { status, members } = await world.ask("/pods/spawn", spawn(safeToken("t", 30)));
  assert.equal(status, 200, JSON.stringify(members));
  assert.equal(members.success, true);
  assert.equal(members.pod_id, "container-1000");
  assert.equal(members.ssh_port, members.node_port);
  assert.equal(members.username, "root");
  assert.match(String(members.password), /^[A-Za-z0-9]{16}$/);
  assert.equal(members.duration_seconds, 600);
  assert.equal(members.spec_name, "Basic");
  // It is the very message that a client of messages gets.
  const answer = readAnswer(JSON.stringify(members));
  assert.equal(answer?.type === "access" && answer.lease, "container-1000");
  assert.equal(world.leases.till.balanceSat, 30);
});

Deno.test("the token may stand in any of its places, once", async () => {
  await using world = new HttpWorld();
  await world.start();
  const token = safeToken("t", 30);
  const body = SPAWN;
  const twice = await world.ask("/pods/spawn", {
    body: { ...body, cashu_token: safeToken("u", 30) },
    headers: { "x-cashu": token },
  });
  assert.equal(twice.status, 400);
  for (
    const wish of [
      { body: { ...body, cashu_token: token } },
      { body, headers: { "x-cashu": token } },
      { body, headers: { authorization: `Cashu ${token}` } },
      { body: { ...body, cashu_token: token }, headers: { authorization: `cashu ${token}` } },
    ]
  ) {
    const { status, members } = await world.ask("/pods/spawn", wish);
    assert.equal(status, 200);
    assert.equal(members.pod_id, "container-1000");
  }
  assert.equal(world.leases.till.redeemed.size, 1);
});

Deno.test("a spawn after a lost answer gets the same answer, also after a restart, and nobody else does", async () => {
  await using world = new HttpWorld();
  await world.start();
  const token = safeToken("t", 30);
  const lost = new AbortController();
  const wish = spawn(token);
  const losing = world.begin("/pods/spawn", { ...wish, signal: lost.signal });
  lost.abort(new DOMException("The client went away", "AbortError"));
  await assert.rejects(losing, { name: "AbortError" });
  const first = await world.ask("/pods/spawn", wish);
  assert.equal(first.status, 200);
  await world.restart();
  const again = await world.ask("/pods/spawn", wish);
  assert.deepEqual(again.members, first.members);
  assert.equal(world.leases.till.redeemed.size, 1);
  assert.equal(world.leases.backend.instances.size, 1);
  // The same ecash in other words: who saw its proofs at the mint writes them anew, and learns nothing.
  const rewritten = playToken({ secret: "t", amountSat: 30, lockedTo: PAYMENT_KEY });
  for (
    const other of [
      spawn(rewritten),
      { ...wish, signedBy: DAVE },
      { ...wish, headers: { ...wish.headers, authorization: `Bearer ${"x".repeat(43)}` } },
    ]
  ) {
    const { status, members } = await world.ask("/pods/spawn", other);
    assert.equal(status, 400);
    assert.equal(members.error_type, "token_already_spent");
    assert.equal(JSON.stringify(members).includes(String(first.members.password)), false);
  }
});

Deno.test("an access key opens the lease that it came with: status, top-up, stop; nothing else does", async () => {
  await using world = new HttpWorld();
  await world.start();
  const { members: begun } = await world.ask("/pods/spawn", spawn(safeToken("t", 60)));
  const { members: other } = await world.ask("/pods/spawn", spawn(safeToken("o", 60)));
  const key = String(begun.access_key);
  assert.notEqual(key, other.access_key);
  const bearer = (secret: unknown) => ({ authorization: `Bearer ${secret}` });
  const status = await world.ask("/pods/status", {
    body: { pod_id: "container-1000" },
    headers: bearer(key),
  });
  assert.equal(status.members.status, "Running");
  const topUp = await world.ask("/pods/topup", {
    body: { pod_npub: "1000" },
    headers: { ...bearer(key), "x-cashu": safeToken("u", 60) },
  });
  assert.equal(topUp.members.extended_duration_seconds, 1200);
  const nothing = await world.ask("/pods/status", {
    body: { pod_id: "container-1999" },
    headers: bearer(key),
  });
  assert.equal(nothing.status, 404);
  // The same words for one that is another's as for none: also where messages tell more.
  for (const headers of [bearer(other.access_key), bearer("y".repeat(43))]) {
    const foreign = await world.ask("/pods/status", {
      body: { pod_id: "container-1000" },
      headers,
    });
    assert.deepEqual(foreign.members, nothing.members);
    const token = safeToken(`steal ${headers.authorization}`, 60);
    const paid = await world.ask("/pods/topup", {
      body: { pod_npub: "container-1000" },
      headers: { ...headers, "x-cashu": token },
    });
    assert.equal(paid.status, 404);
    assert.equal(paid.members.error_type, "not_found");
    for (const verb of ["stop", "restart", "logs"]) {
      const body = { seedmint: verb, lease: "container-1000" };
      assert.equal((await world.ask("/requests", { body, headers })).status, 404);
    }
  }
  assert.equal(world.leases.till.redeemed.size, 3);
  const stopped = await world.ask("/requests", {
    body: { seedmint: "stop", lease: "container-1000" },
    headers: bearer(key),
  });
  assert.equal(stopped.status, 200, JSON.stringify(stopped.members));
  assert.ok(Number(stopped.members.refund_amount_sat) > 100);
  // Its lessee alone gets its refund again.
  assert.equal(
    (await world.ask("/requests", {
      body: { seedmint: "stop", lease: "container-1000" },
      headers: bearer(other.access_key),
    })).status,
    404,
  );
});

Deno.test("who does not say who it is learns nothing of leases, and no token is taken for a top-up", async () => {
  await using world = new HttpWorld();
  await world.start();
  await world.ask("/pods/spawn", spawn(safeToken("t", 60)));
  for (const pod of ["container-1000", "container-1001", "1000", "x"]) {
    const status = await world.ask("/pods/status", { body: { pod_id: pod } });
    assert.equal(status.status, 401);
    assert.deepEqual(status.headers, [["WWW-Authenticate", "Nostr, Bearer"]]);
    const topUp = await world.ask("/pods/topup", {
      body: { pod_npub: pod },
      headers: { "x-cashu": safeToken("u", 60) },
    });
    assert.equal(topUp.status, 401);
    // What paid for a lease is no key to it.
    const withToken = await world.ask("/pods/status", {
      body: { pod_id: pod },
      headers: { "x-cashu": safeToken("t", 60) },
    });
    assert.equal(withToken.status, 401);
  }
  assert.equal((await world.ask("/requests", { body: { seedmint: "leases" } })).status, 401);
  const unpaid = await world.ask("/pods/topup", { body: { pod_npub: "1000" } });
  assert.equal(unpaid.status, 402);
  const request = readPaymentRequest(unpaid.headers[0]![1])!;
  assert.deepEqual([request.m, "a" in request], [[PLAY_MINT], false]);
  assert.equal(world.leases.till.redeemed.size, 1);
  assert.equal((await world.ask("/requests", { body: { seedmint: "quote" } })).status, 200);
});

Deno.test("a signature makes the Nostr key the owner, the same as over relays", async () => {
  await using world = new HttpWorld();
  const one = await world.start();
  const { members } = await world.ask("/pods/spawn", {
    ...spawn(safeToken("t", 60)),
    signedBy: CAROL,
  });
  assert.equal(members.pod_npub, "container-1000");
  assert.equal("access_key" in members, false);
  const carol = nostrPublicKey(CAROL);
  const listed = await one.provider.ask(carol, { type: "leases" });
  assert.equal(listed.type === "leases" && listed.leases.length, 1);
  const asked = await world.ask("/requests", { body: { seedmint: "leases" }, signedBy: CAROL });
  assert.equal((asked.members.leases as unknown[]).length, 1);
  const dave = await world.ask("/requests", { body: { seedmint: "leases" }, signedBy: DAVE });
  assert.deepEqual(dave.members.leases, []);
});

Deno.test("signatures that are for something else, old, or used already are refused", async () => {
  await using world = new HttpWorld();
  await world.start();
  const good: Wish = { body: { seedmint: "leases" }, signedBy: CAROL };
  const cases: readonly (readonly [Wish["signs"], RegExp])[] = [
    [{ url: "https://other.example/requests", provider: "bb".repeat(32) }, /another address/],
    [{ url: "https://other.example/pods/spawn" }, /another address/],
    [{ method: "GET" }, /another method/],
    [{ body: '{"seedmint":"quote"}' }, /payload/],
    [{ ageS: 61 }, /date/],
    [{ ageS: -61 }, /date/],
  ];
  for (const [signs, wanted] of cases) {
    const { status, members } = await world.ask("/requests", { ...good, ...signs && { signs } });
    assert.equal(status, 401);
    assert.match(String(members.message), wanted);
  }
  // Behind a proxy with another name, where the provider itself is signed for.
  const signs = { url: "https://proxy.example/lend/requests" };
  assert.equal((await world.ask("/requests", { ...good, signs })).status, 200);
  const request = world.request("/requests", good);
  assert.equal((await world.desk.handle(request)).status, 200);
  const again = await world.desk.handle(request);
  assert.equal(again.status, 401);
  assert.match(String(again.members.message), /used already/);
  const authorization = request.header("authorization")!;
  const event = JSON.parse(atob(authorization.slice(6)));
  for (
    const broken of [
      { ...event, pubkey: nostrPublicKey(DAVE) },
      { ...event, sig: "00".repeat(64) },
      { ...event, kind: 1 },
      { ...event, id: "00".repeat(32) },
    ]
  ) {
    const header = `Nostr ${btoa(JSON.stringify(broken))}`;
    const { status } = await world.ask("/requests", {
      body: { seedmint: "leases" },
      headers: { authorization: header },
    });
    assert.equal(status, 401);
  }
  for (const header of ["Nostr", "Nostr !!", "Nostr e30=", "Bearer short", "Bearer "]) {
    const wish = { body: { seedmint: "leases" }, headers: { authorization: header } };
    assert.equal((await world.ask("/requests", wish)).status, 401, header);
  }
});

Deno.test("money that is not taken is 400, too little 402, no room 503, as told in the table", async () => {
  await using world = new HttpWorld();
  await world.start();
  const cases: readonly (readonly [Wish, number, string])[] = [
    [spawn("nonsense"), 400, "invalid_token"],
    [
      spawn(playToken({ secret: "a", amountSat: 60, mint: "https://evil.example" })),
      400,
      "non_whitelisted_mint",
    ],
    [spawn(playToken({ secret: "b", amountSat: 60, unit: "usd" })), 400, "unsupported_unit"],
    [spawn(safeToken("c", 1)), 402, "insufficient_payment"],
    [spawn(safeToken("d", 60), { pod_spec_id: "gold" }), 400, "spec_unavailable"],
    [spawn(safeToken("e", 60), { template_slug: "x" }), 400, "template_unsupported"],
    [spawn(safeToken("f", 60), { ssh_public_key: "ssh-rsa nonsense" }), 400, "invalid_request"],
    [spawn(safeToken("g", 60), { env: 7 }), 400, "invalid_request"],
  ];
  for (const [wish, status, error] of cases) {
    const reply = await world.ask("/pods/spawn", wish);
    assert.deepEqual([reply.status, reply.members.error_type, reply.members.error], [
      status,
      error,
      error,
    ]);
  }
  const short = await world.ask("/pods/spawn", spawn(safeToken("h", 1)));
  assert.ok(short.headers.some(([name]) => name === "X-Cashu"));
  assert.equal(world.leases.till.redeemCount, 0);
});

Deno.test("what fails after payment pays back in the same answer, and again when asked again", async () => {
  await using world = new HttpWorld();
  await world.start();
  world.leases.answersSsh = false;
  const wish = spawn(bareToken("t", 60));
  let reply = await world.ask("/pods/spawn", wish);
  // SSH is waited for a minute, an answer for less: it is asked for again.
  assert.equal(reply.status, 503);
  assert.equal(reply.members.error_type, "not_ready");
  assert.ok(reply.headers.some(([name]) => name === "Retry-After"));
  await world.leases.clock.advance(60_000);
  reply = await world.ask("/pods/spawn", wish);
  assert.equal(reply.status, 500, JSON.stringify(reply.members));
  assert.equal(reply.members.refund_amount_sat, 60);
  assert.deepEqual((await world.ask("/pods/spawn", wish)).members, reply.members);
  assert.equal(world.leases.till.balanceSat, 0);
});

Deno.test("onlyOutcome begins nothing, and tells what was begun", async () => {
  await using world = new HttpWorld();
  await world.start();
  const wish = { ...spawn(safeToken("t", 60)), signedBy: CAROL };
  const unseen = await world.ask("/pods/spawn", {
    ...spawn(safeToken("t", 60), { only_outcome: true }),
    signedBy: CAROL,
  });
  assert.equal(unseen.status, 400);
  assert.equal(world.leases.till.redeemed.size, 0);
  await world.ask("/pods/spawn", wish);
  const seen = await world.ask("/pods/spawn", {
    ...spawn(safeToken("t", 60), { only_outcome: true }),
    signedBy: CAROL,
  });
  assert.equal(seen.members.pod_npub, "container-1000");
});

Deno.test("Idempotency-Key is a request id", async () => {
  await using world = new HttpWorld();
  await world.start();
  const headers = { "idempotency-key": "order-1" };
  const wish = { body: { seedmint: "leases" }, signedBy: CAROL, headers };
  assert.equal((await world.ask("/requests", wish)).members.request_id, "order-1");
});

Deno.test("what is no request is refused before anything is looked at", async () => {
  await using world = new HttpWorld();
  await world.start();
  const cases: readonly (readonly [string, Wish, number])[] = [
    ["/", { method: "GET" }, 404],
    ["/admin", {}, 404],
    ["/__proto__", {}, 404],
    ["/pods/spawn", { method: "GET" }, 405],
    ["/offers", { method: "POST" }, 405],
    ["/pods/spawn", { raw: "{" }, 400],
    ["/pods/spawn", { raw: "[]" }, 400],
    ["/pods/spawn", { raw: "\ud800" }, 400],
    ["/pods/spawn", { raw: `{"a":"${"x".repeat(70_000)}"}` }, 400],
    ["/pods/spawn", { body: {}, headers: { "content-type": "text/plain" } }, 400],
    ["/pods/topup", { body: { pod_id: "1000" }, headers: { "x-cashu": safeToken("x", 9) } }, 400],
    ["/pods/status", { body: { seedmint: "leases" }, signedBy: CAROL }, 400],
  ];
  for (const [path, wish, status] of cases) {
    assert.equal((await world.ask(path, wish)).status, status, path + JSON.stringify(wish));
  }
  assert.deepEqual(world.problems, []);
});

Deno.test("an address has a rate, and a proxy on this machine speaks for others", async () => {
  await using world = new HttpWorld();
  await world.start();
  const get = (remote: string, forwarded?: string) =>
    world.begin("/health", {
      method: "GET",
      remote,
      ...forwarded === undefined ? {} : { headers: { "x-forwarded-for": forwarded } },
    });
  for (let count = 0; count < 60; count++) assert.equal((await get("198.51.100.1")).status, 200);
  assert.equal((await get("198.51.100.1")).status, 429);
  // From elsewhere that header is anybody's invention.
  assert.equal((await get("198.51.100.1", "203.0.113.9")).status, 429);
  assert.equal((await get("198.51.100.2")).status, 200);
  for (let count = 0; count < 60; count++) await get("127.0.0.1", "spoofed, 203.0.113.9");
  assert.equal((await get("127.0.0.1", "203.0.113.9")).status, 429);
  assert.equal((await get("127.0.0.1", "203.0.113.10")).status, 200);
  for (let count = 0; count < 60; count++) await get(`2001:db8:1:2::${count}`);
  assert.equal((await get("2001:db8:1:2:ffff::1")).status, 429);
});
