/**
 * Fetching a blob from Blossom servers that somebody named: hints of a URI, or a server to mirror
 * from. They come from strangers, so nothing of a private network is asked on their word, redirects
 * included, and nothing is ever paid.
 */
import { BlockList, isIP } from "node:net";
import { SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { FetchBySha256, ServerFetch } from "../gateway/options.ts";
import type { BlobStore } from "../store/blob_store.ts";
import { addFromOrigin } from "./add_from_origin.ts";
import { HttpOrigin } from "./http_origin.ts";
import { SERVERS_MAX } from "./limits.ts";

/** Options of {@link fetchFromServers}. */
export interface FromServersOptions {
  readonly store: BlobStore;
  readonly clock: Clock;
  /** Whether servers of private networks and of this machine may be asked. @default {false} */
  readonly allowPrivate?: boolean;
  /** Origins in the server lists (kind 10063, BUD-03) of these keys. */
  readonly serversOf?: (
    authors: readonly string[],
    options: { readonly signal: AbortSignal },
  ) => Promise<readonly string[]>;
  /** Addresses of a host name. @default DNS */
  readonly resolve?: (hostname: string) => Promise<readonly string[]>;
  /** @default {globalThis.fetch} */
  readonly fetch?: typeof globalThis.fetch;
}

/** Asks the named servers one after the other, then those of the authors. */
export function fetchFromServers(options: FromServersOptions): FetchBySha256 {
  return async (request) => {
    for (const server of request.servers.slice(0, SERVERS_MAX)) {
      if (await fetchFrom(server, request, options)) return true;
    }
    if (request.authors.length === 0 || options.serversOf === undefined) return false;
    const more = await options.serversOf(request.authors, { signal: request.signal });
    for (const server of more.slice(0, SERVERS_MAX)) {
      if (await fetchFrom(server, request, options)) return true;
    }
    return false;
  };
}

/** Whether the blob came from `server`. Its failure is that of a hint: the next one is tried. */
async function fetchFrom(
  server: string,
  { sha256, size, sizeMax, signal }: ServerFetch,
  options: FromServersOptions,
): Promise<boolean> {
  const { store, clock, fetch, allowPrivate = false } = options;
  signal.throwIfAborted();
  try {
    const origin = new HttpOrigin({
      url: `${new URL(server).origin}/${sha256}`,
      clock,
      sizeMax: size === undefined ? sizeMax : Math.min(size, sizeMax),
      attemptCountMax: 1,
      ...(fetch === undefined ? {} : { fetch }),
      ...(allowPrivate
        ? {}
        : { checkUrl: (url) => checkPublic(url, options.resolve ?? addressesOf) }),
    });
    await addFromOrigin({ store, origin, sha256, signal });
    return true;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

/**
 * The name is looked up once more when it is connected to, so that a name whose address changes in
 * between gets through; what it can reach so is asked for a hash, and nothing of the answer is
 * shown unless it has that hash.
 */
async function checkPublic(
  url: URL,
  resolve: (hostname: string) => Promise<readonly string[]>,
): Promise<void> {
  const hostname = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const addresses = isIP(hostname) === 0 ? await resolve(hostname) : [hostname];
  if (addresses.length > 0 && addresses.every(isPublicAddress)) return;
  throw new SeedmintError("denied", "A server of a private network is not asked on a hint");
}

async function addressesOf(hostname: string): Promise<readonly string[]> {
  const answers = await Promise.allSettled([
    Deno.resolveDns(hostname, "A"),
    Deno.resolveDns(hostname, "AAAA"),
  ]);
  return answers.flatMap((answer) => answer.status === "fulfilled" ? answer.value : []);
}

/** Whether `address` is one of the public internet. Exported for its tests. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !NOT_PUBLIC.check(address, "ipv4");
  if (family !== 6) return false;
  return GLOBAL.check(address, "ipv6") && !NOT_PUBLIC.check(address, "ipv6");
}

/** What is given out of IPv6 (RFC 4291): all else is private, or IPv4 in disguise. */
const GLOBAL = new BlockList();
GLOBAL.addSubnet("2000::", 3, "ipv6");

/** Blocks of special purpose (RFC 6890 and its registries). */
const NOT_PUBLIC = new BlockList();
for (
  const [first, bits] of [
    ["0.0.0.0", 8],
    ["10.0.0.0", 8],
    ["100.64.0.0", 10],
    ["127.0.0.0", 8],
    ["169.254.0.0", 16],
    ["172.16.0.0", 12],
    ["192.0.0.0", 24],
    ["192.0.2.0", 24],
    ["192.88.99.0", 24],
    ["192.168.0.0", 16],
    ["198.18.0.0", 15],
    ["198.51.100.0", 24],
    ["203.0.113.0", 24],
    ["224.0.0.0", 3],
  ] as const
) NOT_PUBLIC.addSubnet(first, bits, "ipv4");
for (
  const [first, bits] of [
    ["2001::", 23],
    ["2001:db8::", 32],
    // 6to4 carries any IPv4 address.
    ["2002::", 16],
    ["3fff::", 20],
  ] as const
) NOT_PUBLIC.addSubnet(first, bits, "ipv6");
