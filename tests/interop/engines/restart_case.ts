/** What becomes of leases while their engine is away, and after it came back. */
import assert from "node:assert/strict";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { systemClock } from "../../../src/host/system.ts";
import { awaitBanner } from "../../../provisioning/ssh/mod.ts";
import { makeSpec } from "../../conformance/backend.ts";
import { busyboxImage } from "../../support/provisioning/busybox_image.ts";
import { backendOf, FIRST_PORT } from "./backends.ts";
import type { RunningEngine } from "./daemons.ts";

const { signal } = new AbortController();

/** Runs it. */
export async function restartCase(engine: RunningEngine, stateDir: string): Promise<void> {
  await using backend = await backendOf(engine, stateDir);
  const spec = await makeSpec({
    image: await busyboxImage(),
    firstPort: FIRST_PORT[engine.name] + 900,
  });
  await backend.create(spec, { signal });
  await backend.start(spec.leaseId);
  const sh = (line: string) =>
    backend.exec(spec.leaseId, ["sh", "-c", line], { timeoutMs: 20_000, signal });
  await sh("echo kept > /root/note; sync");
  await engine.restart(async () => {
    assert.equal(await backend.state(spec.leaseId), "unknown");
    assert.equal(await backend.state("container-1"), "unknown");
    const isSilent = (error: unknown) => isSeedmintError(error, "unavailable");
    await assert.rejects(backend.list(), isSilent);
    await assert.rejects(backend.destroy(spec.leaseId), isSilent);
    assert.equal((await backend.probe()).ok, false);
  });
  const state = await backend.state(spec.leaseId);
  assert.ok(state === "running" || state === "stopped", `it is ${state}`);
  assert.deepEqual((await backend.list()).map(({ leaseId }) => leaseId), [spec.leaseId]);
  await backend.start(spec.leaseId);
  const target = { host: "127.0.0.1", port: spec.ssh.hostPort };
  await awaitBanner(target, { clock: systemClock, withinMs: 30_000 });
  assert.equal((await sh("cat /root/note")).stdout, "kept\n");
  await backend.destroy(spec.leaseId);
  assert.equal(await backend.state(spec.leaseId), "absent");
}
