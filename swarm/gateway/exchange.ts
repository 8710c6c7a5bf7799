/** One request to the gateway and its answer. */
import { utf8 } from "../../src/core/bytes.ts";
import type { Hash } from "../../src/core/hash.ts";
import { HttpExchange, type HttpExchangeParts } from "../http/exchange.ts";
import { headerValue, type ReplyHeaders } from "../http/message.ts";
import type { Refusal } from "../http/refusal.ts";
import type { Client, Clients } from "./clients.ts";

/** What an {@link Exchange} is made of. */
export interface ExchangeParts extends Omit<HttpExchangeParts, "common"> {
  readonly client: Client;
  readonly clients: Clients;
  /** Whether the client is a program of this machine that reached a local cache. */
  readonly isLocal: boolean;
  /** Whether the other end is on this machine, and says of no proxy. */
  readonly isSameMachine: boolean;
}

/** Headers of every answer: any page may read what is public here, and run nothing of it. */
const COMMON: ReplyHeaders = [
  ["Access-Control-Allow-Origin", "*"],
  [
    "Access-Control-Expose-Headers",
    "Accept-Ranges, Content-Length, Content-Range, ETag, Retry-After, X-Cashu, X-Reason",
  ],
  ["Content-Security-Policy", "sandbox; default-src 'none'"],
  ["Cross-Origin-Resource-Policy", "cross-origin"],
  ["X-Content-Type-Options", "nosniff"],
];

/** An exchange with one of our clients, at the pace that its limits allow. */
export class Exchange extends HttpExchange {
  readonly client: Client;
  readonly isLocal: boolean;
  readonly isSameMachine: boolean;
  /** The blob it was about, once it was found and may be seen. */
  hash: Hash | undefined;
  readonly #clients: Clients;

  constructor({ client, clients, isLocal, isSameMachine, ...parts }: ExchangeParts) {
    super({ ...parts, common: COMMON });
    this.client = client;
    this.isLocal = isLocal;
    this.isSameMachine = isSameMachine;
    this.#clients = clients;
  }

  /**
   * Whether a web page may stand behind the request. A page that embeds something sends no Origin,
   * but browsers tell it otherwise; a program that tells none of these is none.
   */
  get isFromPage(): boolean {
    const { headers } = this.head;
    for (const name of headers.keys()) {
      if (name === "origin" || name === "referer" || name.startsWith("sec-fetch-")) return true;
    }
    return /^mozilla\//i.test(headers.get("user-agent") ?? "");
  }

  override async send(bytes: Uint8Array): Promise<void> {
    await this.#clients.pace(this.client, bytes.length, this.signal);
    await super.send(bytes);
  }

  async refuse(refusal: Refusal): Promise<void> {
    const headers: ReplyHeaders = [["X-Reason", refusal.message], ...refusal.headers];
    if (refusal.json !== undefined) {
      return await this.replyJson(refusal.status, refusal.json, headers);
    }
    await this.reply(
      refusal.status,
      [["Content-Type", "text/plain; charset=utf-8"], ["Cache-Control", "no-store"], ...headers],
      utf8(`${headerValue(refusal.message)}\n`),
    );
  }
}
