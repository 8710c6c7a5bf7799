/**
 * What is known of a mint without asking it: its info and keysets, so that it may be offline when the
 * node starts. Keys of a keyset never change: a mint that changes them is proven dishonest.
 */
import { deriveKeysetId, keysetIdOfZeroExpiry } from "../cashu.ts";
import { type Keyset, WALLET_UNIT } from "../types.ts";
import type { MintInfo } from "./mint_api.ts";

/** A keyset, perhaps before its keys are known. */
export type ListedKeyset = Omit<Keyset, "keys">;

/** A broken promise, in words without secrets. */
export class KeysetContradiction extends Error {
  override readonly name = "KeysetContradiction";
}

/** See the head of this file. */
export class MintCache {
  #info: { readonly info: MintInfo; readonly atMs: number } | undefined;
  #keysetsAtMs: number | undefined;
  readonly #listed = new Map<string, ListedKeyset>();
  readonly #keys = new Map<string, { readonly keys: Keyset["keys"]; readonly atMs: number }>();

  /** From what {@link toText} made; empty if `text` is absent or of another version. */
  static fromText(text: string | undefined): MintCache {
    const cache = new MintCache();
    if (text === undefined) return cache;
    const stored = JSON.parse(text) as StoredCache;
    if (stored.version !== 1) return cache;
    if (stored.info) cache.#info = { info: infoOf(stored.info.info), atMs: stored.info.atMs };
    cache.#keysetsAtMs = stored.keysetsAtMs;
    for (const { keys, keysAtMs, ...keyset } of stored.keysets) {
      cache.#listed.set(keyset.id, keyset);
      if (keys) cache.#keys.set(keyset.id, { keys, atMs: keysAtMs ?? 0 });
    }
    return cache;
  }

  toText(): string {
    const stored: StoredCache = {
      version: 1,
      ...(this.#info && { info: { info: storedInfo(this.#info.info), atMs: this.#info.atMs } }),
      ...(this.#keysetsAtMs !== undefined && { keysetsAtMs: this.#keysetsAtMs }),
      keysets: [...this.#listed.values()].map((keyset) => {
        const found = this.#keys.get(keyset.id);
        return { ...keyset, ...(found && { keys: found.keys, keysAtMs: found.atMs }) };
      }),
    };
    return JSON.stringify(stored);
  }

  get info(): { readonly info: MintInfo; readonly atMs: number } | undefined {
    return this.#info;
  }

  putInfo(info: MintInfo, atMs: number): void {
    this.#info = { info, atMs };
  }

  /** When the list of keysets was read. */
  get keysetsAtMs(): number | undefined {
    return this.#keysetsAtMs;
  }

  /** All keysets of the wallet's unit. */
  keysets(): ListedKeyset[] {
    return [...this.#listed.values()];
  }

  keyset(id: string): Keyset | undefined {
    const listed = this.#listed.get(id);
    const found = this.#keys.get(id);
    return listed && found && { ...listed, keys: found.keys };
  }

  /** When the keys of `id` were last read. */
  keysAtMs(id: string): number | undefined {
    return this.#keys.get(id)?.atMs;
  }

  /**
   * Takes a new list. Keysets that are missing from it are kept as inactive: their proofs still count.
   * One whose keys were never asked for has no proofs here, and is forgotten.
   *
   * @throws {KeysetContradiction} If a known keyset is not what it was.
   */
  putKeysets(list: readonly ListedKeyset[], atMs: number): void {
    for (const keyset of list) {
      const known = this.#listed.get(keyset.id);
      // What was listed without keys was never held against its id.
      if (known !== undefined && this.#keys.has(keyset.id)) assertSame(known, keyset);
    }
    const isListed = new Set(list.map(({ id }) => id));
    for (const [id, known] of this.#listed) {
      if (isListed.has(id)) continue;
      if (this.#keys.has(id)) this.#listed.set(id, { ...known, active: false });
      else this.#listed.delete(id);
    }
    for (const keyset of list) {
      if (keyset.unit === WALLET_UNIT) this.#listed.set(keyset.id, keyset);
      else if (this.#listed.has(keyset.id)) contradict(keyset.id, "its unit");
    }
    this.#keysetsAtMs = atMs;
  }

  /** Forgets the keys of `id`. */
  dropKeys(id: string): void {
    this.#keys.delete(id);
  }

  /**
   * Takes the keys of a listed keyset.
   *
   * @returns False if they do not make up its id: they are refused.
   * @throws {KeysetContradiction} If they are not those that it had.
   */
  putKeys(id: string, keys: Keyset["keys"], atMs: number): boolean {
    const listed = this.#listed.get(id);
    if (listed === undefined) return false;
    const known = this.#keys.get(id);
    if (known !== undefined && !equalKeys(known.keys, keys)) contradict(id, "its keys");
    const keyset = { ...listed, keys };
    if (deriveKeysetId(keyset) !== id && keysetIdOfZeroExpiry(keyset) !== id) return false;
    this.#keys.set(id, { keys, atMs });
    return true;
  }
}

interface StoredCache {
  readonly version: number;
  readonly info?: { readonly info: StoredInfo; readonly atMs: number };
  readonly keysetsAtMs?: number;
  readonly keysets: readonly (ListedKeyset & {
    readonly keys?: Keyset["keys"];
    readonly keysAtMs?: number;
  })[];
}

const AMOUNTS = ["mintMin", "mintMax", "meltMin", "meltMax"] as const;

type StoredInfo = Omit<MintInfo, "nuts" | typeof AMOUNTS[number]> & {
  readonly nuts: readonly number[];
  readonly amounts: Readonly<Partial<Record<typeof AMOUNTS[number], string>>>;
};

function storedInfo(info: MintInfo): StoredInfo {
  const { nuts, mintMin: _a, mintMax: _b, meltMin: _c, meltMax: _d, ...rest } = info;
  const amounts = AMOUNTS.filter((name) => info[name] !== undefined)
    .map((name) => [name, String(info[name])]);
  return { ...rest, nuts: [...nuts], amounts: Object.fromEntries(amounts) };
}

function infoOf(stored: StoredInfo): MintInfo {
  const { nuts, amounts, ...rest } = stored;
  const read = Object.entries(amounts).map(([name, amount]) => [name, BigInt(amount)]);
  return { ...rest, nuts: new Set(nuts), ...Object.fromEntries(read) };
}

/** Unit, fee and expiry are part of ids of version 01; of 00 only the unit must stay. */
function assertSame(known: ListedKeyset, now: ListedKeyset): void {
  if (known.unit !== now.unit) contradict(now.id, "its unit");
  if (!now.id.startsWith("01")) return;
  if (known.inputFeePpk !== now.inputFeePpk) contradict(now.id, "its fee");
  if (known.finalExpiry !== now.finalExpiry) contradict(now.id, "its expiry");
}

function contradict(id: string, what: string): never {
  throw new KeysetContradiction(`keyset ${id} changed ${what}, which must never change`);
}

/** Whether two keysets have the same key for each amount. */
export function equalKeys(a: Keyset["keys"], b: Keyset["keys"]): boolean {
  const amounts = Object.keys(a);
  return amounts.length === Object.keys(b).length &&
    amounts.every((amount) => a[amount] === b[amount]);
}
