/**
 * The HTTP gateway against clients that are not ours: a Blossom library from npm, by the author of the
 * specification, and curl. They run in a process of their own without a lock file, so that a package
 * that only this suite needs is no dependency of the project. The last line is
 * `N passed, N failed`.
 */

const child = new Deno.Command(Deno.execPath(), {
  args: ["run", "-A", "--no-lock", new URL("cases.ts", import.meta.url).href],
  stdin: "null",
  stdout: "inherit",
  stderr: "inherit",
}).spawn();
const { code } = await child.status;
Deno.exit(code);
