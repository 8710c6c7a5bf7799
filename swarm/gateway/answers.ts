/** Which part answers which request. */
import { utf8 } from "../../src/core/bytes.ts";
import type { Sha256 } from "../../src/core/hash.ts";
import { isLoopbackHost } from "../../src/nostr/relay/hosts.ts";
import type { BlobRecord } from "../store/blob_store.ts";
import { Authorizations } from "./authorization.ts";
import { answerBlob, isServed } from "./blobs.ts";
import { Claims } from "./claims.ts";
import type { Exchange } from "./exchange.ts";
import { HintFetches } from "./hint_fetches.ts";
import { Media } from "./media.ts";
import type { GatewayLimits } from "./limits.ts";
import type { GatewayOptions } from "./options.ts";
import { Purchases } from "./purchases.ts";
import { Purses } from "./purses.ts";
import { busy, Refusal } from "../http/refusal.ts";
import { notFound } from "./refusal.ts";
import { routeOf } from "./route.ts";
import { openSession, showSession } from "./session.ts";
import { Till } from "./till.ts";
import { Uploads } from "./uploads.ts";

/** All parts that answer. */
export interface Answers {
  readonly options: GatewayOptions;
  readonly till: Till;
  readonly uploads: Uploads;
  readonly hints: HintFetches;
  readonly media: Media;
}

/** Puts the parts together. `own.url` is where clients reach the gateway. */
export function answersOf(
  options: GatewayOptions,
  own: { readonly url: string; readonly limits: GatewayLimits },
): Answers {
  const { store, gate, payments, clock, random, uploads, localCache } = options;
  const { graceMs } = own.limits;
  const { hostname } = new URL(own.url);
  const names = [hostname, ...(isLoopbackHost(hostname) ? ["localhost"] : [])];
  return {
    options,
    till: new Till({
      gate,
      payments,
      purses: new Purses({ key: options.sessionKey ?? random.bytes(32), clock, graceMs }),
      purchases: new Purchases({ clock, graceMs }),
      limits: own.limits,
      clock,
    }),
    uploads: new Uploads({
      store,
      claims: new Claims(store),
      clock,
      settings: uploads,
      localCache,
      authorizations: new Authorizations({
        keys: uploads?.keys ?? [],
        serverNames: new Set(names),
        clock,
      }),
      publicUrl: own.url,
    }),
    media: new Media(options),
    hints: new HintFetches({ fetchBySha256: localCache?.fetchBySha256, clock }),
  };
}

/** Answers one request. @throws {Refusal} What is to be answered instead. */
export async function answerRequest(answers: Answers, exchange: Exchange): Promise<void> {
  const { method, path } = exchange.head;
  if (!exchange.client.requests.tryTake(1)) {
    throw busy(429, "Too many requests from your address; try again later");
  }
  if (answers.options.localCache !== undefined) refuseForeignHost(exchange);
  if (method === "OPTIONS") return await exchange.reply(204, preflightHeaders(answers, exchange));
  const route = routeOf(method, path);
  switch (route.route) {
    case "root":
      return await exchange.reply(200, [["Content-Type", "text/plain"]], utf8(WELCOME));
    case "session":
      return method === "POST"
        ? await openSession(partsOf(answers), exchange)
        : await showSession(partsOf(answers), exchange);
    case "upload":
      return method === "PUT"
        ? await answers.uploads.take(exchange)
        : await answers.uploads.preflight(exchange);
    case "mirror":
      return await answers.uploads.mirror(exchange);
    case "list":
      return await answers.uploads.list(exchange, route.publicKey);
    case "blob": {
      const record = answers.options.store.status(route.hash);
      if (!isServed(record)) throw notFound();
      return await answerBlob(partsOf(answers), exchange, { record, name: route.hash });
    }
    case "media":
      return await answers.media.answer(partsOf(answers), exchange, route);
    case "blossom": {
      if (method === "DELETE") return await answers.uploads.delete(exchange, route.sha256);
      const record = await findBySha256(answers, exchange, route.sha256);
      return await answerBlob(partsOf(answers), exchange, { record, name: route.sha256 });
    }
    default:
      route satisfies never;
  }
}

const WELCOME =
  "Blobs by hash: GET /blob/<BLAKE3>, or /<SHA-256> as Blossom servers do. Priced ones ask for Cashu.\n";

function partsOf({ options, till }: Answers): { store: GatewayOptions["store"]; till: Till } {
  return { store: options.store, till };
}

/** The blob here, else by the hints of the request if it may follow them. */
async function findBySha256(
  { options, hints }: Answers,
  exchange: Exchange,
  sha256: Sha256,
): Promise<BlobRecord> {
  const here = options.store.findBySha256(sha256);
  if (isServed(here)) return here;
  // What is here and hidden is not fetched again: that would tell, and change nothing.
  const isMissing = here === undefined || here.visibility === "public";
  const mayFetch = isMissing && exchange.head.method === "GET" && exchange.isLocal &&
    !exchange.isFromPage;
  if (mayFetch && await hints.fetch(sha256, exchange)) {
    const fetched = options.store.findBySha256(sha256);
    if (isServed(fetched)) return fetched;
  }
  throw notFound();
}

/**
 * A page can make a name of its own mean 127.0.0.1, and is then of one origin with a server there
 * that answers to any name.
 */
function refuseForeignHost(exchange: Exchange): void {
  const host = exchange.header("host") ?? "";
  const hostname = URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : "";
  if (isLoopbackHost(hostname.replace(/^\[(.*)\]$/, "$1"))) return;
  exchange.close();
  throw new Refusal(421, "This is the cache of this machine: ask for 127.0.0.1");
}

function preflightHeaders(
  { options }: Answers,
  exchange: Exchange,
): [name: string, value: string][] {
  const isPrivate = exchange.header("access-control-request-private-network") === "true";
  return [
    ["Access-Control-Allow-Headers", "Authorization, *"],
    ["Access-Control-Allow-Methods", "GET, HEAD, PUT, DELETE"],
    ["Access-Control-Max-Age", "86400"],
    ...(isPrivate && options.localCache !== undefined
      ? [["Access-Control-Allow-Private-Network", "true"] as [string, string]]
      : []),
  ];
}
