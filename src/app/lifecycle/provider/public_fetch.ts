/**
 * HTTPS to public addresses, and nothing else: what a lessee names must not make this machine ask a host
 * of its own network.
 *
 * A name is looked up here, and once more when it is connected to, which could lead elsewhere then. The
 * connection is TLS with a certificate for the name: a host of a private network that the name is turned
 * to in between has none, and hears no request.
 */
import { isPublicHost } from "../../../core/addresses.ts";
import { SeedmintError } from "../../../core/errors.ts";

/** Addresses of a host's name. */
export type ResolveHost = (host: string) => Promise<readonly string[]>;

/** A `fetch` that refuses everything but HTTPS to public hosts. Follows no redirect by itself. */
export function publicFetch(
  options: { readonly resolve?: ResolveHost; readonly fetch?: typeof globalThis.fetch } = {},
): typeof globalThis.fetch {
  const { resolve = resolveByDns, fetch = globalThis.fetch } = options;
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    if (url.protocol !== "https:" || url.username !== "" || url.password !== "") {
      throw new SeedmintError("denied", `Cannot ask ${url.host}: HTTPS is wanted`);
    }
    if (!await isPublicHost(url.hostname, resolve)) {
      throw new SeedmintError("denied", `Cannot ask ${url.host}: it is no host of the internet`);
    }
    return await fetch(input, { ...init, redirect: "manual" });
  };
}

async function resolveByDns(host: string): Promise<readonly string[]> {
  const answers = await Promise.allSettled([
    Deno.resolveDns(host, "A"),
    Deno.resolveDns(host, "AAAA"),
  ]);
  return answers.flatMap((answer) => answer.status === "fulfilled" ? answer.value : []);
}
