/** Who is connected: so many in all, and so many from one address. */
import { addressGroup, isLoopbackHost } from "../../src/nostr/relay/hosts.ts";

/** The most connections at once. */
export interface CrowdLimits {
  readonly connectionsMax: number;
  /** Of an IPv4 address or an IPv6 network, as one site has. */
  readonly connectionsPerAddressMax: number;
}

/** The open connections of one listener. */
export class Crowd {
  readonly #limits: CrowdLimits;
  readonly #countByGroup = new Map<string, number>();
  #count = 0;

  constructor(limits: CrowdLimits) {
    this.#limits = limits;
  }

  /**
   * Takes a place for a connection from `remote` to the address `local`. Connections of this machine
   * have the limit of all: a proxy on it speaks for everybody.
   *
   * @returns Gives the place back, to be called once; undefined if there is none.
   */
  enter(remote: string, local: string): (() => void) | undefined {
    const { connectionsMax, connectionsPerAddressMax } = this.#limits;
    const group = addressGroup(remote);
    const here = this.#countByGroup.get(group) ?? 0;
    const isOwn = isLoopbackHost(remote) || remote === local;
    if (this.#count >= connectionsMax) return undefined;
    if (!isOwn && here >= connectionsPerAddressMax) return undefined;
    this.#count++;
    this.#countByGroup.set(group, here + 1);
    return () => this.#leave(group);
  }

  #leave(group: string): void {
    this.#count--;
    const left = this.#countByGroup.get(group)! - 1;
    if (left > 0) this.#countByGroup.set(group, left);
    else this.#countByGroup.delete(group);
  }
}
