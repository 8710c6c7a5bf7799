/** Namespaces for engines: as in the registry's suite, with what leases and users' namespaces need. */
import { labMissing as registryLabMissing } from "../registry/lab.ts";

export { commandOutput, furnish, runInLab } from "../registry/lab.ts";

/** Why no lab can be had here, or undefined if one can. */
export async function labMissing(): Promise<string | undefined> {
  const missing = await registryLabMissing();
  if (missing !== undefined) return missing;
  for (const program of ["dropbear", "nft", "mkfs.ext4", "flock", "busybox", "ssh", "ssh-keygen"]) {
    const { success } = await new Deno.Command("sh", {
      args: ["-c", 'command -v "$0"', program],
      stdout: "null",
      stderr: "null",
    }).output();
    if (!success) return `the program ${program} is missing: run tests/interop/install_engines.sh`;
  }
  return undefined;
}

/** Gives docker users of its own to map: its lab's `/etc` is an overlay, nothing reaches the host's. */
export async function addRemappedUser(name: string, first: number): Promise<void> {
  const append = (file: string, line: string) =>
    Deno.writeTextFile(file, `${line}\n`, { append: true });
  await append("/etc/passwd", `${name}:x:998:998::/:/bin/false`);
  await append("/etc/group", `${name}:x:998:`);
  for (const file of ["/etc/subuid", "/etc/subgid"]) {
    await append(file, `${name}:${first}:65536`);
  }
  // LXD and Incus map with the ranges of root.
  for (const file of ["/etc/subuid", "/etc/subgid"]) {
    const text = await Deno.readTextFile(file);
    if (!/^root:/m.test(text)) await append(file, "root:1000000:1000000");
  }
}
