/**
 * Where a registry may send us on to: redirects of blobs, token servers, pages and uploads. What it names
 * is somebody else's word, so that a public registry can make nothing of a private network be asked.
 */
import { reachOfAddress, reachOfHost } from "../../../src/core/addresses.ts";
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Endpoint } from "./endpoint.ts";
import { URL_CHARS_MAX } from "./limits.ts";

/** Addresses of a host's name. */
export type Resolve = (
  hostname: string,
  options: { readonly signal: AbortSignal },
) => Promise<readonly string[]>;

/** Options of {@link Destinations}. */
export interface DestinationsOptions {
  readonly endpoint: Endpoint;
  /** @default DNS */
  readonly resolve?: Resolve;
}

/** Says of each place whether it may be asked. */
export class Destinations {
  readonly #endpoint: Endpoint;
  readonly #resolve: Resolve;

  constructor(options: DestinationsOptions) {
    this.#endpoint = options.endpoint;
    this.#resolve = options.resolve ?? resolveByDns;
  }

  /**
   * The URL that `location` names, if it may be asked.
   *
   * A name is looked up again when it is connected to, and could lead elsewhere then. A registry with TLS
   * can only name others with TLS, whose certificate has to be one for the name: a host of a private
   * network that a name is turned to has none, and hears no request.
   *
   * @throws {SeedmintError} `protocol` or `denied` if not; `unavailable` if nobody knows where it is.
   */
  async resolve(
    location: string,
    from: URL,
    options: { readonly signal: AbortSignal },
  ): Promise<URL> {
    const { registry, isPlain, origin } = this.#endpoint;
    const refuse = (code: "protocol" | "denied" | "unavailable", why: string) =>
      new SeedmintError(code, `Cannot follow registry ${registry}: it sends us on to ${why}`, {
        retryable: code === "unavailable",
      });
    const isUsable = location.length <= URL_CHARS_MAX && URL.canParse(location, from);
    const url = isUsable ? new URL(location, from) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol)) {
      throw refuse("protocol", "what is no URL of HTTP");
    }
    if (url.username !== "" || url.password !== "") throw refuse("protocol", "a URL with a login");
    url.hash = "";
    if (url.origin === origin) return url;
    if (url.protocol === "http:" && !isPlain) {
      throw refuse("denied", "a host without TLS, which it has itself");
    }
    const reach = await this.#reachOf(url.hostname, options);
    if (reach === "public" || !await this.#isPublic(options)) return url;
    if (reach === "private") throw refuse("denied", "a host of a private network");
    throw refuse("unavailable", "a host that has no address at the moment");
  }

  /** Whether the registry itself is of the public internet: else it may name hosts of its own network. */
  async #isPublic(options: { readonly signal: AbortSignal }): Promise<boolean> {
    return await this.#reachOf(new URL(this.#endpoint.origin).hostname, options) === "public";
  }

  async #reachOf(
    hostname: string,
    options: { readonly signal: AbortSignal },
  ): Promise<"public" | "private" | "unknown"> {
    const reach = reachOfHost(hostname);
    if (reach !== "named") return reach === "public" ? "public" : "private";
    const addresses = await this.#resolve(hostname, options);
    if (addresses.length === 0) return "unknown";
    const isPublic = addresses.every((address) => reachOfAddress(address) === "public");
    return isPublic ? "public" : "private";
  }
}

async function resolveByDns(
  hostname: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<readonly string[]> {
  const answers = await Promise.allSettled([
    Deno.resolveDns(hostname, "A", { signal }),
    Deno.resolveDns(hostname, "AAAA", { signal }),
  ]);
  return answers.flatMap((answer) => answer.status === "fulfilled" ? answer.value : []);
}
