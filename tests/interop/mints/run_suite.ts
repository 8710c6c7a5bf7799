/** The frame of a suite against somebody else's mint: scratch, our wallets, the result, the exit code. */
import { skipSuite } from "../skip_suite.ts";
import { Party } from "./party.ts";
import type { ForeignMint } from "./server.ts";
import { Suite } from "./suite.ts";
import type { World } from "./world.ts";

/** Runs `cases` with two wallets of ours at `mint`. @returns Whether every case passed. */
export async function inWorld<Mint extends ForeignMint>(
  options: {
    readonly mint: Mint;
    /** Scratch. */
    readonly directory: string;
    /** What the mint is called, unless by its own name. */
    readonly name?: string;
  },
  cases: (world: World & { readonly mint: Mint }) => Promise<void>,
): Promise<boolean> {
  const { mint, directory } = options;
  const suite = new Suite(options.name ?? mint.name);
  const mints = [mint.url];
  await using alice = await Party.open("alice", { directory, mints });
  await using bob = await Party.open("bob", { directory, mints });
  await cases({ suite, mint, directory, alice, bob });
  return suite.close();
}

/** Ends the process: skipped where `installed` says so, else as what `run` returns in a folder of its own. */
export async function runSuite<Installed extends object>(
  name: string,
  installed: Installed | { readonly skipped: string },
  run: (installed: Installed, directory: string) => Promise<boolean>,
): Promise<never> {
  if ("skipped" in installed) skipSuite(installed.skipped);
  const directory = await Deno.makeTempDir({ prefix: `seedmint-${name}-` });
  let isGood = false;
  try {
    isGood = await run(installed, directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
  Deno.exit(isGood ? 0 : 1);
}
