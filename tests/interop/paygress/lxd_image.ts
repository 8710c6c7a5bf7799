/**
 * An image for LXD that Paygress can lend: what its set-up runs inside (a shell, `chpasswd`) and an SSH
 * server that takes passwords. Made of this machine's own programs, for nothing can be brought in.
 */
import { join } from "node:path";
import { commandOutput } from "../engines/lab.ts";

/** The name that lessees ask for. */
export const LXD_IMAGE = "lab/box";

const INIT = `#!/bin/sh
trap 'exit 0' PWR TERM
ifconfig lo 127.0.0.1 up
mkdir -p /dev/pts
/usr/sbin/dropbear -R -E -p 22
while :; do sleep 1; done
`;

/** Debian's busybox has no such applet. */
const CHPASSWD = `#!/bin/sh
IFS=: read -r user password
hash=$(/usr/bin/openssl passwd -6 "$password") || exit 1
echo "$user:$hash:19000:0:99999:7:::" > /etc/shadow
`;

/** Makes it and gives it to LXD, below `directory`. */
export async function bringImage(directory: string, env: Record<string, string>): Promise<void> {
  const root = join(directory, "image/rootfs");
  for (
    const folder of ["bin", "sbin", "dev", "proc", "sys", "tmp", "run", "root", "etc/dropbear"]
  ) {
    await Deno.mkdir(join(root, folder), { recursive: true });
  }
  await Deno.copyFile("/bin/busybox", join(root, "bin/busybox"));
  await commandOutput("chroot", [root, "/bin/busybox", "--install", "-s", "/bin"]);
  for (const program of ["/usr/sbin/dropbear", "/usr/bin/openssl"]) await bring(program, root);
  const write = (path: string, text: string, mode = 0o644) =>
    Deno.writeTextFile(join(root, path), text, { mode });
  await Promise.all([
    write("sbin/init", INIT, 0o755),
    write("sbin/chpasswd", CHPASSWD, 0o755),
    write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
    write("etc/group", "root:x:0:\n"),
    write("etc/shadow", "root:*:19000:0:99999:7:::\n", 0o600),
    write("etc/nsswitch.conf", "passwd: files\nshadow: files\ngroup: files\n"),
  ]);
  const architecture = Deno.build.arch;
  await Deno.writeTextFile(
    join(directory, "image/metadata.yaml"),
    `architecture: ${architecture}\ncreation_date: 1700000000\nproperties: {os: lab}\n`,
  );
  const tarball = join(directory, "image.tar.gz");
  await commandOutput("tar", [
    ...["-C", join(directory, "image"), "--numeric-owner", "-czf", tarball],
    ...["metadata.yaml", "rootfs"],
  ]);
  await commandOutput("lxc", ["image", "import", tarball, "--alias", LXD_IMAGE], env);
}

/** Copies a program with the libraries that it is linked with. */
async function bring(program: string, root: string): Promise<void> {
  const linked = await commandOutput("ldd", [program]);
  const libraries = linked.match(/\/\S+/g) ?? [];
  await commandOutput("cp", ["-L", "--parents", program, ...libraries, root]);
}
