/** Who belongs to the fleet, as the whole node knows it: configured, or shown by a certificate. */
import { Fleet } from "../../../swarm/fleet.ts";
import type { Viewer } from "../../../swarm/ports.ts";
import type { Clock } from "../../core/ports.ts";
import type { Config } from "../config/settings.ts";

/** How long a certificate that was shown is remembered: a member shows it with every question. */
const SHOWN_MS = 60 * 60 * 1000;

/** The most peers remembered by their certificates. */
const SHOWN_MAX = 4096;

/** As {@link Fleet}, and remembers who showed a certificate. */
export class Membership extends Fleet {
  readonly #clock: Pick<Clock, "nowMs">;
  /** When a peer last showed one that holds; the oldest first. */
  readonly #shownMs = new Map<string, number>();

  constructor(config: Pick<Config, "fleet" | "fleetKey">, clock: Pick<Clock, "nowMs">) {
    const { fleetKey } = config;
    super({
      peerIds: config.fleet,
      clock,
      ...(fleetKey === undefined ? {} : { key: Uint8Array.fromHex(fleetKey) }),
    });
    this.#clock = clock;
  }

  override async viewerOf(peerId: string, certificate?: Uint8Array): Promise<Viewer> {
    const viewer = await super.viewerOf(peerId, certificate);
    if (viewer.fleet && !this.has(peerId)) {
      this.#shownMs.delete(peerId);
      this.#shownMs.set(peerId, this.#clock.nowMs());
      if (this.#shownMs.size > SHOWN_MAX) {
        this.#shownMs.delete(this.#shownMs.keys().next().value!);
      }
    }
    return viewer;
  }

  /** Whether a peer is a member, as far as is known without asking it. */
  isMember(peerId: string): boolean {
    const shownMs = this.#shownMs.get(peerId);
    return this.has(peerId) || shownMs !== undefined && this.#clock.nowMs() - shownMs < SHOWN_MS;
  }
}
