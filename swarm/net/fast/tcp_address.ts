/** Which multiaddrs are plain TCP, and what they mean for a socket. */
import { getNetConfig, type Multiaddr } from "../../libp2p.ts";

const HOST_PROTOCOLS = new Set(["ip4", "ip6", "dns", "dns4", "dns6"]);

/** Whether `address` is `/ip4|ip6|dns|dns4|dns6/…/tcp/…`, with or without a last `/p2p/…`. */
export function isTcpAddress(address: Multiaddr): boolean {
  const names = address.getComponents().map((component) => component.name);
  if (names[0] === "ip6zone") names.shift();
  if (names.at(-1) === "p2p") names.pop();
  return names.length === 2 && HOST_PROTOCOLS.has(names[0]!) && names[1] === "tcp";
}

/**
 * Host and port of a TCP multiaddr.
 *
 * @throws {TypeError} If it is no TCP multiaddr.
 */
export function hostAndPort(address: Multiaddr): { hostname: string; port: number } {
  if (!isTcpAddress(address)) throw new TypeError(`Not a TCP multiaddr: ${address}`);
  const config = getNetConfig(address);
  const zone = config.type === "ip6" && config.zone !== undefined ? `%${config.zone}` : "";
  return { hostname: config.host + zone, port: config.port ?? 0 };
}
