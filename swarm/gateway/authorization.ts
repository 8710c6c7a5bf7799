/**
 * Authorizations of Blossom (BUD-11): a Nostr event of kind 24242 in `Authorization: Nostr <base64>`.
 * What is cheap comes first, and whether the key is one of ours before its signature: a stranger
 * costs no curve arithmetic.
 */
import { isSha256, type Sha256 } from "../../src/core/hash.ts";
import type { Clock } from "../../src/core/ports.ts";
import { type NostrEvent, readEvent, verifyEvent } from "../../src/nostr/nostr.ts";
import {
  AUTHORIZATION_BYTES_MAX,
  AUTHORIZATION_LIFE_S_MAX,
  CLOCK_AHEAD_S,
  USED_AUTHORIZATIONS_MAX,
} from "./limits.ts";
import { busy, Refusal } from "../http/refusal.ts";

/** The kind of such an event. */
export const KIND_BLOSSOM_AUTHORIZATION = 24242;

/** What a server lets keys do. */
export type Verb = "upload" | "delete";

/** Who authorized what. */
export interface Authorization {
  /** 64 hex digits. */
  readonly publicKey: string;
  /** The blobs it is for; at least one. */
  readonly sha256s: ReadonlySet<Sha256>;
  /** When it was signed, in seconds since 1970. */
  readonly createdS: number;
}

/** Options of {@link Authorizations}. */
export interface AuthorizationsOptions {
  /** Keys that may do something here. */
  readonly keys: readonly string[];
  /** Our names, lower case, as `server` tags have them. */
  readonly serverNames: ReadonlySet<string>;
  readonly clock: Pick<Clock, "nowMs">;
}

/** Checks authorizations, and remembers those that are good only once. */
export class Authorizations {
  readonly #options: AuthorizationsOptions;
  readonly #keys: ReadonlySet<string>;
  readonly #startedS: number;
  /** When they expire, in seconds since 1970, by id. */
  readonly #used = new Map<string, number>();

  constructor(options: AuthorizationsOptions) {
    this.#options = options;
    this.#keys = new Set(options.keys);
    this.#startedS = Math.floor(options.clock.nowMs() / 1000);
  }

  /**
   * @param header The value of `Authorization`.
   * @param wanted The verb, and the blob that the request names, if it does.
   * @throws {Refusal} 401 if it is missing or wrong, 403 if the key may not.
   */
  check(
    header: string | undefined,
    wanted: { readonly verb: Verb; readonly sha256: Sha256 | undefined },
  ): Authorization {
    const raw = decode(header);
    const event = readEvent(raw);
    if (event === undefined) throw unauthorized("the authorization is no Nostr event");
    this.#checkTags(event, wanted.verb);
    const sha256s = hashesOf(event);
    if (wanted.sha256 !== undefined && !sha256s.has(wanted.sha256)) {
      throw unauthorized("its x tags do not name this blob");
    }
    if (!this.#keys.has(event.pubkey)) {
      throw new Refusal(403, "This key may not do that here; ask the operator to allow it");
    }
    if (verifyEvent(raw) === undefined) throw unauthorized("its signature is wrong");
    if (wanted.verb === "delete") this.#use(event);
    return { publicKey: event.pubkey, sha256s, createdS: event.created_at };
  }

  #checkTags(event: NostrEvent, verb: Verb): void {
    const nowS = Math.floor(this.#options.clock.nowMs() / 1000);
    if (event.kind !== KIND_BLOSSOM_AUTHORIZATION) {
      throw unauthorized(`an event of kind ${KIND_BLOSSOM_AUTHORIZATION} is wanted`);
    }
    if (event.created_at > nowS + CLOCK_AHEAD_S) throw unauthorized("it was signed in the future");
    const expirations = valuesOf(event, "expiration");
    const [expiration = ""] = expirations;
    if (expirations.length !== 1 || !/^[1-9][0-9]{0,14}$/.test(expiration)) {
      throw unauthorized("it needs one expiration tag");
    }
    if (Number(expiration) <= nowS) throw unauthorized("it has expired; sign another one");
    if (Number(expiration) - nowS > AUTHORIZATION_LIFE_S_MAX) {
      throw unauthorized(`it is good for more than ${AUTHORIZATION_LIFE_S_MAX} seconds`);
    }
    const verbs = valuesOf(event, "t");
    if (verbs.length !== 1 || verbs[0] !== verb) {
      throw unauthorized(`its t tag must be ${verb}, and the only one`);
    }
    const servers = valuesOf(event, "server");
    const isOurs = servers.length === 0 ||
      servers.some((name) => this.#options.serverNames.has(name));
    if (!isOurs) throw unauthorized("its server tags name other servers");
  }

  /**
   * A deletion is good once: who saw one could repeat it after the blob came back. What was signed
   * before we started may have been used before.
   */
  #use(event: NostrEvent): void {
    if (event.created_at < this.#startedS) {
      throw unauthorized("it is older than this server's start; sign another one");
    }
    if (this.#used.has(event.id)) throw unauthorized("it was used before; sign another one");
    const nowS = Math.floor(this.#options.clock.nowMs() / 1000);
    if (this.#used.size >= USED_AUTHORIZATIONS_MAX) {
      for (const [id, expirationS] of this.#used) if (expirationS <= nowS) this.#used.delete(id);
    }
    // Forgetting one that is still good would let it be used again.
    if (this.#used.size >= USED_AUTHORIZATIONS_MAX) throw busy(503, "Too many deletions", 60);
    this.#used.set(event.id, Number(valuesOf(event, "expiration")[0]));
  }
}

function decode(header: string | undefined): unknown {
  if (header === undefined) {
    throw unauthorized("sign an event of kind 24242 with a key allowed here");
  }
  const text = /^nostr +([A-Za-z0-9+/_-]+)={0,2}$/i.exec(header)?.[1];
  if (text === undefined) throw unauthorized("Authorization: Nostr and base64 are wanted");
  if (text.length > AUTHORIZATION_BYTES_MAX * 4 / 3) throw unauthorized("the event is too long");
  try {
    // The specification says base64url; older clients send the other alphabet.
    const base64url = text.replaceAll("+", "-").replaceAll("/", "_");
    const bytes = Uint8Array.fromBase64(base64url, { alphabet: "base64url" });
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw unauthorized("the authorization is not base64 of JSON");
  }
}

function hashesOf(event: NostrEvent): ReadonlySet<Sha256> {
  const values = valuesOf(event, "x");
  if (values.length === 0) throw unauthorized("it needs an x tag with the SHA-256 of the blob");
  if (!values.every(isSha256)) throw unauthorized("an x tag is no SHA-256 in lower-case hex");
  return new Set(values.filter(isSha256));
}

function valuesOf(event: NostrEvent, name: string): string[] {
  return event.tags.filter((tag) => tag[0] === name).map((tag) => tag[1] ?? "");
}

function unauthorized(why: string): Refusal {
  return new Refusal(401, `Not authorized: ${why}`, { headers: [["WWW-Authenticate", "Nostr"]] });
}
