/** Reading a small thing from an origin: bounded in bytes, time and redirects. */
import { isPublicHost } from "../../src/core/addresses.ts";
import { concatBytes } from "../../src/core/bytes.ts";
import { isSeedmintError, messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import { REDIRECTS_MAX } from "./limits.ts";

/** Options of {@link readHttp}. */
export interface ReadHttpOptions {
  /** More is refused, whatever the origin says of its size. */
  readonly bytesMax: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Whether it may lie in a private network: for what the operator named, not a stranger. */
  readonly allowPrivate: boolean;
  /** @default {globalThis.fetch} */
  readonly fetch?: typeof globalThis.fetch;
  /** Addresses of a host name. @default DNS */
  readonly resolve?: (hostname: string) => Promise<readonly string[]>;
}

/**
 * The whole body at `url`.
 *
 * @throws {SeedmintError} `protocol` if it is too large or redirects wrongly; `not-found`, `denied`,
 * `unavailable`, `timeout`; `aborted`.
 */
export async function readHttp(url: string, options: ReadHttpOptions): Promise<Uint8Array> {
  const end = new AbortController();
  const late = new SeedmintError(
    "timeout",
    `Cannot read ${shown(url)}: it took longer than ${Math.round(options.timeoutMs / 1000)} s`,
    { retryable: true },
  );
  const cancel = options.clock.timer(options.timeoutMs, () => end.abort(late));
  const signal = AbortSignal.any([options.signal, end.signal]);
  try {
    return await readBody(await follow(url, options, signal), url, options.bytesMax);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (isSeedmintError(error)) throw error;
    throw failure("unavailable", url, `it cannot be reached (${withoutUrls(messageOf(error))})`);
  } finally {
    cancel();
  }
}

async function follow(
  first: string,
  options: ReadHttpOptions,
  signal: AbortSignal,
): Promise<Response> {
  const fetch = options.fetch ?? globalThis.fetch;
  let url = new URL(first);
  for (let hop = 0; hop <= REDIRECTS_MAX; hop++) {
    if (url.protocol !== "https:" && url.protocol !== "http:") {
      throw failure("protocol", first, "it redirects to something that is not HTTP");
    }
    if (!options.allowPrivate) await checkPublic(url, options.resolve ?? addressesOf);
    const response = await fetch(url, {
      redirect: "manual",
      signal,
      headers: { "accept-encoding": "identity" },
    });
    const location = response.headers.get("location");
    if (response.status < 300 || response.status > 399 || location === null) {
      if (response.status === 200) return response;
      await response.body?.cancel();
      const code = response.status === 404 || response.status === 410
        ? "not-found"
        : response.status < 500 && response.status !== 429
        ? "denied"
        : "unavailable";
      throw failure(code, first, `it answers ${response.status}`);
    }
    await response.body?.cancel();
    const next = URL.parse(location, url);
    if (next === null) throw failure("protocol", first, "it redirects to no URL");
    url = next;
  }
  throw failure("protocol", first, `it redirects more than ${REDIRECTS_MAX} times`);
}

async function readBody(response: Response, url: string, bytesMax: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of response.body ?? []) {
    size += piece.length;
    // Leaving the loop cancels the body: an origin that never ends sends no more.
    if (size > bytesMax) {
      throw failure("protocol", url, `it sends more than the ${bytesMax} bytes that are allowed`);
    }
    pieces.push(piece);
  }
  return concatBytes(...pieces);
}

async function checkPublic(
  url: URL,
  resolve: (hostname: string) => Promise<readonly string[]>,
): Promise<void> {
  if (await isPublicHost(url.hostname, resolve)) return;
  throw new SeedmintError(
    "denied",
    `Cannot read ${
      shown(url.href)
    }: a server of a private network is not asked on a stranger's word`,
  );
}

async function addressesOf(hostname: string): Promise<readonly string[]> {
  const answers = await Promise.allSettled([
    Deno.resolveDns(hostname, "A"),
    Deno.resolveDns(hostname, "AAAA"),
  ]);
  return answers.flatMap((answer) => answer.status === "fulfilled" ? answer.value : []);
}

function failure(
  code: "protocol" | "unavailable" | "not-found" | "denied",
  url: string,
  why: string,
): SeedmintError {
  return new SeedmintError(code, `Cannot read ${shown(url)}: ${why}`, {
    retryable: code === "unavailable",
  });
}

/** A URL without what may be secret in it. */
export function shown(url: string): string {
  const parsed = URL.parse(url);
  return parsed === null ? "a URL" : `${parsed.origin}${parsed.pathname}`;
}

function withoutUrls(text: string): string {
  return text.replaceAll(/https?:\/\/[^\s)]+/g, "the URL").slice(0, 200);
}
