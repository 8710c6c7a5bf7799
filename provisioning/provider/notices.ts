/** What owners hear unasked, if they asked for it once: the end is near, it has come, a drain. */
import type { Clock } from "../../src/core/ports.ts";
import type { Lease, LeaseJournal } from "../leases/mod.ts";
import { buildAnswer, leaseNameOf, type NoticeAnswer } from "../wire/mod.ts";
import { PROVIDER_LIMITS } from "./limits.ts";
import type { Provider } from "./provider.ts";

/** Writes notices into the outbox. */
export class Notices implements Disposable {
  readonly #journal: LeaseJournal;
  readonly #clock: Clock;
  readonly #onNotice: () => void;
  readonly #off: () => void;
  #isDraining: boolean;

  constructor(options: {
    readonly provider: Pick<Provider, "onEvent">;
    readonly journal: LeaseJournal;
    readonly clock: Clock;
    readonly onNotice: () => void;
  }) {
    this.#journal = options.journal;
    this.#clock = options.clock;
    this.#onNotice = options.onNotice;
    this.#isDraining = options.journal.policy.isDraining;
    this.#off = options.provider.onEvent((event) => {
      if (event.type === "lease") this.#onLease(event.lease);
      if (event.type === "offer") this.#onOffer();
    });
  }

  /** Looks for leases whose end is near, until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const lease of this.#journal.leases.open()) this.#warn(lease);
      await this.#clock.sleep(PROVIDER_LIMITS.noticeCheckMs, { signal });
    }
  }

  [Symbol.dispose](): void {
    this.#off();
  }

  #onLease(lease: Lease): void {
    if (lease.state !== "destroyed" || lease.ending?.reason === "stopped") return;
    this.#send(lease, "ended", `${lease.ending?.message ?? "The lease has ended"}`);
  }

  #onOffer(): void {
    const { isDraining } = this.#journal.policy;
    if (isDraining && !this.#isDraining) {
      for (const lease of this.#journal.leases.open()) {
        if (lease.state !== "ready") continue;
        this.#send(lease, "draining", "The provider takes no new leases; this one runs to its end");
      }
    }
    this.#isDraining = isDraining;
  }

  #warn(lease: Lease): void {
    const { expiresMs, readyMs } = lease;
    if (lease.state !== "ready" || expiresMs === undefined || readyMs === undefined) return;
    const leftMs = expiresMs - this.#clock.nowMs();
    // Of a lease that is short as a whole everybody knows that its end is near.
    if (leftMs > PROVIDER_LIMITS.noticeMs || expiresMs - readyMs < 2 * PROVIDER_LIMITS.noticeMs) {
      return;
    }
    this.#send(lease, "expiring", `The lease ends in ${Math.max(0, Math.round(leftMs / 1000))} s`);
  }

  /** Each notice once, and again only for another end. */
  #send(lease: Lease, notice: NoticeAnswer["notice"], message: string): void {
    const { channel, wantsNotices } = lease.terms;
    if (!wantsNotices || channel === undefined) return;
    const expiresMs = lease.expiresMs ?? lease.changedMs;
    const detail = `${notice} ${expiresMs}`;
    const nowMs = this.#clock.nowMs();
    const isNew = this.#journal.transaction(() => {
      const told = this.#journal.leases.story(lease.number);
      if (told.some((entry) => entry.event === "notice" && entry.detail === detail)) return false;
      this.#journal.leases.note(lease.number, "notice", { nowMs, detail });
      const text = buildAnswer({
        type: "notice",
        lease: leaseNameOf(lease.number),
        notice,
        expiresMs,
        message,
      });
      this.#journal.post.send({ recipient: lease.owner, channel, text }, nowMs);
      return true;
    });
    if (isNew) this.#onNotice();
  }
}
