/** An agent rents by tools, from a provider over HTTP; started by agent_test.ts in namespaces of its own. */
import assert from "node:assert/strict";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { runVerb } from "../../../devnet/processes.ts";
import { PERMISSION_FLAGS } from "../../../src/app/permissions.ts";
import { ok } from "../support.ts";
import { LeaseLab } from "./lab.ts";

const HTTP = "127.0.0.1:31490";

/** Calls of tools, as an agent on this machine makes them. */
async function agentOf(data: string, ...flags: string[]) {
  const client = new Client({ name: "agent", version: "1" });
  await client.connect(
    new StdioClientTransport({
      command: Deno.execPath(),
      args: ["run", ...PERMISSION_FLAGS, "node.ts", "mcp", "--data", data, ...flags],
      stderr: "inherit",
    }),
  );
  const call = async (name: string, args: Record<string, unknown> = {}) => {
    const result = await client.callTool({ name, arguments: args }, undefined, {
      timeout: 120_000,
    }) as { isError?: boolean; content: { text: string }[] };
    const { text } = result.content[0]!;
    if (result.isError === true) throw new Error(text);
    return JSON.parse(text);
  };
  return { call, [Symbol.asyncDispose]: () => client.close() };
}

Deno.test("an agent rents over HTTP, works inside, tops up and stops, within its limits", {
  // Timers of the SDK's client outlive its end.
  sanitizeOps: false,
  sanitizeResources: false,
}, async () => {
  await using lab = await LeaseLab.open();
  const provider = await lab.provider(
    ...["--provider-http", HTTP, "--provider-http-url", `http://${HTTP}`],
    ...["--log-level", "info,lease=debug"],
  );
  const data = await lab.lessee("anna", 300, 0);
  await using agent = await agentOf(
    data,
    ...["--mcp-budget", "100sat", "--mcp-budget-day", "150sat", "--lessee-http", "any"],
  );
  const { offers } = await agent.call("list_offers");
  assert.equal(offers[0].apiEndpoint, `http://${HTTP}`);
  const { quote } = await agent.call("quote_lease", { image: lab.image, duration_s: 60 });
  assert.equal(quote.amountSat, 60);
  await assert.rejects(
    agent.call("spawn_lease", { image: lab.image, duration_s: 120 }),
    /in one call/,
  );
  const order = { image: lab.image, duration_s: 60, request_id: "agent-order-1" };
  const { lease } = await agent.call("spawn_lease", order);
  assert.equal(lease.state, "active", JSON.stringify(lease));
  const again = await agent.call("spawn_lease", order);
  assert.equal(again.lease.id, lease.id);
  const ran = await agent.call("lease_exec", {
    lease: lease.id,
    command: ["/bin/sh", "-c", "echo $((6*7))"],
  });
  assert.equal(ran.stdout, "42\n");
  assert.match((await agent.call("lease_logs", { lease: lease.id })).text, /ready/);
  const topped = await agent.call("topup_lease", { lease: lease.id, budget_sat: 30 });
  assert.ok(topped.extendedS >= 25, JSON.stringify(topped));
  const { spent_day_sat: spentSat } = await agent.call("spending_limits");
  await assert.rejects(agent.call("topup_lease", { lease: lease.id, budget_sat: 60 }), /24 hours/);
  const status = await agent.call("lease_status", { lease: lease.id });
  assert.equal(status.lease.lease, lease.lease);
  assert.equal(status.lease.paidSat + status.lease.feeSat, spentSat);
  const stopped = await agent.call("stop_lease", { lease: lease.id });
  assert.ok(stopped.refundSat > 0, JSON.stringify(stopped));
  const { leases } = await agent.call("list_leases");
  assert.deepEqual(leases, []);
  assert.match(provider.process.stderr, /answered over HTTP.*path=\/requests/);
  const { lines } = await runVerb("provider", "leases", "--all", "--data", provider.data);
  assert.equal(lines.length, 1, "one lease for two spawns under one id");
  const balance = await ok("wallet", "balance", "--data", data);
  // Fees are counted as they were foreseen; what a mint gives back of them is a gain.
  const costSat = 300 - Number(balance.totalSat);
  assert.ok(
    costSat > 0 && costSat <= spentSat - stopped.refundSat,
    `${costSat} of ${spentSat} sat`,
  );
});
