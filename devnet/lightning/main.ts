/**
 * The fake Lightning network as a process of its own, so that it survives the mints that use it:
 * `deno run -A devnet/lightning/main.ts --port 0 --data DIRECTORY [--json]`. It prints one line when
 * it is ready, and ends on SIGTERM and on SIGINT.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../../src/core/errors.ts";
import { untilStopped } from "../stop.ts";
import { systemClock, systemRandom } from "../../src/host/system.ts";
import { FakeLightning } from "./fake_lightning.ts";
import { LightningService } from "./service.ts";

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "0" },
      data: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  if (values.data === undefined) throw new Error("Say where to keep its state: --data DIRECTORY");
  await Deno.mkdir(values.data, { recursive: true, mode: 0o700 });
  const path = join(values.data, "lightning.sqlite");
  const lightning = FakeLightning.open({
    path,
    clock: systemClock,
    random: systemRandom,
    paysParts: true,
  });
  await using service = LightningService.start({ lightning, port: Number(values.port) });
  const { url } = service;
  console.log(
    values.json
      ? JSON.stringify({ event: "ready", url })
      : `A fake Lightning network, never for money, listens on ${url}`,
  );
  await untilStopped();
}

try {
  await main();
} catch (error) {
  console.error(messageOf(error));
  Deno.exitCode = 1;
}
