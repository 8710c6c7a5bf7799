/**
 * One 12-word seed per node; every key is derived from it by labelled HKDF-SHA-256 (RFC 5869), so a
 * backup is twelve words. Labels are part of the format: never change one, add a new one.
 */
import { hkdfSync, pbkdf2Sync } from "node:crypto";
import { generateMnemonic, mnemonicToEntropy, validateMnemonic } from "@scure/bip39";
import { wordlist } from "@scure/bip39/wordlists/english.js";
import { utf8 } from "./bytes.ts";

/** What a key is for: the `info` of its HKDF. */
export type KeyLabel =
  | "seedmint/libp2p/ed25519/v1"
  | "seedmint/nostr/secp256k1/v1"
  | "seedmint/mcp/secp256k1/v1"
  | "seedmint/payment/secp256k1/v1"
  | "seedmint/wallet/quotes/v1"
  | "seedmint/wallet/backup/v1";

/** Fixed by BIP-39. */
const BIP39_ROUNDS = 2048;
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

/**
 * The 64-byte seed of BIP-39 (no passphrase), from which NUT-13 derives a wallet's secrets: the same
 * twelve words find the same ecash in any Cashu wallet.
 */
export function bip39Seed(seedWords: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(
    pbkdf2Sync(seedWords.normalize("NFKD"), "mnemonic", BIP39_ROUNDS, 64, "sha512"),
  );
}
