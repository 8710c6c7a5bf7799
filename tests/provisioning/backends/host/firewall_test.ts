import assert from "node:assert/strict";
import { problemOf } from "../../../../provisioning/backends/host/forward_probe.ts";
import { chainsOf, devicesOf } from "../../../../provisioning/backends/host/network_state.ts";
import { labMissing, runCases, skippedFor } from "../runc/lab.ts";

const missing = await labMissing();

Deno.test({
  name: `leases and their host pass the cases of firewalls on the real runc${skippedFor(missing)}`,
  ignore: missing !== undefined,
  fn: async () => assert.equal(await runCases("../host/firewall_cases.ts"), undefined),
});

Deno.test("chainsOf() finds tables, and the chains of others that forwarded packets pass", () => {
  const base = { type: "filter", hook: "forward", prio: 0, handle: 1 };
  const nftables = [
    { metainfo: { version: "1.0.6" } },
    { chain: { family: "ip", table: "filter", name: "FORWARD", ...base, policy: "drop" } },
    { chain: { family: "ip", table: "filter", name: "DOCKER-USER", handle: 2 } },
    { chain: { family: "inet", table: "firewalld", name: "fwd", ...base, policy: "accept" } },
    { chain: { family: "ip6", table: "filter", name: "FORWARD", ...base, policy: "drop" } },
    { chain: { family: "inet", table: "seedmint_31001", name: "forward", ...base } },
    { chain: { family: "ip", table: "odd; flush ruleset", name: "x", ...base, policy: "drop" } },
  ];
  const { tables, leasePorts, forwardChains } = chainsOf(JSON.stringify({ nftables }));
  assert.ok(tables.has("seedmint_31001"));
  assert.deepEqual(leasePorts, [31_001]);
  assert.deepEqual(forwardChains, [
    { family: "ip", table: "filter", name: "FORWARD", isClosed: true },
    { family: "inet", table: "firewalld", name: "fwd", isClosed: false },
  ]);
});

Deno.test("devicesOf() reads the kernel's list", () => {
  const text = "Inter-|   Receive\n face |bytes\n    lo: 0 0\nsmv31001:90210 1\n  eth0.5:12 1\n";
  assert.deepEqual([...devicesOf(text)], ["lo", "smv31001", "eth0.5"]);
});

Deno.test("problemOf() tells dropped packets from packets that never came", () => {
  const well = { to_first: 1, to_last: 1, from_first: 2, from_last: 2 };
  assert.equal(problemOf(well), undefined);
  assert.equal(problemOf({}), undefined);
  assert.equal(problemOf({ ...well, to_first: 0, to_last: 0 }), undefined);
  assert.match(problemOf({ ...well, to_last: 0 }) ?? "", /goes to leases: let it forward/);
  assert.match(problemOf({ ...well, from_last: 0 }) ?? "", /goes from leases: let it forward/);
});
