/**
 * Passwords as `/etc/shadow` has them: SHA-crypt with SHA-512 (Ulrich Drepper, version 0.6), for old
 * clients that ask for a password instead of a key.
 */
import { createHash } from "node:crypto";
import { concatBytes } from "../../src/core/bytes.ts";
import type { Random } from "../../src/core/ports.ts";
import { PASSWORD_CHARS_MAX } from "./limits.ts";

const ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ROUNDS = 5000;

/** The password's hash under a fresh salt: `$6$salt$hash`. @throws {RangeError} If it is too long. */
export function hashPassword(password: string, random: Random): string {
  const salt = [...random.bytes(16)].map((byte) => ALPHABET[byte & 63]!).join("");
  return sha512Crypt(password, salt);
}

/** The hash under a salt of up to 16 characters. @throws {RangeError} If the password is too long. */
export function sha512Crypt(password: string, salt: string): string {
  if (password.length > PASSWORD_CHARS_MAX) {
    throw new RangeError(`Cannot use a password of more than ${PASSWORD_CHARS_MAX} characters`);
  }
  const encoder = new TextEncoder();
  const key = encoder.encode(password);
  const saltBytes = encoder.encode(salt);
  const other = sha512(key, saltBytes, key);
  const parts: Uint8Array[] = [key, saltBytes, repeated(other, key.length)];
  for (let bits = key.length; bits > 0; bits >>= 1) parts.push(bits & 1 ? other : key);
  let digest = sha512(...parts);
  const keyTwin = repeated(sha512(...Array.from({ length: key.length }, () => key)), key.length);
  const saltTwin = repeated(
    sha512(...Array.from({ length: 16 + digest[0]! }, () => saltBytes)),
    saltBytes.length,
  );
  for (let round = 0; round < ROUNDS; round++) {
    const mix: Uint8Array[] = [round & 1 ? keyTwin : digest];
    if (round % 3 !== 0) mix.push(saltTwin);
    if (round % 7 !== 0) mix.push(keyTwin);
    mix.push(round & 1 ? digest : keyTwin);
    digest = sha512(...mix);
  }
  return `$6$${salt}$${encoded(digest)}`;
}

/** Base 64 of its own kind, over bytes in an order of its own. */
function encoded(digest: Uint8Array): string {
  let text = "";
  const add = (value: number, count: number) => {
    for (let index = 0; index < count; index++) text += ALPHABET[(value >> (6 * index)) & 63]!;
  };
  for (let index = 0; index < 21; index++) {
    const order = [index, index + 21, index + 42];
    const [high, middle, low] = order.map((_, place) => digest[order[(place + index) % 3]!]!);
    add((high! << 16) | (middle! << 8) | low!, 4);
  }
  add(digest[63]!, 2);
  return text;
}

function repeated(bytes: Uint8Array, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => bytes[index % bytes.length]!);
}

function sha512(...parts: readonly Uint8Array[]): Uint8Array {
  return createHash("sha512").update(concatBytes(...parts)).digest();
}
