/** The key by which a host is known: what it offers, and what its fingerprint is. */
import { createHash } from "node:crypto";
import { SeedmintError } from "../../core/errors.ts";
import { runCommand } from "../../../provisioning/machine/mod.ts";
import { type Destination, knownHostName, shownDestination } from "./destination.ts";
import { CONNECT_S_MAX, HOST_KEYS_MAX, LOOK_MS_MAX } from "./limits.ts";

/** A key that a host offers. */
export interface OfferedKey {
  /** As `ssh-ed25519`. */
  readonly type: string;
  /** `SHA256:…`, as OpenSSH shows it. */
  readonly fingerprint: string;
  /** A line for a file of known hosts. */
  readonly line: string;
}

const LINE = /^\S+ ((?:ssh|ecdsa|sk)-[A-Za-z0-9@.-]{1,64}) ([A-Za-z0-9+/]{16,4096}={0,2})$/;

/**
 * Asks a host which keys it has. Whoever sits between answers as well: they count only when somebody
 * compared the fingerprint with what the host itself shows.
 *
 * @throws {SeedmintError} `unavailable` if it does not answer.
 */
export async function offeredKeys(
  destination: Destination,
  options: { readonly signal: AbortSignal },
): Promise<readonly OfferedKey[]> {
  const { host, port } = destination;
  const { stdout } = await runCommand([
    "ssh-keyscan",
    "-T",
    String(CONNECT_S_MAX),
    ...(port === undefined ? [] : ["-p", String(port)]),
    "--",
    host,
  ], { signal: options.signal, timeoutMs: LOOK_MS_MAX });
  const keys = readOffered(stdout, destination);
  if (keys.length > 0) return keys;
  throw new SeedmintError(
    "unavailable",
    `Cannot ask ${shownDestination(destination)} for its host key: no SSH server answered there; ` +
      "check the name, the port and the firewall, or connect once by hand with ssh",
    { retryable: true },
  );
}

/** Reads what `ssh-keyscan` prints; what is no key is left out. */
export function readOffered(text: string, destination: Destination): readonly OfferedKey[] {
  const found: OfferedKey[] = [];
  for (const line of text.split(/\r?\n/)) {
    const [, type, blob] = LINE.exec(line.trim()) ?? [];
    if (type === undefined || found.length >= HOST_KEYS_MAX) continue;
    found.push({
      type,
      fingerprint: fingerprintOf(blob!),
      line: `${knownHostName(destination)} ${type} ${blob}`,
    });
  }
  return found;
}

/** The fingerprint of a key in base64. */
export function fingerprintOf(blob: string): string {
  const hash = createHash("sha256").update(Uint8Array.fromBase64(blob)).digest("base64");
  return `SHA256:${hash.replace(/=+$/, "")}`;
}

/** Reads a fingerprint that somebody typed. @throws {SeedmintError} `usage` */
export function parseFingerprint(text: string): string {
  if (/^SHA256:[A-Za-z0-9+/]{43}$/.test(text)) return text;
  throw new SeedmintError(
    "usage",
    "Cannot use this --host-key: SHA256: and 43 characters wanted, as ssh-keygen -l shows them on " +
      "the host (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub)",
  );
}
