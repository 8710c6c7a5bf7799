/** Publishes what is on offer, when it changes and now and then, and that it is alive, every minute. */
import { messageOf } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import { type EventTemplate, type RelayPool, signEvent } from "../../src/nostr/mod.ts";
import { type LeaseJournal, NO_RESOURCES } from "../leases/mod.ts";
import type { Backend, Resources, Till } from "../ports.ts";
import { buildHeartbeat, buildOffer, type OfferBody } from "../wire/mod.ts";
import { LOCKTIME_MIN } from "./check_spawn.ts";
import type { SshKit } from "./context.ts";
import { within } from "./deadline.ts";
import { ANNOUNCE_LIMITS } from "./limits.ts";
import type { Provider, ProviderStatus } from "./provider.ts";
import type { ProviderSettings } from "./settings.ts";

/** What an announcer needs. */
export interface AnnouncerOptions {
  readonly provider: Pick<Provider, "status" | "onEvent">;
  /** Nostr key of the provider, 64 hex digits, and its secret, 32 bytes. */
  readonly publicKey: string;
  readonly secretKey: Uint8Array;
  readonly settings: ProviderSettings;
  readonly journal: LeaseJournal;
  readonly till: Pick<Till, "mints" | "paymentKey">;
  readonly backend: Pick<Backend, "name" | "publicHost">;
  readonly ssh: Pick<SshKit, "awaitBanner">;
  readonly pool: Pick<RelayPool, "publish">;
  readonly clock: Clock;
  /** Machine of its images, as `amd64`. */
  readonly arch?: string;
  /** Requests of ours that are answered. @default {["quote", "stop", "restart", "logs", "exec", "leases"]} */
  readonly verbs?: readonly string[];
  /** libp2p peer that images can be had from. */
  readonly peerId?: string;
  readonly onProblem?: (message: string) => void;
}

/** What an offer is made of. */
export type OfferOptions = Pick<
  AnnouncerOptions,
  "publicKey" | "settings" | "till" | "backend" | "arch" | "peerId" | "verbs"
>;

/** Requests of ours that are answered. */
const VERBS = ["quote", "stop", "restart", "logs", "exec", "leases"];

/** Announces one provider until it is disposed of. */
export class Announcer implements AsyncDisposable {
  readonly #options: AnnouncerOptions;
  readonly #closing = new AbortController();
  readonly #off: () => void;
  readonly #loops: Promise<void>[];
  #lastOffer = "";
  #lastOfferS = 0;
  #changed = Promise.withResolvers<void>();

  private constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#off = options.provider.onEvent((event) => {
      if (event.type === "offer") this.#changed.resolve();
    });
    this.#loops = [this.#offers(), this.#beats()];
  }

  /** Begins at once. */
  static start(options: AnnouncerOptions): Announcer {
    return new Announcer(options);
  }

  /** What is on offer now; undefined while the engine cannot run leases. */
  offer(): OfferBody | undefined {
    const status = this.#options.provider.status();
    return status.probe.ok ? offerOf(this.#options, status) : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#off();
    this.#closing.abort(new DOMException("The announcer was stopped", "AbortError"));
    await Promise.allSettled(this.#loops);
  }

  async #offers(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#closing;
    let publishedMs = -Infinity;
    await this.#forever(async () => {
      this.#changed = Promise.withResolvers();
      const isDue = clock.monotonicMs() - publishedMs >= ANNOUNCE_LIMITS.offerMs;
      if (await this.#publishOffer(isDue)) publishedMs = clock.monotonicMs();
      const stop = new AbortController();
      const sleeping = clock.sleep(ANNOUNCE_LIMITS.beatMs, {
        signal: AbortSignal.any([signal, stop.signal]),
      });
      sleeping.catch(() => {});
      await Promise.race([this.#changed.promise, sleeping]);
      stop.abort();
      await clock.sleep(ANNOUNCE_LIMITS.settleMs, { signal });
    });
  }

  async #beats(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#closing;
    await this.#forever(async () => {
      const startMs = clock.monotonicMs();
      await this.#beat();
      const tookMs = clock.monotonicMs() - startMs;
      await clock.sleep(Math.max(1000, ANNOUNCE_LIMITS.beatMs - tookMs), { signal });
    });
  }

  /** @returns Whether it was published: when it is due, or another than the last. */
  async #publishOffer(isDue: boolean): Promise<boolean> {
    const status = this.#options.provider.status();
    // What cannot run leases is not offered; the last offer ends by itself.
    if (!status.probe.ok) return false;
    const offer = offerOf(this.#options, status);
    const key = JSON.stringify({
      ...offer,
      terms: { ...offer.terms, specs: [...offer.terms!.specs] },
    });
    if (!isDue && key === this.#lastOffer) return false;
    // A later offer must have a later date, or relays keep either.
    const createdAtS = Math.max(this.#nowS(), this.#lastOfferS + 1);
    this.#lastOfferS = createdAtS;
    const expiresS = createdAtS + ANNOUNCE_LIMITS.offerLifeS;
    const isTaken = await this.#publish(buildOffer(offer, { createdAtS, expiresS }));
    if (isTaken) this.#lastOffer = key;
    return isTaken;
  }

  async #beat(): Promise<void> {
    const { provider, journal, clock, publicKey, settings } = this.#options;
    const status = provider.status();
    if (!status.probe.ok) return;
    journal.policy.beat(clock.nowMs());
    const free = freeIn(status);
    const sshProbeMs = await this.#probe();
    const { stored, live } = buildHeartbeat({
      provider: publicKey,
      timestampS: this.#nowS(),
      activeCount: status.activeCount,
      cpuMillicores: free.cpuMillicores,
      memoryMb: free.memoryMb,
      diskGb: Math.floor(free.diskMb / 1024),
      terms: {
        diskMb: free.diskMb,
        slots: new Map(settings.specs.map((spec) => [spec.id, slotCount(spec, free)])),
        isDraining: status.isDraining,
        ...(sshProbeMs === undefined ? {} : { sshProbeMs }),
      },
    });
    await Promise.all([this.#publish(stored), this.#publish(live)]);
  }

  /** How long SSH of the newest lease takes; undefined if there is none, or it does not answer. */
  async #probe(): Promise<number | undefined> {
    const { journal, ssh, clock, settings, backend } = this.#options;
    const lease = journal.leases.open().findLast((lease) => lease.state === "ready");
    if (lease === undefined) return undefined;
    const host = settings.probeHost ?? backend.publicHost;
    const startMs = clock.monotonicMs();
    const { signal } = this.#closing;
    try {
      await within(
        clock,
        { ms: ANNOUNCE_LIMITS.probeMs, what: "SSH", signal },
        (signal) => ssh.awaitBanner({ host, port: lease.terms.sshPort }, { signal }),
      );
      return Math.round(clock.monotonicMs() - startMs);
    } catch {
      signal.throwIfAborted();
      return undefined;
    }
  }

  async #publish(template: EventTemplate): Promise<boolean> {
    const event = signEvent(template, this.#options.secretKey);
    const report = await this.#options.pool.publish(event, {
      signal: this.#closing.signal,
      graceMs: 1000,
    });
    if (report.acceptedCount === 0) {
      this.#options.onProblem?.(`No relay took an event of kind ${template.kind}`);
    }
    return report.acceptedCount > 0;
  }

  #nowS(): number {
    return Math.floor(this.#options.clock.nowMs() / 1000);
  }

  async #forever(work: () => Promise<void>): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        await work();
      } catch (error) {
        if (signal.aborted) return;
        this.#options.onProblem?.(`Cannot announce: ${messageOf(error)}`);
        await this.#options.clock.sleep(ANNOUNCE_LIMITS.beatMs, { signal }).catch(() => {});
      }
    }
  }
}

/** What is on offer, as it is said on relays and over HTTP. */
export function offerOf(options: OfferOptions, status: ProviderStatus): OfferBody {
  const { settings, till, backend, publicKey, arch, peerId, verbs } = options;
  return {
    provider: publicKey,
    name: settings.name,
    capabilities: status.probe.capabilities,
    specs: settings.specs,
    mints: till.mints,
    uptimePercent: status.uptimePercent,
    jobsCompletedCount: status.completedCount,
    isolation: status.probe.isolation,
    terms: {
      paymentKey: till.paymentKey,
      locktimeMin: LOCKTIME_MIN,
      minDurationS: Math.ceil(settings.minDurationMs / 1000),
      maxDurationS: Math.floor(settings.maxDurationMs / 1000),
      specs: new Map(settings.specs.map((spec) => [
        spec.id,
        { diskMb: spec.diskMb, slotCount: slotCount(spec, freeIn(status)) },
      ])),
      backend: backend.name,
      portCountMax: settings.portCountMax,
      verbs: verbs ?? VERBS,
      isDraining: status.isDraining,
      ...(arch === undefined ? {} : { arch }),
      ...(peerId === undefined ? {} : { peerId }),
    },
    ...(settings.location === undefined ? {} : { location: settings.location }),
    ...(settings.apiEndpoint === undefined ? {} : { apiEndpoint: settings.apiEndpoint }),
  };
}

/** Who drains has nothing to give. */
function freeIn(status: ProviderStatus): Resources {
  return status.isDraining ? NO_RESOURCES : status.free;
}

function slotCount(spec: Resources, free: Resources): number {
  return Math.floor(Math.min(
    free.cpuMillicores / spec.cpuMillicores,
    free.memoryMb / spec.memoryMb,
    free.diskMb / spec.diskMb,
  ));
}
