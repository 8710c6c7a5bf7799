/** The smallest image with a shell: the host's static busybox, one layer. */
import type { Image, ImageConfig } from "../../../provisioning/ports.ts";
import { type Entry, imageOf, layerOf } from "./tar.ts";

const APPLETS = [
  "sh",
  "cat",
  "cp",
  "dd",
  "df",
  "echo",
  "env",
  "false",
  "head",
  "id",
  "kill",
  "ls",
  "mkdir",
  "mknod",
  "mount",
  "nc",
  "ping",
  "ps",
  "rm",
  "seq",
  "sleep",
  "stat",
  "sync",
  "tail",
  "test",
  "touch",
  "true",
  "unshare",
  "wc",
  "wget",
  "hostname",
  "ifconfig",
  "ip",
  "chmod",
  "chown",
  "umount",
  "reboot",
  "yes",
  "grep",
  "dmesg",
  "insmod",
  "sysctl",
  "nproc",
  "httpd",
];

/** Makes the image. @throws {Deno.errors.NotFound} If busybox-static is not installed. */
export async function busyboxImage(
  config: Partial<ImageConfig> = {},
  more: readonly Entry[] = [],
): Promise<Image> {
  const busybox = await Deno.readFile("/bin/busybox");
  const folders = ["bin", "etc", "root", "tmp", "proc", "sys", "dev", "var", "home"];
  return imageOf([
    layerOf([
      ...folders.map((name) => ({
        name: `${name}/`,
        type: "5",
        mode: name === "tmp" ? 0o1777 : 0o755,
      })),
      { name: "bin/busybox", content: busybox, mode: 0o755 },
      ...APPLETS.map((name) => ({ name: `bin/${name}`, type: "2", link: "busybox" })),
      {
        name: "etc/passwd",
        content: "root:x:0:0:root:/root:/bin/sh\nweb:x:33:33:web:/var:/bin/sh\n",
      },
      { name: "etc/group", content: "root:x:0:\nweb:x:33:\n" },
      ...more,
    ]),
  ], config);
}
