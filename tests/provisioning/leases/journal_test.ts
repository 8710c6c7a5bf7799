import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import type { Sha256 } from "../../../src/core/hash.ts";
import { LeaseJournal, type LeaseTerms } from "../../../provisioning/leases/mod.ts";
import { ALICE, BASIC, BOB } from "../../support/provisioning/lease_world.ts";

const TERMS: Omit<LeaseTerms, "sshPort" | "ports"> = {
  spec: BASIC,
  image: "ubuntu",
  env: {},
  authorizedKeys: [],
  sshUser: "root",
  hostKey: "key",
  hostKeyFingerprint: "SHA256:f",
  tokenId: "aa".repeat(32) as Sha256,
  isTokenSafe: true,
  wantsNotices: false,
};

const OPTIONS = {
  total: { cpuMillicores: 4000, memoryMb: 8192, diskMb: 8192 },
  range: { first: 30_000, last: 30_009 },
  nowMs: 1000,
};

Deno.test("whatever is reserved and ended in whatever order, capacity and ports are never given out twice", () => {
  const action = fc.record({
    isEnd: fc.boolean(),
    index: fc.nat(20),
    cpu: fc.integer({ min: 1, max: 3000 }),
    portCount: fc.nat(4),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      using journal = LeaseJournal.open({ path: ":memory:" });
      for (const { isEnd, index, cpu, portCount } of actions) {
        const open = journal.leases.open();
        if (isEnd) {
          const lease = open[index % Math.max(1, open.length)];
          if (lease === undefined) continue;
          journal.leases.apply(lease.number, { type: "fail", error: "e", message: "m" }, OPTIONS);
          journal.leases.apply(
            lease.number,
            { type: "settled", refund: { status: "none" } },
            OPTIONS,
          );
        } else {
          const spec = { ...BASIC, cpuMillicores: cpu };
          const wantedPorts = Array.from({ length: portCount }, (_, port) => ({
            containerPort: port + 1,
            protocol: "tcp" as const,
            label: "",
          }));
          journal.leases.reserve({ owner: ALICE, terms: { ...TERMS, spec }, wantedPorts }, OPTIONS);
        }
        const leases = journal.leases.open();
        const cpuSum = leases.reduce((sum, lease) => sum + lease.terms.spec.cpuMillicores, 0);
        assert.ok(cpuSum <= OPTIONS.total.cpuMillicores);
        assert.equal(journal.leases.taken().cpuMillicores, cpuSum);
        const ports = leases.flatMap(({ terms }) => [
          terms.sshPort,
          ...terms.ports.map((port) => port.hostPort),
        ]);
        assert.equal(new Set(ports).size, ports.length);
        assert.equal(journal.leases.portCount(), ports.length);
        assert.ok(ports.every((port) => port >= 30_000 && port <= 30_009));
      }
    }),
    { numRuns: 40 },
  );
});

Deno.test("a failed lease holds its room until its instance is gone", () => {
  using journal = LeaseJournal.open({ path: ":memory:" });
  const { lease } = journal.leases.reserve(
    { owner: ALICE, terms: TERMS, wantedPorts: [] },
    OPTIONS,
  ) as {
    lease: { number: number };
  };
  const apply = (event: Parameters<typeof journal.leases.apply>[1]) =>
    journal.leases.apply(lease.number, event, OPTIONS);
  apply({ type: "redeem" });
  apply({ type: "redeemed", amountMsat: 1000 });
  apply({ type: "start" });
  apply({ type: "fail", error: "e", message: "m" });
  assert.equal(journal.leases.taken().cpuMillicores, 1000);
  assert.equal(apply({ type: "settled", refund: { status: "none" } }), undefined);
  apply({ type: "gone" });
  assert.equal(journal.leases.taken().cpuMillicores, 0);
  assert.equal(journal.leases.portCount(), 0);
});

Deno.test("numbers of leases begin at 1000 and are never used again, also after a restart", async () => {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "leases.sqlite");
  const numbers: number[] = [];
  for (let round = 0; round < 3; round++) {
    using journal = LeaseJournal.open({ path });
    const reservation = journal.leases.reserve(
      { owner: ALICE, terms: TERMS, wantedPorts: [] },
      OPTIONS,
    );
    assert.equal(reservation.status, "reserved");
    if (reservation.status !== "reserved") return;
    const { number } = reservation.lease;
    numbers.push(number);
    journal.leases.apply(number, { type: "fail", error: "e", message: "m" }, OPTIONS);
    journal.leases.apply(number, { type: "settled", refund: { status: "none" } }, OPTIONS);
    journal.leases.prune(10_000);
  }
  assert.deepEqual(numbers, [1000, 1001, 1002]);
  assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a letter has one answer, and its secrets are forgotten with it", () => {
  using journal = LeaseJournal.open({ path: ":memory:" });
  const letter = {
    id: "11".repeat(32),
    sender: BOB,
    channel: "nip17",
    text: "a token",
    sentAtS: 1,
  } as const;
  assert.equal(journal.post.receive(letter, 1000), true);
  assert.equal(journal.post.receive(letter, 1000), false);
  assert.deepEqual(journal.post.unanswered(), [letter]);
  assert.equal(journal.post.answer(letter, "one", 1000), true);
  assert.equal(journal.post.answer(letter, "two", 1000), false);
  assert.deepEqual(journal.post.outbox({ countMax: 9 }).map(({ text }) => text), ["one"]);
  assert.deepEqual(journal.post.unanswered(), []);
});

Deno.test("the uptime is the share of minutes that the provider was there", () => {
  using journal = LeaseJournal.open({ path: ":memory:" });
  assert.equal(journal.policy.uptimePercent(0), 100);
  for (const minute of [10, 11, 12, 19]) journal.policy.beat(minute * 60_000);
  assert.equal(journal.policy.uptimePercent(19 * 60_000), 40);
  assert.equal(journal.policy.uptimePercent(29 * 60_000), 20);
});

Deno.test("what strangers write and commands put out does not fill the disk", () => {
  using journal = LeaseJournal.open({ path: ":memory:" });
  for (let count = 0; count < 60; count++) {
    const letter = {
      id: `l${count}`,
      sender: BOB,
      channel: "nip17",
      text: "x",
      sentAtS: 1,
    } as const;
    assert.ok(journal.post.receive(letter, 1000 + count));
    if (count > 0) journal.post.answer(letter, undefined, 1000 + count);
  }
  journal.post.prune(0, 40);
  assert.deepEqual(journal.post.unanswered().map(({ id }) => id), ["l0"], "it is answered still");
  const isNew = (id: string) =>
    journal.post.receive({ id, sender: BOB, channel: "nip17", text: "", sentAtS: 1 }, 2000);
  assert.deepEqual([isNew("l5"), isNew("l59")], [true, false]);

  const day = 24 * 3_600_000;
  const output = JSON.stringify({ type: "exec", stdout: "x".repeat(10_000) });
  for (const [key, type, hoursAgo] of [["a", "exec", 3], ["b", "exec", 0], ["c", "stop", 3]]) {
    const nowMs = 10 * day - Number(hoursAgo) * 3_600_000;
    journal.asks.begin(ALICE, String(key), { fingerprint: "f", type: String(type), nowMs });
    journal.asks.answer(ALICE, String(key), output);
  }
  journal.prune(10 * day);
  assert.match(journal.asks.get(ALICE, "a")!.answer!, /a command that was run/);
  assert.equal(journal.asks.get(ALICE, "b")?.answer, output);
  assert.equal(journal.asks.get(ALICE, "c")?.answer, output);
});
