/** What one address takes: its connections, requests, payments and bytes. */
import type { Clock } from "../../src/core/ports.ts";
import { TokenBucket } from "../../src/core/token_bucket.ts";
import { PIECE_BYTES } from "../http/limits.ts";
import { BURST_SECONDS, type GatewayLimits, IDLE_ADDRESSES_MAX } from "./limits.ts";

/** One address, or the /64 of IPv6 that one host has to itself. */
export class Client {
  readonly address: string;
  readonly requests: TokenBucket;
  readonly payments: TokenBucket;
  readonly bytes: TokenBucket | undefined;
  connectionCount = 0;

  constructor(address: string, limits: GatewayLimits, clock: Clock) {
    this.address = address;
    const bucket = (perSecond: number) =>
      new TokenBucket({ perSecond, burst: Math.max(1, perSecond * BURST_SECONDS), clock });
    this.requests = bucket(limits.requestsPerSecondPerAddress);
    this.payments = bucket(limits.paymentsPerSecondPerAddress);
    this.bytes = bytesBucket(limits.bytesPerSecondPerAddress, clock);
  }
}

/** All addresses that are or recently were here. */
export class Clients {
  readonly #limits: GatewayLimits;
  readonly #clock: Clock;
  readonly #clients = new Map<string, Client>();
  readonly #all: TokenBucket | undefined;
  #connectionCount = 0;

  constructor(limits: GatewayLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
    this.#all = bytesBucket(limits.bytesPerSecond, clock);
  }

  of(address: string): Client {
    let client = this.#clients.get(address);
    if (client === undefined) {
      client = new Client(address, this.#limits, this.#clock);
      this.#forgetIdle();
    } else {
      this.#clients.delete(address);
    }
    this.#clients.set(address, client);
    return client;
  }

  /** Counts a connection; false when that would be too many. A proxy's are those of many clients. */
  connect(client: Client, isProxy: boolean): boolean {
    const ownMax = isProxy ? this.#limits.connectionsMax : this.#limits.connectionsPerAddressMax;
    if (this.#connectionCount >= this.#limits.connectionsMax) return false;
    if (client.connectionCount >= ownMax) return false;
    this.#connectionCount++;
    client.connectionCount++;
    return true;
  }

  disconnect(client: Client): void {
    this.#connectionCount--;
    client.connectionCount--;
  }

  /** Waits until `count` content bytes may be sent to `client`. */
  async pace(client: Client, count: number, signal: AbortSignal): Promise<void> {
    const waitMs = Math.max(client.bytes?.take(count) ?? 0, this.#all?.take(count) ?? 0);
    if (waitMs > 0) await this.#clock.sleep(waitMs, { signal });
  }

  #forgetIdle(): void {
    if (this.#clients.size < IDLE_ADDRESSES_MAX) return;
    for (const [address, client] of this.#clients) {
      if (client.connectionCount > 0) continue;
      this.#clients.delete(address);
      return;
    }
  }
}

function bytesBucket(perSecond: number, clock: Clock): TokenBucket | undefined {
  if (perSecond === Infinity) return undefined;
  return new TokenBucket({ perSecond, burst: Math.max(PIECE_BYTES, perSecond / 4), clock });
}
