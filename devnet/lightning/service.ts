/**
 * The fake Lightning network over HTTP, on loopback only.
 *
 * | request | for |
 * |---|---|
 * | `POST /invoices`, `GET /invoices/HASH?waitMs=&unless=` | payees |
 * | `POST /payments`, `GET /payments/HASH?from=`, `POST /fees` | payers |
 * | `POST /script`, `/script/clear`, `/settle`, `/fail`, `/routing`, `/offline`; `GET /books`, `/payments` | whoever tests |
 * | `GET /.well-known/lnurlp/NAME`, `GET /lnurlp/NAME?amount=` | Lightning addresses: NAME is paid |
 */
import { isSeedmintError, messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { InvoiceState } from "./client.ts";
import type { FakeLightning } from "./fake_lightning.ts";
import { lnurlAnswer } from "./lnurl_answers.ts";
import type { PaymentScript } from "./scripts.ts";

/** Largest request read. */
const BODY_BYTES_MAX = 1 << 16;

type Json = Readonly<Record<string, unknown>>;

/** Options of {@link LightningService.start}. */
export interface LightningServiceOptions {
  readonly lightning: FakeLightning;
  /** 0 picks a free one. @default {0} */
  readonly port?: number;
}

/** The service while it listens; it owns the network it was given. */
export class LightningService implements AsyncDisposable {
  readonly url: string;
  readonly lightning: FakeLightning;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  private constructor(lightning: FakeLightning, port: number) {
    this.lightning = lightning;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port, onListen: () => {} },
      (request) => this.#handle(request),
    );
    this.url = `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Listens on loopback. @throws {SeedmintError} `unavailable` if the port is taken. */
  static start({ lightning, port = 0 }: LightningServiceOptions): LightningService {
    try {
      return new LightningService(lightning, port);
    } catch (cause) {
      throw new SeedmintError(
        "unavailable",
        `Cannot listen on 127.0.0.1:${port}: ${messageOf(cause)}; choose another port`,
        { cause },
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.lightning[Symbol.dispose]();
    await this.#server.shutdown();
  }

  async #handle(request: Request): Promise<Response> {
    try {
      const url = new URL(request.url);
      const [, first = "", ...rest] = url.pathname.split("/").map(decodeURIComponent);
      const body = request.method === "POST" ? await bodyOf(request) : {};
      const answer = await this.#admin(request.method, url.pathname, body) ??
        await this.#node(request.method, { first, second: rest[0] ?? "", body, url }) ??
        await lnurlAnswer(this.lightning, this.url, url);
      if (answer === undefined) return json(404, { error: `Nothing is at ${url.pathname}` });
      return answer instanceof Response ? answer : json(200, answer);
    } catch (error) {
      return json(statusOf(error), { error: messageOf(error) });
    }
  }

  /** What nodes ask. */
  async #node(
    method: string,
    { first, second, body, url }: {
      readonly first: string;
      readonly second: string;
      readonly body: Json;
      readonly url: URL;
    },
  ): Promise<unknown> {
    const query = url.searchParams;
    switch (`${method} ${first}${second === "" ? "" : "/"}`) {
      case "POST invoices":
        return await this.lightning.createInvoice({
          payee: String(body.payee),
          ...optional("amountMsat", body.amountMsat, bigintOf),
          ...optional("memo", body.memo, String),
          ...optional("descriptionHash", body.descriptionHash, String),
          ...optional("expiryS", body.expiryS, Number),
        });
      case "GET invoices/": {
        const unless = (query.get("unless") ?? "open") as InvoiceState;
        const waitMs = Number(query.get("waitMs") ?? 0);
        return await this.lightning.invoice(second, { waitMs, unless });
      }
      case "POST payments":
        return await this.lightning.pay({
          bolt11: String(body.bolt11),
          from: String(body.from),
          maxFeeMsat: bigintOf(body.maxFeeMsat),
          ...optional("amountMsat", body.amountMsat, bigintOf),
          ...optional("partMsat", body.partMsat, bigintOf),
        });
      case "GET payments/": {
        const status = await this.lightning.payment(second, query.get("from") ?? "");
        if (status !== undefined) return status;
        throw new SeedmintError("not-found", "That node never tried to pay this invoice");
      }
      case "POST fees": {
        const amount = optional("amountMsat", body.amountMsat, bigintOf);
        const [bolt11, from] = [String(body.bolt11), String(body.from)];
        return { feeMsat: await this.lightning.estimateFeeMsat(bolt11, from, amount) };
      }
    }
    return undefined;
  }

  /** What whoever tests may order. */
  #admin(method: string, path: string, body: Json): unknown {
    const paymentHash = String(body.paymentHash);
    const from = body.from === undefined ? undefined : String(body.from);
    switch (`${method} ${path}`) {
      case "POST /script":
        this.lightning.script(body as unknown as PaymentScript);
        return {};
      case "POST /script/clear":
        this.lightning.clearScripts();
        return {};
      case "POST /settle":
        return { count: this.lightning.settle(paymentHash, from) };
      case "POST /fail":
        return { count: this.lightning.fail(paymentHash, from) };
      case "POST /routing":
        this.lightning.setFees({ baseMsat: bigintOf(body.baseMsat), ppm: bigintOf(body.ppm) });
        return {};
      case "POST /offline":
        this.lightning.offline(body.offline === true);
        return {};
      case "GET /books":
        return this.lightning.books();
      case "GET /payments":
        return { payments: this.lightning.payments() };
    }
    return undefined;
  }
}

async function bodyOf(request: Request): Promise<Json> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > BODY_BYTES_MAX) throw new TypeError(`A request has at most ${BODY_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  const text = await new Blob(chunks as BlobPart[]).text();
  try {
    const body: unknown = JSON.parse(text === "" ? "{}" : text);
    if (typeof body === "object" && body !== null) return body as Json;
  } catch {
    // Told below.
  }
  throw new TypeError("The body is no JSON object");
}

function bigintOf(value: unknown): bigint {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  throw new TypeError("An amount is a whole number of msat");
}

function optional<K extends string, T>(
  key: K,
  value: unknown,
  convert: (value: unknown) => T,
): { readonly [key in K]?: T } {
  if (value === undefined || value === null) return {};
  return { [key]: convert(value) } as { readonly [key in K]: T };
}

function statusOf(error: unknown): number {
  if (isSeedmintError(error, "usage") || error instanceof TypeError) return 400;
  if (error instanceof RangeError || error instanceof URIError) return 400;
  return isSeedmintError(error, "not-found") ? 404 : 503;
}

function json(status: number, value: unknown): Response {
  const text = JSON.stringify(value, (_, part) => typeof part === "bigint" ? Number(part) : part);
  return new Response(text, { status, headers: { "content-type": "application/json" } });
}
