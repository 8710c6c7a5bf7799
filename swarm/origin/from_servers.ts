/**
 * Fetching a blob from Blossom servers that somebody named: hints of a URI, or a server to mirror
 * from. They come from strangers, so nothing of a private network is asked on their word, redirects
 * included, and nothing is ever paid.
 */
import { isPublicHost } from "../../src/core/addresses.ts";
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
    await addFromOrigin({ store, origin, sha256, attributes: { visibility: "public" }, signal });
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
  if (await isPublicHost(url.hostname, resolve)) return;
  throw new SeedmintError("denied", "A server of a private network is not asked on a hint");
}

async function addressesOf(hostname: string): Promise<readonly string[]> {
  const answers = await Promise.allSettled([
    Deno.resolveDns(hostname, "A"),
    Deno.resolveDns(hostname, "AAAA"),
  ]);
  return answers.flatMap((answer) => answer.status === "fulfilled" ? answer.value : []);
}
