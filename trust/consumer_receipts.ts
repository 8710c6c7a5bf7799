/**
 * The consumer's side: asks for a receipt with a commitment to what it bought, countersigns only what its
 * own books confirm, and keeps it with what opens the commitment.
 */
import type { Bytes } from "../src/core/bytes.ts";
import type { Hash } from "../src/core/hash.ts";
import type { Clock, Random } from "../src/core/ports.ts";
import { schnorrPublicKey } from "../src/core/secp256k1.ts";
import type { Paid, PurchaseBooks } from "./books.ts";
import { commitmentOf, type Opening } from "./commitment.ts";
import {
  CLOCK_SKEW_S,
  PENDING_MAX,
  SALT_BYTES,
  TOLERANCE_BYTES,
  TOLERANCE_MSAT,
  TOLERANCE_PERMILLE,
} from "./limits.ts";
import { type ByteReceipt, readReceipt, writeReceipt } from "./receipt.ts";
import { countersignReceipt, type ReceiptSigner, verifyReceipt } from "./receipt_signing.ts";
import type { ReceiptStore } from "./receipt_store.ts";

/** What was bought in one fetch; `ReceiptSubject` of the swarm. */
export interface Purchased {
  /** The seller. */
  readonly peerId: string;
  readonly root: Hash;
  /** Content that verified and was charged. */
  readonly bytes: number;
}

/** Options of {@link ConsumerReceipts}. */
export interface ConsumerReceiptsOptions {
  readonly store: ReceiptStore;
  readonly books: PurchaseBooks;
  readonly signer: ReceiptSigner;
  /** This node's own. */
  readonly peerId: string;
  readonly clock: Pick<Clock, "nowMs">;
  readonly random: Pick<Random, "bytes">;
  /** The Nostr key that is bound to a peer, 64 hex digits, where it is known. */
  readonly nostrKeyOf?: (peerId: string) => string | undefined;
}

interface Pending extends Opening {
  readonly peerId: string;
}

/** Asks for receipts and confirms them; the port `ReceiptBook` of the swarm. */
export class ConsumerReceipts {
  readonly #options: ConsumerReceiptsOptions;
  readonly #key: Bytes;
  /** What was asked and not confirmed yet, by commitment. */
  readonly #pending = new Map<string, Pending>();
  /** Bytes that no receipt confirms yet, by seller and root. */
  readonly #unconfirmed = new Map<string, number>();

  constructor(options: ConsumerReceiptsOptions) {
    this.#options = options;
    this.#key = schnorrPublicKey(options.signer.secretKey);
  }

  /** What to ask the seller with, once for each purchase; undefined when there is nothing to confirm. */
  // deno-lint-ignore require-await
  async request(subject: Purchased): Promise<
    | { readonly root: Hash; readonly nostrKey: Bytes; readonly commitment: Bytes }
    | undefined
  > {
    if (subject.bytes <= 0) return undefined;
    const { peerId, root, bytes } = subject;
    const salt = Uint8Array.from(this.#options.random.bytes(SALT_BYTES));
    const commitment = commitmentOf({ root, salt });
    putBounded(this.#pending, commitment.toHex(), { peerId, root, salt });
    const about = aboutOf(subject);
    putBounded(this.#unconfirmed, about, (this.#unconfirmed.get(about) ?? 0) + bytes);
    return { root, nostrKey: this.#key, commitment };
  }

  /**
   * The receipt with our signature, kept before it is given; undefined when it says anything that our
   * own books do not. An id that we signed before gives what we signed then.
   *
   * @throws {SeedmintError} `storage`, and what the books throw.
   */
  async countersign(
    subject: Purchased,
    answer: { readonly request: { readonly commitment: Uint8Array }; readonly receipt: string },
  ): Promise<string | undefined> {
    const { store, books, signer } = this.#options;
    const commitment = answer.request.commitment.toHex();
    const pending = this.#pending.get(commitment);
    const signed = readReceipt(answer.receipt);
    if (pending === undefined || signed === undefined) return undefined;
    const { receipt } = signed;
    if (receipt.commitment !== commitment || pending.root !== subject.root) return undefined;
    if (pending.peerId !== subject.peerId || !this.#isBetweenUs(receipt, subject.peerId)) {
      return undefined;
    }
    const paid = await books.paid(subject.peerId, subject.root);
    if (paid === undefined || !verifyReceipt(signed, "provider")) return undefined;
    return store.transaction(() => {
      const { provider, id } = receipt;
      const before = store.get({ role: "consumer", provider, id });
      // Its way back was cut off: the seller gets what it did not, and asks for the rest later.
      if (before?.peerId === subject.peerId) return writeReceipt(before.signed);
      if (before !== undefined || !this.#isTrue(receipt, subject, paid)) return undefined;
      if (!this.#isOurMoney(receipt, paid)) return undefined;
      const { msat } = store.sums("consumer", subject.peerId);
      if (msat + receipt.msat > paid.msat + TOLERANCE_MSAT) return undefined;
      const both = countersignReceipt(signed, signer);
      store.put({
        role: "consumer",
        peerId: subject.peerId,
        signed: both,
        root: pending.root,
        salt: pending.salt,
      });
      this.#pending.delete(commitment);
      this.#unconfirmed.delete(aboutOf(subject));
      return writeReceipt(both);
    });
  }

  /** Whether it names both of us and no one else. */
  #isBetweenUs(receipt: ByteReceipt, sellerPeerId: string): boolean {
    const { peerId, nostrKeyOf } = this.#options;
    const known = nostrKeyOf?.(sellerPeerId);
    return receipt.consumer === this.#key.toHex() && receipt.consumerPeer === peerId &&
      receipt.providerPeer === sellerPeerId &&
      (known === undefined || receipt.provider === known);
  }

  /** Whether every payment was made by us, at the mint that it is named under, and none counted before. */
  #isOurMoney(receipt: ByteReceipt, paid: Paid): boolean {
    const mintOf = new Map(
      paid.payments.flatMap(({ mint, id, ys }) => [id, ...ys].map((key) => [key, mint] as const)),
    );
    const { store } = this.#options;
    return receipt.unlisted <= paid.payments.length &&
      receipt.payments.every(({ mint, ys, ids }) =>
        [...ys, ...ids].every((key) =>
          mintOf.get(key) === mint && !store.isCounted("consumer", key)
        )
      );
  }

  /** Whether time and bytes are what we counted, as closely as two sides can count. */
  #isTrue(receipt: ByteReceipt, subject: Purchased, paid: Paid): boolean {
    const nowS = this.#options.clock.nowMs() / 1000;
    if (Math.abs(receipt.toS - nowS) > CLOCK_SKEW_S) return false;
    const { store } = this.#options;
    const confirmed = store.sums("consumer", subject.peerId, subject.root).bytes;
    const bytesMax = Math.max(
      this.#unconfirmed.get(aboutOf(subject)) ?? subject.bytes,
      (paid.rootBytes ?? 0) - confirmed,
    );
    return receipt.bytes >= subject.bytes - toleranceOf(subject.bytes) &&
      receipt.bytes <= bytesMax + toleranceOf(bytesMax);
  }
}

function toleranceOf(bytes: number): number {
  return TOLERANCE_BYTES + bytes * TOLERANCE_PERMILLE / 1000;
}

function aboutOf({ peerId, root }: Purchased): string {
  return `${peerId} ${root}`;
}

/** The oldest make room. */
function putBounded<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  if (map.size >= PENDING_MAX) map.delete(map.keys().next().value!);
  map.set(key, value);
}
