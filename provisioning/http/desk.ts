/**
 * The HTTP mode of a provider: the same desk that answers messages, behind paths and statuses.
 *
 *     path, rate, size -> who asks? -> the message that it comes to -> the provider's desk -> answer
 *
 * It neither listens nor reads connections: `src/app` puts it behind the node's own HTTP server, which
 * bounds those.
 */
import { isSeedmintError, messageOf } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import { within } from "../provider/deadline.ts";
import type { Provider } from "../provider/mod.ts";
import {
  type Answer,
  type ErrorAnswer,
  type OfferBody,
  type QuoteAnswer,
  readRequest,
  type Request,
} from "../wire/mod.ts";
import type { Members } from "../wire/json.ts";
import { Admission } from "./admission.ts";
import { HTTP_LIMITS } from "./limits.ts";
import { SignatureDesk } from "./nip98.ts";
import { OfferPage } from "./offer_page.ts";
import { paymentRequest } from "./payment_request.ts";
import { isAccessKey, type Requester, Requesters } from "./requester.ts";
import {
  answerMembers,
  httpError,
  messageText,
  readBody,
  type Route,
  ROUTES,
  statusOf,
} from "./schema.ts";

/** A request, however it was received. */
export interface HttpRequest {
  readonly method: string;
  /** As it was sent, without the query. */
  readonly path: string;
  /** What follows the `?`, without it; empty without one. */
  readonly query: string;
  /** A header by its lower-case name. */
  readonly header: (name: string) => string | undefined;
  /** Address of the other end, without port. */
  readonly remote: string;
  /** Reads the whole body; called once at most. @throws Whatever the server is to say of a bad one. */
  readonly body: (bytesMax: number) => Promise<Uint8Array>;
  /** Aborted when the other end goes away. What it paid for goes on. */
  readonly signal: AbortSignal;
}

/** An answer. */
export interface HttpReply {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly members: Readonly<Record<string, unknown>>;
}

/** What the desk needs. */
export interface HttpDeskOptions {
  readonly provider: Pick<Provider, "ask">;
  /** Nostr key of the provider, 64 hex digits, and its secret, 32 bytes. */
  readonly publicKey: string;
  readonly secretKey: Uint8Array;
  /** Base addresses at which it is reached, without a slash at the end; for signatures. */
  readonly urls: readonly string[];
  /** What is on offer now, or undefined while nothing is. */
  readonly offer: () => OfferBody | undefined;
  readonly clock: Clock;
  /** Told what failed, in one line without anything secret. */
  readonly onProblem?: (message: string) => void;
}

/** A request that was understood. */
interface Asked {
  readonly request: Request;
  readonly requester: Requester;
  readonly onlyOutcome: boolean;
}

/** See the head of this file. */
export class HttpDesk {
  readonly #options: HttpDeskOptions;
  readonly #requesters: Requesters;
  readonly #signatures: SignatureDesk;
  readonly #admission: Admission;
  readonly #page: OfferPage;

  constructor(options: HttpDeskOptions) {
    this.#options = options;
    this.#requesters = new Requesters(options.secretKey);
    this.#signatures = new SignatureDesk({
      provider: options.publicKey,
      urls: options.urls,
      clock: options.clock,
    });
    this.#admission = new Admission(options.clock);
    this.#page = new OfferPage(options);
  }

  /**
   * Answers a request. Never throws for what was asked.
   *
   * @throws What `request.body` throws; `signal.reason`.
   */
  async handle(request: HttpRequest): Promise<HttpReply> {
    const remote = remoteOf(request);
    const entered = this.#admission.enter(remote);
    if (typeof entered === "string") return turnedAway(entered);
    using _ = entered;
    const route = Object.hasOwn(ROUTES, request.path) ? ROUTES[request.path]! : undefined;
    if (route === undefined) {
      return reply(
        httpError("not_found", `There is ${Object.keys(ROUTES).join(", ")}, and nothing else`),
      );
    }
    if (request.method !== route.method && !isHeadOf(request, route)) {
      const answer = reply(httpError("invalid_request", `${route.method} wanted`));
      return { ...answer, status: 405, headers: [["Allow", route.method]] };
    }
    if (route.types === undefined) return this.#open(request.path);
    try {
      const asked = await this.#read(request, route, remote);
      return "status" in asked ? asked : await this.#ask(asked, request.signal);
    } catch (error) {
      request.signal.throwIfAborted();
      if (!isSeedmintError(error, "storage") && !isSeedmintError(error, "aborted")) throw error;
      this.#options.onProblem?.(`A request cannot be answered: ${messageOf(error)}`);
      return reply(httpError("backend_error", "The provider has trouble of its own; ask again", {
        retryMs: HTTP_LIMITS.retryMs,
      }));
    }
  }

  /** What anybody may read, web pages too. */
  #open(path: string): HttpReply {
    const headers = [["Access-Control-Allow-Origin", "*"]] as const;
    const members = path === "/health" ? this.#page.health() : this.#page.offers();
    if (members !== undefined) return { status: 200, headers, members };
    return reply(httpError("no_specs", "Nothing is on offer at the moment"), headers);
  }

  async #read(request: HttpRequest, route: Route, remote: string): Promise<Asked | HttpReply> {
    const type = (request.header("content-type") ?? "").split(";", 1)[0]!.trim().toLowerCase();
    const body = await request.body(HTTP_LIMITS.bodyBytesMax);
    // A web page may post plain text to anybody, JSON only to those who let it.
    if (body.length > 0 && type !== "application/json") return wrong("application/json wanted");
    const members = readBody(body);
    if (members === undefined) return wrong("The body is no JSON object of limited size");
    const token = tokenOf(request, members);
    if (token instanceof Error) return wrong(token.message);
    const requester = this.#requesterOf(request, { body, token, remote });
    if (requester instanceof Error) return unknown(requester.message);
    if (request.path === "/pods/spawn" && token === undefined) {
      return await this.#priceOf(members, requester, request.signal);
    }
    const reading = readRequest(messageText(members, {
      path: request.path,
      ...(token === undefined ? {} : { token }),
      ...requestIdOf(request),
    }));
    if (!reading.ok) {
      const isUnpaid = request.path === "/pods/topup" && token === undefined;
      return isUnpaid ? this.#topUpPrice() : wrong(reading.problem);
    }
    const asked = reading.request;
    if (!route.types!.includes(asked.type)) return wrong(`This path takes ${route.types![0]} only`);
    const problem = unprovenProblem(asked, requester);
    if (problem !== undefined) return unknown(problem);
    return { request: asked, requester, onlyOutcome: members.only_outcome === true };
  }

  #requesterOf(
    request: HttpRequest,
    shown: {
      readonly body: Uint8Array;
      readonly token: string | undefined;
      readonly remote: string;
    },
  ): Requester | Error {
    const header = request.header("authorization") ?? "";
    const scheme = header.split(" ", 1)[0]!.toLowerCase();
    if (scheme === "nostr") {
      const target = request.query === "" ? request.path : `${request.path}?${request.query}`;
      const { method } = request;
      const checked = this.#signatures.check(header, { method, target, body: shown.body });
      return checked.ok
        ? this.#requesters.byKey(checked.key, checked.id)
        : new Error(checked.problem);
    }
    if (scheme === "bearer") {
      const secret = header.slice("bearer ".length).trim();
      if (isAccessKey(secret)) return this.#requesters.bySecret(secret);
      return new Error("An access key has 43 characters of base64url: 32 secret bytes");
    }
    return shown.token === undefined
      ? this.#requesters.byAddress(shown.remote)
      : this.#requesters.byToken(shown.token);
  }

  async #ask(asked: Asked, signal: AbortSignal): Promise<HttpReply> {
    const { requester, request } = asked;
    const answer = await this.#answer(asked, signal);
    const isShort = answer.type === "error" && answer.error === "insufficient_payment";
    const more = isShort && request.type === "spawn"
      ? await this.#payHeaders(request, requester, signal)
      : [];
    const result = reply(answer, more);
    if (requester.accessKey === undefined) return result;
    return { ...result, members: { ...result.members, access_key: requester.accessKey } };
  }

  async #answer({ request, requester, onlyOutcome }: Asked, signal: AbortSignal): Promise<Answer> {
    const { provider, clock } = this.#options;
    try {
      return await within(
        clock,
        { ms: HTTP_LIMITS.answerWithinMs, what: "The answer", signal },
        (signal) =>
          provider.ask(requester.owner, request, {
            signal,
            ...(requester.signatureId === undefined ? {} : { messageId: requester.signatureId }),
            // What was written in 1970 is not begun; what was begun is answered.
            ...(onlyOutcome ? { sentAtMs: 0 } : {}),
          }),
      );
    } catch (error) {
      signal.throwIfAborted();
      if (!isSeedmintError(error, "timeout")) throw error;
      return httpError("not_ready", "It is on its way; ask again, with the same members", {
        retryMs: HTTP_LIMITS.retryMs,
      });
    }
  }

  /** 402 with what a spawn costs, or why there is none. */
  async #priceOf(
    members: Members,
    requester: Requester,
    signal: AbortSignal,
  ): Promise<HttpReply> {
    const reading = readRequest(JSON.stringify({
      seedmint: "quote",
      pod_spec_id: members.pod_spec_id,
      pod_image: members.pod_image,
      image_digest: members.image_digest,
      duration_s: members.duration_s,
      port_count: Array.isArray(members.ports) ? members.ports.length : undefined,
    }));
    if (!reading.ok) return wrong(reading.problem);
    const quote = await this.#answer(
      { request: reading.request, requester, onlyOutcome: false },
      signal,
    );
    if (quote.type !== "quote") return reply(quote);
    const answer = httpError(
      "payment_required",
      `${quote.amountSat} sat for ${quote.durationS} s: send the request again with a Cashu token in ` +
        "the header X-Cashu, best locked to nut10 of the payment request that is there now",
    );
    const result = reply(answer, payHeadersOf(quote));
    return { ...result, members: { ...result.members, quote: answerMembers(quote) } };
  }

  /** 402 for a top-up without a token: how much is its payer's choice. */
  #topUpPrice(): HttpReply {
    const offer = this.#options.offer();
    const answer = httpError(
      "payment_required",
      "A top-up needs a Cashu token in the header X-Cashu; a second costs what the tier's rate says",
    );
    const paymentKey = offer?.terms?.paymentKey;
    if (offer === undefined || paymentKey === undefined) return reply(answer);
    const header = paymentRequest({ mints: offer.mints, paymentKey }, "More time for a lease");
    return reply(answer, [["X-Cashu", header]]);
  }

  async #payHeaders(
    request: { readonly specId?: string },
    requester: Requester,
    signal: AbortSignal,
  ): Promise<HttpReply["headers"]> {
    const quote = await this.#answer({
      request: {
        type: "quote",
        ...(request.specId === undefined ? {} : { specId: request.specId }),
      },
      requester,
      onlyOutcome: false,
    }, signal);
    return quote.type === "quote" ? payHeadersOf(quote) : [];
  }
}

function payHeadersOf(quote: QuoteAnswer): HttpReply["headers"] {
  return [["X-Cashu", paymentRequest(quote, `A lease of tier ${quote.specId}`)]];
}

function reply(answer: Answer, headers: HttpReply["headers"] = []): HttpReply {
  const retryMs = answer.type === "error" ? answer.retryMs : undefined;
  return {
    status: statusOf(answer),
    headers: retryMs === undefined
      ? headers
      : [...headers, ["Retry-After", String(Math.ceil(retryMs / 1000))]],
    members: answerMembers(answer),
  };
}

function wrong(message: string): HttpReply {
  return reply(httpError("invalid_request", message));
}

function unknown(message: string): HttpReply {
  const answer: ErrorAnswer = httpError("denied", message);
  return { ...reply(answer, [["WWW-Authenticate", "Nostr, Bearer"]]), status: 401 };
}

function turnedAway(why: "rate" | "busy"): HttpReply {
  const { retryMs } = HTTP_LIMITS;
  const answer = httpError("rate_limited", "Too much is asked at the moment", { retryMs });
  const result = reply(answer);
  return why === "rate" ? result : { ...result, status: 503 };
}

/** Who must prove itself, and did not. */
function unprovenProblem(request: Request, requester: Requester): string | undefined {
  if (requester.proof === "key" || requester.proof === "secret") return undefined;
  if (request.type === "quote") return undefined;
  if (request.type === "spawn" && requester.proof === "token") return undefined;
  return "Say who asks: sign with the Nostr key that owns the lease (NIP-98), or show its access key " +
    "in Authorization: Bearer. Nothing was taken";
}

/** The token, from wherever it may stand. */
function tokenOf(request: HttpRequest, members: Members): string | undefined | Error {
  const authorization = /^cashu\s+(\S+)$/i.exec(request.header("authorization") ?? "")?.[1];
  const given = [members.cashu_token, request.header("x-cashu"), authorization]
    .filter((token): token is string => typeof token === "string" && token.trim() !== "")
    .map((token) => token.trim());
  return new Set(given).size > 1 ? new Error("There are two tokens; one wanted") : given[0];
}

function requestIdOf(request: HttpRequest): { readonly requestId?: string } {
  const requestId = request.header("idempotency-key");
  return requestId === undefined ? {} : { requestId };
}

/** A proxy on this machine tells whom it speaks for; from elsewhere anybody could say anything. */
function remoteOf(request: HttpRequest): string {
  const isLocal = /^(127\.|::1$)/.test(request.remote);
  const said = isLocal ? request.header("x-forwarded-for")?.split(",").at(-1)?.trim() : undefined;
  return said !== undefined && /^[0-9a-fA-F:.]{2,45}$/.test(said) ? said : request.remote;
}

function isHeadOf(request: HttpRequest, route: Route): boolean {
  return request.method === "HEAD" && route.method === "GET";
}
