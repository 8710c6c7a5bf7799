/** Started by run.ts in a lab: its first argument is a directory; `--only=NAME` takes one engine. */
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { check, finish, skip } from "../blossom/suite.ts";
import type { EngineName } from "./backends.ts";
import { type RunningEngine, startEngine } from "./daemons.ts";
import { furnish } from "./lab.ts";
import { repairCase } from "./repair_case.ts";
import { restartCase } from "./restart_case.ts";

/** Two run at a time, one of each row after the other. */
const TRACKS: readonly (readonly EngineName[])[] = [["podman", "lxd"], ["docker", "incus"]];
const FILES = ["conformance_cases.ts", "engine_cases.ts"];

/** A file of tests takes half a minute; a daemon that hangs must not hold up the others. */
const FILE_S_MAX = 150;

const [directory] = Deno.args as [string];
const only = Deno.args.find((word) => word.startsWith("--only="))?.slice("--only=".length);
await furnish(directory);
await Promise.all(TRACKS.map(async (names) => {
  for (const name of names) if (only === undefined || only === name) await runEngine(name);
}));
finish();

async function runEngine(name: EngineName): Promise<void> {
  const home = join(directory, name);
  await Deno.mkdir(home);
  const engine = await startEngine(name, home).catch((error: Error) => error);
  if (typeof engine === "string") return skip(`all cases of ${name}`, engine);
  if (engine instanceof Error) return await check(`${name} starts`, () => Promise.reject(engine));
  for (const file of FILES) {
    await check(`${name} passes ${file.replace("_", " ").replace(".ts", "")}`, async () => {
      const said = await runFile(file, engine);
      if (said !== undefined) throw new Error(said);
    });
  }
  await check(
    `${name} keeps leases over its own restart, and is unknown meanwhile`,
    () => restartCase(engine, join(directory, `leases-${name}-restart`)),
  );
  await check(
    `${name} has leases whose network was taken away, or whose start was cut off, put right`,
    () => repairCase(engine, join(directory, `leases-${name}-repair`)),
  );
  await engine.stop();
}

/** Runs a file of tests against an engine. @returns What it printed if it failed. */
async function runFile(file: string, engine: RunningEngine): Promise<string | undefined> {
  const state = join(directory, `leases-${engine.name}-${file.split("_")[0]}`);
  const { success, stdout, stderr } = await new Deno.Command("timeout", {
    args: [
      ...["--kill-after=5", String(FILE_S_MAX), Deno.execPath()],
      ...["test", "-A", "--no-check", "--no-lock", "--cached-only"],
      fileURLToPath(import.meta.resolve(`./${file}`)),
      ...["--", engine.name, engine.socketPath, state],
    ],
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return success ? undefined : said;
}
