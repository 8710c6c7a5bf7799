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
   * @throws {SeedmintError} `protocol` or `denied` if not.
   */
  async resolve(
    location: string,
    from: URL,
    options: { readonly signal: AbortSignal },
  ): Promise<URL> {
    const { registry, isPlain, origin } = this.#endpoint;
    const refuse = (code: "protocol" | "denied", why: string) =>
      new SeedmintError(code, `Cannot follow registry ${registry}: it sends us on to ${why}`);
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
    if (!await this.#isReachable(url.hostname, options)) {
      throw refuse("denied", "a host of a private network, or to none");
    }
    return url;
  }

  /** Whether `hostname` is no more private than the registry is. */
  async #isReachable(
    hostname: string,
    options: { readonly signal: AbortSignal },
  ): Promise<boolean> {
    if (await this.#isPublic(hostname, options)) return true;
    return !await this.#isPublic(new URL(this.#endpoint.origin).hostname, options);
  }

  async #isPublic(hostname: string, options: { readonly signal: AbortSignal }): Promise<boolean> {
    const reach = reachOfHost(hostname);
    if (reach !== "named") return reach === "public";
    const addresses = await this.#resolve(hostname, options);
    return addresses.length > 0 &&
      addresses.every((address) => reachOfAddress(address) === "public");
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
