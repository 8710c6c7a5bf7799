/** {@link LeaseDesk} over a lessee, its market and its book. */
import { isSeedmintError, SeedmintError } from "../../../core/errors.ts";
import type { Clock } from "../../../core/ports.ts";
import type { RelayStatus } from "../../../nostr/mod.ts";
import {
  type Lessee,
  type Listing,
  type Market,
  type SpawnProgress,
  topUpSat,
} from "../../../../provisioning/consumer/mod.ts";
import { npub } from "../../../nostr/nostr.ts";
import type { LeaseMethods, LeaseView, StepEvent } from "../../api/lease_methods.ts";
import type { LeaseDesk, LeaseWork } from "../../api/leases.ts";
import type { Config } from "../../config/settings.ts";
import { formatDuration, printable } from "../../output/format.ts";
import type { Agreements } from "./agreement.ts";
import { leaseView, offerView, quoteView } from "./views.ts";
import { leaseWish, listingFilter, readToken, spawnWish, type WishSettings } from "./wishes.ts";

/** Options of {@link LesseeDesk}. */
export interface LesseeDeskOptions {
  readonly lessee: Lessee;
  readonly market: Market;
  readonly agreements: Agreements;
  readonly clock: Clock;
  readonly config: WishSettings & Pick<Config, "lesseeTimeout">;
  /** Relays that offers can be on, and how they fare. */
  readonly relays: () => readonly RelayStatus[];
  /** Whether nothing goes on once a verb has its answer. */
  readonly isAlone: boolean;
}

/** How long a verb that works alone waits for the receipt of what it ended. */
const RECEIPT_MS = 15_000;

type Params<Name extends keyof LeaseMethods> = LeaseMethods[Name]["params"];
type Emit = (event: StepEvent) => void;

/** The desk. */
export class LesseeDesk implements LeaseDesk {
  readonly #options: LesseeDeskOptions;

  constructor(options: LesseeDeskOptions) {
    this.#options = options;
  }

  async "market.list"(
    { sort = "price", ...filter }: Params<"market.list">,
    { signal }: LeaseWork<"market.list">,
  ) {
    const { market } = this.#options;
    await this.#look(signal);
    return { offers: market.list({ filter: listingFilter(filter), sort }).map(offerView) };
  }

  async "market.show"({ provider }: Params<"market.show">, { signal }: LeaseWork<"market.show">) {
    return offerView(await this.#listing(provider, signal));
  }

  async "market.quote"(
    params: Params<"market.quote">,
    { signal, emit }: LeaseWork<"market.quote">,
  ) {
    const wish = leaseWish(params, this.#options.config);
    emit({ event: "step", state: "choosing", message: "asking what it would cost" });
    await this.#look(signal);
    const quote = await this.#waited(
      signal,
      "a quote",
      (within) => this.#options.lessee.quote(wish, { signal: within }),
    );
    return quoteView(quote);
  }

  async "lease.spawn"(params: Params<"lease.spawn">, { signal, emit }: LeaseWork<"lease.spawn">) {
    const { lessee, agreements, config } = this.#options;
    const wish = spawnWish(params, config, await readToken(params.token));
    await this.#look(signal);
    using consents = new DisposableStack();
    const onProgress = (progress: SpawnProgress) => {
      if (progress.step === "paying" && params.confirmed === true) {
        const { lease, amountSat } = progress;
        consents.use(agreements.confirm(lease.id, params.budgetSat ?? amountSat));
      }
      tell(progress, emit);
    };
    const lease = await this.#waited(
      signal,
      "the provider",
      (within) => lessee.spawn(wish, { signal: within, onProgress }),
    );
    return this.#view(lease.id);
  }

  // deno-lint-ignore require-await
  async "lease.ls"({ all = false }: Params<"lease.ls">) {
    const { lessee } = this.#options;
    return { leases: lessee.leases({ all }).map(({ id }) => this.#view(id)) };
  }

  async "lease.status"({ lease }: Params<"lease.status">, { signal }: LeaseWork<"lease.status">) {
    const { lessee } = this.#options;
    const { id } = lessee.lease(lease);
    await this.#waited(signal, "the provider", (within) => lessee.status(id, { signal: within }));
    if (this.#options.isAlone) await this.#receipted(id, signal);
    return this.#view(id);
  }

  async "lease.logs"(
    { lease, lineCount }: Params<"lease.logs">,
    { signal }: LeaseWork<"lease.logs">,
  ) {
    const { text, isTruncated } = await this.#waited(
      signal,
      "the provider",
      (within) => this.#options.lessee.logs(lease, { signal: within, lineCount }),
    );
    return { text, isTruncated };
  }

  async "lease.exec"(
    { lease, command, timeoutMs }: Params<"lease.exec">,
    { signal }: LeaseWork<"lease.exec">,
  ) {
    const { stdout, stderr, exitCode, isTruncated } = await this.#waited(
      signal,
      "the provider",
      (within) => this.#options.lessee.exec(lease, command, { signal: within, timeoutMs }),
      timeoutMs,
    );
    return { stdout, stderr, exitCode, isTruncated };
  }

  async "lease.topup"(params: Params<"lease.topup">, { signal, emit }: LeaseWork<"lease.topup">) {
    const { lessee, agreements } = this.#options;
    const { durationS, budgetSat, requestId, confirmed = false } = params;
    const lease = lessee.lease(params.lease);
    const { id, expiresMs: beforeMs } = lease;
    const wish = {
      ...await readToken(params.token),
      ...(requestId === undefined ? {} : { id: requestId }),
      ...(durationS === undefined ? {} : { durationMs: durationS * 1000 }),
      ...(budgetSat === undefined ? {} : { amountSat: budgetSat }),
    };
    using _consent = confirmed ? agreements.confirm(id, topUpSat(wish, lease)) : undefined;
    const topUp = await this.#waited(signal, "the provider", (within) =>
      lessee.topUp(id, wish, {
        signal: within,
        onProgress: (progress) => tell(progress, emit),
      }));
    return {
      lease: this.#view(id),
      extendedS: Math.max(0, Math.round((topUp.expiresMs - (beforeMs ?? topUp.expiresMs)) / 1000)),
      paidSat: topUp.payment.amountSat,
    };
  }

  async "lease.restart"(
    { lease }: Params<"lease.restart">,
    { signal }: LeaseWork<"lease.restart">,
  ) {
    const { lessee } = this.#options;
    const { id } = lessee.lease(lease);
    await this.#waited(signal, "the provider", (within) => lessee.restart(id, { signal: within }));
    return this.#view(id);
  }

  async "lease.stop"({ lease }: Params<"lease.stop">, { signal }: LeaseWork<"lease.stop">) {
    const { lessee } = this.#options;
    const { id } = lessee.lease(lease);
    const { refundedSat, claimedSat, comingSat } = await this.#waited(
      signal,
      "the provider",
      (within) => lessee.stop(id, { signal: within }),
    );
    if (this.#options.isAlone) await this.#receipted(id, signal);
    return { lease: this.#view(id), refundSat: refundedSat, claimedSat, comingSat };
  }

  // deno-lint-ignore require-await
  async "lease.keepalive"({ lease, budgetSat, stepS }: Params<"lease.keepalive">) {
    const { lessee, config } = this.#options;
    const { id } = lessee.lease(lease);
    lessee.keepAlive(
      id,
      budgetSat === 0 ? undefined : {
        budgetSat,
        stepMs: stepS === undefined ? config.lesseeStep : stepS * 1000,
        leadMs: config.lesseeLead,
      },
    );
    return this.#view(id);
  }

  async "lease.sync"(_params: Params<"lease.sync">, { signal }: LeaseWork<"lease.sync">) {
    await this.#look(signal);
    const { lessee } = this.#options;
    // What was found when the time is over is told, and how many were not asked.
    const { found, over, silent, unasked } = await this.#waited(
      signal,
      "providers",
      (within) => lessee.sync({ signal: within, isWide: true }),
    );
    signal.throwIfAborted();
    return {
      found: found.map(({ id }) => this.#view(id)),
      ended: over.map(({ id }) => this.#view(id)),
      silent: silent.map(npub),
      unaskedCount: unasked.length,
    };
  }

  /** Waits a while until both have signed; what is not done by then goes on with the next verb. */
  async #receipted(id: string, signal: AbortSignal): Promise<void> {
    const { lessee, clock } = this.#options;
    const { stage, owesReceipt } = lessee.lease(id);
    if (!owesReceipt || (stage !== "ended" && stage !== "failed")) return;
    await new Promise<void>((resolve) => {
      const cancel = clock.timer(RECEIPT_MS, () => end());
      const off = lessee.onEvent((event) => {
        if (event.type === "lease" && event.lease.id === id && !event.lease.owesReceipt) end();
      });
      const end = () => {
        cancel();
        off();
        signal.removeEventListener("abort", end);
        resolve();
      };
      signal.addEventListener("abort", end);
    });
  }

  #view(id: string): LeaseView {
    return leaseView(this.#options.lessee.account(id));
  }

  /** The offer of one provider, asked for by its key when a look at all did not bring it. */
  async #listing(selector: string, signal: AbortSignal): Promise<Listing> {
    await this.#look(signal);
    const { market } = this.#options;
    try {
      return market.find(selector);
    } catch (error) {
      if (!isSeedmintError(error, "not-found") || !/^[0-9a-f]{64}$/.test(selector)) throw error;
      await market.refresh({ signal, provider: selector });
      return market.find(selector);
    }
  }

  /**
   * Reads the market unless that was done just now.
   *
   * @throws {SeedmintError} `usage` where no relay is set, `unavailable` if none answers.
   */
  async #look(signal: AbortSignal): Promise<void> {
    const { market, relays } = this.#options;
    if (relays().length === 0) {
      throw new SeedmintError(
        "usage",
        "Cannot look at the market: no relay is set; name one with --relay, or in seedmint.toml",
      );
    }
    await market.ensureFresh({ signal });
    const all = relays();
    if (market.list().length > 0 || all.some(({ state }) => state === "open")) return;
    const troubles = all.map(({ url, lastError }) => `${url} (${lastError ?? "no answer"})`);
    throw new SeedmintError(
      "unavailable",
      `Cannot look at the market: no relay answers: ${troubles.join(", ")}`,
      { retryable: true },
    );
  }

  /** Waits as long as the settings say; what was begun goes on after that. */
  async #waited<T>(
    signal: AbortSignal,
    whom: string,
    work: (signal: AbortSignal) => Promise<T>,
    moreMs = 0,
  ): Promise<T> {
    const { clock, config } = this.#options;
    const waitMs = config.lesseeTimeout + moreMs;
    const late = new AbortController();
    const cancel = clock.timer(waitMs, () =>
      late.abort(
        new SeedmintError(
          "timeout",
          `Waited ${
            formatDuration(waitMs)
          } for ${whom}; what was begun goes on, and leases tells ` +
            "what became of it",
          { retryable: true },
        ),
      ));
    try {
      return await work(AbortSignal.any([signal, late.signal]));
    } finally {
      cancel();
    }
  }
}

/** What a person is told of a step. */
function tell(progress: SpawnProgress, emit: Emit): void {
  const step = (state: string, message: string) => emit({ event: "step", state, message });
  switch (progress.step) {
    case "choosing":
      return step("choosing", "looking for a provider");
    case "paying": {
      const { lease, amountSat } = progress;
      return step("paying", `paying ${amountSat} sat for lease ${lease.id}`);
    }
    case "asking":
      return step("asking", `asking ${printable(progress.lease.providerName)}`);
    case "provider":
      return step(progress.state, `the provider says: ${printable(progress.state)}`);
  }
}
