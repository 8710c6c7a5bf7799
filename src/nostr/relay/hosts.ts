/**
 * Who a relay is to its clients: the names under which it may be asked, and the web pages that may
 * ask. A page in a browser can reach a relay on this machine, or pretend that a name of its own is
 * this machine; so a relay on loopback answers to loopback names only, and to no foreign page.
 */

/** Whether `hostname` (no port, no brackets) is this machine's own. */
export function isLoopbackHost(hostname: string): boolean {
  return hostname === "localhost" || hostname === "::1" || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** What a connection says of itself, and what is known of it. */
export interface HostClaim {
  /** The `Host` header. */
  readonly host: string | undefined;
  /** The `Origin` header, which browsers send and programs do not. */
  readonly origin: string | undefined;
  /** The address on this machine that was connected to. */
  readonly localAddress: string;
  /** Hosts (with port where it is not the default) of the relay's configured public addresses. */
  readonly publicHosts: ReadonlySet<string>;
}

/** Whether a request may be answered. */
export function isHostAllowed(claim: HostClaim): boolean {
  if (claim.host === undefined) return false;
  if (claim.publicHosts.has(claim.host.toLowerCase())) return true;
  if (!isLoopbackHost(claim.localAddress)) return true;
  const named = hostnameOf(`http://${claim.host}`);
  if (named === undefined || !isLoopbackHost(named)) return false;
  if (claim.origin === undefined) return true;
  const page = hostnameOf(claim.origin);
  return page !== undefined && isLoopbackHost(page);
}

/**
 * Whether the relay address that a client signed (NIP-42) is this relay. The `Host` header is no
 * proof: a relay in the middle chooses it. What counts is a configured public address, or the very
 * address that the connection came to.
 */
export function isOwnRelayUrl(
  text: string,
  own: {
    readonly publicHosts: ReadonlySet<string>;
    readonly localAddress: string;
    readonly localPort: number;
  },
): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  if (url.protocol !== "ws:" && url.protocol !== "wss:") return false;
  if (own.publicHosts.has(url.host)) return true;
  const port = url.port === "" ? (url.protocol === "ws:" ? 80 : 443) : Number(url.port);
  if (port !== own.localPort) return false;
  const hostname = url.hostname.replace(/^\[(.*)\]$/, "$1");
  if (hostname === own.localAddress) return true;
  return isLoopbackHost(own.localAddress) && isLoopbackHost(hostname);
}

/**
 * What connections are counted by: an IPv4 address, or the /64 of an IPv6 address, since one host has
 * the rest of it to itself.
 */
export function addressGroup(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped !== null) return mapped[1]!;
  if (!address.includes(":")) return address;
  const [head = "", tail = ""] = address.split("%")[0]!.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => "0");
  const groups = [...left, ...zeros, ...right].slice(0, 4);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(":")}::/64`;
}

function hostnameOf(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined;
  return new URL(url).hostname.replace(/^\[(.*)\]$/, "$1");
}
