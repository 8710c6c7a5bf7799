/**
 * Asking a token server for a token: by GET, as docker's token specification has it, and by POST, as its
 * OAuth2 specification has it (distribution: docs/spec/auth/token.md and oauth.md).
 */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Clock } from "../../../src/core/ports.ts";
import type { Credential } from "./auth_file.ts";
import { readJson } from "./body.ts";
import type { Destinations } from "./destinations.ts";
import {
  TOKEN_ANSWER_BYTES_MAX,
  TOKEN_CHARS_MAX,
  TOKEN_MS_DEFAULT,
  TOKEN_MS_MAX,
  TOKEN_SPARE_MS,
} from "./limits.ts";
import { type Answered, discard, type Transport } from "./transport.ts";

/** What a registry said of its tokens. */
export interface BearerChallenge {
  /** The token server's URL. */
  readonly realm: string;
  readonly service: string | undefined;
}

/** What came of asking. */
export type Grant =
  /** A value for `Authorization`, good for so long. */
  | { readonly status: "granted"; readonly authorization: string; readonly validMs: number }
  | { readonly status: "denied" }
  | { readonly status: "limited"; readonly retryMs: number };

/** Options of {@link requestToken}. */
export interface TokenRequest {
  readonly registry: string;
  readonly challenge: BearerChallenge;
  readonly scopes: readonly string[];
  readonly credential: Credential | undefined;
  readonly transport: Transport;
  readonly destinations: Destinations;
  readonly clock: Clock;
  /** The registry's URL, which a relative realm is below. */
  readonly base: URL;
  readonly signal: AbortSignal;
}

const CLIENT_ID = "seedmint";

/**
 * Asks for a token. The login goes to the place that the registry names, if that has TLS as the registry
 * has, and to nobody whom that one names.
 *
 * @throws {SeedmintError} `unavailable`, `timeout`, `protocol`, `denied` for a realm that may not be asked.
 */
export async function requestToken(request: TokenRequest): Promise<Grant> {
  const { credential, signal } = request;
  const realm = await request.destinations.resolve(request.challenge.realm, request.base, {
    signal,
  });
  if (credential?.kind === "identity") return await readGrant(request, await post(request, realm));
  const answered = await get(request, realm);
  const isUnknown = [404, 405, 501].includes(answered.response.status);
  if (credential?.kind !== "password" || !isUnknown) return await readGrant(request, answered);
  await discard(answered.response);
  return await readGrant(request, await post(request, realm));
}

async function get(request: TokenRequest, realm: URL): Promise<Answered> {
  const { challenge, scopes, credential, transport, signal } = request;
  const url = new URL(realm);
  if (challenge.service !== undefined) url.searchParams.set("service", challenge.service);
  url.searchParams.delete("scope");
  for (const scope of scopes) url.searchParams.append("scope", scope);
  url.searchParams.set("client_id", CLIENT_ID);
  if (credential?.kind === "password") url.searchParams.set("account", credential.username);
  return await transport.send({
    kind: "token",
    method: "GET",
    url,
    headers: { accept: "application/json" },
    authorization: credential?.kind === "password" ? basic(credential) : undefined,
    signal,
  });
}

async function post(request: TokenRequest, realm: URL): Promise<Answered> {
  const { challenge, scopes, credential, transport, signal } = request;
  const form = new URLSearchParams({ client_id: CLIENT_ID, scope: scopes.join(" ") });
  if (challenge.service !== undefined) form.set("service", challenge.service);
  if (credential?.kind === "identity") {
    form.set("grant_type", "refresh_token");
    form.set("refresh_token", credential.token);
  } else if (credential?.kind === "password") {
    form.set("grant_type", "password");
    form.set("username", credential.username);
    form.set("password", credential.password);
  }
  return await transport.send({
    kind: "token",
    method: "POST",
    url: realm,
    headers: { accept: "application/json", "content-type": "application/x-www-form-urlencoded" },
    body: () => form.toString(),
    signal,
  });
}

async function readGrant(
  { registry, clock, signal }: TokenRequest,
  { response, limitedMs }: Answered,
): Promise<Grant> {
  const refuse = (code: "protocol" | "unavailable", why: string) =>
    new SeedmintError(
      code,
      `Cannot get a token for registry ${registry}: its token server ${why}`,
      {
        retryable: code === "unavailable",
      },
    );
  if (response.status !== 200) {
    await discard(response);
    if (limitedMs !== undefined) return { status: "limited", retryMs: limitedMs };
    if (response.status >= 500) throw refuse("unavailable", `answered ${response.status}`);
    return { status: "denied" };
  }
  const json = await readJson(response, {
    registry,
    clock,
    bytesMax: TOKEN_ANSWER_BYTES_MAX,
    signal,
  });
  const fields = typeof json === "object" && json !== null ? json as Record<string, unknown> : {};
  const token = fields["token"] || fields["access_token"];
  if (typeof token !== "string" || !isHeaderToken(token)) {
    throw refuse("protocol", "gave none that can be used");
  }
  return {
    status: "granted",
    authorization: `Bearer ${token}`,
    validMs: validMsOf(fields["expires_in"]),
  };
}

/** Whether `token` can stand in a header. */
export function isHeaderToken(token: string): boolean {
  return token.length <= TOKEN_CHARS_MAX && /^[\x21-\x7e]+$/.test(token);
}

/** The value of `Authorization` for a user and password. */
export function basic(credential: Extract<Credential, { kind: "password" }>): string {
  const pair = new TextEncoder().encode(`${credential.username}:${credential.password}`);
  return `Basic ${pair.toBase64()}`;
}

/** How long a token may be used: not in the last part of its life, at least for half of it. */
function validMsOf(expiresIn: unknown): number {
  const isNumber = typeof expiresIn === "number" && Number.isFinite(expiresIn) && expiresIn > 0;
  const lifeMs = Math.min(isNumber ? expiresIn * 1000 : TOKEN_MS_DEFAULT, TOKEN_MS_MAX);
  return Math.max(lifeMs - TOKEN_SPARE_MS, lifeMs / 2);
}
