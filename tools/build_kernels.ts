/**
 * Builds every WebAssembly kernel of the tree from its AssemblyScript source. With `--check`
 * nothing is written: each build is compared with the committed file, byte for byte.
 */

const ROOT = new URL("../", import.meta.url);
const BUILDS = ["swarm/bao/kernel/build.ts"];

let failed = 0;
for (const build of BUILDS) {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", build, ...Deno.args],
    cwd: ROOT,
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  if (!success) failed++;
}
Deno.exit(failed === 0 ? 0 : 1);
