/**
 * Our wallet against cdk-mintd, with its FakeWallet in place of Lightning, and across it and nutshell.
 * Built from source, so it runs with `--all` only.
 *
 *     deno run -A tests/interop/cdk/run.ts --all
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
import { installNutshell } from "../nutshell/install.ts";
import { Nutshell } from "../nutshell/nutshell.ts";
import { Cdk } from "./cdk.ts";
import { crossCases } from "./cross_cases.ts";
import { installCdk } from "./install.ts";
import { heldCase, lateCase, lightningCases } from "./lightning_cases.ts";

if (!Deno.args.includes("--all")) {
  console.log("skipped: built from source, pass --all");
  Deno.exit(0);
}
/** The cases that differ with keysets whose ids are of version 00, as older mints have them. */
async function oldKeysets(program: string, directory: string): Promise<boolean> {
  await Deno.mkdir(directory);
  await using mint = await Cdk.start({
    program,
    directory: `${directory}/mint`,
    keysetVersion: "00",
  });
  const suite = new Suite(`${mint.name} with keysets of version 00`);
  const mints = [mint.url];
  await using alice = await Party.open("alice", { directory, mints });
  await using bob = await Party.open("bob", { directory, mints });
  const world = { suite, mint, directory, alice, bob };
  await fundCases(world);
  await tokenCases(world);
  await rotationCases(world);
  await restoreCases(world);
  return suite.close();
}

const installed = await installCdk();
if ("skipped" in installed) {
  console.log(`skipped: ${installed.skipped}`);
  Deno.exit(0);
}
const directory = await Deno.makeTempDir({ prefix: "seedmint-cdk-" });
let isGood = false;
try {
  await using mint = await Cdk.start({
    program: installed.program,
    directory: `${directory}/mint`,
  });
  const suite = new Suite(mint.name);
  suite.note(
    "FakeWallet settles by itself: that B is paid because A paid is proven on our own mints only",
  );
  const mints = [mint.url];
  await using alice = await Party.open("alice", { directory, mints });
  await using bob = await Party.open("bob", { directory, mints });
  const world = { suite, mint, directory, alice, bob };
  await fundCases(world);
  await tokenCases(world);
  await meltCases(world);
  await replayCases(world, true);
  await lightningCases(world);
  await rotationCases(world);
  await crashCases(world);
  await restoreCases(world);
  await using held = await Party.open("held", { directory, mints });
  await using late = await Party.open("late", { directory, mints });
  await Promise.all([heldCase(world, held), lateCase(world, late)]);
  const nutshell = await installNutshell();
  if ("skipped" in nutshell) suite.skip("swaps between nutshell and cdk-mintd", nutshell.skipped);
  else {
    await using other = await Nutshell.start({
      bin: nutshell.bin,
      directory: `${directory}/nutshell`,
    });
    await crossCases({ suite, directory, cdk: mint, nutshell: other });
  }
  isGood = suite.close();
  isGood = await oldKeysets(installed.program, `${directory}/old`) && isGood;
} finally {
  await Deno.remove(directory, { recursive: true });
}
Deno.exit(isGood ? 0 : 1);
