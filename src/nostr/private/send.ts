/** Sending private messages. */
import type { PublishReport, RelayPool } from "../relay_pool.ts";
import { buildPrivate, type BuiltMessage, type PrivateSender } from "./build.ts";
import type { OutgoingMessage } from "./message.ts";

/** Options of {@link sendPrivate}. */
export interface SendOptions extends PrivateSender {
  readonly pool: Pick<RelayPool, "publish">;
  readonly signal?: AbortSignal;
  /** How long further relays may still answer once one has the message. @default {500} */
  readonly graceMs?: number;
}

/** A message that was given to relays; published when `report.acceptedCount` is above 0. */
export interface SentMessage extends BuiltMessage {
  readonly report: PublishReport;
}

/**
 * Encrypts a message and gives it to the relays. To give it again, publish the same `event`: built anew
 * it would be another message.
 *
 * @throws {SeedmintError} `invalid`, as {@link buildPrivate}; `signal.reason` once aborted.
 */
export async function sendPrivate(
  message: OutgoingMessage,
  options: SendOptions,
): Promise<SentMessage> {
  const built = await buildPrivate(message, options);
  const report = await options.pool.publish(built.event, {
    graceMs: options.graceMs ?? 500,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  return { ...built, report };
}
