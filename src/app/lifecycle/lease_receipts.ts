/**
 * Receipts for leases, for both sides: what `provisioning` asks for, answered by `trust` from the
 * provider's journal, the lessee's book and the wallet. A receipt that cannot be had is never a reason
 * not to lend or to rent.
 */
import { messageOf } from "../../core/errors.ts";
import { isSha256, type Sha256 } from "../../core/hash.ts";
import type { Clock, Random } from "../../core/ports.ts";
import type { NostrEvent } from "../../nostr/nostr.ts";
import type { EndedLease, LeaseReceipts } from "../../../provisioning/consumer/ports.ts";
import { isOver, type Lease, type Payment, usedMsat } from "../../../provisioning/leases/mod.ts";
import type { ProviderEvent, ReceiptDesk } from "../../../provisioning/provider/mod.ts";
import {
  type ErrorAnswer,
  formatLeaseId,
  leaseNameOf,
  type ReceiptAnswer,
  type ReceiptRequest,
} from "../../../provisioning/wire/mod.ts";
import { lease as trust, type ReceiptSigner, type ReceiptStore } from "../../../trust/mod.ts";
import type { Log } from "../log.ts";

/** What both sides work with. */
interface CommonOptions {
  /** Opened when the first receipt is needed; `NodeReceipts.store`. */
  readonly store: () => Promise<ReceiptStore>;
  readonly signer: ReceiptSigner;
  readonly clock: Clock;
  readonly log: Log;
  /** Publishes on relays; called when both sides let it. */
  readonly publish?: (event: NostrEvent) => Promise<void>;
}

/** Options of {@link LeaseReceiptDesk}. */
export interface LeaseReceiptDeskOptions extends CommonOptions {
  /** Nostr key of the provider, 64 hex digits. */
  readonly provider: string;
  readonly random: Pick<Random, "bytes">;
  /** `LeaseJournal.payments.ofLease`. */
  readonly payments: (lease: number) => readonly Payment[];
  /** Y of each proof of a redeemed payment, by its token's id; `Till.ysOf` of the wallet. */
  readonly ysOf: (tokenId: string) => readonly string[];
}

/** The provider's: give it as `receipts`, and its {@link noteEvent} to `Provider.onEvent`. */
export class LeaseReceiptDesk implements ReceiptDesk {
  readonly #options: LeaseReceiptDeskOptions;
  #leases: Promise<trust.ProviderLeases> | undefined;
  /** Ends that are being written down, one after the other. */
  #writing: Promise<void> = Promise.resolve();

  constructor(options: LeaseReceiptDeskOptions) {
    this.#options = options;
  }

  async answer(
    request: ReceiptRequest,
    lease: Lease,
    options: { readonly signal: AbortSignal },
  ): Promise<ReceiptAnswer | ErrorAnswer> {
    options.signal.throwIfAborted();
    const leaseId = idOf(lease, this.#options.provider);
    if (request.leaseId !== leaseId) return failure("not_found", "There is no such lease here");
    if (!isOver(lease)) {
      return { ...failure("not_ready", "The lease is not over and settled"), retryMs: 30_000 };
    }
    if (lease.creditMsat === 0) return failure("not_found", "Nothing was paid for this lease");
    try {
      const leases = await this.#open();
      leases.lapse();
      const offered = leases.offer(this.#accountOf(lease, leaseId));
      const list = listOf(lease);
      if (request.receipt === undefined) return answerOf(leaseId, offered, list);
      const paper = trust.readLeasePaper(request.receipt);
      if (paper === undefined) return failure("invalid_request", "This is no receipt of a lease");
      const keeping = leases.keep(leaseId, paper);
      if (keeping.status === "refused") return failure("invalid_request", keeping.reason);
      if (offered.state !== "agreed") await publish(keeping.kept, this.#options);
      return answerOf(leaseId, keeping.kept, list);
    } catch (error) {
      this.#options.log("warning", "a receipt of a lease cannot be had", {
        error: messageOf(error),
      });
      // The journal says the same the next time.
      if (error instanceof RangeError) return failure("not_found", "There is no receipt of this");
      return { ...failure("not_ready", "Receipts cannot be had now"), retryMs: 60_000 };
    }
  }

  /** Writes the receipt of a lease that was delivered when it ends, asked for or not. */
  noteEvent(event: ProviderEvent): void {
    if (event.type === "lease") this.noteLeases([event.lease]);
  }

  /** As {@link noteEvent}, for leases that ended while nobody listened. */
  noteLeases(leases: readonly Lease[]): void {
    const ended = leases.filter((lease) =>
      isOver(lease) && lease.readyMs !== undefined && lease.creditMsat > 0
    );
    if (ended.length === 0) return;
    this.#writing = this.#writing.then(async () => {
      const book = await this.#open();
      for (const lease of ended) this.#write(lease, book);
      book.lapse();
    }).catch((error) => this.#noteUnwritten(error));
  }

  /** One that cannot be said is no reason not to write the others. */
  #write(lease: Lease, book: trust.ProviderLeases): void {
    try {
      book.offer(this.#accountOf(lease, idOf(lease, this.#options.provider)));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#noteUnwritten(error);
    }
  }

  #noteUnwritten(error: unknown): void {
    this.#options.log("warning", "a receipt of a lease cannot be written", {
      error: messageOf(error),
    });
  }

  /** Resolves when all that was noted is written. */
  async idle(): Promise<void> {
    await this.#writing;
  }

  #open(): Promise<trust.ProviderLeases> {
    const { store, signer, clock, random } = this.#options;
    return this.#leases ??= store()
      .then((store) => new trust.ProviderLeases({ store, signer, clock, random }))
      .catch((error) => {
        this.#leases = undefined;
        throw error;
      });
  }

  #accountOf(lease: Lease, leaseId: string): trust.ProviderAccount {
    const { payments, ysOf, clock } = this.#options;
    const { terms: { spec }, readyMs, ending, refund } = lease;
    const isFailure = readyMs === undefined;
    const error = isFailure ? errorIn(ending?.error) : undefined;
    // A top-up that came too late went back by itself, and was no credit.
    const counted = payments(lease.number).filter((payment) =>
      payment.status === "redeemed" && payment.outcome?.status !== "returned"
    );
    return {
      lease: leaseId,
      consumer: lease.owner,
      tier: {
        id: spec.id,
        cpuMillicores: spec.cpuMillicores,
        memoryMb: spec.memoryMb,
        diskMb: spec.diskMb,
        msatPerS: spec.rateMsatPerS,
      },
      ...(lease.imageDigest === undefined ? {} : { image: lease.imageDigest }),
      fromS: Math.floor((readyMs ?? lease.createdMs) / 1000),
      toS: Math.max(
        Math.floor((ending?.atMs ?? lease.changedMs) / 1000),
        Math.floor((readyMs ?? lease.createdMs) / 1000),
      ),
      msat: isFailure ? 0 : usedMsat(lease, clock.nowMs()),
      paidMsat: lease.creditMsat,
      refundSat: refund?.status === "refunded" ? refund.amountSat : 0,
      payments: counted.map(({ tokenId, mint }) => ({
        mint,
        id: paymentIdOf(tokenId),
        ys: ysOf(tokenId),
      })),
      ending: isFailure ? "failed" : ending?.reason ?? "expired",
      ...(error === undefined ? {} : { error }),
    };
  }
}

/** Options of {@link LesseeReceipts}. */
export interface LesseeReceiptsOptions extends CommonOptions {
  /** What a token that was handed over is named by; `tokenEvidence` of the wallet. */
  readonly evidenceOf: (
    token: string,
  ) => { readonly mint: string; readonly id: string; readonly ys: readonly string[] } | undefined;
  /** Manifests in a list of images for several platforms; undefined if it is not here. */
  readonly platformsIn?: (list: Sha256) => Promise<readonly Sha256[] | undefined>;
}

/** The lessee's: give it as `receipts`. */
export class LesseeReceipts implements LeaseReceipts {
  readonly #options: LesseeReceiptsOptions;

  constructor(options: LesseeReceiptsOptions) {
    this.#options = options;
  }

  async ended(lease: EndedLease, options: Parameters<LeaseReceipts["ended"]>[1]): Promise<void> {
    options.signal.throwIfAborted();
    // Nobody signs a receipt for himself.
    if (lease.provider === lease.owner) return;
    const { store, signer, clock, log } = this.#options;
    const leases = new trust.LesseeLeases({ store: await store(), signer, clock });
    try {
      const account = await this.#accountOf(lease);
      const kept = await leases.conclude(account, async (paper) => {
        const answer = await options.exchange(paper && trust.writeLeasePaper(paper));
        if (answer.type === "receipt") {
          return { status: "paper", paper: trust.readLeasePaper(answer.receipt) };
        }
        return answer.retryMs === undefined
          ? { status: "refused", reason: `the provider gives no receipt: ${answer.error}` }
          : { status: "later", retryMs: answer.retryMs };
      });
      await publish(kept, this.#options);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      // The book says the same the next time.
      log("warning", "no receipt can say what the book has of a lease", {
        lease: lease.id,
        error: messageOf(error),
      });
    }
  }

  async #accountOf(lease: EndedLease): Promise<trust.LesseeAccount> {
    const { platformsIn } = this.#options;
    const account = accountOf(lease, this.#options);
    const imagePlatforms = account.image && await platformsIn?.(account.image);
    return imagePlatforms === undefined ? account : { ...account, imagePlatforms };
  }
}

function accountOf(lease: EndedLease, options: LesseeReceiptsOptions): trust.LesseeAccount {
  const { spec, readyMs, endedMs } = lease;
  const endS = Math.floor(endedMs / 1000);
  return {
    ...(lease.leaseId === undefined ? {} : { lease: lease.leaseId }),
    request: trust.leaseReceiptIdOf(lease.id),
    provider: lease.provider,
    tier: {
      id: spec.id,
      cpuMillicores: spec.cpuMillicores,
      memoryMb: spec.memoryMb,
      msatPerS: spec.rateMsatPerS,
      ...(spec.diskMb === undefined ? {} : { diskMb: spec.diskMb }),
    },
    ...(lease.imageDigest === undefined ? {} : { image: lease.imageDigest }),
    ...(readyMs === undefined ? {} : { readyS: Math.floor(readyMs / 1000) }),
    endS,
    payments: lease.payments.map(({ paymentId, mint, amountSat, token, outcome }) => {
      const found = token === undefined ? undefined : options.evidenceOf(token);
      return {
        mint: found?.mint ?? mint ?? "",
        id: paymentIdOf(found?.id ?? trust.leaseReceiptIdOf(paymentId)),
        ys: found?.ys ?? [],
        amountSat,
        outcome,
      };
    }),
    refundedSat: lease.refundedSat,
    ending: endingOf(lease),
  };
}

function endingOf({ reason, leaseId }: EndedLease): trust.LesseeAccount["ending"] {
  switch (reason) {
    case "refunded":
      return "failed";
    case "unserved":
    case "robbed":
      return leaseId === undefined ? "unanswered" : "failed";
    default:
      return reason;
  }
}

async function publish(
  { signed, state }: trust.KeptLeaseReceipt,
  options: CommonOptions,
): Promise<void> {
  if (state !== "agreed" || options.publish === undefined) return;
  const { secretKey } = options.signer;
  const event = trust.leasePublicationOf(signed, { secretKey, nowMs: options.clock.nowMs() });
  if (event === undefined) return;
  try {
    await options.publish(event);
  } catch (error) {
    options.log("warning", "a receipt of a lease cannot be published", {
      error: messageOf(error),
    });
  }
}

/** A receipt names a payment by the first half of its token's id. */
function paymentIdOf(tokenId: string): string {
  return tokenId.slice(0, 32);
}

function idOf(lease: Lease, provider: string): string {
  const createdAtS = Math.floor(lease.createdMs / 1000);
  return formatLeaseId({ provider, lease: leaseNameOf(lease.number), createdAtS });
}

/** The digest that a lease's image was named by, where its manifest has another. */
function listOf({ terms: { image }, imageDigest }: Lease): Sha256 | undefined {
  const named = /@sha256:(.*)$/.exec(image)?.[1];
  return isSha256(named) && named !== imageDigest ? named : undefined;
}

function answerOf(
  leaseId: string,
  { signed, image, salt }: trust.KeptLeaseReceipt,
  list: Sha256 | undefined,
): ReceiptAnswer {
  const opening = image !== undefined && salt !== undefined
    ? { digest: image, salt, ...(list === undefined ? {} : { list }) }
    : undefined;
  const paper = { signed, ...(opening === undefined ? {} : { opening }) };
  return { type: "receipt", leaseId, receipt: trust.writeLeasePaper(paper) };
}

function errorIn(text: string | undefined): string | undefined {
  return text !== undefined && /^[a-z_]{1,40}$/.test(text) ? text : undefined;
}

function failure(error: ErrorAnswer["error"], message: string): ErrorAnswer {
  return { type: "error", error, message };
}
