/**
 * One 12-word seed per node; every key is derived from it by labelled HKDF-SHA-256 (RFC 5869), so a
 * backup is twelve words. Labels are part of the format: never change one, add a new one.
 */
import { hkdfSync } from "node:crypto";
import { generateMnemonic, mnemonicToEntropy, validateMnemonic } from "@scure/bip39";
import { wordlist } from "@scure/bip39/wordlists/english.js";
import { utf8 } from "./bytes.ts";

/** What a key is for: the `info` of its HKDF. */
export type KeyLabel =
  | "seedmint/libp2p/ed25519/v1"
  | "seedmint/nostr/secp256k1/v1"
  | "seedmint/payment/secp256k1/v1"
  | "seedmint/wallet/seed/v1";

const SALT = utf8("seedmint/seed/v1");

/** Twelve new random words (BIP-39, English). */
export function newSeedWords(): string {
  return generateMnemonic(wordlist, 128);
}

/**
 * Reads words as a user types them: any white space, any case.
 *
 * @throws {SyntaxError} If they are not twelve words of the list with a right checksum.
 */
export function parseSeedWords(text: string): string {
  const words = text.trim().toLowerCase().split(/\s+/);
  const joined = words.join(" ");
  if (words.length !== 12 || !validateMnemonic(joined, wordlist)) {
    // The words themselves are secret and never part of a message.
    throw new SyntaxError(
      `Cannot read the seed: 12 words of the BIP-39 English list with a right checksum wanted, ${words.length} words found; check for a typing error`,
    );
  }
  return joined;
}

/** The 32-byte secret for `label`. */
export function deriveKey(seedWords: string, label: KeyLabel): Uint8Array<ArrayBuffer> {
  const entropy = mnemonicToEntropy(seedWords, wordlist);
  return new Uint8Array(hkdfSync("sha256", entropy, SALT, utf8(label), 32));
}
