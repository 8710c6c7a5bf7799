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

/** What may name what: only places that are no less public. */
const RANK = { loopback: 0, private: 1, public: 2 } as const;

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
    if (reach === "public") return url;
    // Who is asked at 10.0.0.1 may name 10.0.0.2, but not what listens on this machine alone.
    const own = await this.#reachOf(new URL(origin).hostname, options) ?? "private";
    if (reach === undefined && own === "public") {
      throw refuse("unavailable", "a host that has no address at the moment");
    }
    if (RANK[reach ?? "private"] < RANK[own]) throw refuse("denied", `a host that is ${reach}`);
    return url;
  }

  /** The least public of the addresses that `hostname` leads to; undefined if there is none. */
  async #reachOf(
    hostname: string,
    options: { readonly signal: AbortSignal },
  ): Promise<keyof typeof RANK | undefined> {
    const reach = reachOfHost(hostname);
    if (reach !== "named") return reach;
    const reaches = (await this.#resolve(hostname, options)).map(reachOfAddress);
    return reaches.toSorted((a, b) => RANK[a] - RANK[b])[0];
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
