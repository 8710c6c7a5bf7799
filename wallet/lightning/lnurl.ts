/**
 * Paying somebody who gives invoices at a web address: Lightning addresses (LUD-16) and LNURL-pay
 * (LUD-01, LUD-06, and the `lnurlp:` scheme of LUD-17).
 *
 * Two requests: one asks what may be paid, one for an invoice. Both go to https, or to http on this
 * machine; redirects are not followed, answers have a size and a time limit, and a stranger's answer
 * never leads into a private network or back to this machine. Not here: authentication, withdrawal,
 * success actions, and Tor.
 *
 * Source: https://github.com/lnurl/luds
 */
import { createHash } from "node:crypto";
import { lookup } from "node:dns/promises";
import { SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import { reachOfAddress, reachOfHost } from "../../src/core/addresses.ts";
import { bytesOfBech32, decodeInvoice, expiresAtS, type LightningNetwork } from "./bolt11.ts";

/** Longest address taken, in characters. */
const ADDRESS_CHARS_MAX = 2000;

/** Largest answer read: metadata may hold two pictures of 136,536 characters each. */
const ANSWER_BYTES_MAX = 1 << 19;

/** How long one request may take. */
const REQUEST_MS_MAX = 15_000;

/** Longest text of a stranger that is shown. */
const SHOWN_CHARS_MAX = 200;

/** Options of {@link resolveLnurl} and {@link requestInvoice}. */
export interface LnurlOptions {
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  /** Takes addresses of private networks, too. @default {false} */
  readonly allowPrivate?: boolean;
  /** @default {globalThis.fetch} */
  readonly fetch?: typeof globalThis.fetch;
  /** IP addresses of a host. @default {the system's resolver} */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  /** What invoices must be for. @default Mainnet; regtest where the address is on this machine. */
  readonly network?: LightningNetwork;
}

/** What may be paid at an address. */
export interface LnurlPay {
  /** Who is paid, as the user will recognize it: the Lightning address, or the host's name. */
  readonly payee: string;
  readonly callback: URL;
  readonly minMsat: bigint;
  readonly maxMsat: bigint;
  /** As it came, for its hash. */
  readonly metadata: string;
  /** Its short text, without control characters. */
  readonly description: string;
  /** Longest comment that is taken; 0 for none. */
  readonly commentCharsMax: number;
}

/** An invoice that was checked against what was asked for. */
export interface LnurlInvoice {
  readonly invoice: string;
  readonly paymentHash: string;
  readonly amountMsat: bigint;
}

/** Whether `text` looks like something for {@link resolveLnurl} rather than an invoice. */
export function isLnurl(text: string): boolean {
  return /^(lightning:)?(lnurl1|lnurlp:\/\/|[a-z0-9._+-]+@)/i.test(text.trim());
}

/**
 * Asks what may be paid at a Lightning address (`name@host`), an LNURL (`lnurl1…`) or an `lnurlp:` URL.
 *
 * @throws {SyntaxError} If it is none.
 * @throws {SeedmintError} `denied` if it leads where it may not or the service refuses; `unavailable`
 * (retryable) if nobody answers; `protocol` if the answer makes no sense.
 */
export async function resolveLnurl(text: string, options: LnurlOptions): Promise<LnurlPay> {
  const { url, name } = urlOf(text);
  const answer = await ask(url, options);
  if (answer.tag !== "payRequest") throw broken(url, "it is for something else than paying");
  const { metadata, callback } = answer;
  if (typeof metadata !== "string" || typeof callback !== "string" || !URL.canParse(callback)) {
    throw broken(url, "its metadata or its callback is missing");
  }
  const minMsat = amountOf(url, answer.minSendable);
  const maxMsat = amountOf(url, answer.maxSendable);
  if (minMsat < 1n || minMsat > maxMsat) throw broken(url, "its limits contradict each other");
  const comment = answer.commentAllowed;
  const callbackUrl = new URL(callback);
  checkUrl(callbackUrl, { ...options, from: url });
  return {
    payee: name ?? url.host,
    callback: callbackUrl,
    minMsat,
    maxMsat,
    metadata,
    description: shown(descriptionIn(url, metadata)),
    commentCharsMax: Number.isSafeInteger(comment) && comment as number > 0 ? comment as number : 0,
  };
}

/**
 * Asks for an invoice of `amountMsat` and checks it: the amount is exact, its network is right, it is
 * not expired, and if it commits to a description, then to the one that was shown.
 *
 * @throws {RangeError} If the amount or the comment is outside of what the payee takes.
 * @throws {SeedmintError} As {@link resolveLnurl}.
 */
export async function requestInvoice(
  pay: LnurlPay,
  request: { readonly amountMsat: bigint; readonly comment?: string },
  options: LnurlOptions,
): Promise<LnurlInvoice> {
  const { amountMsat, comment = "" } = request;
  if (amountMsat < pay.minMsat || amountMsat > pay.maxMsat) {
    throw new RangeError(
      `Cannot pay ${amountMsat} msat to ${pay.payee}: it takes ${pay.minMsat} to ${pay.maxMsat} msat`,
    );
  }
  if (comment.length > pay.commentCharsMax) {
    throw new RangeError(
      `Cannot send this comment to ${pay.payee}: at most ${pay.commentCharsMax} characters`,
    );
  }
  const url = new URL(pay.callback);
  url.searchParams.set("amount", String(amountMsat));
  if (comment !== "") url.searchParams.set("comment", comment);
  const { pr } = await ask(url, options);
  if (typeof pr !== "string") throw broken(url, "there is no invoice in it");
  return checkedInvoice(pr, { pay, amountMsat, url, options });
}

function checkedInvoice(
  text: string,
  { pay, amountMsat, url, options }: {
    readonly pay: LnurlPay;
    readonly amountMsat: bigint;
    readonly url: URL;
    readonly options: LnurlOptions;
  },
): LnurlInvoice {
  let invoice: ReturnType<typeof decodeInvoice>;
  try {
    invoice = decodeInvoice(text);
  } catch {
    throw broken(url, "its invoice cannot be read");
  }
  const isLocal = reachOfHost(url.hostname) === "loopback";
  const network = options.network ?? (isLocal ? "regtest" : "mainnet");
  if (invoice.network !== network) {
    throw broken(url, `its invoice is for ${invoice.network}, wanted is ${network}`);
  }
  if (invoice.amountMsat !== amountMsat) {
    const found = invoice.amountMsat === undefined ? "any amount" : `${invoice.amountMsat} msat`;
    throw broken(url, `its invoice is for ${found}, asked for were ${amountMsat} msat`);
  }
  // LUD-06 no longer demands the hash; one that is there must be right.
  const hash = createHash("sha256").update(pay.metadata).digest("hex");
  if (invoice.descriptionHash !== undefined && invoice.descriptionHash !== hash) {
    throw broken(url, "its invoice is for something else than it described");
  }
  if (expiresAtS(invoice) * 1000 <= options.clock.nowMs()) {
    throw broken(url, "its invoice is expired");
  }
  return { invoice: text, paymentHash: invoice.paymentHash, amountMsat };
}

/** Where to ask, and the Lightning address if it is one. */
function urlOf(text: string): { readonly url: URL; readonly name?: string } {
  const bare = text.trim().replace(/^lightning:/i, "");
  const fail = () =>
    new SyntaxError(
      "Cannot read the address to pay: wanted is one such as name@host.example, or lnurl1…",
    );
  if (bare.length > ADDRESS_CHARS_MAX) throw fail();
  const address = /^([a-z0-9._+-]{1,64})@([a-z0-9.-]+(?::\d{1,5})?)$/.exec(bare.toLowerCase());
  if (address !== null) {
    const [name, host] = [address[1]!, address[2]!];
    if (!URL.canParse(`https://${host}`)) throw fail();
    const url = `${schemeFor(host)}//${host}/.well-known/lnurlp/${name}`;
    return { url: new URL(url), name: `${name}@${host}` };
  }
  const plain = /^lnurlp:\/\//i.test(bare)
    ? bare.replace(/^lnurlp:\/\/([^/?#]*)/i, (_, host: string) => `${schemeFor(host)}//${host}`)
    : new TextDecoder().decode(bytesOfBech32(bare, "lnurl"));
  if (!URL.canParse(plain)) throw fail();
  return { url: new URL(plain) };
}

function schemeFor(host: string): "http:" | "https:" {
  const url = URL.canParse(`http://${host}`) ? new URL(`http://${host}`) : undefined;
  return url !== undefined && reachOfHost(url.hostname) === "loopback" ? "http:" : "https:";
}

/** Refuses an address that leads where it may not; `from` is where a stranger named it. */
function checkUrl(
  url: URL,
  options: { readonly allowPrivate?: boolean; readonly from?: URL },
): void {
  const reach = reachOfHost(url.hostname);
  const isLocal = reach === "loopback";
  const isSecure = url.protocol === "https:" || (url.protocol === "http:" && isLocal);
  if (!isSecure || url.username !== "" || url.password !== "") {
    throw denied(url, "it is neither https, nor http on this machine");
  }
  if (isLocal && options.from !== undefined && reachOfHost(options.from.hostname) !== "loopback") {
    throw denied(url, "a stranger may not send us to this machine");
  }
  if (reach === "private" && !options.allowPrivate) {
    throw denied(
      url,
      "it is of a private network; allow these in the configuration if it is yours",
    );
  }
}

async function ask(url: URL, options: LnurlOptions): Promise<Record<string, unknown>> {
  checkUrl(url, options);
  const deadline = AbortSignal.timeout(REQUEST_MS_MAX);
  const signal = options.signal ? AbortSignal.any([deadline, options.signal]) : deadline;
  let response: Response;
  let text: string | undefined;
  try {
    await checkNames(url, options);
    response = await (options.fetch ?? fetch)(url, {
      headers: { accept: "application/json" },
      redirect: "manual",
      signal,
    });
    text = await readText(response);
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof SeedmintError) throw error;
    throw new SeedmintError(
      "unavailable",
      `Cannot ask ${url.host} for an invoice: it does not answer`,
      {
        cause: error,
        retryable: true,
      },
    );
  }
  return answerIn(url, response.status, text);
}

function answerIn(url: URL, status: number, text: string | undefined): Record<string, unknown> {
  if (text === undefined) throw broken(url, `it is larger than ${ANSWER_BYTES_MAX} bytes`);
  if (status >= 300 && status < 400) throw broken(url, "it leads elsewhere, which is not followed");
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    // Told below.
  }
  if (typeof answer !== "object" || answer === null || Array.isArray(answer)) {
    throw broken(url, `it is no JSON object (status ${status})`);
  }
  const { status: outcome, reason } = answer as { status?: unknown; reason?: unknown };
  if (outcome === "ERROR") {
    throw new SeedmintError("denied", `${url.host} refuses: ${shown(String(reason ?? ""))}`);
  }
  if (status !== 200) throw broken(url, `its status is ${status}`);
  return answer as Record<string, unknown>;
}

/** Refuses a public name that leads into a private network. */
async function checkNames(url: URL, options: LnurlOptions): Promise<void> {
  if (options.allowPrivate || reachOfHost(url.hostname) !== "named") return;
  const resolve = options.resolve ?? resolveBySystem;
  const addresses = await resolve(url.hostname);
  if (addresses.every((address) => reachOfAddress(address) === "public")) return;
  throw denied(url, "its name leads into a private network");
}

async function resolveBySystem(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

async function readText(response: Response): Promise<string | undefined> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    // Leaving the loop cancels the body.
    if (size > ANSWER_BYTES_MAX) return undefined;
    text += decoder.decode(part, { stream: true });
  }
  return text + decoder.decode();
}

function descriptionIn(url: URL, metadata: string): string {
  let entries: unknown;
  try {
    entries = JSON.parse(metadata);
  } catch {
    // Told below.
  }
  const plain = Array.isArray(entries)
    ? entries.find((entry) => Array.isArray(entry) && entry[0] === "text/plain")
    : undefined;
  if (typeof plain?.[1] !== "string") throw broken(url, "its metadata describes nothing");
  return plain[1];
}

function amountOf(url: URL, value: unknown): bigint {
  if (Number.isSafeInteger(value) && value as number >= 0) return BigInt(value as number);
  throw broken(url, "its limits are no whole numbers of msat");
}

/** A stranger's text as it may be printed. */
function shown(text: string): string {
  return text.replace(/[\s\p{C}]+/gu, " ").slice(0, SHOWN_CHARS_MAX).trim();
}

function broken(url: URL, why: string): SeedmintError {
  return new SeedmintError("protocol", `Cannot use the answer of ${url.host}: ${why}`);
}

function denied(url: URL, why: string): SeedmintError {
  return new SeedmintError("denied", `Cannot ask ${url.host} for an invoice: ${why}`);
}
