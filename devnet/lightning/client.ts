/**
 * What a development mint, a fake wallet and the demo see of the fake Lightning network: the interface,
 * and its implementation over HTTP. `FakeLightning` in `fake_lightning.ts` is the same in one process.
 *
 * A *node* is an account with a name; it exists as soon as it is named. Amounts are whole millisatoshi.
 */
import { messageOf, SeedmintError } from "../../src/core/errors.ts";

/** `held`: a payment is on its way and may still settle or fail. */
export type InvoiceState = "open" | "held" | "paid" | "failed" | "expired";

/** What the payee learns of its invoice. */
export interface InvoiceStatus {
  readonly bolt11: string;
  /** 64 hex characters. */
  readonly paymentHash: string;
  readonly payee: string;
  readonly state: InvoiceState;
  /** Once paid. */
  readonly preimage?: string;
  readonly paidMsat: bigint;
}

/** What the payer learns. */
export interface PaymentStatus {
  readonly paymentHash: string;
  readonly state: "succeeded" | "pending" | "failed";
  /** Once it succeeded. */
  readonly preimage?: string;
  readonly amountMsat: bigint;
  /** Paid on top of the amount; 0 unless it succeeded. */
  readonly feeMsat: bigint;
  /** Once it failed, for people. */
  readonly reason?: string;
}

/** Options of each call. */
export interface LightningOptions {
  readonly signal?: AbortSignal;
}

/** A request for an invoice. */
export interface InvoiceRequest {
  /** Name of the node that is paid. */
  readonly payee: string;
  /** None leaves the amount to the payer. */
  readonly amountMsat?: bigint;
  readonly memo?: string;
  /** SHA-256 of a description kept elsewhere (LNURL-pay), 64 hex characters; instead of `memo`. */
  readonly descriptionHash?: string;
  /** @default {3600} */
  readonly expiryS?: number;
}

/** A new invoice. */
export interface CreatedInvoice {
  readonly bolt11: string;
  readonly paymentHash: string;
  readonly expiresAtMs: number;
}

/** A request to pay. */
export interface PaymentRequest {
  readonly bolt11: string;
  /** Name of the node that pays. */
  readonly from: string;
  /** No payment that costs more on top is made. */
  readonly maxFeeMsat: bigint;
  /** Only for an invoice without an amount. */
  readonly amountMsat?: bigint;
  /**
   * Pays only this much of the invoice's amount; it is pending until the parts of all payers make up
   * the whole, which then succeed together, and fails a minute later if they do not.
   */
  readonly partMsat?: bigint;
}

/**
 * The fake Lightning network. Each method throws {@link SeedmintError}: `unavailable` (retryable: no
 * answer came, which for `pay` says nothing about the payment), `not-found`, `usage`.
 */
export interface LightningClient {
  createInvoice(request: InvoiceRequest, options?: LightningOptions): Promise<CreatedInvoice>;
  /**
   * The state of an invoice. With `waitMs`, answers when the state is no longer `unless`, at the
   * latest after that time (at most 60,000).
   */
  invoice(
    paymentHash: string,
    options?: LightningOptions & { readonly waitMs?: number; readonly unless?: InvoiceState },
  ): Promise<InvoiceStatus>;
  /**
   * Pays. A payment of the same invoice from the same node that is pending or succeeded is answered
   * as it stands and never made twice; one that failed is tried anew.
   */
  pay(request: PaymentRequest, options?: LightningOptions): Promise<PaymentStatus>;
  /** The payment of an invoice by `from`, or undefined if it never tried. */
  payment(
    paymentHash: string,
    from: string,
    options?: LightningOptions,
  ): Promise<PaymentStatus | undefined>;
  /** What paying the invoice from `from` would cost on top, now. */
  estimateFeeMsat(
    bolt11: string,
    from: string,
    options?: LightningOptions & { readonly amountMsat?: bigint },
  ): Promise<bigint>;
}

/** How long one request may take besides its `waitMs`. */
const REQUEST_MS_MAX = 30_000;

/** Largest answer read. */
const ANSWER_BYTES_MAX = 1 << 20;

/** {@link LightningClient} of a Lightning service on `url`. */
export class HttpLightning implements LightningClient {
  readonly url: string;
  /** It takes `partMsat`. */
  readonly paysParts = true;

  constructor(url: string) {
    this.url = url.replace(/\/+$/, "");
  }

  async createInvoice(
    request: InvoiceRequest,
    options: LightningOptions = {},
  ): Promise<CreatedInvoice> {
    const answer = await this.#ask("POST", "/invoices", options, {
      ...request,
      amountMsat: numberOf(request.amountMsat),
    });
    return {
      bolt11: String(answer.bolt11),
      paymentHash: String(answer.paymentHash),
      expiresAtMs: Number(answer.expiresAtMs),
    };
  }

  async invoice(
    paymentHash: string,
    options: LightningOptions & { readonly waitMs?: number; readonly unless?: InvoiceState } = {},
  ): Promise<InvoiceStatus> {
    const query = options.waitMs === undefined
      ? ""
      : `?waitMs=${options.waitMs}&unless=${options.unless ?? "open"}`;
    const path = `/invoices/${encodeURIComponent(paymentHash)}${query}`;
    return invoiceStatusOf(await this.#ask("GET", path, options, undefined, options.waitMs));
  }

  async pay(request: PaymentRequest, options: LightningOptions = {}): Promise<PaymentStatus> {
    return paymentStatusOf(
      await this.#ask("POST", "/payments", options, {
        ...request,
        maxFeeMsat: numberOf(request.maxFeeMsat),
        amountMsat: numberOf(request.amountMsat),
        partMsat: numberOf(request.partMsat),
      }),
    );
  }

  async payment(
    paymentHash: string,
    from: string,
    options: LightningOptions = {},
  ): Promise<PaymentStatus | undefined> {
    const path = `/payments/${encodeURIComponent(paymentHash)}?from=${encodeURIComponent(from)}`;
    try {
      return paymentStatusOf(await this.#ask("GET", path, options));
    } catch (error) {
      if (error instanceof SeedmintError && error.code === "not-found") return undefined;
      throw error;
    }
  }

  async estimateFeeMsat(
    bolt11: string,
    from: string,
    options: LightningOptions & { readonly amountMsat?: bigint } = {},
  ): Promise<bigint> {
    const body = { bolt11, from, amountMsat: numberOf(options.amountMsat) };
    return BigInt(Number((await this.#ask("POST", "/fees", options, body)).feeMsat));
  }

  async #ask(
    method: "GET" | "POST",
    path: string,
    options: LightningOptions,
    body?: unknown,
    waitMs = 0,
  ): Promise<Record<string, unknown>> {
    return await askLightning(this.url + path, { ...options, method, body, waitMs });
  }
}

/** One request to a Lightning service, its answer as JSON. */
export async function askLightning(
  url: string,
  options: LightningOptions & {
    readonly method: "GET" | "POST";
    readonly body?: unknown;
    readonly waitMs?: number;
  },
): Promise<Record<string, unknown>> {
  const deadline = AbortSignal.timeout(REQUEST_MS_MAX + (options.waitMs ?? 0));
  const signals = options.signal === undefined ? [deadline] : [deadline, options.signal];
  const init: RequestInit = {
    method: options.method,
    redirect: "error",
    signal: AbortSignal.any(signals),
  };
  if (options.body !== undefined) init.body = JSON.stringify(options.body);
  let status: number;
  let text: string;
  try {
    const response = await fetch(url, init);
    status = response.status;
    text = await response.text();
  } catch (error) {
    options.signal?.throwIfAborted();
    throw new SeedmintError(
      "unavailable",
      `The Lightning service ${new URL(url).origin} does not answer: ${
        messageOf(error)
      }; is it running?`,
      { cause: error, retryable: true },
    );
  }
  return resultOf(new URL(url).origin, status, text);
}

function resultOf(url: string, status: number, text: string): Record<string, unknown> {
  let answer: unknown;
  try {
    if (text.length <= ANSWER_BYTES_MAX) answer = JSON.parse(text);
  } catch {
    // Told below.
  }
  const isObject = typeof answer === "object" && answer !== null;
  if (status === 200 && isObject) return answer as Record<string, unknown>;
  const detail = isObject ? String((answer as { error?: unknown }).error) : `HTTP ${status}`;
  if (status === 404) throw new SeedmintError("not-found", detail);
  if (status >= 400 && status < 500) throw new SeedmintError("usage", detail);
  throw new SeedmintError("unavailable", `The Lightning service ${url} failed: ${detail}`, {
    retryable: true,
  });
}

/** An {@link InvoiceStatus} from its JSON form. */
function invoiceStatusOf(answer: Record<string, unknown>): InvoiceStatus {
  return {
    bolt11: String(answer.bolt11),
    paymentHash: String(answer.paymentHash),
    payee: String(answer.payee),
    state: answer.state as InvoiceState,
    ...(answer.preimage === undefined ? {} : { preimage: String(answer.preimage) }),
    paidMsat: BigInt(Number(answer.paidMsat)),
  };
}

function paymentStatusOf(answer: Record<string, unknown>): PaymentStatus {
  return {
    paymentHash: String(answer.paymentHash),
    state: answer.state as PaymentStatus["state"],
    ...(answer.preimage === undefined ? {} : { preimage: String(answer.preimage) }),
    amountMsat: BigInt(Number(answer.amountMsat)),
    feeMsat: BigInt(Number(answer.feeMsat)),
    ...(answer.reason === undefined ? {} : { reason: String(answer.reason) }),
  };
}

function numberOf(amountMsat: bigint | undefined): number | undefined {
  if (amountMsat === undefined) return undefined;
  const number = Number(amountMsat);
  if (!Number.isSafeInteger(number)) throw new RangeError(`${amountMsat} msat are too much`);
  return number;
}
