/**
 * A ticket: one string that says which blob or collection to fetch and where to begin asking.
 *
 * `seedmint:` and, in base64url without padding, the canonical CBOR of a map: `v` version 1, `h` the 32 bytes of the
 * BLAKE3 hash, and optional `s` size, `k` 1 for a collection, `n` name, `p` peers as
 * `[peer id, [multiaddrs]]`, `r` relay URLs. Multiaddrs need no `/p2p/` and the peer id at their
 * end. A stranger wrote it: everything but the hash is a hint.
 */
import { decodeCbor, encodeCbor } from "../core/cbor.ts";
import { type Hash, HASH_BYTES, hashFromBytes, hashToBytes } from "../core/hash.ts";
import type { PeerAddress } from "../../swarm/ports.ts";
import { isPeerId } from "../../swarm/net/peer_id.ts";

/** What every ticket begins with. */
export const TICKET_PREFIX = "seedmint:";

/** The most characters of a ticket: what one QR code can carry is less, a command line takes more. */
export const TICKET_CHARS_MAX = 8192;
/** The most peers, addresses of one peer, and relays in a ticket. */
export const TICKET_PEERS_MAX = 16;
export const TICKET_ADDRS_MAX = 8;
export const TICKET_RELAYS_MAX = 8;
/** The most characters of an address, a relay URL and a name. */
export const TICKET_TEXT_MAX = 512;
const NAME_MAX = 255;

/** What a ticket says. */
export interface Ticket {
  readonly hash: Hash;
  readonly kind: "blob" | "collection";
  readonly size?: number;
  readonly name?: string;
  readonly peers: readonly PeerAddress[];
  readonly relays: readonly string[];
}

/** The one string; what exceeds a limit is left out, addresses in their given order. */
export function encodeTicket(ticket: Ticket): string {
  const peers = ticket.peers.slice(0, TICKET_PEERS_MAX).map(({ peerId, addrs }) => [
    peerId,
    shortAddrs(peerId, addrs).slice(0, TICKET_ADDRS_MAX),
  ]);
  const relays = ticket.relays.filter((url) => url.length <= TICKET_TEXT_MAX)
    .slice(0, TICKET_RELAYS_MAX);
  const bytes = encodeCbor({
    v: 1,
    h: hashToBytes(ticket.hash),
    ...(ticket.size === undefined ? {} : { s: ticket.size }),
    ...(ticket.kind === "collection" ? { k: 1 } : {}),
    ...(ticket.name && ticket.name.length <= NAME_MAX ? { n: ticket.name } : {}),
    ...(peers.length > 0 ? { p: peers } : {}),
    ...(relays.length > 0 ? { r: relays } : {}),
  });
  return TICKET_PREFIX + bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

/** Addresses without the peer id that the ticket names beside them; it is half of their length. */
function shortAddrs(peerId: string, addrs: readonly string[]): readonly string[] {
  const suffix = `/p2p/${peerId}`;
  const short = addrs.map((addr) => addr.endsWith(suffix) ? addr.slice(0, -suffix.length) : addr);
  return [...new Set(short)].filter((addr) => addr !== "" && addr.length <= TICKET_TEXT_MAX);
}

/** Whether `text` means to be a ticket. */
export function isTicketLike(text: string): boolean {
  return text.trim().toLowerCase().startsWith(TICKET_PREFIX);
}

/**
 * Reads what a user pasted.
 *
 * @throws {SyntaxError} If it is anything but what {@link encodeTicket} can have made.
 */
export function decodeTicket(text: string): Ticket {
  const trimmed = text.trim();
  if (!isTicketLike(trimmed)) fail(`it does not begin with ${TICKET_PREFIX}`);
  if (trimmed.length > TICKET_CHARS_MAX) fail(`it is longer than ${TICKET_CHARS_MAX} characters`);
  let fields: unknown;
  try {
    const bytes = Uint8Array.fromBase64(trimmed.slice(TICKET_PREFIX.length), {
      alphabet: "base64url",
      lastChunkHandling: "loose",
    });
    fields = decodeCbor(bytes, { bytesMax: TICKET_CHARS_MAX });
  } catch {
    fail("its text is damaged; copy it again, whole");
  }
  if (!isRecord(fields)) fail("its text is damaged; copy it again, whole");
  const unknown = Object.keys(fields).find((key) => !"vhsknpr".includes(key) || key.length !== 1);
  if (fields.v !== 1) fail("its version is not known to this program; a newer one may read it");
  if (unknown !== undefined) fail("it has a field that is not known");
  return {
    hash: readHash(fields.h),
    kind: fields.k === undefined ? "blob" : fields.k === 1 ? "collection" : fail("its kind is bad"),
    ...readOptional(fields),
    peers: readList(fields.p, TICKET_PEERS_MAX, "peers").map(readPeer),
    relays: readList(fields.r, TICKET_RELAYS_MAX, "relays").map(readRelay),
  };
}

function readOptional(fields: Record<string, unknown>): { size?: number; name?: string } {
  const { s: size, n: name } = fields;
  if (size !== undefined && !(Number.isSafeInteger(size) && (size as number) >= 0)) {
    fail("its size is bad");
  }
  // Control characters would reach the terminal.
  if (name !== undefined && !(isText(name, NAME_MAX) && !/[/\p{Cc}]/u.test(name))) {
    fail("its name is bad");
  }
  return {
    ...(size === undefined ? {} : { size: size as number }),
    ...(name === undefined ? {} : { name: name as string }),
  };
}

function readHash(value: unknown): Hash {
  if (!(value instanceof Uint8Array) || value.length !== HASH_BYTES) fail("its hash is bad");
  return hashFromBytes(value);
}

function readPeer(value: unknown): PeerAddress {
  if (!Array.isArray(value) || value.length !== 2 || !isPeerId(value[0])) fail("a peer is bad");
  const addrs = readList(value[1], TICKET_ADDRS_MAX, "addresses");
  if (!addrs.every((addr) => isText(addr, TICKET_TEXT_MAX) && addr.startsWith("/"))) {
    fail("an address is bad");
  }
  return { peerId: value[0], addrs: addrs as string[] };
}

function readRelay(value: unknown): string {
  const url = isText(value, TICKET_TEXT_MAX) ? URL.parse(value) : null;
  const isRelay = url !== null && /^wss?:$/.test(url.protocol) && url.username === "";
  return isRelay ? value as string : fail("a relay is bad");
}

function readList(value: unknown, countMax: number, what: string): readonly unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) fail(`its ${what} are not a list`);
  if (value.length > countMax) fail(`it has more than ${countMax} ${what}`);
  return value;
}

function isText(value: unknown, charsMax: number): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= charsMax;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Uint8Array);
}

function fail(why: string): never {
  throw new SyntaxError(`Cannot read the ticket: ${why}`);
}
