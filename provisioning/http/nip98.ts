/**
 * Proof of a Nostr key in one HTTP request (NIP-98): an event of kind 27235 in the header
 * `Authorization: Nostr <base64>` with the tags `u` (address), `method` and `payload` (SHA-256 of the
 * body). Ours has `p` besides, the provider that is meant: it holds behind any proxy, and no provider
 * can pass the request on to another one.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../../src/core/ports.ts";
import {
  type NostrEvent,
  readEvent,
  signEvent,
  tagValue,
  verifyEvent,
} from "../../src/nostr/mod.ts";
import { HTTP_LIMITS } from "./limits.ts";

/** Kind of NIP-98. */
export const KIND_HTTP_AUTH = 27235;

/** What is signed. */
export interface SignedPart {
  readonly method: string;
  /** Whole address, query included. */
  readonly url: string;
  readonly body: Uint8Array;
}

/** The value of `Authorization` for a request to `provider`. */
export function signHttp(
  part: SignedPart,
  options: {
    readonly provider: string;
    readonly secretKey: Uint8Array;
    readonly nowMs: number;
    /** Makes each signature another one. */
    readonly nonce: string;
  },
): string {
  const event = signEvent({
    kind: KIND_HTTP_AUTH,
    created_at: Math.floor(options.nowMs / 1000),
    tags: [
      ["u", part.url],
      ["method", part.method],
      ["payload", sha256Hex(part.body)],
      ["p", options.provider],
      ["nonce", options.nonce],
    ],
    content: "",
  }, options.secretKey);
  return `Nostr ${btoa(JSON.stringify(event))}`;
}

/** What a check gave. */
export type SignatureCheck =
  | { readonly ok: true; readonly key: string; readonly id: string }
  | { readonly ok: false; readonly problem: string };

/** Checks signed requests; each counts once. */
export class SignatureDesk {
  readonly #options: {
    readonly provider: string;
    readonly urls: readonly string[];
    readonly clock: Clock;
  };
  /** Ids by when they may be forgotten, in steady milliseconds; the oldest first. */
  readonly #seen = new Map<string, number>();

  /**
   * @param options `urls`: base addresses at which this provider is reached.
   */
  constructor(options: {
    readonly provider: string;
    readonly urls: readonly string[];
    readonly clock: Clock;
  }) {
    this.#options = options;
  }

  /** Checks the value of `Authorization`. @param part `target`: path and query as they were asked for. */
  check(
    header: string,
    part: { readonly method: string; readonly target: string; readonly body: Uint8Array },
  ): SignatureCheck {
    const event = readSignature(header);
    if (event === undefined) return refused("it is no event of NIP-98 in base64");
    const ageS = this.#options.clock.nowMs() / 1000 - event.created_at;
    if (Math.abs(ageS) > HTTP_LIMITS.signatureAgeS) {
      return refused(`its date is off by ${Math.round(ageS)} s; set the clock`);
    }
    if (tagValue(event, "method")?.toUpperCase() !== part.method) {
      return refused("it is for another method");
    }
    if (!this.#isHere(event, part.target)) return refused("it is for another address");
    const payload = tagValue(event, "payload")?.toLowerCase();
    if (payload !== sha256Hex(part.body) && (payload !== undefined || part.body.length > 0)) {
      return refused("its payload is not the SHA-256 of this body");
    }
    const problem = this.#isNew(event.id);
    if (problem !== undefined) return refused(problem);
    // Last, for it costs a millisecond.
    if (verifyEvent(event) === undefined) {
      this.#seen.delete(event.id);
      return refused("its signature is wrong");
    }
    return { ok: true, key: event.pubkey, id: event.id };
  }

  #isHere(event: NostrEvent, target: string): boolean {
    const { provider, urls } = this.#options;
    const named = tagValue(event, "p")?.toLowerCase();
    if (named !== undefined && named !== provider) return false;
    const url = tagValue(event, "u") ?? "";
    if (urls.some((base) => url === `${base.replace(/\/+$/, "")}${target}`)) return true;
    // A proxy may have another name and a path of its own in front.
    return named === provider && url.endsWith(target);
  }

  #isNew(id: string): string | undefined {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [old, untilMs] of this.#seen) {
      if (untilMs > nowMs) break;
      this.#seen.delete(old);
    }
    if (this.#seen.has(id)) return "it was used already; sign each request anew";
    if (this.#seen.size >= HTTP_LIMITS.signaturesMax) return "too many come at the moment";
    // A date may be as far ahead as it may be late.
    this.#seen.set(id, nowMs + 2 * HTTP_LIMITS.signatureAgeS * 1000 + 1000);
    return undefined;
  }
}

function readSignature(header: string): NostrEvent | undefined {
  const text = /^Nostr ([A-Za-z0-9+/_=-]+)$/i.exec(header)?.[1];
  if (text === undefined || text.length > HTTP_LIMITS.signatureCharsMax) return undefined;
  try {
    const json = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    const event = readEvent(JSON.parse(json));
    return event?.kind === KIND_HTTP_AUTH ? event : undefined;
  } catch {
    return undefined;
  }
}

function refused(why: string): SignatureCheck {
  return { ok: false, problem: `The signature (NIP-98) is not taken: ${why}` };
}

/** SHA-256 in hex. */
export function sha256Hex(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}
