/**
 * What the Blossom cache of this machine brings from servers that a program names (BUD-10): never from
 * this machine or a private network, whose services no hint of a stranger may reach, and never paid.
 */
import { isSeedmintError, SeedmintError } from "../../core/errors.ts";
import { systemClock } from "../../host/system.ts";
import type { FetchBySha256 } from "../../../swarm/gateway/mod.ts";
import type { BlobStore } from "../../../swarm/store/blob_store.ts";
import { reachOfAddress, reachOfHost } from "../../../wallet/mint/addresses.ts";

/** Servers that one request has asked, one after the other. */
const SERVERS_MAX = 4;

/** Options of {@link fetchFromServers}. */
export interface ServerFetchOptions {
  readonly store: BlobStore;
  /** IP addresses of a host. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
}

/** Asks one server after the other until one has it. */
export function fetchFromServers(
  { store, resolve = addressesOf }: ServerFetchOptions,
): FetchBySha256 {
  return async ({ sha256, servers, sizeMax, signal }) => {
    const { addFromOrigin, HttpOrigin } = await import("../../../swarm/origin/mod.ts");
    for (const server of servers.slice(0, SERVERS_MAX)) {
      const origin = new HttpOrigin({
        url: `${server.replace(/\/$/, "")}/${sha256}`,
        clock: systemClock,
        sizeMax,
        attemptCountMax: 1,
        checkUrl: (url) => assertPublic(url, resolve),
      });
      try {
        await addFromOrigin({
          store,
          origin,
          sha256,
          attributes: { visibility: "public" },
          signal,
        });
        return true;
      } catch (error) {
        signal.throwIfAborted();
        if (!isSeedmintError(error)) throw error;
      }
    }
    return false;
  };
}

/** @throws {SeedmintError} `denied` unless all that the host's name leads to is public. */
async function assertPublic(
  url: URL,
  resolve: (host: string) => Promise<readonly string[]>,
): Promise<void> {
  const reach = reachOfHost(url.hostname);
  const addresses = reach === "named" ? await resolve(url.hostname) : [];
  const isPublic = reach === "public" ||
    (addresses.length > 0 && addresses.every((address) => reachOfAddress(address) === "public"));
  if (isPublic) return;
  throw new SeedmintError(
    "denied",
    `Cannot fetch from ${url.host}: it is not an address of the public internet`,
  );
}

async function addressesOf(host: string): Promise<readonly string[]> {
  const found = await Promise.allSettled([
    Deno.resolveDns(host, "A"),
    Deno.resolveDns(host, "AAAA"),
  ]);
  return found.flatMap((answer) => answer.status === "fulfilled" ? answer.value : []);
}
