/** The body of one answer on the direct path: the encoding, rate limited, and metered if it costs. */
import { type Bytes, freeBytes } from "../../src/core/bytes.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { RangeSet } from "../../src/core/range_set.ts";
import type { Gate, Meter, Viewer } from "../ports.ts";
import { MeteredSending } from "../provider/metered_sending.ts";
import type { Metering } from "../provider/metering.ts";
import type { BlobReader, BlobRecord } from "../store/blob_store.ts";
import type { DirectSession } from "./sessions.ts";

/** What serving a session costs now. */
export type Price =
  | { readonly kind: "free" }
  /** At the price that the session was granted for. */
  | { readonly kind: "paid"; readonly openMeter: () => Meter }
  /** No more, or not on these terms. */
  | { readonly kind: "refused" };

/**
 * Decides again what the requester was granted: the price may have changed since, or the credit ended.
 * A gate that fails refuses.
 */
export async function priceOf(
  gate: Gate | undefined,
  session: Pick<DirectSession, "viewer" | "hash" | "priceMsatPerMiB">,
  groups: RangeSet,
): Promise<Price> {
  const { viewer, hash: root, priceMsatPerMiB } = session;
  if (gate === undefined) return { kind: "free" };
  try {
    if (gate.isFree?.(root) === true) return { kind: "free" };
    const decided = await gate.decide({ viewer, root, groups });
    if (decided.decision === "free") return { kind: "free" };
    const isSame = decided.decision === "pay" && decided.priceMsatPerMiB === priceMsatPerMiB;
    if (!isSame || gate.openMeter === undefined) return { kind: "refused" };
    if (!((gate.creditOf?.(viewer) ?? 0) > 0)) return { kind: "refused" };
    return { kind: "paid", openMeter: () => gate.openMeter!({ viewer, root, priceMsatPerMiB }) };
  } catch {
    return { kind: "refused" };
  }
}

/** Options of {@link sendBody}. */
export interface BodyOptions {
  readonly reader: BlobReader;
  readonly record: Pick<BlobRecord, "size">;
  readonly ranges: RangeSet;
  readonly viewer: Viewer;
  /** The credit of the viewer, when the bytes cost something. It is closed at the end. */
  readonly meter: Meter | undefined;
  readonly metering: Metering;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** Is written first. */
  readonly head: Uint8Array;
  /** Kept up to date, also when sending fails. */
  readonly sent: { bytes: number; paidBytes: number };
}

/**
 * Sends the encoding of `ranges`.
 *
 * @throws {AnswerFailure} when the credit ended and none came, or the meter failed; what `write` throws.
 */
export async function sendBody(options: BodyOptions): Promise<void> {
  const { reader, record, ranges, meter, metering, clock, signal, sent } = options;
  const account = metering.of(options.viewer.peerId);
  const send = async (part: Bytes) => {
    for (let at = 0; at < part.length; at += metering.sliceBytes) {
      const slice = part.subarray(at, at + metering.sliceBytes);
      const charged = metering.charge(account, slice.length, signal);
      if (charged !== undefined) await charged;
      sent.bytes += slice.length;
      await options.write(slice);
    }
  };
  if (meter === undefined) {
    await options.write(options.head);
    for await (const piece of reader.encode(ranges, { signal })) {
      await send(piece);
      freeBytes(piece);
    }
    return;
  }
  const sink = { sentBytes: () => sent.bytes, write: send, flush: () => Promise.resolve() };
  const metered = new MeteredSending({ meter, sink, metering, account, clock, signal });
  try {
    await options.write(options.head);
    metered.begin(record.size, ranges);
    for await (const piece of reader.encode(ranges, { signal })) {
      await metered.piece(piece);
      freeBytes(piece);
    }
  } finally {
    await metered[Symbol.asyncDispose]();
    sent.paidBytes = metered.chargedBytes;
  }
}
