/** What every lease on this machine is given inside, whatever engine runs it. */
import type { ImageConfig } from "../../ports.ts";

/** Resolvers that answer anybody. */
export const NAME_SERVERS: readonly string[] = ["9.9.9.9", "1.1.1.1"];

/** Where the SSH server's files are inside. */
export const SERVER_AT = "/.seedmint/server";
/** Where the lease's own files are inside. */
export const LEASE_AT = "/.seedmint/lease";
/** Where our SSH server listens inside: an image's own may have 22. */
export const SSH_PORT_INSIDE = 10_022;
/** Users of one lease. */
export const ID_COUNT = 65_536;

/** What servers need that give up root, and nothing with which to touch the kernel. */
export const CAPABILITIES: readonly string[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_NET_BIND_SERVICE",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SYS_CHROOT",
];

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The environment: ours, then the image's, then the lessee's. */
export function environment(
  config: ImageConfig,
  env: Readonly<Record<string, string>>,
): string[] {
  const all = new Map<string, string>([["PATH", PATH], ["HOME", "/root"]]);
  for (const line of config.env) {
    const equals = line.indexOf("=");
    if (equals > 0) all.set(line.slice(0, equals), line.slice(equals + 1));
  }
  for (const [name, value] of Object.entries(env)) all.set(name, value);
  return [...all].map(([name, value]) => `${name}=${value}`.replaceAll("\0", ""));
}

/** What the C library's loader and allocator heed; for libraries the server's loader has a path of its own. */
const HEEDED = /^(LD_(?!LIBRARY_PATH=)|GLIBC_TUNABLES=|MALLOC_[A-Z_]*_=)/;

/**
 * Of an environment what our SSH server is started with, and so its sessions: without what would let an
 * image or a lessee keep the server from answering. Commands of the image and of `exec` have all of it.
 */
export function serverEnvironment(env: readonly string[]): string[] {
  return env.filter((line) => !HEEDED.test(line));
}

/** What the image itself runs; undefined for a bare shell, which would end at once. */
export function imageCommand(config: ImageConfig): readonly string[] | undefined {
  const args = [...config.entrypoint, ...config.cmd];
  const isShell = args.length === 1 && /^(\/(usr\/)?bin\/)?(ba|a|da|z)?sh$/.test(args[0]!);
  return args.length === 0 || isShell ? undefined : args;
}
