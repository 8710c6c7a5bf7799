/**
 * Purses: whom money that came over HTTP belongs to. The gate knows a purse as a viewer
 * `http:<id>`; its owner proves it with a bearer token that is good from one address alone.
 *
 * Nothing is kept for a purse: id and bearer follow from a key of the node, the address and the
 * token that first paid, so a stranger fills no memory by asking, and a purse outlives a restart with
 * its credit. Paying twice with one token from one address leads to one purse; from another address
 * to another, which the gate refuses, since the token is spent.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { type Bytes, concatBytes, utf8 } from "../../src/core/bytes.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { Viewer } from "../ports.ts";
import { PRESENTED_MAX } from "./limits.ts";

/** Bytes of the id and of the seal of a purse. */
const ID_BYTES = 16;
const SEAL_BYTES = 24;

/** An account at the gate, and what opens it. */
export interface Purse {
  readonly viewer: Viewer;
  /** What `Authorization: Bearer` must say, from the same address. */
  readonly bearer: string;
}

/** A token that was presented, and where it was put. */
interface Presented {
  readonly purse: Purse;
  readonly expiresMs: number;
  /** Whether the gate credited it. */
  readonly isCredited: boolean;
}

/** Finds purses. */
export class Purses {
  readonly #key: Bytes;
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #graceMs: number;
  /** By address and digest of the token, the oldest first. */
  readonly #presented = new Map<string, Presented>();

  /** @param options The key has 32 bytes. */
  constructor(
    options: {
      readonly key: Bytes;
      readonly clock: Pick<Clock, "monotonicMs">;
      readonly graceMs: number;
    },
  ) {
    if (options.key.length !== 32) {
      throw new RangeError(`A session key of 32 bytes is wanted, ${options.key.length} found`);
    }
    this.#key = options.key;
    this.#clock = options.clock;
    this.#graceMs = options.graceMs;
  }

  /** The purse that `token` from `address` belongs to: the one it was put into, or its own. */
  ofToken(address: string, token: string): { readonly purse: Purse; readonly isCredited: boolean } {
    const digest = tokenDigest(token);
    const known = this.#presented.get(keyOf(address, digest));
    if (known !== undefined && this.#clock.monotonicMs() < known.expiresMs) return known;
    const id = this.#seal("purse", utf8(address), digest).subarray(0, ID_BYTES);
    return { purse: this.#purse(address, id), isCredited: false };
  }

  /** The purse that `bearer` opens from `address`; undefined for any other text or address. */
  ofBearer(address: string, bearer: string): Purse | undefined {
    if (!/^[A-Za-z0-9_-]{54}$/.test(bearer)) return undefined;
    let bytes: Uint8Array;
    try {
      bytes = Uint8Array.fromBase64(bearer, { alphabet: "base64url" });
    } catch {
      return undefined;
    }
    if (bytes.length !== ID_BYTES + SEAL_BYTES) return undefined;
    const id = bytes.subarray(0, ID_BYTES);
    const seal = this.#bearerSeal(address, id);
    return timingSafeEqual(seal, bytes.subarray(ID_BYTES)) ? this.#purse(address, id) : undefined;
  }

  /** Remembers for the grace time that `token` was put into `purse`. */
  put(address: string, token: string, options: { readonly purse: Purse }): void {
    const key = keyOf(address, tokenDigest(token));
    this.#presented.delete(key);
    for (const [oldest, { expiresMs }] of this.#presented) {
      const isFull = this.#presented.size >= PRESENTED_MAX;
      if (!isFull && this.#clock.monotonicMs() < expiresMs) break;
      this.#presented.delete(oldest);
    }
    this.#presented.set(key, {
      purse: options.purse,
      expiresMs: this.#clock.monotonicMs() + this.#graceMs,
      isCredited: true,
    });
  }

  #purse(address: string, id: Uint8Array): Purse {
    return {
      viewer: { peerId: `http:${id.toHex()}`, fleet: false },
      bearer: concatBytes(id, this.#bearerSeal(address, id))
        .toBase64({ alphabet: "base64url", omitPadding: true }),
    };
  }

  #bearerSeal(address: string, id: Uint8Array): Uint8Array {
    return this.#seal("bearer", utf8(address), id).subarray(0, SEAL_BYTES);
  }

  #seal(use: string, ...parts: readonly Uint8Array[]): Uint8Array {
    const mac = createHmac("sha256", this.#key).update(`seedmint http ${use} 1\n`);
    for (const part of parts) mac.update(`${part.length}\n`).update(part);
    return Uint8Array.from(mac.digest());
  }
}

/** The id of the payment that `token` is, so that presenting it twice never pays twice. */
export function paymentIdOf(token: string): Bytes {
  return tokenDigest(token).slice(0, 16);
}

function tokenDigest(token: string): Bytes {
  const hash = createHash("sha256").update("seedmint http payment 1\n").update(token);
  return Uint8Array.from(hash.digest());
}

function keyOf(address: string, digest: Uint8Array): string {
  return `${digest.toHex()} ${address}`;
}
