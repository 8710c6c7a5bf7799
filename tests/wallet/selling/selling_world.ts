/** A seller over a development mint, and buyers that pay it. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Hash } from "../../../src/core/hash.ts";
import type { IntakePolicy } from "../../../wallet/payments/policy.ts";
import { Seller } from "../../../wallet/selling/seller.ts";
import type { PaymentAnswer, SellerOptions, Viewer } from "../../../wallet/selling/selling_api.ts";
import type { TestWallet, WalletKit, WalletOptions } from "../../support/wallet_kit.ts";
import { intakeOf, payingWallet, tokenFrom, type TokenWish } from "../payments/payments_world.ts";

/** 64 hex digits that `name` decides. */
export function hashOf(name: string): Hash {
  return createHash("sha256").update(name).digest("hex") as Hash;
}

/** 16 bytes that `name` decides. */
export function idOf(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash("sha256").update(name).digest()).slice(0, 16);
}

/** A stranger. */
export function viewer(peerId: string, fleet = false): Viewer {
  return { peerId, fleet };
}

/** A chunk group. */
export const GROUP = 16_384;

/** `count` whole groups. */
export function groups(count: number): number[] {
  return new Array<number>(count).fill(GROUP);
}

/** A seller and whoever pays it. */
export class SellingWorld implements AsyncDisposable {
  readonly kit: WalletKit;
  readonly buyer: TestWallet;
  wallet: TestWallet;
  seller: Seller;
  readonly #options: SellerOptions;
  readonly #policy: Partial<IntakePolicy>;

  private constructor(
    kit: WalletKit,
    parts: {
      readonly buyer: TestWallet;
      readonly wallet: TestWallet;
      readonly options: SellerOptions;
      readonly policy: Partial<IntakePolicy>;
    },
  ) {
    this.kit = kit;
    this.buyer = parts.buyer;
    this.wallet = parts.wallet;
    this.#options = parts.options;
    this.#policy = parts.policy;
    this.seller = this.#newSeller();
  }

  /** A buyer with money, and a seller with a default price of 1,000 msat per MiB. */
  static async start(
    kit: WalletKit,
    given: {
      readonly fund?: bigint;
      readonly price?: number;
      readonly options?: SellerOptions;
      readonly policy?: Partial<IntakePolicy>;
      readonly sellerWallet?: WalletOptions;
    } = {},
  ): Promise<SellingWorld> {
    const buyer = payingWallet(kit, "buyer");
    await buyer.fund(given.fund ?? 2_000n);
    const world = new SellingWorld(kit, {
      buyer,
      wallet: payingWallet(kit, "seller", given.sellerWallet ?? {}),
      options: given.options ?? {},
      policy: given.policy ?? {},
    });
    const price = given.price ?? 1_000;
    if (price > 0) world.seller.setService({ id: "default", priceMsatPerMiB: price });
    return world;
  }

  /** A token of the buyer that is locked to the seller. */
  token(amount: bigint, wish: TokenWish = {}): Promise<string> {
    return tokenFrom(this.buyer, amount, { lockTo: this.wallet.keys.payment.publicKey, ...wish });
  }

  /** Pays as `peer`. */
  pay(peer: string, name: string, token?: string): Promise<PaymentAnswer> {
    return this.seller.pay({
      viewer: viewer(peer),
      payment: { id: idOf(name), ...token === undefined ? {} : { token } },
    });
  }

  /** Pays `amount`, and expects that it counts. */
  async credit(peer: string, amount: bigint): Promise<void> {
    const answer = await this.pay(peer, crypto.randomUUID(), await this.token(amount));
    assert.equal(answer.answer, "credited", JSON.stringify(answer));
  }

  /** A meter for `peer`. */
  meter(peer: string, priceMsatPerMiB = 1_000, root = hashOf("film")) {
    return this.seller.openMeter({ viewer: viewer(peer), root, priceMsatPerMiB });
  }

  /** The seller as it is after its process ended, or died. */
  async reopen(): Promise<void> {
    await this.#stop();
    this.wallet = await this.wallet.reopen();
    this.seller = this.#newSeller();
  }

  /** Redeems everything that the seller has open. */
  async redeemAll(): Promise<void> {
    for (const { id } of this.wallet.store.operations({ kind: "redeem", status: "open" })) {
      await this.wallet.driveToEnd(id);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
  }

  /** Of a process that died only the timers are left to be ended. */
  async #stop(): Promise<void> {
    const { isDead } = this.wallet;
    try {
      await this.seller[Symbol.asyncDispose]();
    } catch (error) {
      if (!isDead) throw error;
    }
  }

  #newSeller(): Seller {
    const intake = intakeOf(this.wallet, this.#policy);
    return new Seller({ engine: this.wallet.engine, intake }, this.#options);
  }
}
