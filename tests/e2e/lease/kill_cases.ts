/** A provider killed without a word while it lends; started by lease_test.ts in namespaces of its own. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { runVerb } from "../../../devnet/processes.ts";
import type { SpawnRequest } from "../../../provisioning/wire/mod.ts";
import { ok } from "../support.ts";
import { type LabProvider, LeaseLab, RATE_MSAT, until } from "./lab.ts";
import { OldClient } from "./old_client.ts";
import { LabPurse } from "./purse.ts";

/** What is killed once its log tells of a state. */
const STATES = ["pulling", "redeeming", "starting", "ready"] as const;

const PAID_SAT = 60;

function spawn(lab: LeaseLab, token: string, requestId: string): SpawnRequest {
  return {
    type: "spawn",
    token,
    image: lab.image,
    sshUsername: "user",
    sshPassword: "W9ZG2GIUOWiPkYID",
    requestId,
  };
}

/** Kills it as soon as it says that a lease is in `state`. */
async function killAt(provider: LabProvider, state: string): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!provider.process.stderr.includes(`state=${state}`)) {
    if (performance.now() > deadline) throw new Error(`never ${state}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await provider.process.kill();
}

async function instancesIn(lab: LeaseLab): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(join(lab.stateDir, "leases"))) names.push(name);
  return names;
}

Deno.test("a provider killed in any state delivers or pays back once it is started again", async () => {
  await using lab = await LeaseLab.open();
  let provider = await lab.provider();
  const { paymentKey } = await lab.report(provider);
  await using purse = await LabPurse.open(await lab.lessee("anna", 600, 0), lab.net.mints[0]!.url);
  await using client = new OldClient(lab.relay);
  let backSat = 0;
  for (const state of STATES) {
    const token = await purse.token(PAID_SAT, String(paymentKey));
    const answered = client.ask(provider.npub, spawn(lab, token, state), { withinMs: 40_000 });
    answered.catch(() => {});
    await killAt(provider, state);
    provider = await lab.provider();
    const answer = await answered;
    assert.equal(answer.type, "access", `${state}: ${JSON.stringify(answer)}`);
    if (answer.type !== "access") return;
    const run = await client.ask(provider.npub, {
      type: "exec",
      lease: answer.lease,
      command: ["/bin/echo", state],
      timeoutMs: 5000,
    });
    assert.equal(run.type === "exec" && run.stdout, `${state}\n`, JSON.stringify(run));
    const stopped = await client.ask(provider.npub, { type: "stop", lease: answer.lease });
    assert.equal(stopped.type, "stop", JSON.stringify(stopped));
    const back = stopped.type === "stop" ? stopped.refund?.amountSat ?? 0 : 0;
    assert.ok(back > PAID_SAT - 15 && back < PAID_SAT, `${back} sat came back`);
    backSat += back;
  }
  assert.deepEqual(await instancesIn(lab), []);
  const { leases } = {
    leases: (await runVerb("provider", "leases", "--all", "--data", provider.data)).lines,
  };
  assert.deepEqual(leases.map(({ state }) => state), STATES.map(() => "destroyed"), "one for each");
  const { earnedSat } = await lab.report(provider);
  const balance = await ok("wallet", "balance", "--data", provider.data);
  const [mint] = balance.mints as { freeSat: number; outgoingSat: number }[];
  assert.equal(mint!.outgoingSat, backSat, "what was paid back left the wallet, and nothing else");
  const feesSat = Number(earnedSat) - backSat - mint!.freeSat;
  assert.ok(feesSat >= 0 && feesSat <= 2 * STATES.length, `${feesSat} sat of fees`);
  assert.equal((await runVerb("wallet", "audit", "--data", provider.data)).code, 0);
});

Deno.test("a lease ends in time though its provider is dead, and nothing is paid twice afterwards", async () => {
  await using lab = await LeaseLab.open();
  let provider = await lab.provider();
  const { paymentKey } = await lab.report(provider);
  await using purse = await LabPurse.open(await lab.lessee("anna", 100, 0), lab.net.mints[0]!.url);
  await using client = new OldClient(lab.relay);
  const token = await purse.token(4, String(paymentKey));
  const answer = await client.ask(provider.npub, spawn(lab, token, "short"));
  assert.equal(answer.type, "access", JSON.stringify(answer));
  if (answer.type !== "access") return;
  await provider.process.kill();
  assert.deepEqual(await instancesIn(lab), [answer.lease]);
  await until(async () => (await instancesIn(lab)).length === 0, 20_000);
  const lateMs = Date.now() - answer.expiresMs;
  assert.ok(lateMs >= 0 && lateMs < 5_000, `${lateMs} ms late`);
  provider = await lab.provider();
  const [lease] = (await runVerb("provider", "leases", "--all", "--data", provider.data)).lines;
  await until(async () => {
    const { openCount } = await lab.report(provider);
    return openCount === 0;
  });
  assert.equal(lease!.creditMsat, 3 * RATE_MSAT, "four sat less the mint's fee");
  const again = await client.ask(provider.npub, spawn(lab, token, "short"));
  assert.equal(again.type === "access" && again.lease, answer.lease, "the answer of before");
});
