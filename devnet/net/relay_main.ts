/** The relay of the development network: `deno run -A devnet/net/relay_main.ts --port N --data DIR`. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../../src/core/errors.ts";
import { RelayServer } from "../../src/nostr/mod.ts";
import { untilStopped } from "../stop.ts";
import { systemClock, systemRandom } from "../../src/host/system.ts";

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { port: { type: "string", default: "0" }, data: { type: "string", default: "." } },
  });
  await Deno.mkdir(values.data, { recursive: true, mode: 0o700 });
  await using relay = await RelayServer.listen({
    port: Number(values.port),
    storage: { path: join(values.data, "relay.sqlite") },
    name: "Seedmint development relay",
    clock: systemClock,
    random: systemRandom,
  });
  console.log(JSON.stringify({ event: "ready", url: relay.url }));
  await untilStopped();
  return 0;
}

try {
  Deno.exit(await main());
} catch (error) {
  console.error(messageOf(error));
  Deno.exit(1);
}
