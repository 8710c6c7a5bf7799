/** Providers of Paygress, and providers that do not keep their word. */
import assert from "node:assert/strict";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { buildPrivate } from "../../../src/nostr/mod.ts";
import { LESSEE_LIMITS } from "../../../provisioning/consumer/mod.ts";
import type { EndedLease } from "../../../provisioning/consumer/mod.ts";
import { buildAnswer } from "../../../provisioning/wire/mod.ts";
import { FUNDED_SAT, LESSEE, LesseeWorld } from "../../support/provisioning/lessee_world.ts";
import { playToken } from "../../support/provisioning/memory_till.ts";
import { ScriptedProvider } from "../../support/provisioning/scripted_provider.ts";

const SIGNAL = new AbortController().signal;
const WISH = { id: "web", image: "alpine:3.20", durationMs: 3_600_000 } as const;
const OLD = { ...WISH, policy: { allowsOld: true } } as const;

/** Remembers what receipts were asked for. */
function ledger(): {
  readonly ended: EndedLease[];
  readonly port: { ended(lease: EndedLease): Promise<void> };
} {
  const ended: EndedLease[] = [];
  return { ended, port: { ended: (lease) => Promise.resolve(void ended.push(lease)) } };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (isSeedmintError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "nothing";
}

/** As paygress-cli 0.1.9 writes them. */
const PAYGRESS_LINES = [
  "🚀 Workload provisioned successfully!",
  "👤 Username: root",
  "🔑 Password: hQ7x!pE2",
  "⌛ Expires: 2026-11-21 22:00:00 UTC",
  "Access: You can connect to the container using SSH.",
  "  ssh -p 31000 root@203.0.113.9",
];

Deno.test("an old provider gets five fields and an unlocked token, and its lease works", async () => {
  await using world = new LesseeWorld();
  using old = new ScriptedProvider(world, {
    isOurs: false,
    script: async (request, provider) => {
      await provider.take(request);
      if (request.type === "spawn") return { ...provider.access(), instructions: PAYGRESS_LINES };
      if (request.type === "topup") {
        return {
          type: "topup",
          lease: "container-1000",
          extendedS: 600,
          expiresMs: world.clock.nowMs() + 4_200_000,
          message: "Lease extended by 600s",
        };
      }
      return request.type === "status"
        ? {
          type: "status",
          lease: "container-1000",
          status: "Running",
          expiresMs: world.clock.nowMs() + 3_500_000,
          remainingS: 3500,
          cpuMillicores: 1000,
          memoryMb: 1024,
          sshHost: "203.0.113.9",
          sshPort: 31000,
          sshUsername: "root",
        }
        : undefined;
    },
  });
  const { lessee } = await world.lessee();
  assert.match(await codeOf(world.during(lessee.spawn(WISH, { signal: SIGNAL }))), /^not-found/);
  const lease = await world.during(lessee.spawn(OLD, { signal: SIGNAL }));
  assert.equal(lease.access?.host, "203.0.113.9");
  assert.equal(lease.access?.usesPassword, true);
  assert.match(lease.wanted.sshPassword, /^[A-Za-z0-9]{20}$/);
  assert.equal(lease.access?.password, "hQ7x!pE2", "the one that it chose, not the one asked for");
  assert.deepEqual(lease.complaints, []);
  assert.equal(old.messages[0]?.kind, "nip04");
  assert.equal(world.purse.made.get("web")?.lockedTo, undefined);
  await world.during(lessee.status(lease.id, { signal: SIGNAL }));
  const topped = await world.during(lessee.topUp(lease.id, { amountSat: 30 }, { signal: SIGNAL }));
  assert.equal(topped.payment.state, "taken");
  assert.match(
    await codeOf(lessee.stop(lease.id, { signal: SIGNAL })),
    /^denied: .*does not know how/,
  );
  assert.equal(world.moneySat, FUNDED_SAT);
});

Deno.test("an old provider that never answers costs nothing", async () => {
  await using world = new LesseeWorld();
  using old = new ScriptedProvider(world, { isOurs: false, script: () => undefined });
  const { lessee } = await world.lessee();
  const message = await codeOf(world.during(lessee.spawn(OLD, { signal: SIGNAL })));
  assert.match(message, /^timeout: Cannot rent Basic .* does not answer\. 180 sat came back$/);
  assert.equal(world.purse.balanceSat, FUNDED_SAT);
  assert.equal(new Set(old.messages.map(({ id }) => id)).size, 1, "asked with one message");
  assert.equal(lessee.leases({ all: true })[0]?.end?.reason, "unserved");
});

Deno.test("an old provider that takes the token and never answers is told as a loss", async () => {
  await using world = new LesseeWorld();
  using _old = new ScriptedProvider(world, {
    isOurs: false,
    script: async (request, provider) => void await provider.take(request),
  });
  const receipts = ledger();
  const { lessee, events } = await world.lessee({ receipts: receipts.port });
  const message = await codeOf(world.during(lessee.spawn(OLD, { signal: SIGNAL })));
  assert.match(message, /180 sat are lost to it$/);
  await world.pass(1_000);
  assert.equal(receipts.ended[0]?.reason, "robbed");
  assert.equal(receipts.ended[0]?.payments[0]?.outcome, "lost");
  assert.ok(events.some(({ type }) => type === "loss"));
});

Deno.test("a locked token of a provider that is silent comes back after its lock", async () => {
  await using world = new LesseeWorld();
  using provider = new ScriptedProvider(world, { isOurs: true, script: () => undefined });
  const receipts = ledger();
  const { lessee } = await world.lessee({ receipts: receipts.port });
  const spawning = lessee.spawn(WISH, { signal: SIGNAL });
  const message = await codeOf(world.during(spawning, { ms: 1_200_000 }));
  assert.match(message, /^timeout: .*180 sat are locked to it until .* UTC and come back then$/);
  assert.ok(provider.messages.length > 1, "it was asked again");
  assert.deepEqual(new Set(provider.requests.map(({ requestId }) => requestId)), new Set(["web"]));
  assert.equal(world.purse.balanceSat, FUNDED_SAT - 180);
  assert.equal(lessee.account(lessee.leases({ all: true })[0]!.id).comingSat, 180);
  await world.clock.advance(1_200_000);
  await world.pass(1_000);
  assert.equal(world.purse.balanceSat, FUNDED_SAT);
  const [silent] = receipts.ended;
  assert.deepEqual([silent?.reason, silent?.payments[0]?.outcome], ["unserved", "returned"]);
});

Deno.test("a provider that takes a locked token and never answers is found out after the lock", async () => {
  await using world = new LesseeWorld();
  using _provider = new ScriptedProvider(world, {
    isOurs: true,
    script: async (request, provider) => void await provider.take(request),
  });
  const receipts = ledger();
  const { lessee } = await world.lessee({ receipts: receipts.port });
  await codeOf(world.during(lessee.spawn(WISH, { signal: SIGNAL }), { ms: 1_200_000 }));
  await world.clock.advance(1_200_000);
  await world.pass(1_000);
  assert.equal(lessee.leases({ all: true })[0]?.end?.reason, "robbed");
  assert.equal(receipts.ended.length, 1);
});

Deno.test("an answer that comes long after the lessee gave up brings the lease to life", async () => {
  await using world = new LesseeWorld();
  using provider = new ScriptedProvider(world, {
    isOurs: true,
    script: async (request, provider) => void await provider.take(request),
  });
  const { lessee } = await world.lessee();
  await codeOf(world.during(lessee.spawn(WISH, { signal: SIGNAL }), { ms: 1_200_000 }));
  assert.equal(lessee.leases().length, 0);
  await provider.say(provider.access({ requestId: "web" }), 0);
  await world.pass(1_000);
  assert.equal(lessee.leases()[0]?.stage, "live");
  assert.equal(lessee.account("container-1000").payments[0]?.state, "taken");
});

Deno.test("answers of others, to other requests and of other kinds are none", async () => {
  await using world = new LesseeWorld();
  using other = new ScriptedProvider(world, { isOurs: true, seed: 51, script: () => undefined });
  using provider = new ScriptedProvider(world, { isOurs: true, script: () => undefined });
  const { lessee } = await world.lessee();
  const spawning = lessee.spawn({ ...WISH, provider: provider.key }, { signal: SIGNAL });
  spawning.catch(() => {});
  await world.pass(1_000);
  assert.equal(provider.messages.length, 1);
  // Somebody else, who knows the id of the request.
  const { event } = await buildPrivate(
    { kind: "nip17", recipient: LESSEE, text: buildAnswer(other.access({ requestId: "web" })) },
    {
      secretKey: new Uint8Array(32).fill(51),
      clock: world.clock,
      random: world.random,
    },
  );
  await world.relay.publish(event);
  await provider.say(provider.access({ requestId: "another" }));
  await provider.say(provider.access());
  await provider.say({
    type: "topup",
    lease: "container-1000",
    extendedS: 1,
    expiresMs: world.clock.nowMs() + 1000,
    message: "",
    requestId: "web",
  });
  await provider.say("{");
  await world.pass(2_000);
  assert.equal(lessee.leases()[0]?.stage, "asking");
  await provider.say(provider.access({ requestId: "web" }));
  assert.equal((await world.during(spawning)).stage, "live");
});

Deno.test("what a provider gives less than was paid for is held against it", async () => {
  await using world = new LesseeWorld();
  using provider = new ScriptedProvider(world, {
    isOurs: true,
    script: (request, provider) =>
      request.type === "spawn"
        ? provider.access({
          requestId: "web",
          expiresMs: world.clock.nowMs() + 600_000,
          memoryMb: 512,
          host: "-oProxyCommand=evil",
          leaseId: `${"ee".repeat(32)}:container-1000:5`,
          sshUsername: "$(id)",
        })
        : undefined,
  });
  const { lessee } = await world.lessee();
  const lease = await world.during(lessee.spawn(WISH, { signal: SIGNAL }));
  assert.equal(lease.access?.host, undefined);
  assert.equal(lease.access?.sshUsername, "root");
  assert.equal(lease.access?.leaseId, undefined);
  assert.equal(lease.complaints.length, 4, lease.complaints.join("; "));
  assert.ok(provider.requests.length >= 1);
});

Deno.test("a refund that is worth nothing is no refund", async () => {
  await using world = new LesseeWorld();
  using _provider = new ScriptedProvider(world, {
    isOurs: true,
    script: async (request, provider) => {
      await provider.take(request);
      return {
        type: "error",
        error: "provisioning_error",
        message: "The engine failed",
        requestId: "web",
        refund: {
          token: playToken({ secret: "locked to me", amountSat: 180, lockedTo: "02aa" }),
          amountSat: 180,
        },
      };
    },
  });
  const receipts = ledger();
  const { lessee } = await world.lessee({ receipts: receipts.port });
  const message = await codeOf(world.during(lessee.spawn(WISH, { signal: SIGNAL })));
  assert.match(
    message,
    /engine failed\. It paid back a token that is worth nothing: 180 sat are lost/,
  );
  await world.pass(1_000);
  const [lease] = lessee.leases({ all: true });
  assert.equal(lease?.end?.reason, "robbed");
  assert.deepEqual(lease?.complaints, ["It paid back 180 sat with a token that was worth 0"]);
  assert.equal(receipts.ended[0]?.refundedSat, 0);
});

Deno.test("a stop that pays back too little, or never answers, is held against the provider", async () => {
  await using world = new LesseeWorld();
  using provider = new ScriptedProvider(world, {
    isOurs: true,
    script: async (request, provider) => {
      await provider.take(request);
      if (request.type === "spawn") return provider.access({ requestId: request.requestId! });
      return undefined;
    },
  });
  const { lessee } = await world.lessee();
  const lease = await world.during(lessee.spawn(WISH, { signal: SIGNAL }));
  const stopping = lessee.stop(lease.id, { signal: SIGNAL });
  assert.match(await codeOf(world.during(stopping)), /^timeout: .*It is asked until it does/);
  assert.equal(lessee.lease(lease.id).stage, "stopping");
  const { index, request } = provider.requests.map((request, index) => ({ request, index }))
    .findLast(({ request }) => request.type === "stop")!;
  await provider.say({
    type: "stop",
    lease: "container-1000",
    endedMs: world.clock.nowMs(),
    requestId: request.requestId!,
    refund: { token: playToken({ secret: "change", amountSat: 50 }), amountSat: 50 },
  }, index);
  await world.pass(2_000);
  assert.equal(lessee.lease(lease.id).stage, "ended");
  assert.match(
    lessee.lease(lease.id).complaints.join(),
    /It paid back 50 sat where 1[67]\d sat were left/,
  );
  assert.equal(lessee.account(lease.id).spentSat, 130);
});

Deno.test("a token that was handed in pays, or comes back into the purse", async () => {
  await using world = new LesseeWorld();
  let isWilling = false;
  using _provider = new ScriptedProvider(world, {
    isOurs: true,
    script: async (request, provider) => {
      if (!isWilling) {
        return {
          type: "error",
          error: "no_capacity",
          message: "Full",
          requestId: request.requestId!,
        };
      }
      await provider.take(request);
      return provider.access({ requestId: request.requestId! });
    },
  });
  const { lessee } = await world.lessee();
  const wish = (secret: string) => ({
    image: "alpine",
    token: playToken({ secret, amountSat: 180 }),
    tokenSat: 180,
  });
  const message = await codeOf(world.during(lessee.spawn(wish("one"), { signal: SIGNAL })));
  assert.match(message, /^busy: .*Full\. 180 sat came back$/);
  assert.equal(world.purse.balanceSat, FUNDED_SAT + 180);
  isWilling = true;
  const lease = await world.during(lessee.spawn(wish("two"), { signal: SIGNAL }));
  assert.equal(lease.stage, "live");
  assert.equal(world.till.balanceSat, 180);
  assert.equal(world.purse.made.size, 0);
});

Deno.test("a lessee that was away for long asks for the outcome, and begins nothing new", async () => {
  await using world = new LesseeWorld();
  using provider = new ScriptedProvider(world, { isOurs: true, script: () => undefined });
  {
    await using run = await world.lessee();
    run.lessee.spawn(WISH, { signal: SIGNAL }).catch(() => {});
    await world.pass(1_000);
    assert.equal(provider.messages.length, 1);
  }
  await world.clock.advance(LESSEE_LIMITS.spawnPatienceMs + 1_000);
  const { lessee } = await world.lessee();
  await world.pass(30_000);
  assert.equal(provider.messages.length, 1, "only the same message again");
  const lease = lessee.leases({ all: true })[0]!;
  assert.equal(lease.stage, "failed");
  await provider.say(provider.access({ requestId: "web" }), 0);
  await world.pass(1_000);
  assert.equal(lessee.lease(lease.id).stage, "live");
});

Deno.test("a top-up of a lease that has just ended is paid back, and the lease is seen as over", async () => {
  await using world = new LesseeWorld();
  using provider = new ScriptedProvider(world, {
    isOurs: true,
    script: async (request, provider) => {
      const requestId = request.requestId!;
      await provider.take(request);
      if (request.type === "spawn") return provider.access({ requestId });
      if (request.type !== "topup") {
        return { type: "error", error: "not_found", message: "No such lease", requestId };
      }
      return {
        type: "error",
        error: "race_lost",
        message: "The lease ended before the money came; the money comes back",
        requestId,
        refund: { token: playToken({ secret: "back", amountSat: 20 }), amountSat: 20 },
      };
    },
  });
  const { lessee } = await world.lessee();
  const lease = await world.during(lessee.spawn(WISH, { signal: SIGNAL }));
  const message = await codeOf(
    world.during(lessee.topUp(lease.id, { amountSat: 20 }, { signal: SIGNAL })),
  );
  assert.match(message, /the money comes back\. 20 sat came back$|20 sat are coming back$/);
  assert.equal(world.purse.balanceSat, FUNDED_SAT - 180);
  await world.pass(2_000);
  assert.match(
    await codeOf(lessee.exec(lease.id, ["id"], { signal: SIGNAL })),
    /^usage: .* it is over/,
  );
  const after = lessee.lease(lease.id);
  assert.equal(after.stage, "ended");
  assert.equal(after.end?.reason, "cut-short");
  assert.match(after.complaints.join(), /It paid back nothing where 1\d\d sat were left/);
  assert.match(
    await codeOf(lessee.topUp(lease.id, { amountSat: 5 }, { signal: SIGNAL })),
    /^usage/,
  );
  assert.ok(provider.requests.some(({ type }) => type === "stop"));
});

Deno.test("a provider that asks more than it offers, or to be paid elsewhere, is not paid", async () => {
  await using world = new LesseeWorld();
  let lie: Record<string, unknown> = {};
  using _provider = new ScriptedProvider(world, {
    isOurs: true,
    offer: {
      terms: {
        paymentKey: `02${"ab".repeat(32)}`,
        specs: new Map(),
        verbs: ["quote", "stop"],
        isDraining: false,
      },
    },
    script: (request) => ({
      type: "quote",
      requestId: request.requestId!,
      specId: "basic",
      rateMsatPerS: 50,
      durationS: 3600,
      amountSat: 180,
      minDurationS: 60,
      mints: ["https://mint.example"],
      paymentKey: `02${"ab".repeat(32)}`,
      locktimeMin: 15,
      isAvailable: true,
      ...lie,
    }),
  });
  const { lessee } = await world.lessee();
  for (
    const one of [
      { rateMsatPerS: 51 },
      { paymentKey: `02${"ac".repeat(32)}` },
      { mints: ["https://other.example"] },
      { locktimeMin: 100_000 },
      { specId: "premium" },
      { minDurationS: 7200 },
    ]
  ) {
    lie = one;
    const message = await codeOf(world.during(lessee.spawn(WISH, { signal: SIGNAL })));
    assert.match(message, /^unavailable: .*Nothing was paid$/, JSON.stringify(one));
  }
  // More than the price times the time is asked for in vain.
  lie = { amountSat: 9_999 };
  const quote = await world.during(lessee.quote(WISH, { signal: SIGNAL }));
  assert.equal(quote.amountSat, 180);
  assert.equal(quote.isAvailable, true);
  assert.equal(world.purse.made.size, 0);
});

Deno.test("money that is promised back is waited for, however long the provider's mint is away", async () => {
  await using world = new LesseeWorld();
  const startMs = world.clock.nowMs();
  using _provider = new ScriptedProvider(world, {
    isOurs: true,
    script: async (request, provider) => {
      await provider.take(request);
      const failed = {
        type: "error",
        error: "provisioning_error",
        message: "The engine failed",
        requestId: request.requestId!,
      } as const;
      if (world.clock.nowMs() - startMs < 2_400_000) return { ...failed, retryMs: 30_000 };
      return {
        ...failed,
        refund: { token: playToken({ secret: "back", amountSat: 180 }), amountSat: 180 },
      };
    },
  });
  const { lessee } = await world.lessee();
  const spawning = lessee.spawn(WISH, { signal: SIGNAL });
  assert.match(
    await codeOf(world.during(spawning, { ms: 1_200_000 })),
    /are locked to it|being taken/,
  );
  for (let turn = 0; turn < 20; turn++) await world.pass(180_000);
  assert.equal(world.purse.balanceSat, FUNDED_SAT);
  assert.equal(lessee.leases({ all: true })[0]?.end?.reason, "refunded");
});

Deno.test("a clock that is set back by a day keeps no money waiting", async () => {
  await using world = new LesseeWorld();
  using _old = new ScriptedProvider(world, { isOurs: false, script: () => undefined });
  const { lessee } = await world.lessee();
  const spawning = lessee.spawn(OLD, { signal: SIGNAL });
  spawning.catch(() => {});
  await world.pass(5_000);
  world.clock.jump(-24 * 3_600_000);
  assert.match(await codeOf(world.during(spawning)), /^timeout/);
  await world.pass(60_000);
  assert.equal(world.purse.balanceSat, FUNDED_SAT);
});
