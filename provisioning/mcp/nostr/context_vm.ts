/**
 * The server over Nostr. Whoever is not on the list of allowed keys gets no answer at all, not even
 * that there is a server. What is answered was:
 *
 *     addressed to us -> opened -> signed by an allowed key, to us -> fresh -> never seen before
 *
 * The inner `p` is checked, or another server could pass on what an agent signed for it. That a message
 * was seen is on disk before it is acted on: what spends money must not be done again because a relay,
 * or somebody who recorded it, sends it again.
 */
import { messageOf } from "../../../src/core/errors.ts";
import type { Clock, Random } from "../../../src/core/ports.ts";
import { TokenBucket } from "../../../src/core/token_bucket.ts";
import {
  type NostrEvent,
  nostrPublicKey,
  type RelayPool,
  type SeenIds,
  signEvent,
  tagValue,
} from "../../../src/nostr/mod.ts";
import { CONTEXT_VM_LIMITS } from "../limits.ts";
import { type JSONRPCMessage, type McpServer, readRpc } from "../sdk.ts";
import {
  DISCOVERY_TAGS,
  isWrap,
  KIND_MESSAGE,
  KIND_WRAP,
  KIND_WRAP_EPHEMERAL,
  openWrap,
  wrapMessage,
} from "./events.ts";
import { NostrSession, type Route } from "./session.ts";

/** What a server over Nostr needs. */
export interface ContextVmOptions {
  readonly pool: Pick<RelayPool, "publish" | "subscribe">;
  /** Of the server, 32 bytes. */
  readonly secretKey: Uint8Array;
  /** Nostr keys of agents that may use it, 64 hex digits each. */
  readonly allowed: readonly string[];
  /** Whether messages in the clear are taken, too. Relays read those. @default {false} */
  readonly takesClear?: boolean;
  readonly seen: SeenIds;
  readonly clock: Clock;
  readonly random: Random;
  /** Makes the server of one session of an allowed agent. */
  readonly serve: (agent: string) => McpServer;
  /** Told what failed, in one line without anything secret. */
  readonly onProblem?: (message: string) => void;
}

interface Guest {
  readonly session: NostrSession;
  readonly server: McpServer;
  hasIntroducedUs: boolean;
}

/** See the head of this file. */
export class ContextVm implements AsyncDisposable {
  /** Nostr key of the server, 64 hex digits. */
  readonly publicKey: string;
  /** Resolves once a relay passes on what comes: messages that relays do not keep are lost before. */
  readonly ready: Promise<void>;
  readonly #options: ContextVmOptions;
  readonly #allowed: ReadonlySet<string>;
  readonly #guests = new Map<string, Promise<Guest>>();
  readonly #rates = new Map<string, TokenBucket>();
  readonly #opens: TokenBucket;
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #unsubscribe: () => void;

  private constructor(options: ContextVmOptions) {
    this.#options = options;
    this.#allowed = new Set(options.allowed);
    this.publicKey = nostrPublicKey(options.secretKey);
    const { clock } = options;
    this.#opens = new TokenBucket({
      perSecond: CONTEXT_VM_LIMITS.opensPerSecond,
      burst: CONTEXT_VM_LIMITS.opensBurst,
      clock,
    });
    options.seen.prune(this.#nowS() - 2 * CONTEXT_VM_LIMITS.ageMaxS - 1);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ready = promise;
    this.#unsubscribe = options.pool.subscribe([{
      kinds: [KIND_MESSAGE, KIND_WRAP, KIND_WRAP_EPHEMERAL],
      "#p": [this.publicKey],
      since: this.#nowS() - CONTEXT_VM_LIMITS.lookBackS,
    }], {
      onEvent: (event) => this.#track(this.#receive(event)),
      onEose: () => resolve(),
    });
  }

  /**
   * Begins to serve.
   *
   * @throws {RangeError} If nobody is allowed, or too many are.
   */
  static start(options: ContextVmOptions): ContextVm {
    const { length } = options.allowed;
    if (length === 0 || length > CONTEXT_VM_LIMITS.agentsMax) {
      throw new RangeError(
        `Cannot serve ${length} agents over Nostr: name 1 to ${CONTEXT_VM_LIMITS.agentsMax} keys`,
      );
    }
    return new ContextVm(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe();
    this.#closing.abort(new DOMException("The server was stopped", "AbortError"));
    const guests = await Promise.allSettled(this.#guests.values());
    for (const guest of guests) {
      if (guest.status === "fulfilled") await guest.value.server.close();
    }
    await Promise.allSettled(this.#running);
  }

  async #receive(event: NostrEvent): Promise<void> {
    const inner = this.#opened(event);
    if (inner === undefined || !this.#isGood(inner)) return;
    const rpc = readRpc(parsed(inner.content));
    if (rpc === undefined) return;
    const agent = inner.pubkey;
    const isNew = "method" in rpc && rpc.method === "initialize";
    const guest = await this.#guest(agent, isNew);
    guest.session.receive(rpc, {
      id: inner.id,
      ...(isWrap(event) ? { wrapKind: event.kind } : {}),
    });
  }

  #opened(event: NostrEvent): NostrEvent | undefined {
    if (!isWrap(event)) return this.#options.takesClear === true ? event : undefined;
    // Anybody can send these from a new key each time, so they are bounded all together.
    return this.#opens.tryTake(1) ? openWrap(event, this.#options.secretKey) : undefined;
  }

  #isGood(inner: NostrEvent): boolean {
    const { seen } = this.#options;
    if (inner.kind !== KIND_MESSAGE || !this.#allowed.has(inner.pubkey)) return false;
    if (tagValue(inner, "p") !== this.publicKey) return false;
    if (inner.content.length > CONTEXT_VM_LIMITS.contentCharsMax) return false;
    const nowS = this.#nowS();
    if (Math.abs(nowS - inner.created_at) > CONTEXT_VM_LIMITS.ageMaxS) return false;
    if (seen.has(inner.id) || !this.#admits(inner.pubkey)) return false;
    seen.add([inner.id], nowS);
    return true;
  }

  #admits(agent: string): boolean {
    let bucket = this.#rates.get(agent);
    if (bucket === undefined) {
      bucket = new TokenBucket({
        perSecond: CONTEXT_VM_LIMITS.perAgentPerSecond,
        burst: CONTEXT_VM_LIMITS.perAgentBurst,
        clock: this.#options.clock,
      });
      this.#rates.set(agent, bucket);
    }
    return bucket.tryTake(1);
  }

  /** The session of an agent; a new one when it begins anew, or never did. */
  async #guest(agent: string, isNew: boolean): Promise<Guest> {
    const known = this.#guests.get(agent);
    if (known !== undefined && !isNew) return await known;
    const opening = this.#open(agent, known);
    this.#guests.set(agent, opening);
    // The next message tries again.
    opening.catch(() => this.#guests.delete(agent));
    return await opening;
  }

  async #open(agent: string, before: Promise<Guest> | undefined): Promise<Guest> {
    await (await before)?.server.close();
    const server = this.#options.serve(agent);
    const session = new NostrSession((message, route) => this.#send(agent, message, route));
    const guest: Guest = { server, session, hasIntroducedUs: false };
    await server.connect(session);
    return guest;
  }

  async #send(agent: string, message: JSONRPCMessage, route: Route): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const guest = await this.#guests.get(agent);
    const introduces = guest !== undefined && !guest.hasIntroducedUs && !("method" in message);
    if (introduces) guest.hasIntroducedUs = true;
    const tags = [["p", agent], ["e", route.eventId], ...introduces ? DISCOVERY_TAGS : []];
    await this.#publish(this.#sealed(message, { agent, route, tags }));
  }

  #sealed(
    message: JSONRPCMessage,
    options: {
      readonly agent: string;
      readonly route: Route;
      readonly tags: readonly (readonly string[])[];
    },
  ): NostrEvent {
    const { agent, route, tags } = options;
    const { secretKey, random } = this.#options;
    const nowS = this.#nowS();
    const signed = (content: JSONRPCMessage) =>
      signEvent({
        kind: KIND_MESSAGE,
        created_at: nowS,
        tags,
        content: JSON.stringify(content),
      }, secretKey);
    let event = signed(message);
    const size = new TextEncoder().encode(JSON.stringify(event)).length;
    if (size > CONTEXT_VM_LIMITS.messageBytesMax) {
      const error = { code: -32000, message: "The answer is too long for Nostr; ask for less" };
      event = signed({ jsonrpc: "2.0", id: route.requestId, error });
    }
    if (route.wrapKind === undefined) return event;
    return wrapMessage(event, { recipient: agent, kind: route.wrapKind, nowS, random });
  }

  async #publish(event: NostrEvent): Promise<void> {
    const { pool, clock, onProblem } = this.#options;
    const { signal } = this.#closing;
    let pauseMs: number = CONTEXT_VM_LIMITS.sendPauseMs;
    for (let attempt = 1; attempt <= CONTEXT_VM_LIMITS.sendsMax; attempt++, pauseMs *= 2) {
      const report = await pool.publish(event, { signal, graceMs: 500 });
      if (report.acceptedCount > 0) return;
      if (attempt < CONTEXT_VM_LIMITS.sendsMax) await clock.sleep(pauseMs, { signal });
    }
    onProblem?.("No relay took an answer to an agent");
  }

  #track(work: Promise<void>): void {
    const tracked = work.catch((error) => {
      if (!this.#closing.signal.aborted) {
        this.#options.onProblem?.(`A message of an agent cannot be answered: ${messageOf(error)}`);
      }
    }).finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }

  #nowS(): number {
    return Math.floor(this.#options.clock.nowMs() / 1000);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
