/**
 * Builds paygress-cli from the Rust registry into `target/`. Done once: what is there is used again.
 *
 *     deno run -A tests/interop/paygress/install.ts
 *
 * `SEEDMINT_PAYGRESS` may name a program that was built before; `CARGO_TARGET_DIR` a folder whose
 * artifacts are used.
 */

/** The version of paygress-cli that is built. */
export const PAYGRESS_VERSION = "0.1.9";

const WORK = new URL("../../../target/interop/paygress/", import.meta.url);

/** The whole build, in milliseconds: some ten minutes of two processors. */
const BUILD_MS_MAX = 40 * 60_000;

/** What came of the build. */
export type Installed =
  | { readonly program: string }
  /** It cannot be had here, and why. */
  | { readonly skipped: string };

/** Builds it unless it is there already. */
export async function installPaygress(): Promise<Installed> {
  const given = Deno.env.get("SEEDMINT_PAYGRESS");
  if (given !== undefined && given !== "") {
    if (await isOurs(given)) return { program: given };
    return { skipped: `SEEDMINT_PAYGRESS names no paygress-cli ${PAYGRESS_VERSION}: ${given}` };
  }
  const root = new URL(`${PAYGRESS_VERSION}/`, WORK).pathname;
  const program = `${root}bin/paygress-cli`;
  if (await isOurs(program)) return { program };
  if (await output("cargo", ["--version"]) === undefined) {
    return { skipped: "cargo is not installed" };
  }
  console.log(`building paygress-cli ${PAYGRESS_VERSION}, which takes some ten minutes`);
  const { success } = await new Deno.Command("cargo", {
    args: [
      ...["install", `paygress-cli@${PAYGRESS_VERSION}`, "--locked", "--quiet"],
      ...["--bin", "paygress-cli", "--root", root],
    ],
    env: {
      CARGO_TARGET_DIR: Deno.env.get("CARGO_TARGET_DIR") ?? new URL("build/", WORK).pathname,
    },
    stdin: "null",
    signal: AbortSignal.timeout(BUILD_MS_MAX),
  }).output();
  if (!success) throw new Error(`paygress-cli ${PAYGRESS_VERSION} does not build; see above`);
  return { program };
}

async function isOurs(program: string): Promise<boolean> {
  return await output(program, ["--version"]) === `paygress-cli ${PAYGRESS_VERSION}`;
}

/** What a program prints, or undefined if it cannot be run. */
async function output(program: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(program, {
      args: [...args],
      stdin: "null",
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

if (import.meta.main) {
  const installed = await installPaygress();
  console.log("program" in installed ? installed.program : `skipped: ${installed.skipped}`);
}
