import assert from "node:assert/strict";
import { SeedmintError } from "../../src/core/errors.ts";
import type { NodeApi } from "../../src/app/api/methods.ts";
import { NodeAgentDesk, NodeUse } from "../../src/app/mcp/mod.ts";
import { runVerb } from "../../devnet/processes.ts";
import { ManualClock } from "../support/manual_clock.ts";

const WORK = { signal: new AbortController().signal, onProgress: () => {} };

/** A node that answers by a table, and counts how often it was opened and closed. */
class FakeNode {
  openCount = 0;
  closeCount = 0;
  readonly calls: [string, unknown][] = [];
  answers: Record<string, unknown> = {};

  open = (): Promise<NodeApi> => {
    assert.equal(this.openCount, this.closeCount, "two were open at a time");
    this.openCount++;
    return Promise.resolve({
      call: (method: string, params: unknown) => {
        this.calls.push([method, params]);
        return Promise.resolve(this.answers[method]);
      },
      [Symbol.asyncDispose]: () => {
        this.closeCount++;
        return Promise.resolve();
      },
    } as unknown as NodeApi);
  };
}

Deno.test("NodeUse opens a node when it is needed, shares it, and closes it soon after", async () => {
  const clock = new ManualClock();
  const fake = new FakeNode();
  await using nodes = new NodeUse({ open: fake.open, clock });
  assert.equal(fake.openCount, 0);
  const gate = Promise.withResolvers<void>();
  const long = nodes.use(() => gate.promise);
  await nodes.use(() => Promise.resolve());
  await clock.advance(60_000);
  assert.deepEqual([fake.openCount, fake.closeCount], [1, 0]);
  gate.resolve();
  await long;
  await clock.advance(1_000);
  await nodes.use(() => Promise.resolve());
  assert.equal(fake.openCount, 1);
  await clock.advance(3_000);
  assert.equal(fake.closeCount, 1);
  await assert.rejects(nodes.use(() => Promise.reject(new Error("no"))), /no/);
  assert.equal(fake.openCount, 2);
});

Deno.test("NodeUse tries again after a node that does not open", async () => {
  const fake = new FakeNode();
  let failures = 1;
  await using nodes = new NodeUse({
    open: () => {
      if (failures-- > 0) return Promise.reject(new SeedmintError("locked", "Another has it"));
      return fake.open();
    },
    clock: new ManualClock(),
  });
  await assert.rejects(nodes.use(() => Promise.resolve()), { code: "locked" });
  assert.equal(await nodes.use(() => Promise.resolve(7)), 7);
});

function leaseView(id: string, lease: string, paidSat: number) {
  return {
    ...{ id, requestId: `request-${id}`, lease, leaseId: `p:${lease}:1`, provider: "p" },
    tier: "basic",
    ...{ paidSat, feeSat: 1, identityFile: "/home/anna/key" },
  };
}

Deno.test("NodeAgentDesk finds leases by their names, and never says yes for a person", async () => {
  const fake = new FakeNode();
  const desk = new NodeAgentDesk({
    use: async (work) => await work(await fake.open().finally(() => fake.closeCount++)),
    feeLimit: { baseSat: 2, ppm: 10_000 },
  });
  fake.answers = {
    "lease.ls": {
      leases: [
        leaseView("abcd1234", "container-1", 50),
        leaseView("abcd9999", "container-1", 5),
        leaseView("ffff0000", "container-2", 7),
      ],
    },
    "lease.topup": { lease: leaseView("ffff0000", "container-2", 30), extendedS: 9, paidSat: 20 },
    "lease.spawn": leaseView("ffff0000", "container-2", 50),
  };
  for (const name of ["abcd1234", "p:container-2:1", "container-2", "ffff"]) {
    assert.ok((await desk.find(name, WORK)).id.length > 0, name);
  }
  for (const name of ["abcd", "container-1", "p:container-1:1", "fff", "", "nothing"]) {
    await assert.rejects(desk.find(name, WORK), { code: "not-found" }, name);
  }
  const found = await desk.find("ffff0000", WORK);
  assert.equal(found.requestId, "request-ffff0000");
  assert.equal("requestId" in found.members, false);
  const payment = { budgetSat: 20 };
  const topped = await desk.topUp({ requestId: "request-1", lease: "ffff0000", payment }, WORK);
  assert.equal(topped.costSat, 23);
  assert.equal(JSON.stringify(topped.members).includes("/home"), false);
  const spawned = await desk.spawn({ requestId: "request-2", image: "a", payment }, WORK);
  assert.equal(spawned.costSat, 51);
  const paying = fake.calls.filter(([method]) =>
    method === "lease.spawn" || method === "lease.topup"
  );
  assert.ok(paying.every(([, params]) => (params as { confirmed: boolean }).confirmed === false));
  assert.equal(desk.feeMaxSat(100), 3);
});

Deno.test("mcp --nostr says what is missing", async () => {
  const data = await Deno.makeTempDir({ prefix: "agents-" });
  try {
    const nobody = await runVerb("mcp", "--nostr", "--data", data);
    assert.equal(nobody.code, 2);
    assert.match(JSON.stringify(nobody.lines) + nobody.stderr, /--mcp-agent/);
    const key = "ab".repeat(32);
    const nowhere = await runVerb("mcp", "--nostr", "--mcp-agent", key, "--data", data);
    assert.equal(nowhere.code, 2);
    assert.match(JSON.stringify(nowhere.lines) + nowhere.stderr, /--relay/);
    const wrong = await runVerb("mcp", "--mcp-agent", "nsec1xyz", "--data", data);
    assert.match(JSON.stringify(wrong.lines) + wrong.stderr, /public key/);
  } finally {
    await Deno.remove(data, { recursive: true });
  }
});
