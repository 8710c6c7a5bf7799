/** One stream of `/seedmint/blobs/1` from the provider's side: requests in, answers out, in order. */
import { SeedmintError } from "../../src/core/errors.ts";
import type { Hash } from "../../src/core/hash.ts";
import type { ByteStream } from "../ports.ts";
import {
  FrameReader,
  type Have,
  HOLDING_BOUNDARIES_MAX,
  HOLDINGS_BOUNDARIES_MAX,
  REQUEST_MESSAGE_BYTES_MAX,
  type Want,
} from "../protocol/mod.ts";
import {
  type Answer,
  answerSeen,
  type ConversationContext,
  notFound,
  type Outcome,
} from "./answer.ts";
import { withDeadline } from "./deadline.ts";
import { BUSY_RETRY_MS, LOOKUPS_PER_TURN } from "./limits.ts";
import { holdingsOf, lookUp } from "./lookup.ts";
import type { Account } from "./metering.ts";
import { Sender } from "./sender.ts";

/**
 * Serves `stream` until the requester closes it.
 *
 * @throws {SeedmintError} `protocol`, `timeout`, `reset`: the stream is to be aborted.
 */
export async function converse(
  stream: ByteStream,
  context: ConversationContext,
  options: { readonly account: Account; readonly signal: AbortSignal },
): Promise<void> {
  const { clock, metering } = context;
  const { account, signal } = options;
  const sender = new Sender({ stream, account, metering, clock, signal });
  const reader = new FrameReader(stream, {
    messageBytesMax: REQUEST_MESSAGE_BYTES_MAX,
    isDataAllowed: false,
  });
  let patienceMs = metering.limits.firstMessageMs;
  while (true) {
    const message = await withDeadline(reader.next(), {
      clock,
      ms: patienceMs,
      onLate: () => stream.abort(new SeedmintError("timeout", "The requester sent nothing")),
    });
    if (message === undefined) return;
    patienceMs = metering.limits.idleMs;
    if (message instanceof Uint8Array || (message.t !== "want" && message.t !== "have")) {
      throw new SeedmintError("protocol", "A requester sent what only a provider may, or too late");
    }
    const viewer = await context.fleet.viewerOf(stream.peerId, message.certificate);
    if (message.t === "have") {
      await answerHave(message, { context, sender, viewer, account, signal });
    } else await answerWant(message, { context, stream, sender, viewer, account, signal });
  }
}

async function answerHave(
  have: Have,
  options: Pick<Answer, "context" | "sender" | "viewer" | "signal"> & { readonly account: Account },
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
  options: Omit<Answer, "want" | "record"> & { readonly account: Account },
): Promise<void> {
  const { context, stream, sender, viewer, account, signal } = options;
  const { metering, clock } = context;
  const startedMs = clock.monotonicMs();
  const sentBefore = sender.sentBytes;
  let outcome: Outcome = "reset";
  let hash: Hash | undefined;
  const charged = metering.chargeLookups(account, 1, signal);
  if (charged !== undefined) await charged;
  if (!metering.openRequest(account)) {
    outcome = "busy";
    await sender.message({ t: "denied", code: "busy", retryMs: BUSY_RETRY_MS });
  } else {
    try {
      const record = lookUp(context.store, want, viewer);
      hash = record?.hash;
      outcome = record === undefined
        ? await notFound(sender)
        : await answerSeen({ context, stream, sender, signal, want, viewer, record });
    } finally {
      metering.closeRequest(account);
      context.onServed?.({
        peerId: stream.peerId,
        outcome,
        path: "stream",
        bytes: sender.sentBytes - sentBefore,
        ms: clock.monotonicMs() - startedMs,
        ...(hash === undefined ? {} : { hash }),
      });
    }
  }
}
