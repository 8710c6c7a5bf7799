/**
 * The demo: real nodes, each its own process, on this machine alone. A relay, an origin web server
 * and four nodes; a real file; and what becomes of it when seeders work together, lie, or vanish. Then
 * two mints, a bill, and a wallet that is killed while it pays. Then a container image, a signed release,
 * and, as root with runc, a container that is rented.
 *
 * Usage: deno task demo [FILE] [--act NAME] [--keep] [--json]
 */
import { parseArgs } from "node:util";
import { basename } from "node:path";
import { type ActResult, ACTS, FILE_BYTES_MIN } from "./acts.ts";
import { World } from "./world.ts";

const USAGE = `Usage: deno task demo [FILE] [--act ${
  Object.keys(ACTS).join("|")
}] [--keep] [--json]`;

/** What the development network runs. */
const DEVNET = [
  ...["devnet/net/mod.ts", "devnet/net/relay_main.ts", "devnet/net/with_parent.ts"],
  ...[
    "devnet/lease_stage.ts",
    "devnet/lightning/main.ts",
    "devnet/mint/main.ts",
    "wallet/wallet.ts",
  ],
];

interface Options {
  readonly file: string;
  readonly acts: readonly string[];
  readonly keep: boolean;
  readonly json: boolean;
}

/** Runs the acts. @returns The exit code. */
async function main(): Promise<number> {
  const options = await readOptions();
  if (typeof options === "string") {
    console.error(options);
    return options === USAGE ? 0 : 2;
  }
  const say = options.json ? () => {} : (text: string) => console.log(text);
  const interrupted = Promise.withResolvers<"interrupted">();
  const onSignal = () => interrupted.resolve("interrupted");
  for (const name of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(name, onSignal);
  await warmUp(say);
  await using world = await World.create(options.file);
  say(`${basename(world.file)}, ${mebibytes(world.size)} MiB; everything runs on loopback\n`);
  let isOver = false;
  const playing = play(world, options, (text) => isOver || say(text));
  const outcome = await Promise.race([playing, interrupted.promise]);
  if (outcome === "interrupted") {
    isOver = true;
    return 130;
  }
  if (options.keep) {
    await stay(world, interrupted.promise);
  }
  return outcome ? 0 : 1;
}

/** Fetches what is not cached yet, once, before several processes would at the same time. */
async function warmUp(say: (text: string) => void): Promise<void> {
  const slow = setTimeout(() => say("Fetching dependencies, this once …"), 1500);
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["cache", "--quiet", "node.ts", "devnet/liar.ts", "devnet/origin.ts", ...DEVNET],
    cwd: new URL("../", import.meta.url),
    stderr: "piped",
  }).output();
  clearTimeout(slow);
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

/** All acts that were asked for. @returns Whether all of them worked. */
async function play(
  world: World,
  options: Options,
  say: (text: string) => unknown,
): Promise<boolean> {
  let allOk = true;
  const startMs = performance.now();
  for (const name of options.acts) {
    const actMs = performance.now();
    say(`${name}: …`);
    let result: ActResult | undefined;
    let message = "";
    try {
      result = await ACTS[name]!(world);
    } catch (error) {
      message = error instanceof Error ? error.message : String(error);
    }
    const ms = Math.round(performance.now() - actMs);
    allOk &&= result?.ok ?? false;
    if (options.json) console.log(JSON.stringify(jsonLine(name, ms, result, message)));
    else for (const line of describe(name, ms, result, message)) say(line);
  }
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  say(`${allOk ? "All acts worked" : "Something did not work"}, ${seconds} s in all.`);
  return allOk;
}

function jsonLine(name: string, ms: number, result: ActResult | undefined, message: string) {
  if (result === undefined) return { act: name, ok: false, ms, message };
  const { ok, text, fetch, figures } = result;
  if (fetch === undefined) return { act: name, ok, ms, text, ...figures };
  const { sources, bytes, fetchMs, verified } = fetch;
  const bytesPerSecond = Math.round((bytes / Math.max(1, fetchMs)) * 1000);
  return { act: name, ok, ms, text, bytes, fetchMs, bytesPerSecond, verified, sources, ...figures };
}

/** The table of one act. */
function describe(
  name: string,
  ms: number,
  result: ActResult | undefined,
  message: string,
): string[] {
  if (result === undefined) return [`${name}: FAILED: ${message}\n`];
  const head = `${name}: ${result.ok ? "ok" : "FAILED"}: ${result.text}`;
  const { fetch, lines = [] } = result;
  if (fetch === undefined) {
    return [head, ...lines.map((line) => `  ${line}`), `  (act ${(ms / 1000).toFixed(1)} s)\n`];
  }
  const seconds = Math.max(0.001, fetch.fetchMs / 1000);
  const rows = fetch.sources.map(({ source, bytes }) =>
    `  ${shorten(source).padEnd(32)}${mebibytes(bytes).padStart(9)} MiB`
  );
  const rate = (fetch.bytes / seconds / 1e6).toFixed(0);
  return [
    head,
    `  ${"SOURCE".padEnd(32)}${"BYTES".padStart(13)}`,
    ...rows,
    `  ${"in all".padEnd(32)}${mebibytes(fetch.bytes).padStart(9)} MiB  in ${
      seconds.toFixed(2)
    } s  ${rate} MB/s  ${fetch.verified ? "verified" : "NOT VERIFIED"}  (act ${
      (ms / 1000).toFixed(1)
    } s)\n`,
  ];
}

/** Leaves all running until Ctrl-C, and tells what can be tried meanwhile. */
async function stay(world: World, interrupted: Promise<unknown>): Promise<void> {
  const data = `${world.directory}/yours`;
  const relay = await world.relay();
  const seeders = [...world.nodes.values()].map((node) => node.name).join(", ") || "none";
  console.log(`All is left running (nodes: ${seeders}). In another terminal, try:

  deno run -A node.ts find ${world.hash} --data ${data} --relay ${relay} --no-mdns
  deno run -A node.ts get ${world.hash} --data ${data} --relay ${relay} --no-mdns -o ./copy
  deno run -A node.ts status --data ${world.directory}/seeder-1
  deno run -A node.ts ticket ${world.hash} --data ${world.directory}/seeder-1

Ctrl-C ends it and removes ${world.directory}.`);
  await interrupted;
}

async function readOptions(): Promise<Options | string> {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...Deno.args],
      allowPositionals: true,
      options: {
        act: { type: "string", multiple: true },
        keep: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    return `${error instanceof Error ? error.message : error}\n${USAGE}`;
  }
  const { values, positionals } = parsed;
  if (values.help) return USAGE;
  const unknown = values.act?.find((name) => !Object.hasOwn(ACTS, name));
  if (unknown !== undefined) return `There is no act ${unknown}\n${USAGE}`;
  const file = positionals[0] ?? Deno.execPath();
  const status = await Deno.stat(file).catch(() => undefined);
  if (!status?.isFile || status.size < FILE_BYTES_MIN) {
    return `Cannot show ${file}: a file of at least ${FILE_BYTES_MIN} bytes is needed\n${USAGE}`;
  }
  return {
    file,
    acts: values.act ?? Object.keys(ACTS),
    keep: values.keep,
    json: values.json,
  };
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}

function shorten(text: string): string {
  return text.length > 30 ? `${text.slice(0, 29)}…` : text;
}

Deno.exit(await main());
