/** The members of the fleet as this node knows them: where they are, and who does not answer. */
import type { Clock } from "../../src/core/ports.ts";
import type { Herd } from "../fetch/mod.ts";
import type { Fleet } from "../fleet.ts";
import type { Network, PeerAddress } from "../ports.ts";
import { AVOID_MS } from "./limits.ts";

/** Who belongs to the fleet; `isMember` knows those, too, who showed it elsewhere before. */
export type FleetView = Pick<Fleet, "viewerOf"> & { isMember?(peerId: string): boolean };

/** Options of {@link Members}. */
export interface MembersOptions {
  readonly network: Network;
  readonly fleet: FleetView;
  readonly herd?: Pick<Herd, "isMember">;
  /** Members and where they may be reached. @default those that are connected */
  readonly members?: () => readonly PeerAddress[];
  readonly certificate?: Uint8Array<ArrayBuffer>;
  readonly clock: Pick<Clock, "monotonicMs">;
}

/** See the head of this file. */
export class Members {
  readonly certificate: Uint8Array<ArrayBuffer> | undefined;
  readonly #options: MembersOptions;
  readonly #avoided = new Map<string, number>();
  /** Members that showed a certificate, while they are connected. */
  readonly #certified = new Set<string>();

  constructor(options: MembersOptions) {
    this.#options = options;
    this.certificate = options.certificate;
  }

  /** All that may be asked now. */
  all(): readonly PeerAddress[] {
    const { network, herd, fleet, members } = this.#options;
    const found = new Map<string, PeerAddress>();
    for (const peer of members?.() ?? []) found.set(peer.peerId, peer);
    const connected = new Set<string>();
    for (const { peerId } of network.connections()) {
      connected.add(peerId);
      const isKnown = found.has(peerId) || herd?.isMember(peerId) === true ||
        fleet.isMember?.(peerId) === true || this.#certified.has(peerId);
      if (isKnown && !found.has(peerId)) found.set(peerId, { peerId, addrs: [] });
    }
    for (const peerId of this.#certified) {
      if (!connected.has(peerId)) this.#certified.delete(peerId);
    }
    found.delete(network.peerId);
    return [...found.values()];
  }

  /** Where `peerId` may be reached, as far as it is known. */
  addressOf(peerId: string): PeerAddress {
    const known = this.#options.members?.().find((peer) => peer.peerId === peerId);
    return known ?? { peerId, addrs: [] };
  }

  /** Whether `peerId` belongs to the fleet. */
  async isMember(peerId: string, certificate?: Uint8Array): Promise<boolean> {
    const { herd, fleet } = this.#options;
    if (herd?.isMember(peerId) === true) return true;
    const viewer = await fleet.viewerOf(peerId, certificate);
    if (viewer.fleet) this.#certified.add(peerId);
    return viewer.fleet;
  }

  /** Says that `peerId` did not answer. */
  avoid(peerId: string): void {
    this.#avoided.set(peerId, this.#options.clock.monotonicMs() + AVOID_MS);
  }

  /** Those that did not answer lately. */
  avoided(): readonly string[] {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [peerId, untilMs] of this.#avoided) {
      if (untilMs <= nowMs) this.#avoided.delete(peerId);
    }
    return [...this.#avoided.keys()];
  }
}
