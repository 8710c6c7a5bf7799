/** HTTP of the mint: from a request to an answer, with the cache, the faults and the log around it. */
import { isSeedmintError, messageOf } from "../../src/core/errors.ts";
import { AnswerCache, bodyHash } from "./answer_cache.ts";
import type { MintContext } from "./context.ts";
import { MintError, RequestError } from "./errors.ts";
import { corrupted, type Fault, type FaultSite } from "./faults.ts";
import { CACHED_PATHS, info, keys, keysetList } from "./info.ts";
import { BODY_BYTES_MAX } from "./limits.ts";
import { createMeltQuote } from "./melt_quotes.ts";
import type { Melts } from "./melts.ts";
import { createMintQuote, mint, readMintQuote } from "./mint_quotes.ts";
import type { RateLimiter } from "./rate_limit.ts";
import type { RequestLog } from "./request_log.ts";
import { type JsonObject, readObject } from "./requests.ts";
import { checkState, restore } from "./states.ts";
import { swap } from "./swap.ts";

/** What the routes need besides the context. */
export interface RouteParts {
  readonly context: MintContext;
  readonly melts: Melts;
  readonly log: RequestLog;
  readonly limiter: RateLimiter;
}

interface Answer {
  readonly status: number;
  readonly body: JsonObject;
  readonly headers?: Readonly<Record<string, string>>;
  readonly isCached?: boolean;
}

/** Answers the requests of wallets. */
export class Routes {
  readonly #parts: RouteParts;
  readonly #cache = new AnswerCache();

  constructor(parts: RouteParts) {
    this.#parts = parts;
  }

  /** Forgets the answers kept for NUT-19. */
  clearCache(): void {
    this.#cache.clear();
  }

  async answer(request: Request): Promise<Response> {
    const { pathname: path } = new URL(request.url);
    const { context, log } = this.#parts;
    const text = request.method === "POST" ? await readText(request) : "";
    const bodySha256 = bodyHash(text ?? "");
    const answer = text === undefined
      ? { status: 413, body: { detail: `At most ${BODY_BYTES_MAX} bytes are taken` } }
      : await this.#answer(request.method, { path, text, bodySha256 });
    log.add({
      method: request.method,
      path,
      bodySha256,
      status: answer.status,
      ...(typeof answer.body.code === "number" ? { code: answer.body.code } : {}),
      isCached: answer.isCached ?? false,
      atMs: context.clock.nowS() * 1000,
    });
    return Response.json(answer.body, { status: answer.status, headers: answer.headers ?? {} });
  }

  async #answer(
    method: string,
    request: { readonly path: string; readonly text: string; readonly bodySha256: string },
  ): Promise<Answer> {
    const limited = this.#limited(method, request.path);
    if (limited) return limited;
    const { context } = this.#parts;
    const site = siteOf(context, method, request);
    try {
      const before = context.faults.take("fail", site, ({ isAfter }) => isAfter !== true);
      if (before) return failure(before);
      const { body, isCached } = await this.#handle(method, request);
      const after = context.faults.take("fail", site, ({ isAfter }) => isAfter === true);
      if (after) return failure(after);
      return { status: 200, body: corrupted(context.faults, site, body), isCached };
    } catch (error) {
      return refusal(error);
    }
  }

  async #handle(
    method: string,
    request: { readonly path: string; readonly text: string; readonly bodySha256: string },
  ): Promise<{ readonly body: JsonObject; readonly isCached: boolean }> {
    const { path, text, bodySha256 } = request;
    const { context } = this.#parts;
    const { cacheTtlS, cachePending } = context.settings.behaviour;
    const isCacheable = method === "POST" && CACHED_PATHS.includes(path) &&
      context.settings.hasNut(19);
    const key = `${method} ${path} ${bodySha256}`;
    const kept = isCacheable ? this.#cache.find(key, context.clock.nowS() * 1000) : undefined;
    if (kept) return { body: kept, isCached: true };
    const body = await (method === "POST" ? this.#post(path, readObject(text)) : this.#get(path));
    if (isCacheable && (cachePending || body.state !== "PENDING")) {
      this.#cache.keep(key, body, (context.clock.nowS() + cacheTtlS) * 1000);
    }
    return { body, isCached: false };
  }

  #get(path: string): JsonObject | Promise<JsonObject> {
    const { context, melts } = this.#parts;
    if (path === "/v1/info") return info(context);
    if (path === "/v1/keys") return keys(context);
    if (path === "/v1/keysets") return keysetList(context);
    const [, folder, id] = /^(.+)\/([^/]{1,128})$/.exec(path) ?? [];
    if (folder === "/v1/keys") return keys(context, id!);
    if (folder === "/v1/mint/quote/bolt11") return readMintQuote(context, id!);
    if (folder === "/v1/melt/quote/bolt11") return melts.read(id!);
    throw new RequestError(404, "Not found");
  }

  #post(path: string, body: JsonObject): JsonObject | Promise<JsonObject> {
    const { context, melts } = this.#parts;
    switch (path) {
      case "/v1/swap":
        return swap(context, body);
      case "/v1/mint/quote/bolt11":
        return createMintQuote(context, body);
      case "/v1/mint/bolt11":
        return mint(context, body);
      case "/v1/melt/quote/bolt11":
        return createMeltQuote(context, body);
      case "/v1/melt/bolt11":
        return melts.melt(body);
      case "/v1/checkstate":
        return checkState(context, body);
      case "/v1/restore":
        return restore(context, body);
      default:
        throw new RequestError(404, "Not found");
    }
  }

  #limited(method: string, path: string): Answer | undefined {
    const { context, limiter } = this.#parts;
    const retryMs = limiter.refuse({
      isTransaction: method === "POST" && !/\/(checkstate|restore)$/.test(path),
      nowMs: context.clock.nowS() * 1000,
    });
    if (retryMs === undefined) return undefined;
    const headers = limiter.saysWhen ? { "retry-after": String(Math.ceil(retryMs / 1000)) } : {};
    return { status: 429, body: { detail: "Rate limit exceeded" }, headers };
  }
}

function siteOf(
  context: MintContext,
  method: string,
  request: { readonly path: string; readonly text: string },
): FaultSite {
  const inPath = /^\/v1\/(mint|melt)\/quote\/bolt11\/([^/]+)$/.exec(request.path);
  const inBody = method === "POST" ? /"quote"\s*:\s*"([^"\\]{1,64})"/.exec(request.text) : null;
  const quote = inPath?.[2] ?? inBody?.[1];
  if (quote === undefined) return { path: request.path };
  const table = request.path.startsWith("/v1/melt/") ? "melt_quotes" : "mint_quotes";
  const row = context.db.get(`SELECT request, payment_hash FROM ${table} WHERE id = ?`, quote);
  return {
    path: request.path,
    quote,
    ...(row ? { request: String(row.request), paymentHash: String(row.payment_hash) } : {}),
  };
}

function failure(fault: Fault): Answer {
  const { status = 500, code, detail = "Scripted failure", retryAfterS } = fault;
  return {
    status,
    body: { detail, ...(code === undefined ? {} : { code }) },
    headers: retryAfterS === undefined ? {} : { "retry-after": String(retryAfterS) },
  };
}

function refusal(error: unknown): Answer {
  if (error instanceof MintError) {
    return { status: 400, body: { detail: error.message, code: error.code } };
  }
  if (error instanceof RequestError) {
    return { status: error.status, body: { detail: error.message } };
  }
  if (isSeedmintError(error) && error.retryable) {
    return { status: 503, body: { detail: error.message } };
  }
  return { status: 500, body: { detail: `Internal error: ${messageOf(error)}` } };
}

async function readText(request: Request): Promise<string | undefined> {
  if (Number(request.headers.get("content-length") ?? 0) > BODY_BYTES_MAX) return undefined;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > BODY_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  return await new Blob(chunks as BlobPart[]).text();
}
