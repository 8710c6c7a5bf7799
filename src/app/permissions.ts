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

/**
 * What lending compute runs with, in the place of {@link PERMISSION_FLAGS}: engines are programs of this
 * machine, and what they leave in `/proc`, `/sys` and `/dev` Deno shows to none with less.
 */
export const LENDING_FLAGS: readonly string[] = ["--allow-all"];

/** Whether this process runs with {@link LENDING_FLAGS}, or what comes to the same. */
export function mayLend(): boolean {
  if (Deno.permissions.querySync({ name: "run" }).state !== "granted") return false;
  if (Deno.build.os !== "linux") return true;
  try {
    Deno.statSync("/proc/self/limits");
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.NotCapable);
  }
}

/** The whole command line of a node that lends. */
export function lendingLine(script = "node.ts"): string {
  return `deno run ${LENDING_FLAGS.join(" ")} ${script}`;
}

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
