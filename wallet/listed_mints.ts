/** Listing mints: who they are is asked once before, and what they hold is looked at before one goes. */
import { messageOf, SeedmintError } from "../src/core/errors.ts";
import type { HttpMint } from "./mint/http_mint.ts";
import type { ListedMints } from "./mint/mints.ts";
import { parseMintUrl } from "./mint/mint_url.ts";
import type { SagaContext } from "./operations/saga.ts";
import type { MintRecord } from "./store/wallet_store.ts";
import type { MintTrust, MintUrl } from "./types.ts";
import type { MintView } from "./wallet_api.ts";
import { satNumber } from "./wallet_views.ts";

/** NUTs without which no money is kept safely: keysets, swap, state of proofs, restore. */
const NUTS_WANTED: readonly number[] = [7, 9];

/** What a trusted mint must have besides: proofs of its signatures. */
const NUTS_OF_TRUSTED: readonly number[] = [12];

/** What the wallet does with its list of mints. */
export class MintList {
  readonly #context: SagaContext;
  readonly #mints: ListedMints;
  readonly #allowPrivate: boolean;
  readonly #home: MintUrl | undefined;

  constructor(
    context: SagaContext,
    options: {
      readonly mints: ListedMints;
      readonly allowPrivate: boolean;
      readonly homeMint?: string;
    },
  ) {
    this.#context = context;
    this.#mints = options.mints;
    this.#allowPrivate = options.allowPrivate;
    this.#home = options.homeMint === undefined ? undefined : this.urlOf(options.homeMint);
  }

  /** @throws {SyntaxError | SeedmintError} */
  urlOf(text: string): MintUrl {
    return parseMintUrl(text, { allowPrivate: this.#allowPrivate });
  }

  /** The mint that money goes to when nobody says: the chosen one, else the first that was trusted. */
  home(): MintUrl | undefined {
    const isHome = (record: MintRecord) => record.url === this.#home;
    return this.#context.store.mints()
      .filter((record) => record.trust === "trusted" && record.blockedReason === undefined)
      .sort((a, b) =>
        Number(isHome(b)) - Number(isHome(a)) || a.addedMs - b.addedMs || (a.url < b.url ? -1 : 1)
      )[0]?.url;
  }

  /** @throws {SeedmintError} `usage` if there is none. */
  homeOrFail(): MintUrl {
    const home = this.home();
    if (home !== undefined) return home;
    throw new SeedmintError(
      "usage",
      "There is no trusted mint: list one with `wallet mints add URL --trusted`, or name a mint",
    );
  }

  /** Lists a mint after asking it who it is; of a listed one it changes trust and exposure. */
  async add(
    request: { readonly url: string; readonly trust: MintTrust; readonly exposureMaxSat?: number },
    signal: AbortSignal | undefined,
  ): Promise<MintView> {
    const { trust, exposureMaxSat } = request;
    if (trust !== "trusted" && trust !== "accepted") {
      throw new TypeError("Cannot list the mint: its trust is `trusted` or `accepted`");
    }
    if (
      exposureMaxSat !== undefined && !(Number.isSafeInteger(exposureMaxSat) && exposureMaxSat >= 0)
    ) {
      throw new RangeError("Cannot list the mint: its exposure is a whole number of sat");
    }
    const url = this.urlOf(request.url);
    const { store, clock } = this.#context;
    const before = store.mint(url);
    await this.#examine(before === undefined ? this.#mints.candidate(url) : this.#mints.of(url), {
      trust,
      signal,
    });
    store.transact((tx) => {
      const { exposureMaxSat: _, ...kept } = tx.mint(url) ?? { url, addedMs: clock.nowMs() };
      const exposureMax = exposureMaxSat ?? before?.exposureMaxSat;
      tx.putMint({
        ...kept,
        url,
        trust,
        ...exposureMax === undefined ? {} : { exposureMaxSat: BigInt(exposureMax) },
      });
    });
    return await this.view(store.mint(url)!, { probe: true, signal });
  }

  /** @throws {SeedmintError} `unavailable` or `denied` */
  async #examine(
    mint: HttpMint,
    options: { readonly trust: MintTrust; readonly signal: AbortSignal | undefined },
  ): Promise<void> {
    const { trust, signal } = options;
    const ask = { fresh: true, ...signal === undefined ? {} : { signal } };
    let nuts: ReadonlySet<number>;
    try {
      nuts = (await mint.info(ask)).nuts;
      await mint.activeKeyset(ask);
    } catch (cause) {
      signal?.throwIfAborted();
      throw new SeedmintError(
        "unavailable",
        `Cannot list the mint ${mint.url}: ${messageOf(cause)}; check the address and try again`,
        { cause, retryable: true },
      );
    }
    const wanted = trust === "trusted" ? [...NUTS_WANTED, ...NUTS_OF_TRUSTED] : NUTS_WANTED;
    const missing = wanted.filter((nut) => !nuts.has(nut));
    if (missing.length === 0) return;
    throw new SeedmintError(
      "denied",
      `Cannot list the mint ${mint.url} as ${trust}: it does not support ${
        missing.map((nut) => `NUT-${String(nut).padStart(2, "0")}`).join(", ")
      }; choose another mint`,
    );
  }

  /** @throws {SeedmintError} `not-found`, or `denied` while money is there. */
  remove(text: string, force: boolean): void {
    const url = this.urlOf(text);
    this.#context.store.transact((tx) => {
      if (tx.mint(url) === undefined) {
        throw new SeedmintError("not-found", `The mint ${url} is not listed; see \`wallet mints\``);
      }
      const held = tx.balances().find((balance) => balance.mint === url);
      const sat = held === undefined
        ? 0n
        : held.free + held.reserved + held.outgoing + held.incoming;
      const openCount = tx.operations({ status: ["open", "attention"] })
        .filter((operation) => operation.mint === url || operation.peerMint === url).length;
      if ((sat > 0n || openCount > 0) && !force) {
        throw new SeedmintError(
          "denied",
          `Cannot remove the mint ${url}: ${sat} sat and ${openCount} open operations are there; ` +
            `swap or withdraw the money first, or force it and leave the money behind`,
        );
      }
      tx.removeMint(url);
    });
  }

  /** One mint; `probe` asks it. */
  async view(
    record: MintRecord,
    options: { readonly probe: boolean; readonly signal: AbortSignal | undefined },
  ): Promise<MintView> {
    const mint = this.#mints.of(record.url);
    let online = mint.health.online ?? null;
    if (options.probe) online = await this.#isOnline(mint, options.signal);
    const info = mint.cachedInfo()?.info;
    const fee = await this.#cachedFee(mint);
    return {
      url: record.url,
      trust: record.trust,
      name: info?.name ?? null,
      version: info?.version ?? null,
      nuts: info === undefined ? [] : [...info.nuts].sort((a, b) => a - b),
      inputFeePpk: fee,
      exposureMaxSat: record.exposureMaxSat === undefined ? null : satNumber(record.exposureMaxSat),
      blockedReason: record.blockedReason ?? null,
      online,
      latencyMs: mint.health.latencyMs ?? null,
    };
  }

  async #isOnline(mint: HttpMint, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      const ask = { fresh: true, ...signal === undefined ? {} : { signal } };
      await mint.info(ask);
      await mint.keysets(ask);
      return true;
    } catch {
      signal?.throwIfAborted();
      return false;
    }
  }

  /** The fee of the keyset that signs now, as far as it is known without asking. */
  async #cachedFee(mint: HttpMint): Promise<number | null> {
    const ids = mint.cachedKeysetIds();
    if (ids.length === 0) return null;
    try {
      const active = (await mint.keysets()).filter((keyset) => keyset.active);
      return active.length === 0 ? null : Math.min(...active.map((keyset) => keyset.inputFeePpk));
    } catch {
      return null;
    }
  }
}
