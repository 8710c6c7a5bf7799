/** `blossom:` URIs (Blossom BUD-10), and the hints in them. Pure. */
import { isSha256, type Sha256 } from "../../src/core/hash.ts";
import { HINTS_MAX } from "./limits.ts";

/** A blob, and where it may be had. All but the hash are hints. */
export interface BlossomUri {
  readonly sha256: Sha256;
  /** File extension without the dot; `bin` if nothing is known. */
  readonly extension: string;
  /** Origins such as `https://cdn.example.com`, in the order to ask. */
  readonly servers: readonly string[];
  /** Nostr keys, 64 hex digits. */
  readonly authors: readonly string[];
  /** In bytes. */
  readonly size?: number;
}

/** The hints of a query: `xs`, `as` and `sz`. What cannot be read is left out. */
export function hintsOf(query: URLSearchParams): Omit<BlossomUri, "sha256" | "extension"> {
  const servers = new Set<string>();
  for (const text of query.getAll("xs").slice(0, HINTS_MAX)) {
    for (const server of originsOf(text)) servers.add(server);
  }
  const authors = new Set(query.getAll("as").slice(0, HINTS_MAX).filter(isSha256));
  const size = query.get("sz") ?? "";
  return {
    servers: [...servers],
    authors: [...authors],
    ...(/^(0|[1-9][0-9]{0,14})$/.test(size) ? { size: Number(size) } : {}),
  };
}

/**
 * Reads a `blossom:` URI; the older `blossom://<server>/<hash>` too.
 *
 * @throws {SyntaxError} If it is none.
 */
export function parseBlossomUri(text: string): BlossomUri {
  const match =
    /^blossom:(?:\/\/([^/?#\s]{1,255})\/)?([0-9a-f]{64})(?:\.([A-Za-z0-9]{1,16}))?(?:\?([^#\s]{0,4096}))?$/
      .exec(text.trim());
  const [, server, sha256, extension = "bin", query = ""] = match ?? [];
  if (!isSha256(sha256)) {
    throw new SyntaxError(
      "Cannot read the blossom: URI: blossom:<64 hex digits of SHA-256>.<extension> is wanted",
    );
  }
  const hints = hintsOf(new URLSearchParams(query));
  const first = server === undefined ? [] : originsOf(server);
  return { sha256, extension, ...hints, servers: [...new Set([...first, ...hints.servers])] };
}

/** The URI of a blob; servers keep their scheme only where it is not `https:`. */
export function formatBlossomUri(uri: BlossomUri): string {
  const query = new URLSearchParams();
  for (const server of uri.servers) query.append("xs", server.replace(/^https:\/\//, ""));
  for (const author of uri.authors) query.append("as", author);
  if (uri.size !== undefined) query.append("sz", `${uri.size}`);
  const tail = query.size === 0 ? "" : `?${query}`;
  return `blossom:${uri.sha256}.${uri.extension}${tail}`;
}

/** The origins that a server hint means: without a scheme HTTPS, then HTTP. */
function originsOf(text: string): string[] {
  const hasScheme = /^https?:\/\//i.test(text);
  const candidates = hasScheme ? [text] : [`https://${text}`, `http://${text}`];
  return candidates.flatMap((candidate) => {
    const url = URL.canParse(candidate) ? new URL(candidate) : undefined;
    // A hint is a server, nothing that lies on one, and it carries no password.
    const isPlain = url !== undefined && url.username === "" && url.password === "" &&
      url.pathname === "/" && url.search === "" && url.hash === "";
    return isPlain ? [url.origin] : [];
  });
}
