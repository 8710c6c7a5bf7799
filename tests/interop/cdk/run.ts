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
import { inWorld, runSuite } from "../mints/run_suite.ts";
import type { World } from "../mints/world.ts";
import { installNutshell } from "../nutshell/install.ts";
import { Nutshell } from "../nutshell/nutshell.ts";
import { Cdk } from "./cdk.ts";
import { crossCases } from "./cross_cases.ts";
import { installCdk } from "./install.ts";
import { skipSuite } from "../skip_suite.ts";
import { heldCase, lateCase, lightningCases } from "./lightning_cases.ts";

/** The cases that differ with keysets whose ids are of version 00, as older mints have them. */
async function oldKeysets(program: string, directory: string): Promise<boolean> {
  await Deno.mkdir(directory);
  await using mint = await Cdk.start({
    program,
    directory: `${directory}/mint`,
    keysetVersion: "00",
  });
  const name = `${mint.name} with keysets of version 00`;
  return await inWorld({ mint, directory, name }, async (world) => {
    await fundCases(world);
    await tokenCases(world);
    await rotationCases(world);
    await restoreCases(world);
  });
}

async function newKeysets(program: string, directory: string): Promise<boolean> {
  await using mint = await Cdk.start({ program, directory: `${directory}/mint` });
  return await inWorld({ mint, directory }, async (world) => {
    world.suite.noteFakeWallet();
    await fundCases(world);
    await tokenCases(world);
    await meltCases(world);
    await replayCases(world, true);
    await lightningCases(world);
    await rotationCases(world);
    await crashCases(world);
    await restoreCases(world);
    const mints = [mint.url];
    await using held = await Party.open("held", { directory, mints });
    await using late = await Party.open("late", { directory, mints });
    await Promise.all([heldCase(world, held), lateCase(world, late)]);
    await withNutshell(world);
  });
}

async function withNutshell({ suite, directory, mint }: World): Promise<void> {
  const nutshell = await installNutshell();
  if ("skipped" in nutshell) {
    return suite.skip("swaps between nutshell and cdk-mintd", nutshell.skipped);
  }
  const { bin } = nutshell;
  await using other = await Nutshell.start({ bin, directory: `${directory}/nutshell` });
  await crossCases({ suite, directory, cdk: mint, nutshell: other });
}

if (!Deno.args.includes("--all")) skipSuite("built from source, pass --all");
await runSuite("cdk", await installCdk(), async ({ program }, directory) => {
  const isGood = await newKeysets(program, directory);
  return await oldKeysets(program, `${directory}/old`) && isGood;
});
