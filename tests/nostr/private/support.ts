/** What the tests of private messages share. */
import { systemRandom } from "../../../src/host/system.ts";
import type { Filter } from "../../../src/nostr/filter.ts";
import { matchesAny } from "../../../src/nostr/filter.ts";
import {
  buildPrivate,
  type BuiltMessage,
  type NostrEvent,
  nostrPublicKey,
  type PrivateKind,
  type RelayPool,
} from "../../../src/nostr/mod.ts";
import { ManualClock } from "../../support/manual_clock.ts";

/** Secrets of a provider, a lessee and somebody else. */
export const SECRETS = {
  provider: new Uint8Array(32).fill(11),
  lessee: new Uint8Array(32).fill(12),
  other: new Uint8Array(32).fill(13),
} as const;

/** Their public keys. */
export const KEYS = {
  provider: nostrPublicKey(SECRETS.provider),
  lessee: nostrPublicKey(SECRETS.lessee),
  other: nostrPublicKey(SECRETS.other),
} as const;

/** A message to the provider. */
export function messageToProvider(
  text: string,
  options: {
    readonly clock?: ManualClock;
    readonly kind?: PrivateKind;
    readonly from?: Uint8Array;
    readonly to?: string;
  } = {},
): Promise<BuiltMessage> {
  return buildPrivate(
    { kind: options.kind ?? "nip17", recipient: options.to ?? KEYS.provider, text },
    {
      secretKey: options.from ?? SECRETS.lessee,
      clock: options.clock ?? new ManualClock(),
      random: systemRandom,
    },
  );
}

interface Subscriber {
  readonly filters: readonly Filter[];
  readonly onEvent: (event: NostrEvent) => void;
  readonly onEose?: (relay: string) => void;
}

/** One relay without a network, which gives no more than `cap` stored events to a question. */
export class FakePool implements Pick<RelayPool, "subscribe" | "query"> {
  readonly stored: NostrEvent[] = [];
  readonly subscribers = new Set<Subscriber>();
  readonly asked: Filter[][] = [];
  queryCount = 0;
  readonly #cap: number;

  constructor(options: { readonly cap?: number } = {}) {
    this.#cap = options.cap ?? 500;
  }

  /** Stores an event, and gives it to who listens. */
  publish(event: NostrEvent): void {
    this.stored.push(event);
    for (const subscriber of this.subscribers) {
      if (matchesAny(subscriber.filters, event)) subscriber.onEvent(event);
    }
  }

  subscribe(filters: readonly Filter[], options: Omit<Subscriber, "filters">): () => void {
    const subscriber = { filters, ...options };
    this.asked.push([...filters]);
    this.subscribers.add(subscriber);
    this.replay(subscriber);
    return () => this.subscribers.delete(subscriber);
  }

  /** Gives what is stored, as after a new connection. */
  replay(subscriber: Subscriber): void {
    for (const event of this.#newest(subscriber.filters)) subscriber.onEvent(event);
    subscriber.onEose?.("ws://fake");
  }

  async *query(filters: readonly Filter[]): AsyncGenerator<NostrEvent, void, void> {
    this.queryCount++;
    await Promise.resolve();
    yield* this.#newest(filters);
  }

  #newest(filters: readonly Filter[]): NostrEvent[] {
    return this.stored.filter((event) => matchesAny(filters, event))
      .sort((a, b) => b.created_at - a.created_at).slice(0, this.#cap);
  }
}

/** Moves the clock on, a little at a time, until `isDone` holds. */
export async function until(clock: ManualClock, isDone: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1000; turn++) {
    if (isDone()) return;
    await clock.advance(turn < 300 ? 0 : 100);
  }
  throw new Error("It did not happen");
}
