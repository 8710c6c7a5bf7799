/**
 * The provider's side: signs what its own books say was delivered to a peer and paid by it since the last
 * receipt, and keeps what the peer signed in turn.
 */
import type { Hash } from "../src/core/hash.ts";
import type { Clock, Random } from "../src/core/ports.ts";
import { schnorrPublicKey } from "../src/core/secp256k1.ts";
import type { Delivered, DeliveryBooks } from "./books.ts";
import { evidenceOf } from "./evidence.ts";
import { DRAFT_S } from "./limits.ts";
import { type ByteReceipt, readReceipt, writeReceipt } from "./receipt.ts";
import { type ReceiptSigner, signReceipt, verifyReceipt } from "./receipt_signing.ts";
import type { Draft, ReceiptStore } from "./receipt_store.ts";

/** What a receipt is asked for with; `ReceiptRequest` of the swarm. */
export interface ReceiptQuestion {
  readonly root: Hash;
  /** The consumer's Nostr key, 32 bytes. */
  readonly nostrKey: Uint8Array;
  /** 32 bytes. */
  readonly commitment: Uint8Array;
}

/** Options of {@link ProviderReceipts}. */
export interface ProviderReceiptsOptions {
  readonly store: ReceiptStore;
  readonly books: DeliveryBooks;
  readonly signer: ReceiptSigner;
  /** This node's own. */
  readonly peerId: string;
  readonly clock: Pick<Clock, "nowMs">;
  readonly random: Pick<Random, "bytes">;
}

/** Gives and keeps receipts; the port `Receipts` of the swarm. */
export class ProviderReceipts {
  readonly #options: ProviderReceiptsOptions;
  readonly #key: string;

  constructor(options: ProviderReceiptsOptions) {
    this.#options = options;
    this.#key = schnorrPublicKey(options.signer.secretKey).toHex();
  }

  /**
   * A receipt with our signature for what was delivered and paid since the last one that the viewer
   * signed; undefined when that is nothing. Asking again replaces what was not signed, under the same id.
   *
   * @throws {SeedmintError} `storage`, and what the books throw.
   */
  async ask(
    viewer: { readonly peerId: string },
    question: ReceiptQuestion,
  ): Promise<string | undefined> {
    const consumer = question.nostrKey.toHex();
    if (consumer === this.#key || viewer.peerId === this.#options.peerId) return undefined;
    if (question.nostrKey.length !== 32 || question.commitment.length !== 32) return undefined;
    const { root } = question;
    const delivered = await this.#options.books.delivered(viewer.peerId, root);
    if (delivered === undefined) return undefined;
    return this.#options.store.transaction(() => {
      const draft = this.#draft(viewer.peerId, root, delivered);
      if (draft === undefined) return undefined;
      const { store, signer, peerId } = this.#options;
      const { id, fromS, toS, bytes, msat } = draft;
      const receipt: ByteReceipt = {
        version: 1,
        type: "bytes",
        id,
        provider: this.#key,
        providerPeer: peerId,
        consumer,
        consumerPeer: viewer.peerId,
        commitment: question.commitment.toHex(),
        ...{ fromS, toS, bytes, msat, unit: "sat" },
        ...evidenceOf(delivered.payments, (key) => store.isCounted("provider", key)),
      };
      const text = writeReceipt(signReceipt(receipt, signer));
      store.putDraft(viewer.peerId, root, draft);
      return text;
    });
  }

  /**
   * Keeps a receipt that both signed. True if it is kept, now or before; false if it is none of ours or
   * not about the viewer.
   *
   * @throws {SeedmintError} `storage`
   */
  // deno-lint-ignore require-await
  async keep(viewer: { readonly peerId: string }, text: string): Promise<boolean> {
    const signed = readReceipt(text);
    if (signed === undefined) return false;
    const { receipt } = signed;
    const { store, peerId } = this.#options;
    if (receipt.provider !== this.#key || receipt.providerPeer !== peerId) return false;
    if (receipt.consumerPeer !== viewer.peerId) return false;
    const key = { role: "provider", provider: this.#key, id: receipt.id } as const;
    const before = store.get(key);
    if (before !== undefined) return writeReceipt(before.signed) === text;
    // Our own signature says that these are our words: nobody else can make it.
    if (!verifyReceipt(signed, "both")) return false;
    store.transaction(() => {
      // What came too late was written off, and then nobody knows any more what it is about.
      const root = store.endDraft(receipt.id, receipt);
      store.put({
        role: "provider",
        peerId: viewer.peerId,
        signed,
        ...(root === undefined ? {} : { root }),
      });
    });
    return true;
  }

  /** What the next receipt says, or undefined if there is nothing to say. */
  #draft(peerId: string, root: Hash, delivered: Delivered): Draft | undefined {
    const { store, clock, random } = this.#options;
    const nowS = Math.floor(clock.nowMs() / 1000);
    store.writeOffDrafts(nowS - DRAFT_S);
    const draft = store.draft(peerId, root);
    const covered = store.covered(peerId, root);
    const { bytes, msat } = cappedAt(
      (delivered.peerMsat ?? Infinity) - store.coveredMsat(peerId, root),
      {
        bytes: delivered.bytes - (covered?.bytes ?? 0),
        msat: delivered.msat - (covered?.msat ?? 0),
      },
    );
    if (bytes <= 0 || msat <= 0) return undefined;
    const fromS = Math.min(nowS, draft?.fromS ?? covered?.toS ?? delivered.fromS);
    return {
      id: draft?.id ?? random.bytes(16).toHex(),
      ...{ fromS, toS: nowS, bytes, msat },
      askedS: draft?.askedS ?? nowS,
    };
  }
}

/** No more than `msatMax`, and as many bytes as that is of the price. */
function cappedAt(
  msatMax: number,
  sold: { readonly bytes: number; readonly msat: number },
): { readonly bytes: number; readonly msat: number } {
  if (sold.msat <= msatMax) return sold;
  if (msatMax <= 0 || sold.bytes <= 0) return { bytes: 0, msat: 0 };
  const bytes = Number(BigInt(sold.bytes) * BigInt(msatMax) / BigInt(sold.msat));
  return { bytes, msat: msatMax };
}
