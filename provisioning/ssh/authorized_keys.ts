/** Public keys that lessees send: one a line, a known type, nothing but type, key and comment. */
import { AUTHORIZED_KEY_CHARS_MAX, AUTHORIZED_KEYS_MAX } from "./limits.ts";
import { WireReader } from "./wire.ts";

const TYPES: ReadonlySet<string> = new Set([
  "ssh-ed25519",
  "ssh-rsa",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "sk-ssh-ed25519@openssh.com",
  "sk-ecdsa-sha2-nistp256@openssh.com",
]);

/**
 * A public key as it is written into `authorized_keys`: options are refused, the comment is kept as far
 * as it is plain.
 *
 * @throws {SyntaxError} If it is no public key.
 */
export function readPublicKey(line: string): string {
  const text = line.trim();
  if (text.length > AUTHORIZED_KEY_CHARS_MAX) {
    throw unreadable(`it has more than ${AUTHORIZED_KEY_CHARS_MAX} characters`);
  }
  const [, type, base64, comment] = /^(\S+) +([A-Za-z0-9+/]+=*)(?: +(.*))?$/.exec(text) ?? [];
  if (type === undefined || !TYPES.has(type)) {
    throw unreadable("a line like `ssh-ed25519 AAAA… name` is wanted, without options");
  }
  let blob: Uint8Array;
  try {
    blob = Uint8Array.fromBase64(base64!);
  } catch {
    throw unreadable("its content is no base64");
  }
  const reader = new WireReader(blob);
  if (reader.text() !== type || reader.string().length === 0) {
    throw unreadable(`its content is no ${type} key`);
  }
  const plain = (comment ?? "").replace(/[^\x20-\x7e]/g, "").trim();
  return plain === "" ? `${type} ${base64}` : `${type} ${base64} ${plain}`;
}

/**
 * The text of `authorized_keys`.
 *
 * @throws {SyntaxError} If one is no public key.
 * @throws {RangeError} If there are too many.
 */
export function authorizedKeysText(keys: readonly string[]): string {
  if (keys.length > AUTHORIZED_KEYS_MAX) {
    throw new RangeError(
      `Cannot use ${keys.length} SSH keys for a lease: at most ${AUTHORIZED_KEYS_MAX}`,
    );
  }
  return keys.map((key) => `${readPublicKey(key)}\n`).join("");
}

function unreadable(why: string): SyntaxError {
  return new SyntaxError(`Cannot read the SSH public key: ${why}`);
}
