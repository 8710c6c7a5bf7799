/** The sessions that a provider granted for its direct path. */
import type { Bytes } from "../../src/core/bytes.ts";
import type { Hash } from "../../src/core/hash.ts";
import type { Clock, Random } from "../../src/core/ports.ts";
import type { Viewer } from "../ports.ts";
import { DIRECT_KEY_BYTES, ID_BYTES } from "../protocol/limits.ts";
import { SESSION_TTL_MS, SESSIONS_MAX, SESSIONS_PER_PEER_MAX } from "./limits.ts";
import { type DirectRequest, isAuthentic } from "./request.ts";

/** One grant: this peer, this blob, until it is not used for a while. */
export interface DirectSession {
  /** Who was granted it, and pays if it costs something. */
  readonly viewer: Viewer;
  readonly hash: Hash;
  /** What its bytes cost, if they do. */
  readonly priceMsatPerMiB: number | undefined;
  readonly id: Bytes;
  readonly key: Bytes;
}

interface HeldSession extends DirectSession {
  /** The highest counter seen. */
  counter: number;
  expiresMs: number;
}

/** Grants sessions and checks requests against them. */
export class DirectSessions {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #random: Random;
  /** By hex of the id, the one used longest ago first. */
  readonly #sessions = new Map<string, HeldSession>();
  readonly #counts = new Map<string, number>();

  constructor(options: { readonly clock: Pick<Clock, "monotonicMs">; readonly random: Random }) {
    this.#clock = options.clock;
    this.#random = options.random;
  }

  get count(): number {
    return this.#sessions.size;
  }

  /** A new session for a viewer and a blob; the peer's oldest one goes when it has too many. */
  grant(
    request: {
      readonly viewer: Viewer;
      readonly hash: Hash;
      readonly priceMsatPerMiB?: number;
    },
  ): DirectSession {
    const { viewer, hash, priceMsatPerMiB } = request;
    const { peerId } = viewer;
    this.#expire();
    if ((this.#counts.get(peerId) ?? 0) >= SESSIONS_PER_PEER_MAX) {
      this.#dropFirst((session) => session.viewer.peerId === peerId);
    }
    if (this.#sessions.size >= SESSIONS_MAX) this.#dropFirst(() => true);
    const session: HeldSession = {
      viewer,
      hash,
      priceMsatPerMiB,
      id: this.#random.bytes(ID_BYTES),
      key: this.#random.bytes(DIRECT_KEY_BYTES),
      counter: -1,
      expiresMs: this.#clock.monotonicMs() + SESSION_TTL_MS,
    };
    this.#sessions.set(session.id.toHex(), session);
    this.#counts.set(peerId, (this.#counts.get(peerId) ?? 0) + 1);
    return session;
  }

  /**
   * The session of `request`, which is used up by this. Undefined for an unknown or expired
   * session, another blob, a wrong MAC, or a counter that is not above every one before: who asks
   * is not told which.
   */
  take(request: DirectRequest, mac: Uint8Array): DirectSession | undefined {
    const session = this.#sessions.get(request.session.toHex());
    if (session === undefined) return undefined;
    if (!isAuthentic(request, mac, session.key)) return undefined;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= session.expiresMs) {
      this.#drop(session);
      return undefined;
    }
    if (request.hash !== session.hash || request.counter <= session.counter) return undefined;
    session.counter = request.counter;
    session.expiresMs = nowMs + SESSION_TTL_MS;
    const id = session.id.toHex();
    this.#sessions.delete(id);
    this.#sessions.set(id, session);
    return session;
  }

  #expire(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const session of this.#sessions.values()) {
      if (nowMs < session.expiresMs) return;
      this.#drop(session);
    }
  }

  #dropFirst(matches: (session: HeldSession) => boolean): void {
    for (const session of this.#sessions.values()) {
      if (matches(session)) return this.#drop(session);
    }
  }

  #drop(session: HeldSession): void {
    this.#sessions.delete(session.id.toHex());
    const { peerId } = session.viewer;
    const left = this.#counts.get(peerId)! - 1;
    if (left === 0) this.#counts.delete(peerId);
    else this.#counts.set(peerId, left);
  }
}
