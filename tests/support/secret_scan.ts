/**
 * Looks for money where none may be: tokens, secrets, blinding factors, quote ids, preimages, private
 * keys and seed words in logs, errors and files.
 */
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { type WalletKeys, walletKeysOf } from "../../wallet/keys.ts";
import { WALLET_FILE } from "../../wallet/store/sqlite_wallet_store.ts";

/** Shorter values are found by chance. */
const LENGTH_MIN = 12;

/** Seed words in a row that give the wallet away. */
const WORDS_IN_A_ROW = 3;

/** Keys of mint quotes looked for. */
const QUOTE_KEY_COUNT = 50;

const TOKEN = /cashu[AB][A-Za-z0-9_-]{20,}/;

/** All that is secret in a run, by value. */
export class SecretBook {
  readonly #kinds = new Map<string, string>();

  get size(): number {
    return this.#kinds.size;
  }

  /** One of each kind. */
  samples(): [string, string][] {
    const byKind = new Map([...this.#kinds].map(([value, kind]) => [kind, value]));
    return [...byKind].map(([kind, value]) => [value, kind]);
  }

  add(kind: string, value: string): void {
    if (value.length >= LENGTH_MIN) this.#kinds.set(value, kind);
  }

  /** Seed words, and all keys that come of them. */
  addSeed(words: string): void {
    const list = words.split(" ");
    for (let index = 0; index + WORDS_IN_A_ROW <= list.length; index++) {
      this.add("seed word", list.slice(index, index + WORDS_IN_A_ROW).join(" "));
    }
    this.addKeys(walletKeysOf(words));
  }

  /** The keys of a wallet. */
  addKeys(keys: WalletKeys): void {
    this.add("seed", keys.seed.toHex());
    this.add("backup key", keys.backupKey.toHex());
    this.add("private key", keys.payment.secretKey);
    for (let index = 0; index < QUOTE_KEY_COUNT; index++) {
      this.add("private key", keys.quoteKey(index).secretKey);
    }
  }

  /** What the database of a wallet holds, whether the wallet is open or was killed. */
  addDatabase(directory: string): void {
    const database = new DatabaseSync(join(directory, WALLET_FILE), { readOnly: true });
    try {
      const values = (sql: string) => database.prepare(sql).all().map((row) => String(row.value));
      for (const value of values("SELECT secret AS value FROM proofs")) this.#addSecret(value);
      for (const value of values("SELECT secret AS value FROM outputs")) this.#addSecret(value);
      for (const value of values("SELECT blinding_factor AS value FROM outputs")) {
        this.add("blinding factor", value);
        this.add("blinding factor", BigInt(value).toString(16).padStart(64, "0"));
      }
      for (const value of values("SELECT quote_id AS value FROM quotes")) {
        this.add("quote id", value);
      }
    } finally {
      database.close();
    }
  }

  /** What is secret and in `text`, as sentences that are not. */
  findIn(name: string, text: string): string[] {
    const kinds = new Set<string>();
    if (TOKEN.test(text)) kinds.add("token");
    for (const [value, kind] of this.#kinds) {
      if (!kinds.has(kind) && text.includes(value)) kinds.add(kind);
    }
    return [...kinds].map((kind) => `${name} holds a ${kind}`);
  }

  /**
   * What is secret in the files below a folder, and which files that must hold secrets can be read by
   * others. Those are the wallet's database and what begins like it, and the names of `holders`.
   */
  findInFolder(folder: string, holders: readonly string[] = []): string[] {
    return [...Deno.readDirSync(folder)].flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory) return this.findInFolder(path, holders);
      const isHolder = entry.name.startsWith(WALLET_FILE) || holders.includes(entry.name);
      if (isHolder) {
        const mode = (Deno.statSync(path).mode ?? 0) & 0o777;
        return mode === 0o600 ? [] : [`${entry.name} has mode 0${mode.toString(8)}, not 0600`];
      }
      return this.findIn(entry.name, new TextDecoder("latin1").decode(Deno.readFileSync(path)));
    });
  }

  #addSecret(secret: string): void {
    this.add("secret", secret);
    if (!secret.startsWith("[")) return;
    // A locked one is JSON, which a log would escape: its nonce is found in any form.
    this.add("secret", (JSON.parse(secret) as [string, { nonce: string }])[1].nonce);
  }
}
