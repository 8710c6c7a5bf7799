/** What a relay says of its own limits (NIP-11), read with limits of ours. */
import type { Clock } from "../core/ports.ts";
import type { PoolLimits } from "./limits.ts";
import { informationUrl } from "./relay_url.ts";

/** Limits of one relay; what it does not say is undefined. */
export interface RelayInformation {
  readonly messageBytesMax?: number;
  readonly subscriptionCountMax?: number;
  readonly filterCountMax?: number;
  readonly limitMax?: number;
  readonly tagCountMax?: number;
  readonly contentCharsMax?: number;
  /** Leading zero bits that an event id must have (NIP-13). */
  readonly powBitsMin?: number;
}

/**
 * Asks a relay for its limits.
 *
 * @returns What it says; nothing if it does not answer in time or not readably. Never throws.
 */
export async function fetchRelayInformation(
  relayUrl: string,
  options: { readonly limits: PoolLimits; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<RelayInformation> {
  const deadline = new AbortController();
  const cancel = options.clock.timer(options.limits.informationMs, () => deadline.abort());
  try {
    const response = await fetch(informationUrl(relayUrl), {
      headers: { accept: "application/nostr+json" },
      redirect: "manual",
      signal: AbortSignal.any([options.signal, deadline.signal]),
    });
    const text = await readText(response, options.limits.informationBytesMax);
    return text === undefined ? {} : readRelayInformation(text);
  } catch {
    return {};
  } finally {
    cancel();
  }
}

/** Reads the document; anything unreadable in it counts as not said. Never throws. */
export function readRelayInformation(text: string): RelayInformation {
  let limitation: unknown;
  try {
    limitation = (JSON.parse(text) as { limitation?: unknown } | null)?.limitation;
  } catch {
    return {};
  }
  if (typeof limitation !== "object" || limitation === null) return {};
  const information: Record<string, number> = {};
  for (const [theirs, ours] of FIELDS) {
    const value = (limitation as Record<string, unknown>)[theirs];
    // A limit of 0 would mean that the relay is of no use; such documents exist by mistake.
    if (typeof value === "number" && Number.isSafeInteger(value) && value > 0) {
      information[ours] = value;
    }
  }
  return information;
}

const FIELDS: readonly (readonly [string, keyof RelayInformation])[] = [
  ["max_message_length", "messageBytesMax"],
  ["max_subscriptions", "subscriptionCountMax"],
  ["max_filters", "filterCountMax"],
  ["max_limit", "limitMax"],
  ["max_event_tags", "tagCountMax"],
  ["max_content_length", "contentCharsMax"],
  ["min_pow_difficulty", "powBitsMin"],
];

async function readText(response: Response, bytesMax: number): Promise<string | undefined> {
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    return undefined;
  }
  const parts: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop early cancels the body.
  for await (const part of response.body) {
    size += part.length;
    if (size > bytesMax) return undefined;
    parts.push(part);
  }
  return await new Blob(parts as Uint8Array<ArrayBuffer>[]).text();
}
