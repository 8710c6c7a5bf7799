/**
 * What the node asks of Deno, in one place: `node.ts` asks for these, the tasks, the systemd unit
 * and the documentation quote {@link PERMISSION_FLAGS}. Imports nothing, so that it loads at once.
 */

/** One permission, with the reason that is shown before it is asked for. */
export interface NeededPermission {
  readonly descriptor: Deno.PermissionDescriptor;
  readonly why: string;
}

/** At most five, in the order in which they are asked. */
export const NEEDED_PERMISSIONS: readonly NeededPermission[] = [
  {
    descriptor: { name: "net" },
    why: "net: talk to peers, relays and origins, and serve the control socket",
  },
  {
    descriptor: { name: "read" },
    why: "read: the data directory, and the files that you add",
  },
  {
    descriptor: { name: "write" },
    why: "write: the data directory, and the files that you fetch or export",
  },
  {
    descriptor: { name: "sys", kind: "networkInterfaces" },
    why: "sys networkInterfaces: find the addresses at which peers can reach this host",
  },
  {
    descriptor: { name: "env" },
    why: "env: settings in SEEDMINT_* and where your home directory is",
  },
];

/** The flags that grant exactly what is needed, for a run without questions. */
export const PERMISSION_FLAGS: readonly string[] = [
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-sys=networkInterfaces",
  "--ignore-env",
  "--allow-env=SEEDMINT_*,HOME,XDG_DATA_HOME",
];

/** What lending compute needs besides, for engines are programs of this machine. */
export const LENDING_PERMISSIONS: readonly NeededPermission[] = [
  {
    descriptor: { name: "run" },
    why: "run: start containers and set up their network and disks",
  },
  { descriptor: { name: "sys", kind: "uid" }, why: "sys uid: see whether it runs as root" },
  { descriptor: { name: "sys", kind: "statfs" }, why: "sys statfs: measure the disk" },
];

/** The flags that grant {@link LENDING_PERMISSIONS}. */
export const LENDING_FLAGS: readonly string[] = ["--allow-run", "--allow-sys=uid,statfs"];

/** What `devnet` needs besides, for it is made of processes. */
export const DEVNET_PERMISSION: NeededPermission = {
  descriptor: { name: "run" },
  why: "run: start the relay, the mints and the Lightning network of devnet, each its own process",
};

/** The flag that grants {@link DEVNET_PERMISSION}. */
export const DEVNET_FLAG = "--allow-run";

/** The whole command that runs `script` without questions; `more` are further flags. */
export function commandLine(script = "node.ts", more: readonly string[] = []): string {
  return `deno run ${[...PERMISSION_FLAGS, ...more].map(quoteFlag).join(" ")} ${script}`;
}

function quoteFlag(flag: string): string {
  return flag.includes("*") ? `'${flag}'` : flag;
}
