/**
 * What a registry is shown instead of a login: one token for each repository, right and login, asked for
 * once however many requests need it, and kept until shortly before it ends.
 *
 * ```text
 *  unknown --401 Bearer--> bearer   a token is got before each request, from here on
 *     |                       |
 *     `----401 Basic------> basic   the login itself goes along
 * ```
 */
import type { Clock } from "../../../src/core/ports.ts";
import { isRepository } from "../names.ts";
import type { Credential } from "./auth_file.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import type { Credentials } from "./credentials.ts";
import type { Destinations } from "./destinations.ts";
import type { Endpoint } from "./endpoint.ts";
import { ASK_MS_MAX, DENIED_MS, SCOPE_COUNT_MAX, TOKENS_MAX } from "./limits.ts";
import type { RateLimits } from "./rate_limits.ts";
import {
  basic,
  type BearerChallenge,
  type Grant,
  isHeaderToken,
  requestToken,
} from "./token_request.ts";
import type { Transport } from "./transport.ts";
import { within } from "./within.ts";

/** What a request wants to do. */
export interface Right {
  readonly repository: string;
  readonly actions: "pull" | "pull,push" | "delete";
  /** A repository that a blob is to be mounted from. */
  readonly mountFrom?: string;
}

/** What a request is to carry. */
export type Authorization =
  | { readonly status: "ready"; readonly authorization?: string }
  | { readonly status: "denied" }
  | { readonly status: "limited"; readonly retryMs: number };

/** Options of {@link Tokens}. */
export interface TokensOptions {
  readonly endpoint: Endpoint;
  readonly credentials?: Credentials;
  readonly transport: Transport;
  readonly destinations: Destinations;
  readonly rates: RateLimits;
  readonly clock: Clock;
}

/** How the registry wants to be asked, as its last challenge said. */
type Scheme =
  | { readonly kind: "unknown" }
  | { readonly kind: "basic" }
  | ({ readonly kind: "bearer" } & BearerChallenge);

interface Kept {
  readonly grant: Grant;
  readonly untilMs: number;
}

/** See the head of this file. */
export class Tokens {
  readonly #options: TokensOptions;
  readonly #kept = new Map<string, Kept>();
  readonly #running = new Map<string, Promise<Grant>>();
  /** Logins by number, so that no secret is part of a key. */
  readonly #numbers = new WeakMap<Credential, number>();
  #lastNumber = 0;
  #scheme: Scheme = { kind: "unknown" };

  constructor(options: TokensOptions) {
    this.#options = options;
  }

  /** What a request for `right` carries, as far as the registry is known. */
  async authorize(right: Right, signal: AbortSignal): Promise<Authorization> {
    const credential = await this.#credential(right, signal);
    if (credential?.kind === "bearer") return bearerOf(credential.token);
    const scheme = this.#scheme;
    if (scheme.kind === "unknown") return { status: "ready" };
    if (scheme.kind === "basic") return basicOf(credential);
    return await this.#token({ scheme, right, credential, scopes: scopesOf(right), signal });
  }

  /**
   * What a request carries that the registry itself refused with `challenge` (401), having seen `used`.
   * Only its own origin may be heard here: anybody else could have the login sent to himself.
   */
  async renew(
    right: Right,
    options: {
      readonly challenge: string | null;
      readonly used: string | undefined;
      readonly signal: AbortSignal;
    },
  ): Promise<Authorization> {
    const { used, signal } = options;
    const credential = await this.#credential(right, signal);
    // It was shown what the operator said it takes; there is nothing else.
    if (credential?.kind === "bearer") return { status: "denied" };
    const challenges = parseChallenges(options.challenge);
    const bearer = challenges.find(({ scheme, parameters }) =>
      scheme === "bearer" && parameters.get("realm")
    );
    if (bearer === undefined) {
      if (!challenges.some(({ scheme }) => scheme === "basic")) return { status: "denied" };
      this.#scheme = { kind: "basic" };
      const shown = basicOf(credential);
      return shown.status === "ready" && shown.authorization === used
        ? { status: "denied" }
        : shown;
    }
    const scheme = {
      kind: "bearer",
      realm: bearer.parameters.get("realm")!,
      service: bearer.parameters.get("service"),
    } as const;
    this.#scheme = scheme;
    this.#forget(this.#keyOf(right, credential), used);
    const scopes = narrowed(bearer, right) ?? scopesOf(right);
    return await this.#token({ scheme, right, credential, scopes, signal });
  }

  /** Takes note that even a new token was refused, so that the next requests need not try again. */
  async refused(right: Right, used: string | undefined, signal: AbortSignal): Promise<void> {
    const key = this.#keyOf(right, await this.#credential(right, signal));
    this.#forget(key, used);
    if (this.#kept.has(key)) return;
    const untilMs = this.#options.clock.monotonicMs() + DENIED_MS;
    this.#keep(key, { grant: { status: "denied" }, untilMs });
  }

  async #credential(right: Right, signal: AbortSignal): Promise<Credential | undefined> {
    const { credentials, endpoint, clock } = this.#options;
    if (credentials === undefined) return undefined;
    const what = `Cannot find the login for registry ${endpoint.registry}: none came`;
    return await within(
      { clock, ms: ASK_MS_MAX, signal, what },
      () => credentials.of(endpoint.registry, right.repository),
    );
  }

  /** The token kept, the one on its way, or a new one. */
  async #token(
    request: {
      readonly scheme: Extract<Scheme, { kind: "bearer" }>;
      readonly right: Right;
      readonly credential: Credential | undefined;
      readonly scopes: readonly string[];
      readonly signal: AbortSignal;
    },
  ): Promise<Authorization> {
    const { clock, rates, endpoint } = this.#options;
    const key = this.#keyOf(request.right, request.credential);
    const kept = this.#kept.get(key);
    if (kept !== undefined && kept.untilMs > clock.monotonicMs()) return shownOf(kept.grant);
    let running = this.#running.get(key);
    if (running === undefined) {
      const retryMs = rates.waitMs("token");
      if (retryMs > 0) return { status: "limited", retryMs };
      running = this.#request(key, request).finally(() => this.#running.delete(key));
      running.catch(() => {});
      this.#running.set(key, running);
    }
    const what = `Cannot get a token for registry ${endpoint.registry}: none came`;
    const shared = running;
    return shownOf(
      await within({ clock, ms: ASK_MS_MAX, signal: request.signal, what }, () => shared),
    );
  }

  /** Belongs to all who wait for it: none of them can end it, its own deadline does. */
  async #request(
    key: string,
    request: {
      readonly scheme: Extract<Scheme, { kind: "bearer" }>;
      readonly credential: Credential | undefined;
      readonly scopes: readonly string[];
    },
  ): Promise<Grant> {
    const { endpoint, transport, destinations, clock } = this.#options;
    const what = `Cannot get a token for registry ${endpoint.registry}: none came`;
    const grant = await within(
      { clock, ms: ASK_MS_MAX, signal: new AbortController().signal, what },
      (signal) =>
        requestToken({
          registry: endpoint.registry,
          challenge: request.scheme,
          scopes: request.scopes,
          credential: request.credential,
          transport,
          destinations,
          clock,
          base: new URL(`${endpoint.origin}/`),
          signal,
        }),
    );
    if (grant.status !== "limited") {
      const keptMs = grant.status === "granted" ? grant.validMs : DENIED_MS;
      this.#keep(key, { grant, untilMs: clock.monotonicMs() + keptMs });
    }
    return grant;
  }

  #keep(key: string, kept: Kept): void {
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    if (this.#kept.size <= TOKENS_MAX) return;
    const [oldest] = this.#kept.keys();
    this.#kept.delete(oldest!);
  }

  /** Drops a token that the registry refused, unless a newer one took its place already. */
  #forget(key: string, used: string | undefined): void {
    const grant = this.#kept.get(key)?.grant;
    if (grant?.status === "granted" && grant.authorization === used) this.#kept.delete(key);
  }

  #keyOf(right: Right, credential: Credential | undefined): string {
    let number = 0;
    if (credential !== undefined) {
      number = this.#numbers.get(credential) ?? ++this.#lastNumber;
      this.#numbers.set(credential, number);
    }
    return `${number} ${scopesOf(right).join(" ")}`;
  }
}

function scopesOf({ repository, actions, mountFrom }: Right): readonly string[] {
  const own = `repository:${repository}:${actions}`;
  return mountFrom === undefined ? [own] : [own, `repository:${mountFrom}:pull`];
}

/**
 * The repositories that a challenge names, with no other rights than are wanted: a registry may know
 * the repository by another name, but a token that can do more is not wanted.
 */
function narrowed(bearer: Challenge, right: Right): readonly string[] | undefined {
  const wanted = right.actions.split(",");
  const scopes = (bearer.parameters.get("scope") ?? "").split(" ").filter(Boolean);
  if (scopes.length === 0 || scopes.length > SCOPE_COUNT_MAX) return undefined;
  const found = scopes.map((scope) => {
    const [, repository, actions] = /^repository:([^:]+):([a-z,*]+)$/.exec(scope) ?? [];
    if (repository === undefined || !isRepository(repository)) return undefined;
    const kept = wanted.filter((action) => actions!.split(",").includes(action));
    return kept.length === 0 ? undefined : `repository:${repository}:${kept.join(",")}`;
  });
  const isWhole = right.mountFrom === undefined && found.every((scope) => scope !== undefined);
  return isWhole ? found : undefined;
}

function shownOf(grant: Grant): Authorization {
  return grant.status === "granted"
    ? { status: "ready", authorization: grant.authorization }
    : grant;
}

function basicOf(credential: Credential | undefined): Authorization {
  return credential?.kind === "password"
    ? { status: "ready", authorization: basic(credential) }
    : { status: "denied" };
}

function bearerOf(token: string): Authorization {
  return isHeaderToken(token)
    ? { status: "ready", authorization: `Bearer ${token}` }
    : { status: "denied" };
}
