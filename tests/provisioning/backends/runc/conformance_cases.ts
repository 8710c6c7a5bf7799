/** The suite of all backends on the real runc; started by backend_test.ts in namespaces of its own. */
import { RuncBackend } from "../../../../provisioning/backends/runc/mod.ts";
import { systemClock, systemRandom } from "../../../../src/host/system.ts";
import { testBackend } from "../../../conformance/backend.ts";
import { busyboxImage } from "../../../support/provisioning/busybox_image.ts";
import { stateFolder } from "./lab.ts";

const stateDir = await stateFolder();
globalThis.addEventListener("unload", () => Deno.removeSync(stateDir, { recursive: true }));

function open(): Promise<RuncBackend> {
  return RuncBackend.open({
    stateDir,
    publicHost: "127.0.0.1",
    clock: systemClock,
    random: systemRandom,
  });
}

testBackend("RuncBackend", async () => ({
  backend: await open(),
  image: await busyboxImage({ entrypoint: ["/bin/sh", "-c"], cmd: ["echo ready; sleep 3600"] }),
  firstPort: 31_000,
  again: open,
}));
