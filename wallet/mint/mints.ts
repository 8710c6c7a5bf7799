/** The mints that the user listed, and nobody else: no other gets a request. */
import { SeedmintError } from "../../src/core/errors.ts";
import { keysetNumber } from "../cashu.ts";
import type { MintRecord, WalletStore, WalletTransaction } from "../store/wallet_store.ts";
import type { Keyset, MintUrl } from "../types.ts";
import { HttpMint, type HttpMintOptions, type MintMemory } from "./http_mint.ts";
import type { Mints } from "./mint_api.ts";
import { equalKeys } from "./mint_cache.ts";

/** Options of {@link ListedMints}: those of every {@link HttpMint} besides its own. */
export interface ListedMintsOptions extends Omit<HttpMintOptions, "url" | "memory" | "cooldown"> {
  readonly store: WalletStore;
  /** Told once for each mint that proves dishonest. */
  readonly onBlocked?: (mint: MintUrl, reason: string) => void;
}

/** See the head of this file. */
export class ListedMints implements Mints {
  readonly #options: ListedMintsOptions;
  readonly #mints = new Map<MintUrl, HttpMint>();

  constructor(options: ListedMintsOptions) {
    this.#options = options;
  }

  of(url: MintUrl): HttpMint {
    const { store } = this.#options;
    if (store.mint(url) === undefined) {
      this.#mints.delete(url);
      throw new SeedmintError(
        "denied",
        `Cannot use the mint ${url}: it is not listed; add it with \`wallet mints add\` if you trust it`,
      );
    }
    let mint = this.#mints.get(url);
    if (mint === undefined) this.#mints.set(url, mint = this.#make(url, this.#memoryOf(url)));
    return mint;
  }

  /** A mint that is not listed yet, to ask it who it is before it is; nothing is kept. */
  candidate(url: MintUrl): HttpMint {
    return this.#make(url);
  }

  #make(url: MintUrl, memory?: MintMemory): HttpMint {
    const { store, onBlocked: _, ...options } = this.#options;
    if (memory === undefined) return new HttpMint({ ...options, url });
    const cooldown = {
      load: () => store.mint(url)?.cooldownUntilMs,
      save: (untilMs: number) => this.#update(url, () => ({ cooldownUntilMs: untilMs })),
    };
    return new HttpMint({ ...options, url, memory, cooldown });
  }

  #memoryOf(url: MintUrl): MintMemory {
    const { store, onBlocked } = this.#options;
    return {
      load: () => store.mint(url)?.cache,
      save: (cache, cachedMs) => this.#update(url, () => ({ cache, cachedMs })),
      objection: (keyset) => this.#objection(url, keyset),
      block: (reason) => {
        store.transact((tx) => blockMint(tx, url, reason));
        onBlocked?.(url, reason);
      },
    };
  }

  #update(url: MintUrl, change: () => Partial<MintRecord>): void {
    this.#options.store.transact((tx) => {
      const record = tx.mint(url);
      if (record !== undefined) tx.putMint({ ...record, ...change() });
    });
  }

  /** Counters and secrets go by keyset id: two mints must not have one id for different keys. */
  #objection(url: MintUrl, keyset: Keyset): string | undefined {
    for (const { url: other } of this.#options.store.mints()) {
      if (other === url) continue;
      const mint = this.of(other);
      const same = mint.cachedKeyset(keyset.id);
      if (same && !equalKeys(same.keys, keyset.keys)) {
        return `keyset ${keyset.id} has the id of another keyset, of the mint ${other}`;
      }
      const twin = mint.cachedKeysetIds().find((id) => isTwin(id, keyset.id));
      if (twin !== undefined) {
        return `keyset ${keyset.id} would derive the secrets of keyset ${twin} of the mint ${other}`;
      }
    }
    return undefined;
  }
}

/** Whether two ids of version 00 have one number, by which NUT-13 derives. */
function isTwin(id: string, other: string): boolean {
  return id !== other && id.startsWith("00") && other.startsWith("00") &&
    keysetNumber(id) === keysetNumber(other);
}

/** Marks a mint as proven dishonest; the first reason stays. Money is only taken out of it after this. */
export function blockMint(tx: WalletTransaction, url: MintUrl, reason: string): void {
  const record = tx.mint(url);
  if (record === undefined || record.blockedReason !== undefined) return;
  tx.putMint({ ...record, blockedReason: reason.slice(0, 200) });
}
