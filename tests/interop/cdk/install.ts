/**
 * Builds cdk-mintd from the Rust registry into `target/`, with its FakeWallet and SQLite alone. Done once:
 * what is there is used again.
 *
 *     deno run -A tests/interop/cdk/install.ts
 *
 * `CARGO_TARGET_DIR` may name a folder whose artifacts are used. `protoc` (Debian's protobuf-compiler) is
 * installed where root may do so.
 */

/** The version of cdk-mintd that is built. */
export const CDK_VERSION = "0.18.3";

const WORK = new URL("../../../target/interop/cdk/", import.meta.url);

/** The whole build, in milliseconds: about ten minutes on two cores. */
const BUILD_MS_MAX = 40 * 60_000;

/** What came of the build. */
export type Installed =
  | { readonly program: string }
  /** It cannot be had here, and why. */
  | { readonly skipped: string };

/** Builds it unless it is there already. */
export async function installCdk(): Promise<Installed> {
  const root = new URL(`${CDK_VERSION}/`, WORK).pathname;
  const program = `${root}bin/cdk-mintd`;
  if (await run(program, ["--version"])) return { program };
  if (!await run("cargo", ["--version"])) return { skipped: "cargo is not installed" };
  if (!await hasProtoc()) {
    return { skipped: "protoc is not installed (Debian's package protobuf-compiler)" };
  }
  console.log(`building cdk-mintd ${CDK_VERSION}, which takes some ten minutes`);
  const isBuilt = await run("cargo", [
    ...["install", `cdk-mintd@${CDK_VERSION}`, "--locked", "--quiet", "--root", root],
    ...["--no-default-features", "--features", "fakewallet,sqlite"],
  ], {
    env: {
      CARGO_TARGET_DIR: Deno.env.get("CARGO_TARGET_DIR") ?? new URL("build/", WORK).pathname,
    },
    isLoud: true,
  });
  if (!isBuilt) throw new Error(`cdk-mintd ${CDK_VERSION} does not build; see above`);
  return { program };
}

async function hasProtoc(): Promise<boolean> {
  if (await run("protoc", ["--version"])) return true;
  if (Deno.uid() !== 0) return false;
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const wanted = ["install", "-y", "-qq", "--no-install-recommends", "protobuf-compiler"];
  return await run("apt-get", ["update", "-qq"], { env }) &&
    await run("apt-get", wanted, { env }) &&
    await run("protoc", ["--version"]);
}

async function run(
  command: string,
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly isLoud?: boolean } = {},
): Promise<boolean> {
  const output = options.isLoud ? "inherit" : "null";
  try {
    const { success } = await new Deno.Command(command, {
      args: [...args],
      ...options.env === undefined ? {} : { env: { ...options.env } },
      stdin: "null",
      stdout: output,
      stderr: output,
      signal: AbortSignal.timeout(BUILD_MS_MAX),
    }).output();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

if (import.meta.main) {
  const installed = await installCdk();
  console.log("program" in installed ? `cdk-mintd ${CDK_VERSION} is built` : installed.skipped);
  Deno.exit("program" in installed ? 0 : 1);
}
