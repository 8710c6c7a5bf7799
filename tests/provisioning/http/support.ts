/** A provider behind its HTTP desk, without sockets. */
import {
  HttpDesk,
  type HttpReply,
  type HttpRequest,
  signHttp,
} from "../../../provisioning/http/mod.ts";
import type { OfferBody } from "../../../provisioning/wire/mod.ts";
import {
  BASIC,
  type Generation,
  LeaseWorld,
  PROVIDER_KEY,
} from "../../support/provisioning/lease_world.ts";
import { PAYMENT_KEY, PLAY_MINT } from "../../support/provisioning/memory_till.ts";

/** Of the provider, for signatures that it makes. */
const PROVIDER_SECRET = new Uint8Array(32).fill(51);

/** Secrets of two lessees. */
export const CAROL = new Uint8Array(32).fill(52);
export const DAVE = new Uint8Array(32).fill(53);

/** Where the provider is. */
export const BASE = "https://lend.example";

/** What is on offer. */
export const OFFER: OfferBody = {
  provider: PROVIDER_KEY,
  name: "Test",
  location: "EU",
  capabilities: ["oci"],
  specs: [BASIC],
  mints: [PLAY_MINT],
  uptimePercent: 100,
  jobsCompletedCount: 0,
  isolation: "shared-kernel",
  terms: {
    paymentKey: PAYMENT_KEY,
    minDurationS: 60,
    specs: new Map([["basic", { diskMb: 1024 }]]),
    verbs: ["quote"],
    isDraining: false,
  },
};

/** One request of a test. */
export interface Wish {
  readonly method?: string;
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly raw?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly remote?: string;
  /** Signs it. */
  readonly signedBy?: Uint8Array;
  /** What is signed, where that is another request. */
  readonly signs?: {
    readonly url?: string;
    readonly body?: string;
    readonly method?: string;
    readonly provider?: string;
    readonly ageS?: number;
  };
  readonly signal?: AbortSignal;
}

/** The world. */
export class HttpWorld implements AsyncDisposable {
  readonly leases = new LeaseWorld();
  readonly problems: string[] = [];
  #one: Generation | undefined;
  #desk: HttpDesk | undefined;
  #nonce = 0;
  offer: OfferBody | undefined = OFFER;

  async start(): Promise<Generation> {
    this.#one = await this.leases.start();
    this.#desk = new HttpDesk({
      provider: this.#one.provider,
      publicKey: PROVIDER_KEY,
      secretKey: PROVIDER_SECRET,
      urls: [BASE],
      offer: () => this.offer,
      clock: this.leases.clock,
      onProblem: (problem) => this.problems.push(problem),
    });
    return this.#one;
  }

  get desk(): HttpDesk {
    return this.#desk!;
  }

  /** Stops the provider, and starts it anew with the same journal. */
  async restart(): Promise<void> {
    await this.#one?.[Symbol.asyncDispose]();
    await this.start();
  }

  /** Asks, and lets time pass until there is an answer. */
  async ask(path: string, wish: Wish = {}): Promise<HttpReply> {
    const asking = this.begin(path, wish);
    let isDone = false;
    const done = asking.then(() => isDone = true, () => isDone = true);
    await this.leases.clock.settle();
    for (let step = 50; !isDone && step < 200_000; step *= 2) await this.leases.clock.advance(step);
    await done;
    return await asking;
  }

  begin(path: string, wish: Wish = {}): Promise<HttpReply> {
    return this.#desk!.handle(this.request(path, wish));
  }

  request(path: string, wish: Wish = {}): HttpRequest {
    const text = wish.raw ?? (wish.body === undefined ? "" : JSON.stringify(wish.body));
    const method = wish.method ?? "POST";
    const headers: Record<string, string> = {
      ...text === "" ? {} : { "content-type": "application/json" },
      ...wish.headers,
    };
    if (wish.signedBy !== undefined) {
      const { signs = {} } = wish;
      headers.authorization = signHttp({
        method: signs.method ?? method,
        url: signs.url ?? `${BASE}${path}`,
        body: new TextEncoder().encode(signs.body ?? text),
      }, {
        provider: signs.provider ?? PROVIDER_KEY,
        secretKey: wish.signedBy,
        nowMs: this.leases.clock.nowMs() - (signs.ageS ?? 0) * 1000,
        nonce: String(++this.#nonce),
      });
    }
    return {
      method,
      path,
      query: "",
      header: (name) => headers[name],
      remote: wish.remote ?? "198.51.100.7",
      body: () => Promise.resolve(new TextEncoder().encode(text)),
      signal: wish.signal ?? new AbortController().signal,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leases[Symbol.asyncDispose]();
  }
}
