/**
 * Which of the addresses that a stranger gave are worth a dial. Adverts, identify messages and mDNS
 * answers are hints: they are capped in number, must be of a kind that we dial, must name the peer
 * that is wanted or none, and never a multicast, broadcast or unspecified host. Whether private and
 * loopback hosts are dialled is the operator's choice.
 */
import { ADDRESS_LENGTH_MAX, DIAL_ADDRESSES_MAX, HINT_ADDRESSES_MAX } from "./limits.ts";
import { isPeerId } from "./peer_id.ts";

/** What a host may be. */
export type AddressScope = "public" | "private" | "loopback";

/** One address, taken apart. */
export interface DialAddress {
  /** Without a trailing `/p2p/` of the peer itself. */
  readonly text: string;
  readonly scope: AddressScope;
  readonly transport: "tcp" | "ws";
  /** Whether it goes through a circuit relay. */
  readonly relayed: boolean;
}

/** Which hosts to dial. */
export interface AddressPolicy {
  /** Hosts of private networks (RFC 1918, RFC 4193, link-local). @default {true} */
  readonly private?: boolean;
  /** Hosts of this machine. @default {true} */
  readonly loopback?: boolean;
  /** Through circuit relays. @default {true} */
  readonly relayed?: boolean;
}

/**
 * The usable ones of `addrs` for `peerId`, best first: direct before relayed, and among direct ones
 * loopback, private, public, because a near host that is wrong fails fast.
 */
export function usableAddresses(
  peerId: string,
  addrs: readonly string[],
  policy: AddressPolicy = {},
): DialAddress[] {
  const usable = new Map<string, DialAddress>();
  for (const text of addrs.slice(0, HINT_ADDRESSES_MAX)) {
    const address = parseDialAddress(text, peerId);
    if (address !== undefined && isAllowed(address, policy)) usable.set(address.text, address);
  }
  return [...usable.values()].sort((a, b) => rank(a) - rank(b)).slice(0, DIAL_ADDRESSES_MAX);
}

/**
 * What to try when the peer itself told some addresses and others hinted at more: half the places
 * go to its own word first, so that no number of false hints keeps it from being reached.
 */
export function dialOrder(
  known: readonly DialAddress[],
  hinted: readonly DialAddress[],
): DialAddress[] {
  const order = new Map<string, DialAddress>();
  for (const address of known.slice(0, DIAL_ADDRESSES_MAX / 2)) order.set(address.text, address);
  for (const address of [...hinted, ...known]) {
    if (order.size < DIAL_ADDRESSES_MAX) order.set(address.text, address);
  }
  return [...order.values()];
}

/** Takes an address apart; undefined for whatever is not one that we dial for `peerId`. */
export function parseDialAddress(text: unknown, peerId: string): DialAddress | undefined {
  if (typeof text !== "string" || text.length > ADDRESS_LENGTH_MAX) return undefined;
  const parts = text.split("/");
  if (parts.shift() !== "") return undefined;
  const circuitIndex = parts.indexOf("p2p-circuit");
  const relayed = circuitIndex >= 0;
  const outer = relayed ? parts.slice(0, circuitIndex) : parts;
  const inner = relayed ? parts.slice(circuitIndex + 1) : [];
  const hop = parseHop(outer);
  if (hop === undefined) return undefined;
  if (relayed) {
    if (hop.peerId === undefined || hop.peerId === peerId) return undefined;
    const isInnerFine = inner.length === 0 ||
      (inner.length === 2 && inner[0] === "p2p" && inner[1] === peerId);
    if (!isInnerFine) return undefined;
    const relayText = `${hop.text}/p2p/${hop.peerId}/p2p-circuit`;
    return { text: relayText, scope: hop.scope, transport: hop.transport, relayed };
  }
  if (hop.peerId !== undefined && hop.peerId !== peerId) return undefined;
  return { text: hop.text, scope: hop.scope, transport: hop.transport, relayed };
}

/**
 * Replaces a host name by an address that the policy allows, so that a name cannot lead where an
 * address could not: resolved once, dialled as resolved.
 *
 * @param lookup The addresses of a host name, IPv4 or IPv6.
 * @throws {Error} If none of its addresses is allowed, or a certificate needs the name.
 */
export async function pinHost(
  address: DialAddress,
  policy: AddressPolicy,
  lookup: (hostname: string) => Promise<readonly string[]>,
): Promise<string> {
  const [, kind, hostname, ...rest] = address.text.split("/");
  if (!isStrict(policy) || !kind!.startsWith("dns")) return address.text;
  if (rest.includes("tls") || rest.includes("wss")) {
    throw new Error(`${hostname} needs its name for TLS, and the address policy needs its address`);
  }
  for (const host of await lookup(hostname!)) {
    const ipKind = host.includes(":") ? "ip6" : "ip4";
    if (kind !== "dns" && kind!.slice(3) !== ipKind.slice(2)) continue;
    const scope = hostScope(ipKind, host);
    if (scope !== undefined && isAllowed({ ...address, scope }, policy)) {
      return ["", ipKind, host, ...rest].join("/");
    }
  }
  throw new Error(`${hostname} has no address that the address policy allows`);
}

/** `/host/tcp/port[/ws|/wss|/tls/ws][/p2p/id]`. */
function parseHop(parts: readonly string[]):
  | Pick<DialAddress, "text" | "scope" | "transport"> & { readonly peerId?: string }
  | undefined {
  const [kind, host, tcp, port, ...rest] = parts;
  if (kind === undefined || host === undefined || tcp !== "tcp" || port === undefined) {
    return undefined;
  }
  const scope = hostScope(kind, host);
  if (scope === undefined || !/^[1-9][0-9]{0,4}$/.test(port) || Number(port) > 65535) {
    return undefined;
  }
  let transport: "tcp" | "ws" = "tcp";
  const webSocket = ["ws", "wss", "tls/ws"].find((name) =>
    name.split("/").every((part, index) => rest[index] === part)
  );
  if (webSocket !== undefined) {
    transport = "ws";
    rest.splice(0, webSocket.split("/").length);
  }
  const text = `/${kind}/${host}/tcp/${port}` + (webSocket === undefined ? "" : `/${webSocket}`);
  if (rest.length === 0) return { text, scope, transport };
  const [p2p, peerId, ...more] = rest;
  if (p2p !== "p2p" || !isPeerId(peerId) || more.length > 0) return undefined;
  return { text, scope, transport, peerId };
}

/** Where a host is, or undefined if nobody can be dialled there. */
export function hostScope(kind: string, host: string): AddressScope | undefined {
  if (kind === "ip4") return ip4Scope(host);
  if (kind === "ip6") return ip6Scope(host);
  if (kind === "dns" || kind === "dns4" || kind === "dns6") {
    if (host.length > 253 || !/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(host)) return undefined;
    const name = host.toLowerCase();
    if (name === "localhost" || name.endsWith(".localhost")) return "loopback";
    return name.includes(".") && !/\.(local|internal|lan)$/.test(name) ? "public" : "private";
  }
  return undefined;
}

function ip4Scope(host: string): AddressScope | undefined {
  const bytes = host.split(".").map((part) => (/^(0|[1-9][0-9]{0,2})$/.test(part) ? +part : 256));
  if (bytes.length !== 4 || bytes.some((byte) => byte > 255)) return undefined;
  const [a, b] = bytes as [number, number, number, number];
  // 0/8 is "this host", 224/4 multicast, 240/4 reserved and broadcast.
  if (a === 0 || a >= 224) return undefined;
  if (a === 127) return "loopback";
  if (a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168)) return "private";
  // 169.254/16 link-local, 100.64/10 shared address space.
  if ((a === 169 && b === 254) || (a === 100 && b >= 64 && b < 128)) return "private";
  return "public";
}

function ip6Scope(host: string): AddressScope | undefined {
  const groups = parseIp6(host);
  if (groups === undefined) return undefined;
  const first = groups[0]!;
  if (groups.slice(0, 5).every((group) => group === 0)) {
    if (groups[5] === 0xffff) {
      const [high, low] = [groups[6]!, groups[7]!];
      return ip4Scope([high >> 8, high & 255, low >> 8, low & 255].join("."));
    }
    return groups.slice(5, 7).every((group) => group === 0) && groups[7] === 1
      ? "loopback"
      : undefined;
  }
  if (first >> 8 === 0xff) return undefined;
  if ((first & 0xffc0) === 0xfe80 || (first & 0xfe00) === 0xfc00) return "private";
  return "public";
}

/** The eight groups of an IPv6 address without a zone. */
function parseIp6(host: string): number[] | undefined {
  if (host.length > 39 || !/^[0-9a-f:.]+$/i.test(host)) return undefined;
  const halves = host.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => parseGroups(half));
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  if (halves.length === 1) return head.length === 8 ? head : undefined;
  const gap = 8 - head.length - tail!.length;
  return gap < 1 ? undefined : [...head, ...new Array<number>(gap).fill(0), ...tail!];
}

function parseGroups(half: string): number[] | undefined {
  if (half === "") return [];
  const groups: number[] = [];
  const parts = half.split(":");
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(parseInt(part, 16));
    else if (index === parts.length - 1 && part.includes(".")) {
      const bytes = part.split(".").map((text) => (/^[0-9]{1,3}$/.test(text) ? +text : 256));
      if (bytes.length !== 4 || bytes.some((byte) => byte > 255)) return undefined;
      groups.push(bytes[0]! * 256 + bytes[1]!, bytes[2]! * 256 + bytes[3]!);
    } else return undefined;
  }
  return groups;
}

/** Whether a policy forbids hosts that only resolving a name would show. */
export function isStrict(policy: AddressPolicy): boolean {
  return policy.private === false || policy.loopback === false;
}

function isAllowed(address: DialAddress, policy: AddressPolicy): boolean {
  if (address.relayed && policy.relayed === false) return false;
  if (address.scope === "private" && policy.private === false) return false;
  return address.scope !== "loopback" || policy.loopback !== false;
}

function rank(address: DialAddress): number {
  const near = { loopback: 0, private: 1, public: 2 }[address.scope];
  return (address.relayed ? 100 : 0) + near + (address.transport === "ws" ? 10 : 0);
}
