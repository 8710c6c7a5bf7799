/**
 * Who asks over HTTP. Nobody is known by an address or a name; what proves a requester is one of:
 *
 * | proof | the owner of its leases is |
 * |---|---|
 * | a signature (NIP-98) | that Nostr key: the same as over relays |
 * | `Authorization: Bearer <access key>` | a hash of the access key |
 * | the very text of the token that pays, with a spawn only | a hash of the access key in its answer |
 *
 * An access key is 32 secret bytes in base64url: those that the answer to a spawn gave, or the
 * requester's own. That of a token is a MAC over the token's text under a key of the provider's, so
 * that the same request after a lost answer gets the same answer, and nothing has to be stored. What
 * was paid with is no secret for ever (the mint sees the proofs when they are redeemed, though not the
 * blinding factors that a token with NUT-12 carries), so it opens nothing but that answer, and only to
 * who has its very text.
 */
import { createHash, createHmac } from "node:crypto";

/** Somebody who asks. */
export interface Requester {
  /** As the provider knows owners, 64 hex digits. A Nostr key only with `proof` `key`. */
  readonly owner: string;
  readonly proof: "key" | "secret" | "token" | "none";
  /** What is to be shown next time; only for those who are known by their token. */
  readonly accessKey?: string;
  /** The signature that it came with. */
  readonly signatureId?: string;
}

const ACCESS_KEY = /^[A-Za-z0-9_-]{43}$/;

/** Whether `text` has the form of an access key. */
export function isAccessKey(text: string): boolean {
  return ACCESS_KEY.test(text);
}

/** Knows requesters again. */
export class Requesters {
  readonly #key: Uint8Array;

  /** @param secretKey The provider's Nostr secret: what is made with it holds as long as that does. */
  constructor(secretKey: Uint8Array) {
    this.#key = createHmac("sha256", secretKey).update("seedmint/http-access/1").digest();
  }

  /** Who signed a request. */
  byKey(key: string, signatureId: string): Requester {
    return { owner: key, proof: "key", signatureId };
  }

  /** Who shows an access key. */
  bySecret(accessKey: string): Requester {
    return { owner: ownerOf(accessKey), proof: "secret" };
  }

  /** Who shows nothing but the token that it pays with. */
  byToken(token: string): Requester {
    const accessKey = createHmac("sha256", this.#key).update(token).digest("base64url");
    return { owner: ownerOf(accessKey), proof: "token", accessKey };
  }

  /** Who shows nothing; one for each address, so that rates hold. It owns nothing, ever. */
  byAddress(address: string): Requester {
    const owner = createHmac("sha256", this.#key).update(`address ${address}`).digest("hex");
    return { owner, proof: "none" };
  }
}

/** The hash has a domain of its own, so it is nobody's Nostr key but by solving a discrete logarithm. */
function ownerOf(accessKey: string): string {
  return createHash("sha256").update(`seedmint/http-requester/1\0${accessKey}`).digest("hex");
}
