/** The suite of all backends on one real engine; its arguments are the engine, its socket and a directory. */
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { testBackend } from "../../conformance/backend.ts";
import { busyboxImage } from "../../support/provisioning/busybox_image.ts";
import { type EngineName, FIRST_PORT, openBackend } from "./backends.ts";

const [engine, socketPath, stateDir] = Deno.args as [EngineName, string, string];
const options = {
  socketPath,
  stateDir,
  publicHost: "127.0.0.1",
  clock: systemClock,
  random: systemRandom,
};

testBackend(engine, async () => ({
  backend: await openBackend(engine, options),
  image: await busyboxImage({ entrypoint: ["/bin/sh", "-c"], cmd: ["echo ready; sleep 3600"] }),
  firstPort: FIRST_PORT[engine],
  again: () => openBackend(engine, options),
}));
