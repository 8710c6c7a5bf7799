/** A provider killed without a word while it lends; started by lease_test.ts in namespaces of its own. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { runVerb } from "../../../devnet/processes.ts";
import type { SpawnRequest } from "../../../provisioning/wire/mod.ts";
import { ok } from "../support.ts";
import { type LabProvider, LeaseLab, RATE_MSAT, until } from "./lab.ts";
import { OldClient } from "./old_client.ts";
import { LabPurse } from "./purse.ts";

/** Where it is killed; in the others by `tests/interop/lease`. */
const STATES = ["pulling", "redeeming", "starting", "ready"] as const;

const PAID_SAT = 60;

/** A lease of some seconds. */
const SHORT_SAT = 5;

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

/** Looks at, or changes, the journal of a provider, which may run. */
function inJournal<T>({ data }: LabProvider, work: (journal: DatabaseSync) => T): T {
  const journal = new DatabaseSync(join(data, "provider", "leases.sqlite"));
  try {
    journal.exec("PRAGMA busy_timeout = 5000");
    return work(journal);
  } finally {
    journal.close();
  }
}

/** Refuses every step of the next lease out of `state`. */
function holdNext(provider: LabProvider, state: string): void {
  inJournal(provider, (journal) => {
    const row = journal.prepare("SELECT coalesce(max(number), 0) AS last FROM leases").get();
    journal.exec(`CREATE TRIGGER hold BEFORE UPDATE ON leases
      WHEN OLD.number > ${Number(row!.last)} AND OLD.state = '${state}' AND NEW.state <> '${state}'
      BEGIN SELECT RAISE(ABORT, 'held for a test'); END`);
  });
}

/** Kills it once its newest lease is in `state`, and makes sure that it was. */
async function killAt(provider: LabProvider, state: string): Promise<void> {
  const newest = () =>
    inJournal(
      provider,
      (journal) =>
        journal.prepare("SELECT state FROM leases ORDER BY number DESC LIMIT 1").get()?.state,
    );
  await until(() => Promise.resolve(newest() === state), 20_000);
  await provider.process.kill();
  assert.equal(newest(), state, "where it was killed");
}

async function instancesIn(lab: LeaseLab): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(join(lab.stateDir, "leases"))) names.push(name);
  return names;
}

/** What both cases begin with. */
interface Ground {
  readonly lab: LeaseLab;
  readonly purse: LabPurse;
  readonly client: OldClient;
  readonly paymentKey: string;
}

/** Each lease is delivered by the next process, and its owner gets the rest back. */
async function killInEachState(first: LabProvider, ground: Ground): Promise<LabProvider> {
  const { lab, purse, client, paymentKey } = ground;
  let provider = first;
  let backSat = 0;
  for (const state of STATES) {
    const token = await purse.token(PAID_SAT, paymentKey);
    // What is ready stays so by itself.
    if (state !== "ready") holdNext(provider, state);
    const answered = client.ask(provider.npub, spawn(lab, token, state), { withinMs: 40_000 });
    answered.catch(() => {});
    await killAt(provider, state);
    inJournal(provider, (journal) => journal.exec("DROP TRIGGER IF EXISTS hold"));
    provider = await lab.provider();
    const answer = await answered;
    assert.equal(answer.type, "access", `${state}: ${JSON.stringify(answer)}`);
    const lease = answer.type === "access" ? answer.lease : "";
    const command = ["/bin/echo", state];
    const exec = { type: "exec", lease, command, timeoutMs: 5000 } as const;
    const run = await client.ask(provider.npub, exec);
    assert.equal(run.type === "exec" && run.stdout, `${state}\n`, JSON.stringify(run));
    const stopped = await client.ask(provider.npub, { type: "stop", lease });
    assert.equal(stopped.type, "stop", JSON.stringify(stopped));
    const back = stopped.type === "stop" ? stopped.refund?.amountSat ?? 0 : 0;
    assert.ok(back > PAID_SAT - 20 && back < PAID_SAT, `${back} sat came back`);
    backSat += back;
  }
  assert.deepEqual(await instancesIn(lab), []);
  const leases = (await runVerb("provider", "leases", "--all", "--data", provider.data)).lines;
  assert.deepEqual(leases.map(({ state }) => state), STATES.map(() => "destroyed"), "one for each");
  await assertBooks(provider, backSat, ground);
  return provider;
}

/** What was redeemed is in the wallet, was paid back, or went to the mint. */
async function assertBooks(
  provider: LabProvider,
  backSat: number,
  { lab }: Ground,
): Promise<void> {
  const { earnedSat } = await lab.report(provider);
  const balance = await ok("wallet", "balance", "--data", provider.data);
  const [mint] = balance.mints as { freeSat: number; outgoingSat: number }[];
  assert.equal(mint!.outgoingSat, backSat, "what was paid back left the wallet, and nothing else");
  const feesSat = Number(earnedSat) - backSat - mint!.freeSat;
  assert.ok(feesSat >= 0 && feesSat <= 2 * STATES.length, `${feesSat} sat of fees`);
  assert.equal((await runVerb("wallet", "audit", "--data", provider.data)).code, 0);
}

/** The watchdog ends it, and the same request gets the answer of before. */
async function endWithoutProvider(first: LabProvider, ground: Ground): Promise<void> {
  const { lab, purse, client, paymentKey } = ground;
  const token = await purse.token(SHORT_SAT, paymentKey);
  const answer = await client.ask(first.npub, spawn(lab, token, "short"));
  assert.equal(answer.type, "access", JSON.stringify(answer));
  if (answer.type !== "access") return;
  await first.process.kill();
  assert.deepEqual(await instancesIn(lab), [answer.lease]);
  await until(async () => (await instancesIn(lab)).length === 0, 20_000);
  const lateMs = Date.now() - answer.expiresMs;
  // Two seconds are left to the provider first, and a busy machine takes its time to clean up.
  assert.ok(lateMs >= 0 && lateMs < 8_000, `${lateMs} ms late`);
  const provider = await lab.provider();
  await until(async () => (await lab.report(provider)).openCount === 0);
  const lease = await ok("provider", "leases", answer.lease, "--data", provider.data);
  assert.equal(lease.creditMsat, (SHORT_SAT - 1) * RATE_MSAT, "less the mint's fee");
  assert.deepEqual([lease.state, lease.refundedSat], ["destroyed", 0]);
  const again = await client.ask(provider.npub, spawn(lab, token, "short"));
  assert.equal(again.type === "access" && again.lease, answer.lease, "the answer of before");
}

Deno.test("a provider killed without a word delivers, pays back, and lets nothing outlive its time", async (t) => {
  await using lab = await LeaseLab.open();
  let provider = await lab.provider();
  const data = await lab.lessee("anna", 600, 0);
  await using purse = await LabPurse.open(data, lab.net.mints[0]!.url);
  await using client = new OldClient(lab.relay);
  const paymentKey = String((await lab.report(provider)).paymentKey);
  const ground = { lab, purse, client, paymentKey };
  await t.step("killed in each state, it goes on where it was", async () => {
    provider = await killInEachState(provider, ground);
  });
  await t.step("while it is dead, its watchdog ends leases in time", async () => {
    await endWithoutProvider(provider, ground);
  });
});
