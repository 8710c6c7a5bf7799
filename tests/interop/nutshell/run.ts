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
import { inWorld, runSuite } from "../mints/run_suite.ts";
import { installNutshell } from "./install.ts";
import { keysetCases } from "./keyset_cases.ts";
import { lightningCases } from "./lightning_cases.ts";
import { Nutshell } from "./nutshell.ts";
import { rateLimitCase } from "./rate_limit_case.ts";

await runSuite("nutshell", await installNutshell(), async ({ bin }, directory) => {
  await using mint = await Nutshell.start({ bin, directory: `${directory}/mint` });
  return await inWorld({ mint, directory }, async (world) => {
    world.suite.noteFakeWallet();
    const limited = rateLimitCase(world.suite, { bin, directory });
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
  });
});
