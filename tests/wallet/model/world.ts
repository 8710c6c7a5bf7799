/** The model's world: two wallets, two mints behind proxies, Lightning, and what was seen of them all. */
import { createHash } from "node:crypto";
import { FaultProxy } from "../../../devnet/fault_proxy/mod.ts";
import { meltSaga } from "../../../wallet/operations/melt.ts";
import { redeemSaga } from "../../../wallet/operations/redeem.ts";
import { swapSaga } from "../../../wallet/operations/swap.ts";
import { Intake } from "../../../wallet/payments/intake.ts";
import { INTAKE_POLICY } from "../../../wallet/payments/policy.ts";
import { Payments } from "../../../wallet/planner/payments.ts";
import { parseMintUrl } from "../../../wallet/mint/mint_url.ts";
import type { MintUrl } from "../../../wallet/types.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { startKit, type TestWallet, type WalletKit } from "../../support/wallet_kit.ts";
import type { Who } from "./schedule.ts";

/** A request that may have an effect, as it left a wallet. */
export interface Sent {
  readonly who: Who;
  readonly mint: MintUrl;
  readonly path: string;
  readonly body: string;
}

/** A token that exists. */
export interface KnownToken {
  readonly operationId: string;
  readonly text: string;
  /** To Bob. */
  readonly isLocked: boolean;
}

/** A wallet with what takes and makes payments. */
export interface Actor {
  readonly wallet: TestWallet;
  readonly intake: Intake;
  readonly payments: Payments;
}

/** When no request began or ended for so long, in real milliseconds, somebody waits for the clock… */
const QUIET_MS = 60;

/** …which then moves on so far, as often as this, in real milliseconds. */
const QUIET_JUMP_MS = 4_000;
const TICK_MS = 25;

/** Input fees that worlds begin with. */
const FEES_PPK = [0, 100, 500];

/** See the head of this file. */
export class ModelWorld implements AsyncDisposable {
  readonly kit: WalletKit;
  readonly proxies: readonly FaultProxy[];
  readonly sent: Sent[] = [];
  readonly tokens: KnownToken[] = [];
  /** What strangers have redeemed at each mint. */
  readonly strangerSat = [0n, 0n];
  /** Highest counters seen, by wallet and keyset. */
  readonly counters = new Map<string, number>();
  /** All that wallets said to people: events, and errors of what was asked of them. */
  readonly told: string[] = [];
  /** A Lightning node said of a payment that it failed, and it had not. */
  hasLied = false;
  /** Called before each request that may have an effect. */
  beforePost: (sent: Sent) => void = () => {};
  #activeMs = 0;
  readonly #actors = new Map<Who, Actor>();

  private constructor(kit: WalletKit, proxies: readonly FaultProxy[]) {
    this.kit = kit;
    this.proxies = proxies;
  }

  static async start(seed: number): Promise<ModelWorld> {
    const random = seededRandom(seed);
    const feePpk = FEES_PPK[Math.floor(random.float() * FEES_PPK.length)]!;
    const kit = await startKit({ mints: 2, feePpk, random });
    const proxies = [];
    for (const mint of kit.mints) {
      proxies.push(await FaultProxy.start({ target: mint.url, clock: kit.clock }));
    }
    const world = new ModelWorld(kit, proxies);
    for (const who of ["alice", "bob"] as const) world.#adopt(who, world.#open(who));
    return world;
  }

  url(mint: number): MintUrl {
    return parseMintUrl(this.proxies[mint]!.url);
  }

  /** The wallet as it is; opened anew if it died. */
  async actor(who: Who): Promise<Actor> {
    const actor = this.#actors.get(who)!;
    return actor.wallet.isDead ? await this.reopen(who) : actor;
  }

  /** Both wallets, dead or alive. */
  get actors(): readonly (readonly [Who, Actor])[] {
    return [...this.#actors];
  }

  async reopen(who: Who): Promise<Actor> {
    const before = this.#actors.get(who)!.wallet;
    this.told.push(JSON.stringify(before.events));
    const wallet = await before.reopen();
    return this.#adopt(who, wallet);
  }

  /** Waits for `promise`; whenever nothing happens for a while, time moves on. */
  async hurry<T>(promise: Promise<T>): Promise<T> {
    this.#activeMs = performance.now();
    let tickedMs = this.#activeMs;
    const ticker = setInterval(() => {
      const nowMs = performance.now();
      // A tick that is late means that this process was at work.
      if (nowMs - tickedMs > 2 * TICK_MS) this.#activeMs = nowMs;
      tickedMs = nowMs;
      if (nowMs - this.#activeMs > QUIET_MS) this.kit.clock.jump(QUIET_JUMP_MS);
    }, TICK_MS);
    try {
      return await promise;
    } finally {
      clearInterval(ticker);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const proxies = this.proxies.map((proxy) => proxy[Symbol.asyncDispose]());
    await Promise.all(proxies);
    await this.hurry(this.kit[Symbol.asyncDispose]());
  }

  #open(who: Who): TestWallet {
    return this.kit.wallet(who, {
      sagas: [redeemSaga, meltSaga, swapSaga],
      urls: this.proxies.map(({ url }) => url),
      fetch: (input, init) => this.#fetch(who, input, init),
    });
  }

  #adopt(who: Who, wallet: TestWallet): Actor {
    const intake = new Intake(wallet.engine.context, {
      policy: {
        ...INTAKE_POLICY,
        batch: { proofsMin: 12, idleMs: 5_000, lingerMs: 30_000 },
        // Some worlds have mints that prove no signature.
        unproven: "queue",
      },
    });
    const payments = new Payments(wallet.engine, {
      budgets: {},
      homeMint: () => this.url(0),
      allowPrivate: true,
    });
    const actor = { wallet, intake, payments };
    this.#actors.set(who, actor);
    return actor;
  }

  async #fetch(who: Who, input: URL | RequestInfo, init?: RequestInit): Promise<Response> {
    this.#activeMs = performance.now();
    const url = new URL(String(input));
    if (init?.method === "POST" && /^\/v1\/(swap|(mint|melt)\/bolt11)$/.test(url.pathname)) {
      const mint = parseMintUrl(url.origin);
      const sent = { who, mint, path: url.pathname, body: String(init.body) };
      this.sent.push(sent);
      this.beforePost(sent);
    }
    try {
      return await fetch(input, init);
    } finally {
      this.#activeMs = performance.now();
    }
  }
}

/** SHA-256 in hex. */
export function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
