/**
 * The development mint as a process of its own:
 *
 * `deno run -A devnet/mint/main.ts --data DIR --lightning URL --name A [--port N] [--admin-port N] [--fee-ppk N] [--json]`
 *
 * Prints one line when it is ready and ends on SIGTERM or SIGINT; with SIGKILL nothing is lost either.
 */
import { parseArgs } from "node:util";
import { untilStopped } from "../stop.ts";
import { DevMint } from "./dev_mint.ts";
import { DEVELOPMENT_ONLY } from "./info.ts";

const USAGE =
  "Usage: deno run -A devnet/mint/main.ts --data DIR --lightning URL --name NAME [--port N] [--admin-port N] [--fee-ppk N] [--json]";

function optionsOf(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      "admin-port": { type: "string", default: "0" },
      data: { type: "string" },
      "fee-ppk": { type: "string", default: "0" },
      json: { type: "boolean", default: false },
      lightning: { type: "string" },
      name: { type: "string" },
      port: { type: "string", default: "0" },
    },
  });
  const numbers = [values.port, values["admin-port"], values["fee-ppk"]].map(Number);
  if (!values.data || !values.lightning || !values.name) {
    throw new TypeError("an option is missing");
  }
  if (!numbers.every(Number.isSafeInteger)) throw new TypeError("a whole number was wanted");
  const [port, adminPort, inputFeePpk] = numbers as [number, number, number];
  const { data: directory, lightning, name, json } = values;
  return { port, adminPort, inputFeePpk, directory, lightning, name, json };
}

async function main(): Promise<number> {
  let options: ReturnType<typeof optionsOf>;
  try {
    options = optionsOf(Deno.args);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    return 2;
  }
  console.error(`*** ${DEVELOPMENT_ONLY} ***`);
  await using mint = await DevMint.start(options);
  const ready = { event: "ready", name: options.name, url: mint.url, adminUrl: mint.adminUrl };
  console.log(
    options.json ? JSON.stringify(ready) : `Development mint ${ready.name} on ${ready.url}`,
  );
  await untilStopped();
  return 0;
}

if (import.meta.main) Deno.exit(await main());
