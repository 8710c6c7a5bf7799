#!/usr/bin/env -S deno run
/**
 * The command: `deno run node.ts` starts the node, `deno run node.ts --help` lists the verbs.
 *
 * Only this much runs before permissions are settled: on a terminal it asks for what is missing, in
 * five questions at most; elsewhere it prints the exact flags and exits with 2. Everything else is
 * loaded afterwards, because npm packages read the environment when they load. It ends with
 * `Deno.exit`, because a lock package of libp2p keeps the event loop alive for ever.
 */
import {
  commandLine,
  DEVNET_FLAG,
  DEVNET_PERMISSION,
  NEEDED_PERMISSIONS,
} from "./src/app/permissions.ts";
import type { Program } from "./src/app/cli/verb.ts";

const LIGHT_VERBS = ["help", "version", "completions", "--version", "-V"];

/** Whether the command line only asks for text that needs no permission. */
function isLight(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  const flags = end < 0 ? args : args.slice(0, end);
  return LIGHT_VERBS.includes(args[0] ?? "") || flags.includes("--help") || flags.includes("-h");
}

/** Whether the command line starts the development network, which is made of processes. */
function startsDevnet([verb, word = "start"]: readonly string[]): boolean {
  return verb === "devnet" && (word === "start" || word.startsWith("-"));
}

/** The data directory, if it is named where this can be seen without a permission. */
function namedDataDirectory(args: readonly string[]): string | undefined {
  const at = args.findIndex((arg) => arg === "--data" || arg.startsWith("--data="));
  if (at >= 0) return args[at] === "--data" ? args[at + 1] : args[at]!.slice("--data=".length);
  const variable = { name: "env", variable: "SEEDMINT_DATA" } as const;
  const readable = Deno.permissions.querySync(variable).state === "granted";
  return readable ? Deno.env.get("SEEDMINT_DATA") : undefined;
}

/** Whether `descriptor`, or the narrower grant that is enough for a node, is there. */
function isGranted(descriptor: Deno.PermissionDescriptor, dataDirectory?: string): boolean {
  const states = [Deno.permissions.querySync(descriptor).state];
  if (descriptor.name === "env") {
    // Denied means --ignore-env or --deny-env: an answer already given, not a question to ask.
    if (states[0] === "denied") return true;
    states.push(Deno.permissions.querySync({ name: "env", variable: "SEEDMINT_*" }).state);
  }
  if ((descriptor.name === "read" || descriptor.name === "write") && dataDirectory) {
    const { name } = descriptor;
    states.push(Deno.permissions.querySync({ name, path: dataDirectory }).state);
  }
  return states.includes("granted");
}

/** Settles permissions; returns an exit code when the command cannot run. */
function preflight(args: readonly string[]): number | undefined {
  const dataDirectory = namedDataDirectory(args);
  const isDevnet = startsDevnet(args);
  const needed = isDevnet ? [...NEEDED_PERMISSIONS, DEVNET_PERMISSION] : NEEDED_PERMISSIONS;
  const missing = needed.filter(({ descriptor }) => !isGranted(descriptor, dataDirectory));
  if (missing.length === 0) return undefined;
  const canAsk = Deno.stdin.isTerminal() && Deno.stderr.isTerminal();
  const refused = missing.filter(({ descriptor, why }) => {
    if (!canAsk) return true;
    Deno.stderr.writeSync(new TextEncoder().encode(`Needed, ${why}\n`));
    return Deno.permissions.requestSync(descriptor).state !== "granted";
  });
  if (refused.length === 0) return undefined;
  const names = refused.map(({ descriptor }) => descriptor.name).join(", ");
  const line = isDevnet ? `${commandLine("node.ts", [DEVNET_FLAG])} devnet` : commandLine();
  const text = `error: permissions are missing: ${names}. Run:\n  ${line}\n`;
  Deno.stderr.writeSync(new TextEncoder().encode(text));
  return 2;
}

const refusedCode = isLight(Deno.args) ? undefined : preflight(Deno.args);
if (refusedCode !== undefined) Deno.exit(refusedCode);
const { main } = await import("./src/app/cli/main.ts");
const devnet: Program = async (...all) =>
  await (await import("./devnet/net/mod.ts")).devnet(...all);
Deno.exit(await main(Deno.args, undefined, { devnet }));
