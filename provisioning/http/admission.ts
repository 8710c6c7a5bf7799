/** Who may ask now: a rate for each address, and how much is under way. */
import type { Clock } from "../../src/core/ports.ts";
import { TokenBucket } from "../../src/core/token_bucket.ts";
import { addressGroup } from "../../src/nostr/relay/hosts.ts";
import { HTTP_LIMITS } from "./limits.ts";

/** Lets requests in, and counts them until they are over. */
export class Admission {
  readonly #clock: Clock;
  readonly #rates = new Map<string, TokenBucket>();
  readonly #underWay = new Map<string, number>();
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns What ends the request, or why it is not let in. */
  enter(address: string): Disposable | "rate" | "busy" {
    const key = addressGroup(address);
    if (!this.#admits(key)) return "rate";
    const here = this.#underWay.get(key) ?? 0;
    if (this.#count >= HTTP_LIMITS.inFlightMax || here >= HTTP_LIMITS.inFlightPerAddressMax) {
      return "busy";
    }
    this.#count++;
    this.#underWay.set(key, here + 1);
    return { [Symbol.dispose]: () => this.#leave(key) };
  }

  #leave(key: string): void {
    this.#count--;
    const left = this.#underWay.get(key)! - 1;
    if (left === 0) this.#underWay.delete(key);
    else this.#underWay.set(key, left);
  }

  #admits(key: string): boolean {
    const bucket = this.#rates.get(key) ?? new TokenBucket({
      perSecond: HTTP_LIMITS.perAddressPerSecond,
      burst: HTTP_LIMITS.perAddressBurst,
      clock: this.#clock,
    });
    this.#rates.delete(key);
    this.#rates.set(key, bucket);
    if (this.#rates.size > HTTP_LIMITS.addressesMax) {
      this.#rates.delete(this.#rates.keys().next().value!);
    }
    return bucket.tryTake(1);
  }
}
