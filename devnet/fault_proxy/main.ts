/**
 * The fault proxy as a process of its own:
 * `deno run -A devnet/fault_proxy/main.ts --target URL [--port N] [--admin-port N] [--json]`.
 * It prints one line when it is ready, and ends on SIGTERM and on SIGINT.
 */
import { parseArgs } from "node:util";
import { messageOf } from "../../src/core/errors.ts";
import { untilStopped } from "../stop.ts";
import { systemClock } from "../../src/host/system.ts";
import { FaultProxyAdmin } from "./admin.ts";
import { FaultProxy } from "./fault_proxy.ts";

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      target: { type: "string" },
      port: { type: "string", default: "0" },
      "admin-port": { type: "string", default: "0" },
      json: { type: "boolean", default: false },
    },
  });
  if (values.target === undefined) throw new Error("Say what it stands in front of: --target URL");
  const { href: target } = new URL(values.target);
  const port = Number(values.port);
  await using proxy = await FaultProxy.start({ target, port, clock: systemClock });
  await using admin = new FaultProxyAdmin(proxy, Number(values["admin-port"]));
  const ready = { event: "ready", url: proxy.url, adminUrl: admin.url, target };
  console.log(
    values.json
      ? JSON.stringify(ready)
      : `A fault proxy in front of ${target} listens on ${ready.url}; orders go to ${ready.adminUrl}`,
  );
  await untilStopped();
}

try {
  await main();
} catch (error) {
  console.error(messageOf(error));
  Deno.exitCode = 1;
}
