/**
 * The command line of `ssh` for a lease, and the host key that it is pinned to. What a provider says is
 * hostile until it has the form of a host, a port, a name: here it becomes arguments of a program.
 */
import { SeedmintError } from "../../../../core/errors.ts";
import type { LeaseView } from "../../../api/lease_methods.ts";

/** Names and addresses; nothing that could be taken for a flag or for a part of a setting. */
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45})$/;
const USER = /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/;
const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}$/;
/** A host key as `ssh-keyscan` and `known_hosts` have it. */
const KEY_LINE = /^(\S+) ((?:ssh|ecdsa|sk)-[a-z0-9@.-]{1,60}) ([A-Za-z0-9+/]{16,4096}={0,2})$/;

/** Where a lease's SSH is, checked. */
export interface SshTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** `SHA256:…`; absent when the provider told none. */
  readonly fingerprint?: string;
  /** The name that its host key is kept under. */
  readonly alias: string;
  readonly identityFile?: string;
  /** Of a provider that knows no keys. Secret: no argument of a program. */
  readonly password?: string;
}

/**
 * Where to log in.
 *
 * @throws {SeedmintError} `unavailable` if the lease cannot be reached, `protocol` if the provider named
 * what is no place.
 */
export function sshTargetOf(lease: LeaseView): SshTarget {
  const { id, state, sshHost, sshPort, sshUser, sshPassword } = lease;
  const { hostKeyFingerprint, identityFile } = lease;
  if (state !== "active" || sshHost === null || sshPort === null) {
    const why = state === "pending"
      ? "it is not ready yet; see status"
      : state !== "active"
      ? `it is over (${state})`
      : "its provider did not say where; see status";
    throw new SeedmintError("unavailable", `Cannot log in to lease ${id}: ${why}`);
  }
  const user = sshUser ?? "root";
  const isPort = Number.isInteger(sshPort) && sshPort >= 1 && sshPort <= 65_535;
  const isSound = HOST.test(sshHost) && USER.test(user) && isPort &&
    (hostKeyFingerprint === null || FINGERPRINT.test(hostKeyFingerprint));
  if (!isSound) {
    throw new SeedmintError(
      "protocol",
      `Cannot log in to lease ${id}: what its provider says of the place is no host, port, user or key`,
    );
  }
  return {
    host: sshHost,
    port: sshPort,
    user,
    alias: `seedmint-lease-${id}`,
    ...(hostKeyFingerprint === null ? {} : { fingerprint: hostKeyFingerprint }),
    ...(identityFile === null ? {} : { identityFile }),
    ...(sshPassword === null ? {} : { password: sshPassword }),
  };
}

/**
 * The line of `known_hosts` for the key with the fingerprint that the provider told.
 *
 * @param scanned What `ssh-keyscan` printed.
 * @param fingerprintOf `SHA256:…` of a key's bytes.
 * @returns Undefined if there is no such key among them.
 */
export function knownHostsLine(
  scanned: string,
  target: { readonly alias: string; readonly fingerprint: string },
  fingerprintOf: (blob: Uint8Array) => string,
): string | undefined {
  for (const line of scanned.split("\n")) {
    const [, , type, base64] = KEY_LINE.exec(line.trim()) ?? [];
    if (type === undefined || base64 === undefined) continue;
    const blob = bytesOf(base64);
    if (blob !== undefined && fingerprintOf(blob) === target.fingerprint) {
      return `${target.alias} ${type} ${base64}`;
    }
  }
  return undefined;
}

/** Arguments of `ssh`. */
export function sshArguments(
  target: SshTarget,
  options: {
    /** The file with the pinned key, or the one to keep the first key in. */
    readonly knownHosts: string;
    /** Whether the key is known already. */
    readonly isPinned: boolean;
    readonly command: readonly string[];
    readonly isTerminal: boolean;
  },
): string[] {
  const { knownHosts, isPinned, command, isTerminal } = options;
  const settings = [
    `UserKnownHostsFile=${quoted(knownHosts)}`,
    "GlobalKnownHostsFile=/dev/null",
    `HostKeyAlias=${target.alias}`,
    `StrictHostKeyChecking=${isPinned ? "yes" : "accept-new"}`,
    "CheckHostIP=no",
    "UpdateHostKeys=no",
    // The file alone says which key a lease has; before OpenSSH 8.5 there is no such command.
    "IgnoreUnknown=KnownHostsCommand",
    "KnownHostsCommand=none",
    "VerifyHostKeyDNS=no",
    // One that is shared may be that of the lease that had the port before.
    "ControlMaster=no",
    "ControlPath=none",
    // What a user's configuration has for all hosts is not for a stranger's.
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "GSSAPIDelegateCredentials=no",
    "HostbasedAuthentication=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "Tunnel=no",
    ...(target.identityFile === undefined
      ? []
      : ["IdentitiesOnly=yes", `IdentityFile=${quoted(target.identityFile)}`]),
    // It is the same each time.
    ...(target.password === undefined ? [] : ["NumberOfPasswordPrompts=1"]),
    // Keys that open nothing there would only tell a stranger whose they are.
    ...(target.password === undefined || target.identityFile !== undefined
      ? []
      : ["PubkeyAuthentication=no"]),
  ];
  return [
    ...settings.flatMap((setting) => ["-o", setting]),
    "-p",
    String(target.port),
    "-l",
    target.user,
    ...(command.length > 0 && isTerminal ? ["-t"] : []),
    "--",
    target.host,
    ...command,
  ];
}

/** Arguments of `ssh-keyscan`. */
export function scanArguments({ host, port }: SshTarget): string[] {
  return ["-T", "10", "-p", String(port), "--", host];
}

/** A command line as a shell reads it. */
export function shellLine(program: string, args: readonly string[]): string {
  const word = (text: string) =>
    /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
  return [program, ...args].map(word).join(" ");
}

/** A path as a setting of ssh: in quotes, for it may have blanks, and its percent signs are no tokens. */
function quoted(path: string): string {
  return `"${path.replaceAll("%", "%%")}"`;
}

function bytesOf(base64: string): Uint8Array | undefined {
  try {
    return Uint8Array.fromBase64(base64);
  } catch {
    return undefined;
  }
}
