/** One stream of `/seedmint/blobs/1` from the provider's side: requests in, answers out, in order. */
import type { Hash } from "../../src/core/hash.ts";
import type { ByteStream, Receipts, Viewer } from "../ports.ts";
import {
  FrameReader,
  type Have,
  HOLDING_BOUNDARIES_MAX,
  HOLDINGS_BOUNDARIES_MAX,
  RECEIPT_LENGTH_MAX,
  type ReceiptAsk,
  type ReceiptMessage,
  REQUEST_MESSAGE_BYTES_MAX,
  type ResponseMessage,
  type Want,
} from "../protocol/mod.ts";
import {
  type Answer,
  answerSeen,
  type ConversationContext,
  notFound,
  type Outcome,
} from "./answer.ts";
import { Inbox, type Request } from "./inbox.ts";
import { BUSY_RETRY_MS, LOOKUPS_PER_TURN } from "./limits.ts";
import { holdingsOf, lookUp } from "./lookup.ts";
import type { Account } from "./metering.ts";
import { Sender } from "./sender.ts";
import { refundAnswer } from "./refunding.ts";
import { Till } from "./till.ts";

/**
 * Serves `stream` until the requester closes it.
 *
 * @param options `over` is aborted once the stream is of no use any more.
 * @throws {SeedmintError} `protocol`, `timeout`, `reset`: the stream is to be aborted.
 */
export async function converse(
  stream: ByteStream,
  context: ConversationContext,
  options: { readonly account: Account; readonly over: AbortController },
): Promise<void> {
  const { clock, metering, gate } = context;
  const { account, over } = options;
  const { signal } = over;
  const sender = new Sender({ stream, account, metering, clock, signal });
  const till = new Till({
    gate,
    account,
    metering,
    clock,
    signal,
    viewer: () => context.fleet.viewerOf(stream.peerId),
    say: (message) => sender.interject(message),
  });
  using inbox = new Inbox({
    reader: new FrameReader(stream, {
      messageBytesMax: REQUEST_MESSAGE_BYTES_MAX,
      isDataAllowed: false,
    }),
    clock,
    firstMs: metering.limits.firstMessageMs,
    idleMs: metering.limits.idleMs,
    onTopUp: (payment) => till.topUp(payment),
    isPaying: () => till.isBusy,
    onFailure: (error) => {
      // An answer under way ends at once, also one that waits for money.
      over.abort(error);
      stream.abort(error);
    },
  });
  const talk = { context, stream, sender, till, account, signal };
  for (let next = await inbox.next(); next !== undefined; next = await inbox.next()) {
    await answerRequest(next, talk);
  }
  await till.settled();
}

/** What the requests of one stream have in common. */
type Talk = Pick<Answer, "context" | "stream" | "sender" | "till" | "account" | "signal">;

async function answerRequest(request: Request, talk: Talk): Promise<void> {
  const { context, stream } = talk;
  const certificate = "certificate" in request ? request.certificate : undefined;
  const viewer = await context.fleet.viewerOf(stream.peerId, certificate);
  switch (request.t) {
    case "want":
      return await answerWant(request, { ...talk, viewer });
    case "have":
      return await answerHave(request, { ...talk, viewer });
    case "receipt-ask":
    case "receipt":
      return await answerReceipt(request, { ...talk, viewer });
    case "refund-ask":
      return await answerRefund({ ...talk, viewer });
  }
}

async function answerHave(
  have: Have,
  options: Pick<Answer, "context" | "sender" | "viewer" | "signal" | "account">,
): Promise<void> {
  const { context, sender, viewer, account, signal } = options;
  const blobs = [];
  let boundariesLeft = HOLDINGS_BOUNDARIES_MAX;
  for (let at = 0; at < have.blobs.length; at += LOOKUPS_PER_TURN) {
    const names = have.blobs.slice(at, at + LOOKUPS_PER_TURN);
    const charged = context.metering.chargeLookups(account, names.length, signal);
    if (charged !== undefined) await charged;
    else if (at > 0) await context.clock.sleep(0, { signal });
    for (const name of names) {
      const holdings = holdingsOf(
        lookUp(context.store, name, viewer),
        name,
        Math.min(boundariesLeft, HOLDING_BOUNDARIES_MAX),
      );
      if (holdings.state === "some") boundariesLeft -= holdings.groups.boundaries.length;
      blobs.push(holdings);
    }
  }
  await sender.message({ t: "holdings", blobs });
}

async function answerWant(
  want: Want,
  options: Omit<Answer, "want" | "record" | "onPaid">,
): Promise<void> {
  const { context, stream, sender, viewer, account, signal } = options;
  const { metering, clock } = context;
  const startedMs = clock.monotonicMs();
  const sentBefore = sender.sentBytes;
  let outcome: Outcome = "reset";
  let hash: Hash | undefined;
  let paid: Parameters<Answer["onPaid"]>[0] | undefined;
  const charged = metering.chargeLookups(account, 1, signal);
  if (charged !== undefined) await charged;
  if (!metering.openRequest(account)) {
    outcome = "busy";
    await sender.message({ t: "denied", code: "busy", retryMs: BUSY_RETRY_MS });
    return;
  }
  const onPaid: Answer["onPaid"] = (told) => {
    paid = told;
  };
  try {
    const record = lookUp(context.store, want, viewer);
    hash = record?.hash;
    outcome = record === undefined
      ? await notFound(sender)
      : await answerSeen({ ...options, want, record, onPaid });
  } finally {
    metering.closeRequest(account);
    context.onServed?.({
      peerId: stream.peerId,
      outcome,
      path: "stream",
      bytes: sender.sentBytes - sentBefore,
      ms: clock.monotonicMs() - startedMs,
      ...(hash === undefined ? {} : { hash }),
      ...paid,
    });
  }
}

/** Signs what was delivered, or keeps what the requester signed in turn. */
async function answerReceipt(
  request: ReceiptAsk | ReceiptMessage,
  options: Pick<Answer, "context" | "sender" | "viewer" | "signal" | "account">,
): Promise<void> {
  const { context: { metering, receipts }, sender, viewer, account, signal } = options;
  const charged = metering.chargeReceipt(account, signal);
  if (charged !== undefined) await charged;
  await sender.message(await receiptAnswer(request, viewer, receipts));
}

async function receiptAnswer(
  request: ReceiptAsk | ReceiptMessage,
  viewer: Viewer,
  receipts: Receipts | undefined,
): Promise<ResponseMessage> {
  try {
    if (request.t === "receipt") {
      const isKept = await receipts?.keep(viewer, request.receipt);
      return isKept === true ? { t: "end" } : { t: "denied", code: "refused" };
    }
    const { root, nostrKey, commitment } = request;
    const receipt = await receipts?.ask(viewer, { root, nostrKey, commitment });
    return receipt === undefined || receipt.length > RECEIPT_LENGTH_MAX
      ? { t: "not-found" }
      : { t: "receipt", receipt };
  } catch {
    return { t: "denied", code: "internal" };
  }
}

/** Pays credit back. Each question may begin work at a mint: they are limited as receipts are. */
async function answerRefund(
  options: Pick<Answer, "context" | "sender" | "viewer" | "signal" | "account">,
): Promise<void> {
  const { context: { metering, gate, clock }, sender, viewer, account, signal } = options;
  const charged = metering.chargeReceipt(account, signal);
  if (charged !== undefined) await charged;
  await sender.message(await refundAnswer(viewer, { gate, clock, signal }));
}
