/** Serves a store to peers. */
import { messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { Clock, Random } from "../../src/core/ports.ts";
import type { TokenBucket } from "../../src/core/token_bucket.ts";
import { DirectServer, type DirectServerSettings } from "../direct/mod.ts";
import { Fleet } from "../fleet.ts";
import type { ByteStream, Gate, Network, Receipts } from "../ports.ts";
import { BLOBS_PROTOCOL } from "../protocol/mod.ts";
import type { BlobStore } from "../store/blob_store.ts";
import { CollectionCache } from "./collections.ts";
import type { ConversationContext, ServedEvent } from "./answer.ts";
import { converse } from "./conversation.ts";
import { PROVIDER_LIMITS, type ProviderLimits } from "./limits.ts";
import { Metering } from "./metering.ts";

/** Options of {@link Provider.start}. */
export interface ProviderOptions {
  readonly network: Network;
  readonly store: BlobStore;
  /** Decides who gets what at which price. @default everything is free */
  readonly gate?: Gate;
  /** Who may see `fleet` blobs. @default nobody */
  readonly fleet?: Pick<Fleet, "viewerOf">;
  readonly limits?: Partial<ProviderLimits>;
  /** The rate of the whole node, shared with others that send. @default one of its own, as `limits` say */
  readonly rate?: TokenBucket;
  readonly clock: Clock;
  readonly random: Random;
  /** Offers the direct HTTP path too. @default it does not */
  readonly direct?: DirectServerSettings;
  /** Gives and keeps receipts. @default there are none */
  readonly receipts?: Receipts;
  /** Called after each want was answered, for metrics. */
  readonly onServed?: (event: ServedEvent) => void;
}

/** A provider that is serving. Disposing it aborts what is under way and refuses what comes. */
export class Provider implements AsyncDisposable {
  readonly #context: ConversationContext;
  readonly #streams = new Map<ByteStream, AbortController>();
  #isStopped = false;
  readonly #conversations = new Set<Promise<void>>();

  private constructor(context: ConversationContext) {
    this.#context = context;
  }

  /**
   * Begins to serve.
   *
   * @throws {SeedmintError} `unavailable` if the direct path's port cannot be listened on.
   */
  static async start(options: ProviderOptions): Promise<Provider> {
    const { store, clock, random, onServed } = options;
    const limits = { ...PROVIDER_LIMITS, ...options.limits };
    const { rate } = options;
    const metering = new Metering({ limits, clock, ...(rate === undefined ? {} : { rate }) });
    const direct = options.direct === undefined ? undefined : await DirectServer.start({
      ...options.direct,
      store,
      gate: options.gate,
      metering,
      clock,
      random,
      ...(onServed === undefined ? {} : { onServed }),
    });
    const provider = new Provider({
      store,
      gate: options.gate,
      fleet: options.fleet ?? new Fleet({ clock }),
      metering,
      collections: new CollectionCache(store),
      direct,
      receipts: options.receipts,
      clock,
      onServed,
    });
    try {
      await options.network.handle(BLOBS_PROTOCOL, (stream) => provider.#serve(stream), {
        inboundStreamsMax: metering.limits.streamsPerPeerMax,
      });
    } catch (error) {
      await direct?.[Symbol.asyncDispose]();
      throw error;
    }
    return provider;
  }

  /** The port of the direct path, when it is offered. */
  get directPort(): number | undefined {
    return this.#context.direct?.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const reason = new SeedmintError("aborted", "The provider is stopping");
    this.#isStopped = true;
    for (const [stream, over] of this.#streams) {
      over.abort(reason);
      stream.abort(reason);
    }
    await this.#context.direct?.[Symbol.asyncDispose]();
    await Promise.allSettled(this.#conversations);
  }

  async #serve(stream: ByteStream): Promise<void> {
    const conversation = this.#converse(stream);
    this.#conversations.add(conversation);
    try {
      await conversation;
    } finally {
      this.#conversations.delete(conversation);
    }
  }

  async #converse(stream: ByteStream): Promise<void> {
    const { metering } = this.#context;
    const account = metering.of(stream.peerId);
    if (this.#isStopped || !metering.openStream(account)) {
      stream.abort(new SeedmintError("busy", "No more streams are served"));
      return;
    }
    const over = new AbortController();
    this.#streams.set(stream, over);
    try {
      await converse(stream, this.#context, { account, over });
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(messageOf(error)));
    } finally {
      over.abort();
      this.#streams.delete(stream);
      metering.closeStream(account);
    }
  }
}
