import assert from "node:assert/strict";
import { SeedmintError } from "../../../src/core/errors.ts";
import { AGENT_TOOLS } from "../../../provisioning/mcp/mod.ts";
import { AgentWorld } from "./support.ts";

const ALICE = { name: "a1".repeat(32), isRemote: true };
const BOB = { name: "b0".repeat(32), isRemote: true };

Deno.test("agentServer() lists each tool with a schema, the names of earlier systems too", async () => {
  await using world = new AgentWorld();
  const { client } = await world.connect();
  const { tools } = await client.listTools() as {
    tools: { name: string; inputSchema: { type: string; additionalProperties: boolean } }[];
  };
  assert.deepEqual(tools.map(({ name }) => name), [
    "list_offers",
    "quote_lease",
    "spawn_lease",
    "list_leases",
    "lease_status",
    "lease_logs",
    "lease_exec",
    "topup_lease",
    "restart_lease",
    "stop_lease",
    "spending_limits",
    "get_offers",
    "spawn_pod",
    "topup_pod",
    "get_pod_status",
  ]);
  assert.ok(tools.every(({ inputSchema }) => inputSchema.additionalProperties === false));
  assert.deepEqual(
    AGENT_TOOLS.filter((tool) => tool.isDestructive).map(({ name }) => name),
    ["stop_lease"],
  );
});

Deno.test("an agent rents, works, tops up and stops", async () => {
  await using world = new AgentWorld();
  const { call } = await world.connect();
  const quoted = await call("quote_lease", { image: "alpine", duration_s: 600 });
  assert.equal(quoted.members.quote.amountSat, 60);
  const spawned = await call("spawn_lease", {
    image: "alpine@sha256:" + "ab".repeat(32),
    duration_s: 600,
    env: { MODE: "test" },
    ports: [8080],
    ssh_public_key: "ssh-ed25519 AAAA",
  });
  const { id } = spawned.members.lease;
  assert.equal(spawned.members.lease.identityFile, "/home/x/.key");
  const [order] = world.desk.orders;
  // What was quoted is the most that is paid, with whom it was quoted.
  assert.deepEqual(order!.payment, { budgetSat: 60 });
  assert.equal(order!.provider, "p0");
  assert.deepEqual(order!.ports, [{ containerPort: 8080, protocol: "tcp", label: "port-8080" }]);
  assert.deepEqual(order!.sshPublicKeys, ["ssh-ed25519 AAAA"]);
  const ran = await call("lease_exec", { lease: "container-1000", command: ["uname", "-a"] });
  assert.equal(ran.members.stdout, "uname -a");
  const logs = await call("lease_logs", { lease: id, lines: 5 });
  assert.equal(logs.members.text, "\uFFFD[2Jlast 5 lines\n");
  assert.equal((await call("topup_lease", { lease: id, duration_s: 100 })).members.extendedS, 60);
  assert.deepEqual(world.desk.topUps[0]!.payment, { budgetSat: 10 });
  const left = await call("spending_limits");
  assert.deepEqual(left.members, {
    per_call_sat: 100,
    per_day_sat: 250,
    spent_day_sat: 74,
    left_day_sat: 176,
  });
  assert.equal((await call("stop_lease", { lease: id })).members.refundSat, 1);
  assert.equal(world.desk.spentSat, 74);
});

Deno.test("the names and arguments of earlier systems are understood", async () => {
  await using world = new AgentWorld();
  const { call } = await world.connect();
  assert.equal((await call("get_offers")).members.count, 30);
  assert.equal((await call("list_providers", { capability: "oci" })).members.shown, 20);
  const spawned = await call("spawn_pod", {
    cashu_token: "cashuBabc",
    pod_image: "alpine",
    ssh_username: "user",
    ssh_password: "W9ZG2GIUOWiPkYID",
    pod_spec_id: "basic",
  });
  assert.equal(spawned.isError, false, spawned.text);
  assert.deepEqual(world.desk.orders[0]!.payment, { token: "cashuBabc" });
  assert.equal(JSON.stringify(world.desk.orders).includes("W9ZG2"), false);
  // Providers of our kind know no user but root, and the answer says whom to log in as.
  assert.equal(world.desk.orders[0]!.sshUser, undefined);
  const topped = await call("topup_pod", { pod_npub: "container-1000", cashu_token: "cashuBdef" });
  assert.equal(topped.isError, false, topped.text);
  assert.equal((await call("get_pod_status", { pod_npub: "container-1000" })).isError, false);
  // A token of the agent's is none of our money.
  assert.equal((await call("spending_limits")).members.spent_day_sat, 0);
});

Deno.test("no call and no day costs more than an agent may spend, fees included, however it asks", async () => {
  await using world = new AgentWorld();
  const one = await world.connect();
  const two = await world.connect(ALICE);
  for (const args of [{ budget_sat: 96 }, { duration_s: 960 }, { budget_sat: 100_000_000 }]) {
    const refused = await one.call("spawn_lease", { image: "alpine", ...args });
    assert.match(refused.text, /in one call/);
  }
  assert.equal(world.desk.orders.length, 0);
  // Ten at once, of two agents: what is reserved counts before it is spent.
  const told = await Promise.all(
    Array.from(
      { length: 10 },
      (_, index) =>
        (index % 2 === 0 ? one : two).call("spawn_lease", { image: "alpine", budget_sat: 60 }),
    ),
  );
  assert.equal(told.filter(({ isError }) => !isError).length, 3);
  assert.ok(told.some(({ text }) => text.includes("24 hours")));
  assert.ok(world.desk.spentSat <= 250, `${world.desk.spentSat} sat were spent`);
  const topUp = await one.call("topup_lease", { lease: "lease001", budget_sat: 90 });
  assert.match(topUp.text, /24 hours/);
  await world.clock.advance(24 * 3_600_000 + 1);
  assert.equal((await one.call("spawn_lease", { image: "alpine", budget_sat: 60 })).isError, false);
});

Deno.test("the same request_id is one lease, paid and counted once", async () => {
  await using world = new AgentWorld();
  const { call } = await world.connect();
  const order = { image: "alpine", budget_sat: 50, request_id: "request-1" };
  const told = await Promise.all([call("spawn_lease", order), call("spawn_lease", order)]);
  told.push(await call("spawn_lease", order));
  assert.deepEqual(told.map(({ members }) => members.lease.id), [
    "lease001",
    "lease001",
    "lease001",
  ]);
  assert.equal(world.desk.spentSat, 52);
  assert.equal((await call("spending_limits")).members.spent_day_sat, 52);
  const other = await call("topup_lease", {
    lease: "lease001",
    budget_sat: 5,
    request_id: "request-1",
  });
  assert.match(other.text, /another request/);
});

Deno.test("what failed before money moved is not counted, and what is unclear is", async () => {
  await using world = new AgentWorld();
  const { call } = await world.connect();
  const spent = async () => (await call("spending_limits")).members.spent_day_sat;
  world.desk.failure = new SeedmintError("payment-required", "The wallet holds 3 sat");
  assert.match((await call("spawn_lease", { image: "alpine", budget_sat: 50 })).text, /3 sat/);
  assert.equal(await spent(), 0);
  world.desk.failure = new SeedmintError("timeout", "The provider does not answer");
  await call("spawn_lease", { image: "alpine", budget_sat: 50 });
  assert.equal(await spent(), 55);
  world.desk.failure = undefined;
  world.desk.isAvailable = false;
  assert.match((await call("spawn_lease", { image: "alpine", duration_s: 60 })).text, /no room/);
  assert.equal(await spent(), 55);
});

Deno.test("an agent elsewhere knows of no lease but those it began", async () => {
  await using world = new AgentWorld();
  const local = await world.connect();
  const alice = await world.connect(ALICE);
  const bob = await world.connect(BOB);
  await local.call("spawn_lease", { image: "alpine", budget_sat: 20 });
  const hers = await alice.call("spawn_lease", { image: "alpine", budget_sat: 20 });
  assert.equal(hers.members.lease.id, "lease002");
  assert.equal("identityFile" in hers.members.lease, false);
  assert.equal((await local.call("list_leases")).members.count, 2);
  assert.deepEqual((await alice.call("list_leases")).members.leases.length, 1);
  assert.equal((await bob.call("list_leases")).members.count, 0);
  const unknown = (await bob.call("lease_status", { lease: "nothing" })).text;
  for (const lease of ["lease001", "lease002", "container-1000"]) {
    for (
      const [tool, more] of [
        ["lease_status", {}],
        ["lease_logs", {}],
        ["lease_exec", { command: ["id"] }],
        ["topup_lease", { budget_sat: 1 }],
        ["restart_lease", {}],
        ["stop_lease", {}],
      ] as const
    ) {
      const told = await bob.call(tool, { lease, ...more });
      assert.equal(told.isError, true, tool);
      assert.equal(told.text, unknown);
    }
  }
  assert.equal(world.desk.held.size, 2);
});

Deno.test("a lease whose agent stopped waiting for it is the agent's, and nobody else's elsewhere", async () => {
  await using world = new AgentWorld();
  const alice = await world.connect(ALICE);
  const bob = await world.connect(BOB);
  const gate = Promise.withResolvers<void>();
  world.desk.gate = gate.promise;
  const giveUp = new AbortController();
  for (const payment of [{ budget_sat: 20 }, { token: "cashuBabc" }]) {
    const waiting = alice.client.callTool(
      { name: "spawn_lease", arguments: { image: "alpine", ...payment } },
      undefined,
      { signal: giveUp.signal },
    );
    waiting.catch(() => {});
  }
  await world.clock.settle();
  assert.equal(world.desk.orders.length, 2);
  giveUp.abort(new Error("it takes too long"));
  await world.clock.settle();
  assert.equal((await alice.call("list_leases")).members.count, 0);
  gate.resolve();
  await world.clock.settle();
  // Another session of the same agent.
  const again = await world.connect(ALICE);
  const { leases } = (await again.call("list_leases")).members;
  assert.deepEqual(leases.map(({ id }: { id: string }) => id), ["lease001", "lease002"]);
  assert.equal((await bob.call("list_leases")).members.count, 0);
  assert.equal((await bob.call("stop_lease", { lease: "lease001" })).isError, true);
  assert.equal((await again.call("lease_status", { lease: "lease002" })).isError, false);
  assert.equal((await again.call("stop_lease", { lease: "lease001" })).isError, false);
});

Deno.test("an id of an agent's own that is longer than a node takes stands for one request", async () => {
  await using world = new AgentWorld();
  const { call } = await world.connect();
  for (const length of [40, 41, 64]) {
    const order = { image: "alpine", budget_sat: 5, request_id: "r".repeat(length) };
    const told = [await call("spawn_lease", order), await call("spawn_lease", order)];
    assert.deepEqual(told.map(({ text }) => text), [told[0]!.text, told[0]!.text]);
    assert.equal(told[0]!.isError, false, told[0]!.text);
  }
  assert.equal(world.desk.held.size, 3);
});

Deno.test("wrong arguments are refused in words that mend them", async () => {
  await using world = new AgentWorld();
  const { call } = await world.connect();
  const cases = [
    ["spawn_lease", {}, /image is missing/],
    ["spawn_lease", { image: 7 }, /image: a text wanted/],
    ["spawn_lease", { image: "a", duration_s: 60, budget_sat: 5 }, /not several/],
    ["spawn_lease", { image: "a", duration_s: 1.5 }, /whole number/],
    ["spawn_lease", { image: "a", duration_s: "60" }, /whole number/],
    ["spawn_lease", { image: "a", confirmed: true }, /no argument "confirmed"/],
    ["spawn_lease", { image: "a", request_id: "no" }, /8 to 64/],
    ["spawn_lease", { image: "a", env: ["x"] }, /an object of texts/],
    ["spawn_lease", { image: "a", env: { A: 1 } }, /a text wanted/],
    ["spawn_lease", { image: "a", ports: [0] }, /from 1 to 65535/],
    ["lease_exec", { lease: "x", command: [] }, /a list of 1 to 64/],
    ["lease_exec", { lease: "x", command: ["a\0b"] }, /cannot be used/],
    ["list_offers", { sort: "luck" }, /one of price/],
    ["list_offers", { include_offline: "yes" }, /true or false/],
    ["no_tool", {}, /no tool/],
  ] as const;
  for (const [tool, args, wanted] of cases) {
    const told = await call(tool, args as Record<string, unknown>);
    assert.equal(told.isError, true, tool);
    assert.match(told.text, wanted);
  }
  assert.equal(world.desk.orders.length, 0);
});

Deno.test("texts of strangers come without control characters, and failures without paths", async () => {
  await using world = new AgentWorld();
  const alice = await world.connect(ALICE);
  world.desk.offerName = "\x1b]0;owned\x07\u202eA";
  const { text } = await alice.call("list_offers", { limit: 1 });
  assert.equal(JSON.parse(text).offers[0].name, "\uFFFD]0;owned\uFFFD\uFFFDA");
  world.desk.failure = new SeedmintError(
    "storage",
    "Cannot write /home/anna/.seedmint/wallet.sqlite",
  );
  assert.equal(
    (await alice.call("spawn_lease", { image: "a", budget_sat: 1 })).text.includes("/home"),
    false,
  );
  world.desk.failure = new TypeError("x is undefined at /src/app.ts") as never;
  const broken = await alice.call("spawn_lease", { image: "a", budget_sat: 1 });
  assert.equal(broken.text, "The node failed by a mistake of its own");
  assert.equal(world.problems.length, 1);
});

Deno.test("a call that a gateway passes on twice is done once", async () => {
  await using world = new AgentWorld();
  const { theirs, client } = await world.connect();
  await client.listTools();
  const answers: unknown[] = [];
  theirs.onmessage = (message: unknown) => answers.push(message);
  const message = {
    jsonrpc: "2.0" as const,
    id: "ab".repeat(32),
    method: "tools/call",
    params: { name: "spawn_lease", arguments: { image: "a", budget_sat: 5 } },
  };
  await Promise.all([theirs.send(message), theirs.send(message)]);
  await world.clock.settle();
  await theirs.send(message);
  await world.clock.settle();
  assert.equal(answers.length, 3);
  assert.equal(world.desk.orders.length, 1);
});

Deno.test("one agent has so many calls under way, and no more", async () => {
  await using world = new AgentWorld();
  world.limits = { perCallSat: 100, perDaySat: 100_000 };
  const { call } = await world.connect();
  const gate = Promise.withResolvers<void>();
  world.desk.gate = gate.promise;
  const calls = Array.from(
    { length: 20 },
    () => call("spawn_lease", { image: "a", budget_sat: 1 }),
  );
  await world.clock.settle();
  gate.resolve();
  const told = await Promise.all(calls);
  assert.equal(told.filter(({ text }) => text.includes("Too many calls")).length, 4);
});
