/**
 * The lending of a node: begun when somebody says so, remembered over restarts, and begun again after
 * them. What keeps it from lending is told, and never keeps the node from anything else.
 */
import { join } from "node:path";
import { isSeedmintError, messageOf, SeedmintError } from "../../../core/errors.ts";
import { systemClock } from "../../../host/system.ts";
import { nostrPublicKey, npub } from "../../../nostr/nostr.ts";
// Not by its folder: a node that lends nothing loads as little as it can.
import { leaseNumberOf, parseLeaseId } from "../../../../provisioning/wire/lease_name.ts";
import type { ProviderAccess } from "../../api/provider.ts";
import type { DenialView, LentLease, ProviderReport } from "../../api/provider_methods.ts";
import type { LendingFigures } from "../../lease_metrics.ts";
import { logOf } from "../../log.ts";
import { evictAll } from "./evict_all.ts";
import { EVICT_MS, LEASES_SHOWN_MAX, START_RETRY_MS } from "./limits.ts";
import { reportOf, slotsOf } from "./report.ts";
import type { LendingOptions, LendingParts, LendingSession } from "./session.ts";

/** {@link ProviderAccess} of a running node. */
export class ProviderHost implements ProviderAccess, AsyncDisposable {
  readonly #options: LendingOptions;
  readonly #log = logOf("lease");
  readonly #closing = new AbortController();
  #opening: Promise<LendingSession> | undefined;
  #session: LendingSession | undefined;
  #problem: string | undefined;
  #cancelRetry: () => void = () => {};

  constructor(options: LendingOptions) {
    this.#options = options;
  }

  /** Begins to lend if the settings say so, or somebody said so before; what fails is told. */
  async resume(): Promise<void> {
    const { config } = this.#options;
    if (config.provider || await exists(this.#wishPath())) await this.#try();
  }

  async start({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    this.#cancelRetry();
    const session = await this.#open(signal);
    await Deno.writeTextFile(this.#wishPath(), "", { mode: 0o600 });
    session.parts.provider.drain(false);
  }

  async stop(options: Parameters<ProviderAccess["stop"]>[0]): Promise<void> {
    this.#cancelRetry();
    await this.#opening?.catch(() => {});
    const session = this.#session;
    if (session !== undefined) {
      const { provider } = session.parts;
      const { openCount } = provider.status();
      if (openCount > 0 && !options.evict) {
        throw new SeedmintError(
          "denied",
          `Cannot stop lending: ${openCount} ${
            openCount === 1 ? "lease is" : "leases are"
          } open; ` +
            "provider drain lets them run to their ends, provider stop --evict ends them and pays back",
        );
      }
      if (openCount > 0) await evictAll(session.parts, { ...options, clock: systemClock });
      this.#session = undefined;
      this.#opening = undefined;
      await session[Symbol.asyncDispose]();
      this.#log("info", "lending has ended");
    }
    this.#problem = undefined;
    if (this.#options.config.provider) {
      options.onNote("the settings say provider = true: the node lends again after its next start");
    }
    await Deno.remove(this.#wishPath()).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }

  report(): ProviderReport {
    const { config, identity } = this.#options;
    const publicKey = nostrPublicKey(identity.nostrSecret);
    return reportOf({
      config,
      publicKey,
      npub: npub(publicKey),
      lending: this.#session?.parts,
      problems: this.problems(),
    });
  }

  drain(on: boolean): void {
    this.#parts().provider.drain(on);
  }

  leases(options: { readonly all: boolean; readonly lease?: string }): readonly LentLease[] {
    const { provider, journal, view } = this.#parts();
    if (options.lease === undefined) {
      const open = journal.leases.open().toReversed();
      const leases = options.all ? provider.leases({ countMax: LEASES_SHOWN_MAX }) : open;
      return leases.slice(0, LEASES_SHOWN_MAX).map((lease) => view(lease));
    }
    const lease = this.#lease(options.lease);
    return [view(lease, provider.story(lease.number))];
  }

  deny(denial: DenialView): readonly DenialView[] {
    const { provider } = this.#parts();
    provider.deny(denial);
    return provider.denied();
  }

  allow(kind: DenialView["kind"], name: string): readonly DenialView[] {
    const { provider } = this.#parts();
    if (provider.allow(kind, name)) return provider.denied();
    throw new SeedmintError("not-found", `${name.slice(0, 80)} was not denied`);
  }

  async evict(options: Parameters<ProviderAccess["evict"]>[0]): Promise<LentLease> {
    const { provider, journal, view } = this.#parts();
    const { number } = this.#lease(options.lease);
    const reason = options.reason === "" ? "The provider ended the lease" : options.reason;
    if (!provider.evict(number, reason)) {
      throw new SeedmintError(
        "conflict",
        `Cannot end ${options.lease}: it has ended, or is about to`,
      );
    }
    const late = AbortSignal.timeout(EVICT_MS);
    const signal = AbortSignal.any([options.signal, late]);
    const lease = await provider.ended(number, { signal }).catch((error) => {
      const lease = journal.leases.get(number);
      if (!late.aborted || lease === undefined) throw error;
      // It ends, and is settled, in its own time: its state says how far that is.
      return lease;
    });
    return view(lease);
  }

  problems(): readonly string[] {
    return this.#problem === undefined ? [] : [this.#problem];
  }

  /** What is there while something is lent. */
  lending(): LendingParts | undefined {
    return this.#session?.parts;
  }

  /** For metrics; undefined while nothing is lent. */
  figures(): LendingFigures | undefined {
    const lending = this.#session?.parts;
    if (lending === undefined) return undefined;
    const { probe, ...status } = lending.provider.status();
    const slots = lending.settings.specs.map((spec) => ({
      tier: spec.id,
      count: slotsOf(spec, status.free),
    }));
    return { ...status, isAble: probe.ok, slots, ended: lending.ended };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new SeedmintError("aborted", "The node is stopping"));
    this.#cancelRetry();
    const session = await this.#opening?.catch(() => undefined);
    this.#session = undefined;
    await session?.[Symbol.asyncDispose]();
  }

  async #open(signal: AbortSignal): Promise<LendingSession> {
    this.#closing.signal.throwIfAborted();
    this.#opening ??= this.#begin(AbortSignal.any([signal, this.#closing.signal]));
    return await this.#opening;
  }

  async #begin(signal: AbortSignal): Promise<LendingSession> {
    try {
      const { LendingSession } = await import("./session.ts");
      const session = await LendingSession.open(this.#options, { signal });
      this.#session = session;
      this.#problem = undefined;
      this.#log("info", "lending", { tiers: session.parts.settings.specs.map(({ id }) => id) });
      return session;
    } catch (error) {
      this.#opening = undefined;
      this.#problem = messageOf(error);
      throw error;
    }
  }

  async #try(): Promise<void> {
    try {
      await this.#open(this.#closing.signal);
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      this.#log("error", "cannot lend", { error });
      // Settings do not change by themselves; a lock, a wallet and an engine do.
      if (isSeedmintError(error, "usage")) return;
      this.#cancelRetry = systemClock.timer(START_RETRY_MS, () => void this.#try());
    }
  }

  #lease(text: string) {
    const { journal, publicKey } = this.#parts();
    const id = parseLeaseId(text);
    const number = leaseNumberOf(id?.provider === publicKey ? id.lease : text);
    const lease = number === undefined ? undefined : journal.leases.get(number);
    if (lease !== undefined) return lease;
    throw new SeedmintError(
      "not-found",
      `There is no lease ${text.slice(0, 90)} here; provider leases --all lists them`,
    );
  }

  #parts(): LendingParts {
    if (this.#session !== undefined) return this.#session.parts;
    const why = this.#problem === undefined ? "" : ` (${this.#problem})`;
    throw new SeedmintError("unavailable", `Nothing is lent here${why}; provider start begins it`);
  }

  #wishPath(): string {
    return join(this.#options.config.data, "lending");
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
