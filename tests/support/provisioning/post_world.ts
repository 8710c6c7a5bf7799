/** A provider with its correspondence and its announcer, one relay in memory, and clients. */
import {
  buildPrivate,
  type Filter,
  matchesFilter,
  MemorySeenIds,
  type NostrEvent,
  nostrPublicKey,
  openPrivate,
  type PrivateKind,
  type PublishReport,
  type RelayPool,
} from "../../../src/nostr/mod.ts";
import { Announcer, Correspondence } from "../../../provisioning/provider/mod.ts";
import { type Answer, readAnswer } from "../../../provisioning/wire/mod.ts";
import { type Generation, LeaseWorld } from "./lease_world.ts";

/** Secrets of the provider and of two lessees. */
export const PROVIDER_SECRET = new Uint8Array(32).fill(21);
export const CAROL_SECRET = new Uint8Array(32).fill(22);
export const DAVE_SECRET = new Uint8Array(32).fill(23);

/** One relay that keeps everything. */
export class MemoryRelay implements Pick<RelayPool, "publish" | "subscribe" | "query"> {
  readonly stored: NostrEvent[] = [];
  readonly #subscribers = new Set<(event: NostrEvent) => void>();
  /** Whether it takes and gives anything. */
  isUp = true;
  /** All that was given to it, also while it was down. */
  readonly given: NostrEvent[] = [];

  publish(event: NostrEvent): Promise<PublishReport> {
    this.given.push(event);
    if (this.isUp && !this.stored.some(({ id }) => id === event.id)) this.stored.push(event);
    if (this.isUp) { for (const give of this.#subscribers) give(event); }
    return Promise.resolve({ acceptedCount: this.isUp ? 1 : 0, outcomes: [] });
  }

  subscribe(
    filters: readonly Filter[],
    options: {
      readonly onEvent: (event: NostrEvent) => void;
      readonly onEose?: (relay: string) => void;
    },
  ): () => void {
    const give = (event: NostrEvent) => {
      if (filters.some((filter) => matchesFilter(filter, event))) options.onEvent(event);
    };
    for (const event of this.stored) give(event);
    options.onEose?.("memory");
    this.#subscribers.add(give);
    return () => this.#subscribers.delete(give);
  }

  async *query(filters: readonly Filter[]): AsyncGenerator<NostrEvent, void, void> {
    for (const event of [...this.stored]) {
      if (filters.some((filter) => matchesFilter(filter, event))) yield event;
    }
  }
}

/** What a client got. */
export interface Received {
  readonly kind: PrivateKind;
  readonly text: string;
  readonly answer: Answer | undefined;
}

/** The world of private messages. */
export class PostWorld implements AsyncDisposable {
  readonly leases = new LeaseWorld();
  readonly relay = new MemoryRelay();
  readonly seen = new MemorySeenIds();
  readonly problems: string[] = [];
  readonly #open: AsyncDisposable[] = [];

  /** Starts a provider that answers messages. */
  async start(killAt = Infinity): Promise<Generation & { readonly post: Correspondence }> {
    const one = await this.leases.start(killAt);
    const post = Correspondence.open({
      provider: one.provider,
      journal: one.journal,
      pool: this.relay,
      secretKey: PROVIDER_SECRET,
      seen: this.seen,
      clock: this.leases.clock,
      random: this.leases.random,
      onProblem: (problem) => this.problems.push(problem),
    });
    this.#open.push(post);
    return { ...one, post, [Symbol.asyncDispose]: () => this.#stop(post, one) };
  }

  /** Announces a provider. */
  announce(one: Generation): Announcer {
    const { leases } = this;
    const announcer = Announcer.start({
      provider: one.provider,
      publicKey: nostrPublicKey(PROVIDER_SECRET),
      secretKey: PROVIDER_SECRET,
      settings: leases.settings,
      journal: one.journal,
      till: leases.till,
      backend: leases.backend,
      ssh: { awaitBanner: () => Promise.resolve() },
      pool: this.relay,
      clock: leases.clock,
      onProblem: (problem) => this.problems.push(problem),
    });
    this.#open.push(announcer);
    return announcer;
  }

  /** Sends a text as a client does. */
  async send(text: string, from: Uint8Array, kind: PrivateKind): Promise<NostrEvent> {
    const { event } = await buildPrivate(
      { kind, recipient: nostrPublicKey(PROVIDER_SECRET), text },
      { secretKey: from, clock: this.leases.clock, random: this.leases.random },
    );
    await this.relay.publish(event);
    return event;
  }

  /** Lets `ms` pass, and what it leads to happen. */
  async pass(ms: number): Promise<void> {
    for (let turn = 0; turn < 20; turn++) {
      await this.leases.clock.advance(ms / 20);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** What a client finds on the relay from the provider. */
  async received(by: Uint8Array): Promise<Received[]> {
    const found: Received[] = [];
    const provider = nostrPublicKey(PROVIDER_SECRET);
    for (const event of this.relay.stored) {
      const message = await openPrivate(event, { secretKey: by });
      if (message?.sender !== provider) continue;
      const { kind, text } = message;
      found.push({ kind, text, answer: readAnswer(text) });
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const part of this.#open) {
      await Promise.resolve(part[Symbol.asyncDispose]()).catch(() => {});
    }
    await this.leases[Symbol.asyncDispose]();
  }

  async #stop(post: Correspondence, one: Generation): Promise<void> {
    await post[Symbol.asyncDispose]();
    await one[Symbol.asyncDispose]();
  }
}
