/**
 * Making private messages. A message of NIP-17 is a rumor (kind 14, unsigned), in a seal (kind 13,
 * encrypted and signed by the sender), in a gift wrap (kind 1059, encrypted and signed with a key that
 * is used once); seal and wrap are dated up to two days back, so that relays learn no times (NIP-59).
 */
import { SeedmintError } from "../../core/errors.ts";
import { type Clock, type Random, randomBelow } from "../../core/ports.ts";
import {
  conversationKeyOf,
  encryptNip04,
  eventIdOf,
  type NostrEvent,
  nostrPublicKey,
  sealText,
  signEvent,
} from "../nostr.ts";
import { PRIVATE_LIMITS } from "./limits.ts";
import {
  KIND_CHAT,
  KIND_GIFT_WRAP,
  KIND_NIP04,
  KIND_SEAL,
  type OutgoingMessage,
} from "./message.ts";

/** What a sender needs. */
export interface PrivateSender {
  /** 32 bytes. */
  readonly secretKey: Uint8Array;
  readonly clock: Pick<Clock, "nowMs">;
  readonly random: Random;
}

/** A message that is ready to be published, as often as it takes: the same event is the same message. */
export interface BuiltMessage {
  /** What the recipient will know it by; see {@link PrivateMessage}. */
  readonly id: string;
  readonly event: NostrEvent;
}

const TWO_DAYS_S = 2 * 24 * 3600;

/**
 * Encrypts and signs a message.
 *
 * @throws {SeedmintError} `invalid` if the text is empty or too long, or the recipient's key is none.
 */
export async function buildPrivate(
  message: OutgoingMessage,
  sender: PrivateSender,
): Promise<BuiltMessage> {
  checkSize(message.text);
  try {
    return message.kind === "nip17" ? wrap(message, sender) : await direct(message, sender);
  } catch (cause) {
    throw new SeedmintError(
      "invalid",
      `Cannot encrypt a message to ${
        message.recipient.slice(0, 8)
      }…: it is no Nostr key; check the address`,
      { cause },
    );
  }
}

/** How much of {@link PrivateLimits.sentBytesMax} a text takes. */
export function privateSizeOf(text: string): number {
  return new TextEncoder().encode(JSON.stringify(text)).length;
}

function checkSize(text: string): void {
  const bytes = privateSizeOf(text);
  if (text !== "" && bytes <= PRIVATE_LIMITS.sentBytesMax) return;
  throw new SeedmintError(
    "invalid",
    `Cannot send a private message of ${bytes} bytes: 1 to ${PRIVATE_LIMITS.sentBytesMax} fit; shorten it`,
  );
}

async function direct(message: OutgoingMessage, sender: PrivateSender): Promise<BuiltMessage> {
  const { recipient, text } = message;
  const event = signEvent({
    kind: KIND_NIP04,
    created_at: nowS(sender),
    tags: [["p", recipient], ["alt", "Private Message"]],
    content: await encryptNip04(text, { secretKey: sender.secretKey, publicKey: recipient }),
  }, sender.secretKey);
  return { id: event.id, event };
}

function wrap(message: OutgoingMessage, sender: PrivateSender): BuiltMessage {
  const { secretKey, random } = sender;
  const { recipient } = message;
  const unsigned = {
    pubkey: nostrPublicKey(secretKey),
    kind: KIND_CHAT,
    created_at: nowS(sender),
    tags: [["p", recipient]],
    content: message.text,
  };
  const rumor = { id: eventIdOf(unsigned), ...unsigned };
  const seal = signEvent({
    kind: KIND_SEAL,
    created_at: backdated(sender),
    tags: [],
    content: sealText(
      JSON.stringify(rumor),
      conversationKeyOf(secretKey, recipient),
      random.bytes(32),
    ),
  }, secretKey);
  const onceKey = random.bytes(32);
  const event = signEvent({
    kind: KIND_GIFT_WRAP,
    created_at: backdated(sender),
    tags: [["p", recipient]],
    content: sealText(
      JSON.stringify(seal),
      conversationKeyOf(onceKey, recipient),
      random.bytes(32),
    ),
  }, onceKey);
  return { id: rumor.id, event };
}

function nowS(sender: PrivateSender): number {
  return Math.floor(sender.clock.nowMs() / 1000);
}

function backdated(sender: PrivateSender): number {
  return nowS(sender) - randomBelow(sender.random, TWO_DAYS_S);
}
