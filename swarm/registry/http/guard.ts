/**
 * Who may ask. A page in a browser can reach a listener on this machine, or pretend that a name of
 * its own is this machine; either could make the node fetch, push, or tell what it holds.
 */
import { isLoopbackHost } from "../../../src/nostr/relay/hosts.ts";
import { ociRefusal } from "./oci_error.ts";

/** What is known of a request and of the listener. */
export interface Claim {
  /** Values by lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  /** The address on this machine that was connected to. */
  readonly localAddress: string;
  /** Names, with or without a port, under which the operator lets the listener be asked. */
  readonly hosts: ReadonlySet<string>;
}

/** @throws {Refusal} 403 for web pages, 421 for a name that is not ours. */
export function checkClaim(claim: Claim): void {
  if (isFromPage(claim.headers)) {
    throw ociRefusal(403, {
      code: "DENIED",
      message: "Browsers and web pages may not use this registry; use a registry's client, or curl",
    });
  }
  if (!isHostAllowed(claim)) {
    throw ociRefusal(421, {
      code: "DENIED",
      message: "This registry is not known by that name; ask for 127.0.0.1, or configure the name",
    });
  }
}

/**
 * Programs send none of these. A browser tells what a page embeds by `Sec-Fetch-Site` only where it
 * trusts the connection, which plain HTTP to another machine is not, and a page can drop the referrer:
 * then its name alone is left to know it by.
 */
function isFromPage(headers: ReadonlyMap<string, string>): boolean {
  const site = headers.get("sec-fetch-site");
  return headers.has("origin") || headers.has("referer") ||
    (site !== undefined && site !== "none") ||
    /^mozilla\//i.test(headers.get("user-agent") ?? "");
}

/** A name or an address, and a port: nothing else that a URL may have in that place. */
const HOST = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/;

function isHostAllowed({ headers, localAddress, hosts }: Claim): boolean {
  const host = headers.get("host")?.toLowerCase();
  if (host === undefined || !HOST.test(host) || !URL.canParse(`http://${host}`)) return false;
  const hostname = new URL(`http://${host}`).hostname.replace(/^\[(.*)\]$/, "$1");
  // No page can have an address for its name that is not its server's.
  if (hostname === localAddress || isLoopbackHost(hostname)) return true;
  return hosts.has(host) || hosts.has(hostname);
}
