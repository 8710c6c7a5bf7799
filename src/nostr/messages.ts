/** The messages of NIP-01 and NIP-42, read strictly: arrays of JSON, one per WebSocket message. */

/** What a relay says to a client. */
export type RelayMessage =
  | { readonly type: "EVENT"; readonly subscription: string; readonly event: unknown }
  | { readonly type: "EOSE"; readonly subscription: string }
  | { readonly type: "CLOSED"; readonly subscription: string; readonly reason: string }
  | {
    readonly type: "OK";
    readonly id: string;
    readonly accepted: boolean;
    readonly reason: string;
  }
  | { readonly type: "NOTICE"; readonly text: string }
  | { readonly type: "AUTH"; readonly challenge: string };

/** What a client says to a relay. */
export type ClientMessage =
  | { readonly type: "EVENT"; readonly event: unknown }
  | { readonly type: "REQ"; readonly subscription: string; readonly filters: readonly unknown[] }
  | { readonly type: "CLOSE"; readonly subscription: string }
  | { readonly type: "AUTH"; readonly event: unknown };

/** The longest name a client may give a subscription (NIP-01). */
export const SUBSCRIPTION_CHARS_MAX = 64;

const CHALLENGE_CHARS_MAX = 256;
const REASON_CHARS_MAX = 300;

/** Reads a message of a relay; undefined if it is none. Never throws. */
export function readRelayMessage(text: string): RelayMessage | undefined {
  const message = parseArray(text);
  if (message === undefined) return undefined;
  const [type, second, third, fourth] = message;
  if (typeof second !== "string") return undefined;
  switch (type) {
    case "EVENT":
      return { type, subscription: second, event: third };
    case "EOSE":
      return { type, subscription: second };
    case "CLOSED":
      return { type, subscription: second, reason: reasonOf(third) };
    case "OK":
      if (typeof third !== "boolean") return undefined;
      return { type, id: second, accepted: third, reason: reasonOf(fourth) };
    case "NOTICE":
      return { type, text: reasonOf(second) };
    case "AUTH":
      return second.length <= CHALLENGE_CHARS_MAX ? { type, challenge: second } : undefined;
    default:
      return undefined;
  }
}

/** Reads a message of a client; a string says what is wrong with it. Never throws. */
export function readClientMessage(text: string): ClientMessage | string {
  const message = parseArray(text);
  if (message === undefined) return "a message must be a JSON array";
  const [type, second] = message;
  switch (type) {
    case "EVENT":
    case "AUTH":
      if (message.length !== 2) return `${type} takes one event`;
      return { type, event: second };
    case "REQ":
    case "CLOSE":
      if (
        typeof second !== "string" || second === "" || second.length > SUBSCRIPTION_CHARS_MAX
      ) {
        return `a subscription is named by 1 to ${SUBSCRIPTION_CHARS_MAX} characters`;
      }
      if (type === "CLOSE") return { type, subscription: second };
      if (message.length < 3) return "REQ takes at least one filter";
      return { type, subscription: second, filters: message.slice(2) };
    default:
      return "unknown message type";
  }
}

/** The machine-readable word before the colon of an answer: `rate-limited`, `blocked`, … */
export function reasonPrefix(reason: string): string {
  return /^([a-z-]{1,32}):/.exec(reason)?.[1] ?? "";
}

function parseArray(text: string): unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A relay's words, cut and without control characters, as people may see them. */
function reasonOf(value: unknown): string {
  if (typeof value !== "string") return "";
  // deno-lint-ignore no-control-regex
  return value.slice(0, REASON_CHARS_MAX).replace(/[\u0000-\u001f\u007f-\u009f]/g, " ");
}
