/** Whether the books of a provider balance: to be asked when nothing is under way. */
import assert from "node:assert/strict";
import { leftMsat, usedMsat } from "../../../provisioning/leases/mod.ts";
import type { Generation, LeaseWorld } from "./lease_world.ts";

/** What is kept was delivered; what runs is paid; nothing else is taken or held. */
export function assertBooksBalance(world: LeaseWorld, one: Generation): void {
  const leases = one.provider.leases({ countMax: 10_000 });
  const nowMs = world.clock.nowMs();
  let owedMsat = 0;
  let held = 0;
  for (const lease of leases) {
    const isRunning = lease.state === "ready";
    assert.equal(world.backend.instances.has(`container-${lease.number}`), isRunning, lease.state);
    assert.ok(["ready", "destroyed", "refunded"].includes(lease.state), lease.state);
    if (!isRunning) continue;
    owedMsat += leftMsat(lease, nowMs);
    held += lease.terms.spec.cpuMillicores;
    assert.equal(world.backend.instances.get(`container-${lease.number}`)?.spec.owner, lease.owner);
  }
  assert.ok(world.backend.instances.size <= leases.length);
  const usedSum = leases.reduce((sum, lease) => sum + usedMsat(lease, nowMs), 0);
  const restMsat = world.till.balanceSat * 1000 - usedSum - owedMsat;
  assert.ok(restMsat >= 0, `${-restMsat} msat more were paid back than were left`);
  // Less than a sat for each lease cannot be paid back.
  assert.ok(restMsat < 1000 * Math.max(1, leases.length), `${restMsat} msat were kept for nothing`);
  const { free, total } = one.provider.status();
  assert.equal(free.cpuMillicores, total.cpuMillicores - held);
  assert.deepEqual(world.backend.mistakes, []);
}
