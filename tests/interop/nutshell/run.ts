/**
 * Our wallet against nutshell, with its FakeWallet in place of Lightning. Installed from packages once,
 * so it runs in the gate.
 *
 *     deno run -A tests/interop/nutshell/run.ts
 */
import {
  crashCases,
  fundCases,
  meltCases,
  replayCases,
  restoreCases,
  rotationCases,
  tokenCases,
} from "../mints/cases.ts";
import { Party } from "../mints/party.ts";
import { Suite } from "../mints/suite.ts";
import { installNutshell } from "./install.ts";
import { keysetCases } from "./keyset_cases.ts";
import { lightningCases } from "./lightning_cases.ts";
import { Nutshell } from "./nutshell.ts";
import { rateLimitCase } from "./rate_limit_case.ts";

const installed = await installNutshell();
if ("skipped" in installed) {
  console.log(`skipped: ${installed.skipped}`);
  Deno.exit(0);
}
const directory = await Deno.makeTempDir({ prefix: "seedmint-nutshell-" });
let isGood = false;
try {
  const { bin } = installed;
  await using mint = await Nutshell.start({ bin, directory: `${directory}/mint` });
  const suite = new Suite(mint.name);
  suite.note(
    "FakeWallet settles by itself: that B is paid because A paid is proven on our own mints only",
  );
  const limited = rateLimitCase(suite, { bin, directory });
  const mints = [mint.url];
  await using alice = await Party.open("alice", { directory, mints });
  await using bob = await Party.open("bob", { directory, mints });
  const world = { suite, mint, directory, alice, bob };
  await fundCases(world);
  await tokenCases(world);
  await meltCases(world);
  await replayCases(world, false);
  await rotationCases(world);
  await keysetCases(world, mint);
  await crashCases(world);
  await lightningCases(world, mint);
  await restoreCases(world);
  await limited;
  isGood = suite.close();
} finally {
  await Deno.remove(directory, { recursive: true });
}
Deno.exit(isGood ? 0 : 1);
