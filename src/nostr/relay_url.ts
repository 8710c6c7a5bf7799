/** Addresses of relays. */

/**
 * One form for each relay: scheme and host in lower case, no default port, no trailing slash.
 *
 * @throws {SyntaxError} If it is no `ws:` or `wss:` URL, or carries a user, a password or a fragment.
 */
export function parseRelayUrl(text: string): string {
  let url: URL;
  try {
    url = new URL(text.trim());
  } catch {
    throw new SyntaxError(wanted(text));
  }
  if (
    (url.protocol !== "ws:" && url.protocol !== "wss:") || url.hostname === "" ||
    url.username !== "" || url.password !== "" || url.hash !== "" || text.length > 512
  ) {
    throw new SyntaxError(wanted(text));
  }
  const path = url.pathname.replace(/\/+$/, "");
  return `${url.protocol}//${url.host}${path}${url.search}`;
}

/** Where a relay tells about itself (NIP-11): the same address over HTTP. */
export function informationUrl(relayUrl: string): string {
  return relayUrl.replace(/^ws/, "http");
}

function wanted(text: string): string {
  // A password that was typed by mistake must not travel further.
  const shown = text.slice(0, 100).replace(/\/\/[^/@]*@/, "//…@");
  return `Cannot use "${shown}" as a relay: an address like wss://relay.example wanted`;
}
