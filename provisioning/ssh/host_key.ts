/**
 * Host keys of leases: Ed25519, in the form of OpenSSH (PROTOCOL.key) as they travel, in the form of
 * dropbear as it reads them, and the fingerprint that people compare.
 */
import { createHash } from "node:crypto";
import { concatBytes } from "../../src/core/bytes.ts";
import { ed25519PublicKey } from "../../src/core/ed25519.ts";
import type { Random } from "../../src/core/ports.ts";
import { string, uint32, WireReader } from "./wire.ts";

const TYPE = "ssh-ed25519";
const MAGIC = "openssh-key-v1\0";
const BEGIN = "-----BEGIN OPENSSH PRIVATE KEY-----";
const END = "-----END OPENSSH PRIVATE KEY-----";

/** A host key with what is said of it. */
export interface HostKey {
  /** In OpenSSH's form, unencrypted. */
  readonly privateKey: string;
  /** One line as in `known_hosts`, without the host: `ssh-ed25519 AAAA…`. */
  readonly publicKey: string;
  /** `SHA256:` and 43 characters, as `ssh-keygen -l` shows it. */
  readonly fingerprint: string;
}

/** Makes a host key. */
export async function makeHostKey(random: Random, comment = ""): Promise<HostKey> {
  const secret = random.bytes(32);
  const publicBytes = await ed25519PublicKey(secret);
  const publicBlob = concatBytes(string(TYPE), string(publicBytes));
  const check = random.bytes(4);
  const secrets = concatBytes(
    check,
    check,
    publicBlob,
    string(concatBytes(secret, publicBytes)),
    string(comment),
  );
  const paddingCount = (8 - secrets.length % 8) % 8;
  const padding = Uint8Array.from({ length: paddingCount }, (_, index) => index + 1);
  const all = concatBytes(
    new TextEncoder().encode(MAGIC),
    string("none"),
    string("none"),
    string(""),
    uint32(1),
    string(publicBlob),
    string(concatBytes(secrets, padding)),
  );
  const lines = all.toBase64().match(/.{1,70}/g)!;
  return {
    privateKey: [BEGIN, ...lines, END, ""].join("\n"),
    ...facts(publicBlob),
  };
}

/**
 * What an unencrypted Ed25519 key in OpenSSH's form says in public.
 *
 * @throws {SyntaxError} If it is anything else.
 */
export function readHostKey(privateKey: string): HostKey {
  const { publicBytes } = keyIn(privateKey);
  return { privateKey, ...facts(concatBytes(string(TYPE), string(publicBytes))) };
}

/**
 * The same key as dropbear keeps it in a file.
 *
 * @throws {SyntaxError} If `privateKey` is no unencrypted Ed25519 key in OpenSSH's form.
 */
export function dropbearKey(privateKey: string): Uint8Array<ArrayBuffer> {
  const { secret, publicBytes } = keyIn(privateKey);
  return concatBytes(string(TYPE), string(concatBytes(secret, publicBytes)));
}

/** `SHA256:…` of the blob of a public key, as OpenSSH shows it. */
export function fingerprintOf(publicBlob: Uint8Array): string {
  const digest = createHash("sha256").update(publicBlob).digest("base64");
  return `SHA256:${digest.replace(/=+$/, "")}`;
}

function facts(publicBlob: Uint8Array): Omit<HostKey, "privateKey"> {
  return {
    publicKey: `${TYPE} ${publicBlob.toBase64()}`,
    fingerprint: fingerprintOf(publicBlob),
  };
}

function keyIn(privateKey: string): { secret: Uint8Array; publicBytes: Uint8Array } {
  const text = privateKey.trim();
  if (!text.startsWith(BEGIN) || !text.endsWith(END)) throw unreadable("its frame is missing");
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.fromBase64(text.slice(BEGIN.length, -END.length).replace(/\s+/g, ""));
  } catch {
    throw unreadable("its content is no base64");
  }
  const reader = new WireReader(bytes);
  const magic = new TextDecoder().decode(reader.take(MAGIC.length));
  if (magic !== MAGIC) throw unreadable("it is no key of OpenSSH");
  if (reader.text() !== "none") throw unreadable("it is encrypted");
  reader.string();
  reader.string();
  if (reader.uint32() !== 1) throw unreadable("it holds more than one key");
  reader.string();
  const secrets = new WireReader(reader.string());
  if (secrets.uint32() !== secrets.uint32()) throw unreadable("it is damaged");
  if (secrets.text() !== TYPE) throw unreadable(`it is no ${TYPE} key`);
  const publicBytes = secrets.string();
  const pair = secrets.string();
  if (publicBytes.length !== 32 || pair.length !== 64) throw unreadable("it is damaged");
  return { secret: pair.slice(0, 32), publicBytes };
}

function unreadable(why: string): SyntaxError {
  return new SyntaxError(`Cannot read the SSH host key: ${why}`);
}
