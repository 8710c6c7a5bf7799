/** The heads of HTTP/1.1 messages, read with a limit: as much of HTTP as an upgrade needs. */
import { concatBytes } from "../../core/bytes.ts";
import { SeedmintError } from "../../core/errors.ts";
import { HTTP_HEAD_BYTES_MAX } from "../limits.ts";

/** A head and the bytes that came after it. */
export interface HttpHead {
  /** The request or status line. */
  readonly startLine: string;
  /** Values by lower-case name; of a repeated header the first. */
  readonly headers: ReadonlyMap<string, string>;
  readonly rest: Uint8Array;
}

/**
 * Reads up to the empty line.
 *
 * @returns The head, or undefined if the other side closed before its first byte.
 * @throws {SeedmintError} `protocol` if it is too long, cut short or malformed.
 */
export async function readHttpHead(
  conn: Pick<Deno.Conn, "read">,
): Promise<HttpHead | undefined> {
  let bytes = new Uint8Array(0);
  const chunk = new Uint8Array(2048);
  for (;;) {
    const count = await conn.read(chunk);
    if (count === null) {
      if (bytes.length === 0) return undefined;
      throw new SeedmintError("protocol", "Cannot read an HTTP head: the connection ended in it");
    }
    bytes = concatBytes(bytes, chunk.subarray(0, count));
    const end = endOfHead(bytes);
    if (end !== undefined && end <= HTTP_HEAD_BYTES_MAX) {
      return parseHead(bytes.subarray(0, end), bytes.slice(end + 4));
    }
    if (bytes.length > HTTP_HEAD_BYTES_MAX) {
      throw new SeedmintError(
        "protocol",
        `Cannot read an HTTP head: it is longer than ${HTTP_HEAD_BYTES_MAX} bytes`,
      );
    }
  }
}

/** Whether the comma-separated header `value` names `token`, in any case. */
export function hasToken(value: string | undefined, token: string): boolean {
  return (value ?? "").toLowerCase().split(",").some((part) => part.trim() === token);
}

function endOfHead(bytes: Uint8Array): number | undefined {
  for (let index = 0; index + 3 < bytes.length; index++) {
    if (
      bytes[index] === 13 && bytes[index + 1] === 10 && bytes[index + 2] === 13 &&
      bytes[index + 3] === 10
    ) return index;
  }
  return undefined;
}

function parseHead(bytes: Uint8Array, rest: Uint8Array): HttpHead {
  const lines = new TextDecoder("latin1").decode(bytes).split("\r\n");
  const headers = new Map<string, string>();
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    if (colon < 1 || !/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) {
      throw new SeedmintError("protocol", "Cannot read an HTTP head: a header line is malformed");
    }
    if (!headers.has(name)) headers.set(name, line.slice(colon + 1).trim());
  }
  return { startLine: lines[0] ?? "", headers, rest };
}
