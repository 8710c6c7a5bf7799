/** Takes the ranges of one blob off one answer and puts them into the store. */
import { SeedmintError } from "../../src/core/errors.ts";
import type { RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES } from "../bao/geometry.ts";
import { encodedSize, truncateRanges } from "../bao/mod.ts";
import { narrowedAttributes } from "../narrowing.ts";
import type { SourceFetch } from "../ports.ts";
import type { Granted } from "../protocol/mod.ts";
import type { BlobAttributes, BlobStore, IngestOptions } from "../store/blob_store.ts";
import type { Grant } from "./asking.ts";
import type { Cancellation } from "./cancellation.ts";
import { refusalOf } from "./failure.ts";
import type { Line } from "./line.ts";

/** Options of {@link receiveBlob}. */
export interface ReceiveBlobOptions {
  readonly line: Line;
  readonly cancel: Cancellation;
  readonly store: BlobStore;
  readonly request: SourceFetch;
  readonly grant: Grant;
  /** What was asked for. */
  readonly ranges: RangeSet;
  /** Whether the want allowed the direct path. */
  readonly isDirectAsked: boolean;
}

/**
 * Reads what was granted of a blob to its end.
 *
 * @returns Payload bytes received; undefined when the grant leads to the direct path instead.
 * @throws {SeedmintError} what the answer says or breaks; `not-found` if it covers less than asked.
 */
export async function receiveBlob(options: ReceiveBlobOptions): Promise<number | undefined> {
  const { line, cancel, store, request, ranges, grant } = options;
  const { granted, charge } = grant;
  const { asked, sent } = checkGrant(granted, request, ranges);
  request.onGranted?.(granted.size);
  if (granted.direct !== undefined) {
    if (!options.isDirectAsked) {
      throw new SeedmintError("protocol", "it led to a path not asked for");
    }
    const end = await line.nextMessage();
    if (end.t !== "end") throw refusalOf(end);
    return undefined;
  }
  using _watch = charge?.watch(cancel);
  let leftBytes = encodedSize(granted.size, sent);
  let receivedBytes = 0;
  await using ingest = await store.ingestEncoded(request.hash, sent, {
    ...attributesOf(store, granted, request),
    size: granted.size,
    ...watchedBy(request, { grant, signal: cancel.signal }),
  });
  while (true) {
    const frame = await line.next();
    if (frame instanceof Uint8Array) {
      leftBytes -= frame.length;
      if (leftBytes < 0) throw new SeedmintError("protocol", "it sent more than it granted");
      receivedBytes += frame.length;
      request.onReceived?.(frame.length);
      charge?.received(frame.length);
      const room = ingest.push(frame);
      line.release(frame); // push() made a copy
      if (room !== undefined) await cancel.wait(room);
    } else if (frame.t === "end") break;
    else if (frame.t === "low") charge?.told(frame.creditMsat);
    else throw refusalOf(frame);
  }
  if (leftBytes > 0) throw new SeedmintError("protocol", "it ended before all was sent");
  await cancel.wait(ingest.finish());
  if (!sent.includes(asked)) {
    throw new SeedmintError(
      "not-found",
      `it holds ${sent.count} of ${asked.count} groups asked for`,
    );
  }
  return receivedBytes;
}

/** What was asked and what will come, once the grant is not absurd. */
export function checkGrant(
  granted: Granted,
  request: SourceFetch,
  ranges: RangeSet,
): { readonly asked: RangeSet; readonly sent: RangeSet } {
  if (request.size !== undefined && granted.size !== request.size) {
    throw new SeedmintError(
      "corrupt",
      `it claims ${granted.size} bytes, and ${request.size} are proven`,
    );
  }
  const asked = truncateRanges(ranges, granted.size);
  const sent = granted.ranges ?? asked;
  if (sent.isEmpty || !asked.includes(sent)) {
    throw new SeedmintError("protocol", "it granted other ranges than were asked for");
  }
  return { asked, sent };
}

/**
 * How an ingest ends and whom it tells of verified groups: the caller, and whoever counts what they
 * cost. What was paid for and came before the caller gave up is verified to its end, since the seller
 * has counted it.
 */
export function watchedBy(
  request: SourceFetch,
  { grant, signal }: { readonly grant: Grant; readonly signal: AbortSignal },
): Pick<IngestOptions, "signal" | "onVerified"> {
  const { onVerified } = request;
  const { granted: { size }, charge } = grant;
  if (charge === undefined) return { signal, ...(onVerified === undefined ? {} : { onVerified }) };
  return {
    onVerified: (groups) => {
      const end = Math.min(groups.end * GROUP_BYTES, size);
      charge.verified(end - groups.start * GROUP_BYTES);
      if (!signal.aborted) onVerified?.(groups);
    },
  };
}

/** What the store is told: the caller's word, and else what the provider asks for. */
export function attributesOf(
  store: Pick<BlobStore, "status">,
  granted: Granted,
  request: SourceFetch,
): BlobAttributes {
  const { visibility } = granted;
  return narrowedAttributes(store, { hash: request.hash, visibility }, request.attributes);
}
