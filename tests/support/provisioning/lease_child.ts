/** A provider's process for crash tests: makes and starts a lease from a file, over and over. */
import { RuncBackend } from "../../../provisioning/backends/runc/mod.ts";
import type { InstanceSpec } from "../../../provisioning/ports.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";

const [stateDir, specFile] = Deno.args as [string, string];
const spec = JSON.parse(await Deno.readTextFile(specFile)) as InstanceSpec;
const backend = await RuncBackend.attach({
  stateDir,
  publicHost: "127.0.0.1",
  clock: systemClock,
  random: systemRandom,
});
console.log("begin");
for (;;) {
  await backend.create(spec, { signal: new AbortController().signal });
  await backend.start(spec.leaseId);
  await backend.destroy(spec.leaseId);
}
