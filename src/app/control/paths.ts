/** Where control lives in a data directory. */
import { createHash } from "node:crypto";
import { join } from "node:path";

/** What a Unix socket's path may take on Linux, without the zero byte; macOS allows 103. */
const SOCKET_PATH_BYTES_MAX = 103;

/**
 * The control socket of a data directory: inside it, where mode 0700 keeps others out. A path that is
 * too long for a socket gets a directory of its own below /tmp, which is made with mode 0700 too.
 */
export function socketPath(dataDirectory: string): string {
  const path = join(dataDirectory, "control.sock");
  if (new TextEncoder().encode(path).length <= SOCKET_PATH_BYTES_MAX) return path;
  const name = createHash("sha256").update(dataDirectory).digest("hex").slice(0, 32);
  return join("/tmp", `seedmint-${name}`, "control.sock");
}

/** Whether the directory of a socket was made for it alone. */
export function isOwnDirectory(path: string): boolean {
  return /^\/tmp\/seedmint-[0-9a-f]{32}\//.test(path);
}

/** The file with the bearer token for control over TCP. */
export function tokenPath(dataDirectory: string): string {
  return join(dataDirectory, "control.token");
}
