/** Where everything lies on a host that is set up. */

/** The program and its runtime. */
export const HOME = "/opt/seedmint";
export const DENO = `${HOME}/bin/deno`;
export const VERSIONS = `${HOME}/versions`;
/** A link to the version that runs. */
export const CURRENT = `${HOME}/current`;
/** What the runtime makes of the program; its packages are those of the version that runs. */
export const CACHE = `${HOME}/cache`;

/** The command, for whoever is on the host. */
export const COMMAND = "/usr/local/bin/seedmint";

/** Seed, wallet, blobs, journal of leases: nobody else's to read. */
export const DATA = "/var/lib/seedmint";
export const SOCKET = `${DATA}/control.sock`;
export const SETTINGS_FILE = `${DATA}/seedmint.toml`;

/** Disks and unpacked images of leases: their roots pass through, and list nothing. */
export const LEASES = "/var/lib/seedmint-leases";

export const UNIT = "seedmint.service";
export const UNIT_FILE = `/etc/systemd/system/${UNIT}`;

/** A directory of a host. */
export interface Directory {
  readonly path: string;
  /** In octal, as `stat -c %a` prints it. */
  readonly mode: string;
}

/** All directories that are made, in order. */
export const DIRECTORIES: readonly Directory[] = [
  { path: HOME, mode: "755" },
  { path: `${HOME}/bin`, mode: "755" },
  { path: VERSIONS, mode: "755" },
  { path: CACHE, mode: "755" },
  { path: DATA, mode: "700" },
  { path: LEASES, mode: "711" },
];
