/** `relay`: only the Nostr relay, until a signal ends it. */
import { join } from "node:path";
import { v } from "../../schema.ts";
import { SeedmintError } from "../../../core/errors.ts";
import { type HostPort, hostPortSchema } from "../../config/values.ts";
import { openDataDirectory } from "../../identity.ts";
import { RelayServer } from "../../../nostr/mod.ts";
import { membersOnly } from "../../lifecycle/relays.ts";
import { systemClock, systemRandom } from "../../../host/system.ts";
import type { VerbContext } from "../verb.ts";

const DEFAULT_ADDRESS: HostPort = { hostname: "127.0.0.1", port: 7777 };

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal, config } = context;
  const address = readAddress(context.operands[0]);
  const isInMemory = context.has("memory");
  if (!isInMemory) await openDataDirectory(config.values.data);
  await using server = await RelayServer.listen({
    ...address,
    storage: isInMemory ? "memory" : { path: join(config.values.data, "relay.sqlite") },
    ...membersOnly(config.values.relayMember),
    clock: systemClock,
    random: systemRandom,
  });
  if (out.json) out.object({ event: "ready", url: server.url });
  else out.line(`relay ${server.url}; stop with Ctrl-C`);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  return 0;
}

function readAddress(text: string | undefined): HostPort {
  if (text === undefined) return DEFAULT_ADDRESS;
  const result = v.safeParse(hostPortSchema, text);
  if (result.success) return result.output;
  throw new SeedmintError("usage", `Cannot listen on "${text}": ${result.issues[0].message}`);
}
