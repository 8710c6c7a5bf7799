/** What becomes of leases whose network somebody took away, or whose start was cut off by a kill. */
import assert from "node:assert/strict";
import { leaseLink } from "../../../provisioning/backends/host/mod.ts";
import { awaitBanner } from "../../../provisioning/ssh/mod.ts";
import { systemClock } from "../../../src/host/system.ts";
import { makeSpec } from "../../conformance/backend.ts";
import { busyboxImage } from "../../support/provisioning/busybox_image.ts";
import { backendOf, FIRST_PORT } from "./backends.ts";
import type { RunningEngine } from "./daemons.ts";
import { commandOutput } from "./lab.ts";

const { signal } = new AbortController();

/** Runs it. */
export async function repairCase(engine: RunningEngine, stateDir: string): Promise<void> {
  await using backend = await backendOf(engine, stateDir);
  const image = await busyboxImage({
    entrypoint: ["/bin/sh", "-c"],
    cmd: ["echo began >> /root/began"],
  });
  const spec = await makeSpec({ image, firstPort: FIRST_PORT[engine.name] + 950 });
  const { device, table } = leaseLink(spec.ssh.hostPort);
  const answers = () =>
    awaitBanner(
      { host: "127.0.0.1", port: spec.ssh.hostPort },
      { clock: systemClock, withinMs: 30_000 },
    );
  const beginnings = async (wanted: string) => {
    let found = "";
    for (let tries = 0; found !== wanted && tries < 100; tries++) {
      await systemClock.sleep(50);
      const options = { timeoutMs: 20_000, signal };
      found = (await backend.exec(spec.leaseId, ["cat", "/root/began"], options)).stdout;
    }
    assert.equal(found, wanted);
  };
  await backend.create(spec, { signal });
  await backend.start(spec.leaseId);
  await beginnings("began\n");
  assert.deepEqual(await backend.repair(), []);
  // As after a firewall was loaded anew, and after somebody removed the link.
  await commandOutput("nft", ["delete", "table", "inet", table]);
  assert.equal((await backend.repair()).length, 1);
  await answers();
  await commandOutput("ip", ["link", "del", device]);
  assert.equal((await backend.repair()).length, 1);
  await answers();
  await beginnings("began\n");
  // As after a kill between the engine's start and the link: all of the start is done again.
  await commandOutput("ip", ["link", "del", device]);
  await Deno.remove(`${stateDir}/leases/${spec.leaseId}/started`);
  assert.equal((await backend.repair()).length, 1);
  await answers();
  await beginnings("began\nbegan\n");
  assert.deepEqual(await backend.repair(), []);
  await backend.destroy(spec.leaseId);
}
