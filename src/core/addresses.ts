/** Which IP addresses are this machine, which are of a private network, and which are public. */

/** Where an address or a host's name leads. `named`: a public name, whose addresses DNS knows. */
export type Reach = "loopback" | "private" | "public" | "named";

const PRIVATE_SUFFIXES = [".local", ".internal", ".lan", ".intranet", ".home.arpa", ".onion"];

/** First address and prefix length of the IPv4 blocks that are not of the public internet. */
const PRIVATE_BLOCKS: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
];

/** @param host As `URL.hostname` gives it: lower case, IPv6 in brackets. */
export function reachOfHost(host: string): Reach {
  if (host.startsWith("[")) return reachOfAddress(host.slice(1, -1));
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return reachOfAddress(host);
  if (host === "localhost" || host.endsWith(".localhost")) return "loopback";
  if (!host.includes(".")) return "private";
  return PRIVATE_SUFFIXES.some((suffix) => host.endsWith(suffix)) ? "private" : "named";
}

/**
 * Whether a host, and each address that its name has, is one of the internet.
 *
 * @param host As for {@link reachOfHost}.
 * @param resolve The addresses of a name.
 */
export async function isPublicHost(
  host: string,
  resolve: (host: string) => Promise<readonly string[]>,
): Promise<boolean> {
  const reach = reachOfHost(host);
  if (reach !== "named") return reach === "public";
  const addresses = await resolve(host);
  return addresses.length > 0 &&
    addresses.every((address) => reachOfAddress(address) === "public");
}

/** @param address IPv4 with dots or IPv6 without brackets; anything else is taken for private. */
export function reachOfAddress(address: string): Exclude<Reach, "named"> {
  const words = address.includes(":") ? ipv6Words(address) : undefined;
  if (words === undefined) {
    const number = ipv4Number(address);
    return number === undefined ? "private" : reachOfIpv4(number);
  }
  const upper = words.slice(0, 6);
  const low = words[6]! * 65536 + words[7]!;
  const isZeroTo = (count: number) => upper.slice(0, count).every((word) => word === 0);
  if (isZeroTo(6)) return low === 1 ? "loopback" : low === 0 ? "private" : reachOfIpv4(low);
  // Mapped IPv4, and the well-known prefix of NAT64.
  if (isZeroTo(5) && words[5] === 0xffff) return reachOfIpv4(low);
  if (words[0] === 0x64 && words[1] === 0xff9b) return reachOfIpv4(low);
  // 6to4 carries an IPv4 address in its second and third word.
  if (words[0] === 0x2002) return reachOfIpv4(words[1]! * 65536 + words[2]!);
  // Only 2000::/3 is given out; documentation and Teredo inside of it are nobody's servers.
  const isGlobal = (words[0]! & 0xe000) === 0x2000 && words[0] !== 0x3fff &&
    !(words[0] === 0x2001 && (words[1] === 0xdb8 || words[1]! < 0x200));
  return isGlobal ? "public" : "private";
}

function reachOfIpv4(number: number): Exclude<Reach, "named"> {
  if (number >>> 24 === 127) return "loopback";
  const isPrivate = PRIVATE_BLOCKS.some(([first, bits]) =>
    ((number ^ ipv4Number(first)!) >>> (32 - bits)) === 0
  );
  return isPrivate ? "private" : "public";
}

function ipv4Number(text: string): number | undefined {
  const found = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!found) return undefined;
  const parts = found.slice(1).map(Number);
  return parts.some((part) => part > 255)
    ? undefined
    : parts.reduce((sum, part) => sum * 256 + part, 0);
}

/** The eight words of an IPv6 address, or undefined. */
function ipv6Words(text: string): number[] | undefined {
  const plain = text.split("%")[0]!.replace(/(\d+\.\d+\.\d+\.\d+)$/, (dotted) => {
    const number = ipv4Number(dotted);
    if (number === undefined) return "x";
    return `${(number >>> 16).toString(16)}:${(number & 0xffff).toString(16)}`;
  });
  const halves = plain.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => half === "" ? [] : half.split(":"));
  const missing = 8 - head!.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const words = [...head!, ...new Array<string>(tail ? missing : 0).fill("0"), ...(tail ?? [])];
  if (words.some((word) => !/^[0-9a-f]{1,4}$/i.test(word))) return undefined;
  return words.map((word) => Number.parseInt(word, 16));
}
