/** A seller with a real provider, a buyer with a real source, and money in memory between them. */
import { equal, ok } from "node:assert/strict";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import type { Hash } from "../../../src/core/hash.ts";
import { MemoryHub } from "../../../swarm/net/memory_network.ts";
import { startLibp2pNetwork } from "../../../swarm/net/mod.ts";
import type { Network, PaymentTerms } from "../../../swarm/ports.ts";
import { Provider, type ProviderOptions, type ServedEvent } from "../../../swarm/provider/mod.ts";
import { PeerSource, type PeerSourceOptions } from "../../../swarm/requester/mod.ts";
import { MemoryBlobStore } from "../../../swarm/store/mod.ts";
import { MemoryGate, TERMS, unitsOfMsat } from "../provider/memory_gate.ts";
import { FETCHER, SEEDER } from "../provider/support.ts";
import { MemoryPayer, type MemoryPayerOptions } from "./memory_payer.ts";
import { Tap } from "./tap.ts";

/** Half a MiB for a least payment. */
export const DEAR: PaymentTerms = { ...TERMS, priceMsatPerMiB: 128_000, minTopUpSat: 64 };

/** What {@link DEAR} makes of a least payment, in bytes. */
export const TOP_UP_BYTES = 512 * 1024;

/** Options of {@link Market.start}. */
export interface MarketOptions {
  readonly payer?: MemoryPayerOptions;
  /** What the advert says. @default {DEAR} */
  readonly advertised?: PaymentTerms | undefined;
  /** Whether the buyer may pay ahead. @default {true} */
  readonly isBound?: boolean;
  /** What the gate asks. @default {DEAR} */
  readonly terms?: PaymentTerms;
  readonly subject?: Hash;
  readonly source?: Partial<PeerSourceOptions>;
  readonly provider?: Partial<ProviderOptions>;
  /** Over TCP, with the direct path offered. @default over memory */
  readonly isTcp?: boolean;
  readonly latencyMs?: () => number;
}

/** See the head of this file. */
export class Market implements AsyncDisposable {
  readonly gate = new MemoryGate();
  readonly payer: MemoryPayer;
  readonly seeding = new MemoryBlobStore({ clock: systemClock });
  readonly fetching = new MemoryBlobStore({ clock: systemClock });
  readonly events: ServedEvent[] = [];
  readonly tap: Tap;
  readonly source: PeerSource;
  readonly seller: Network;
  readonly #hub: MemoryHub;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    options: MarketOptions,
    hub: MemoryHub,
    parts: {
      readonly seller: Network;
      readonly buyer: Network;
      readonly stack: AsyncDisposableStack;
    },
  ) {
    const { seller, buyer, stack } = parts;
    this.#hub = hub;
    this.seller = seller;
    this.#stack = stack;
    this.gate.terms = options.terms ?? DEAR;
    this.payer = new MemoryPayer(options.payer);
    this.tap = new Tap(buyer);
    const advertised = "advertised" in options ? options.advertised : DEAR;
    this.source = new PeerSource({
      network: this.tap.network,
      peer: {
        peerId: seller.peerId,
        addrs: seller.addresses(),
        via: "advert",
        bound: options.isBound ?? true,
        ...advertised,
      },
      store: this.fetching,
      clock: systemClock,
      pay: { payer: this.payer, subject: options.subject ?? "00".repeat(32) as Hash },
      ...options.source,
    });
  }

  static async start(options: MarketOptions = {}): Promise<Market> {
    const stack = new AsyncDisposableStack();
    const { latencyMs } = options;
    const hub = new MemoryHub({ clock: systemClock, ...(latencyMs && { latencyMs }) });
    const [seller, buyer] = options.isTcp === true
      ? await Promise.all([1, 2].map((fill) => tcpNetwork(fill)))
      : [hub.join(SEEDER), hub.join(FETCHER)];
    stack.use(seller!);
    stack.use(buyer!);
    const market = new Market(options, hub, { seller: seller!, buyer: buyer!, stack });
    stack.use(
      await Provider.start({
        network: seller!,
        store: market.seeding,
        clock: systemClock,
        random: systemRandom,
        gate: market.gate,
        onServed: (event) => market.events.push(event),
        ...(options.isTcp === true ? { direct: { port: 0, hostname: "127.0.0.1" } } : {}),
        ...options.provider,
      }),
    );
    stack.use(market.source);
    return market;
  }

  /** Breaks the connection; another can be opened. */
  disconnect(): void {
    this.#hub.disconnect(SEEDER, FETCHER);
  }

  /** What the buyer has at the seller, in msat/2^20. */
  get creditUnits(): bigint {
    return this.gate.unitsOf(FETCHER);
  }

  /** Holds that what was credited is what was used and what is left, and the payer's bound. */
  balance(usedBytes: number, priceMsatPerMiB: number = this.gate.terms.priceMsatPerMiB): void {
    const credited = new Set(
      this.payer.answers.filter(([, { answer }]) => answer === "credited").map(([id]) => id),
    );
    const paid = unitsOfMsat(credited.size * this.gate.terms.minTopUpSat * 1000);
    equal(this.creditUnits, paid - BigInt(usedBytes) * BigInt(priceMsatPerMiB));
    for (const session of this.payer.sessions) {
      ok(session.atRiskMsatMax <= 2 * session.topUpMsat, "two least payments at most");
      equal(session.nextCountMax <= 1, true, "nobody pays beside another");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
    equal(this.payer.openCount, 0, "every session is closed");
    equal(this.gate.openCount, 0, "every meter is closed");
  }
}

async function tcpNetwork(fill: number): Promise<Network> {
  return await startLibp2pNetwork({
    secretKey: new Uint8Array(32).fill(fill),
    listen: ["/ip4/127.0.0.1/tcp/0"],
    mdns: false,
    clock: systemClock,
  });
}
