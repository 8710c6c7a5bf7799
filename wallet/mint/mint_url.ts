/** Addresses of mints, in the one form that the wallet compares, stores and shows. */
import { SeedmintError } from "../../src/core/errors.ts";
import type { MintUrl } from "../types.ts";
import { reachOfHost } from "../../src/core/addresses.ts";

/** Longest address taken, in characters. */
const CHARS_MAX = 256;

/** Options of {@link parseMintUrl}. */
export interface MintUrlOptions {
  /** Takes https on private networks, too. @default {false} */
  readonly allowPrivate?: boolean;
}

/**
 * Reads a mint's address: https, or http on this machine; no user, query or fragment. What comes out
 * has no slash at the end, and the same mint always gives the same text.
 *
 * @throws {SyntaxError} If it is no such address.
 * @throws {SeedmintError} `denied` if it leads into a private network and that is not allowed.
 */
export function parseMintUrl(text: string, options: MintUrlOptions = {}): MintUrl {
  const trimmed = text.trim();
  const fail = (why: string) =>
    new SyntaxError(
      `Cannot read the mint's address: ${why}; wanted is one such as https://mint.example`,
    );
  if (trimmed.length > CHARS_MAX) throw fail(`it is longer than ${CHARS_MAX} characters`);
  const url = URL.canParse(trimmed) ? new URL(trimmed) : undefined;
  if (url === undefined) throw fail("it is not a URL");
  if (url.username !== "" || url.password !== "") throw fail("it names a user or a password");
  if (trimmed.includes("?") || trimmed.includes("#")) throw fail("it has a query or a fragment");
  if (!/^[A-Za-z0-9._~\/-]*$/.test(url.pathname)) throw fail("its path has unusual characters");
  if (url.hostname === "" || url.hostname.endsWith(".")) {
    throw fail("its host's name is incomplete");
  }
  const reach = reachOfHost(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && reach === "loopback")) {
    throw fail("it is neither https, nor http on this machine");
  }
  if (reach === "private" && !options.allowPrivate) {
    throw new SeedmintError(
      "denied",
      "Cannot use the mint: its address is of a private network; allow private mints in the configuration if it is yours",
    );
  }
  const path = url.pathname.replace(/\/{2,}/g, "/").replace(/\/$/, "");
  return `${url.protocol}//${url.host}${path}` as MintUrl;
}

/** As {@link parseMintUrl}, for what strangers send: undefined where that throws. */
export function mintUrlOf(text: unknown, options: MintUrlOptions = {}): MintUrl | undefined {
  if (typeof text !== "string") return undefined;
  try {
    return parseMintUrl(text, options);
  } catch {
    return undefined;
  }
}
