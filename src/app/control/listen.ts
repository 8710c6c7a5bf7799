/** The listeners of control and metrics, and the files that belong to them. */
import { dirname } from "node:path";
import { SeedmintError } from "../../core/errors.ts";
import { storageError } from "../api/parts.ts";
import type { HostPort } from "../config/values.ts";
import { checkHost, type ListenerKind } from "./guard.ts";
import { isOwnDirectory, tokenPath } from "./paths.ts";
import { type ControlServer, metricsResponse } from "./server.ts";

/** A listener that can be ended. */
export interface Listener extends AsyncDisposable {
  /** The path of the socket, or the URL. */
  readonly address: string;
}

/**
 * Serves control on a Unix socket of mode 0600 in a directory of mode 0700. Whoever calls this holds
 * the lock of the data directory, so a socket that lies there is of a process that ended.
 */
export async function listenOnSocket(server: ControlServer, path: string): Promise<Listener> {
  try {
    await preparePlace(path);
    const http = Deno.serve({ path, onListen: () => {}, onError: internalError }, (request) => {
      return server.handle(request, { via: "socket" });
    });
    await Deno.chmod(path, 0o600);
    return {
      address: path,
      [Symbol.asyncDispose]: async () => {
        server.close();
        await http.shutdown();
        await removeIfThere(path);
        if (isOwnDirectory(path)) await Deno.remove(dirname(path));
      },
    };
  } catch (error) {
    throw storageError(error, `Cannot open the control socket ${path}`);
  }
}

/** Serves control on loopback TCP. */
export function listenOnLoopback(server: ControlServer, address: HostPort): Listener {
  return serveLoopback(address, "control", (request, listener) => server.handle(request, listener));
}

/** Serves `/metrics` on loopback TCP, without a token: it tells no secret. */
export function listenForMetrics(address: HostPort, metrics: () => Promise<string>): Listener {
  return serveLoopback(address, "metrics", async (request, listener) => {
    const refused = checkHost(request, listener);
    if (refused !== undefined) return refused;
    const isMetrics = request.method === "GET" && new URL(request.url).pathname === "/metrics";
    return isMetrics
      ? metricsResponse(await metrics())
      : new Response("See /metrics\n", { status: 404 });
  });
}

/** The bearer token of the data directory, made on first use, in a file of mode 0600. */
export async function openToken(dataDirectory: string): Promise<string> {
  const path = tokenPath(dataDirectory);
  try {
    const token = (await Deno.readTextFile(path)).trim();
    if (((await Deno.stat(path)).mode ?? 0) & 0o077) {
      throw new SeedmintError(
        "storage",
        `Cannot use ${path}: others may read it; remove it, and a new one is made`,
      );
    }
    if (/^[\w-]{32,256}$/.test(token)) return token;
    throw new SeedmintError("storage", `Cannot use ${path}: it holds no token; remove it`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw storageError(error, `Cannot read ${path}`);
  }
  const token = crypto.getRandomValues(new Uint8Array(32))
    .toBase64({ alphabet: "base64url", omitPadding: true });
  await Deno.writeTextFile(path, `${token}\n`, { mode: 0o600, createNew: true });
  return token;
}

function serveLoopback(
  address: HostPort,
  what: string,
  handle: (request: Request, listener: ListenerKind) => Promise<Response>,
): Listener {
  let port = address.port;
  let http: Deno.HttpServer<Deno.NetAddr>;
  try {
    http = Deno.serve(
      { hostname: address.hostname, port, onListen: () => {}, onError: internalError },
      (request) => handle(request, { via: "loopback", port }),
    );
  } catch (error) {
    throw new SeedmintError(
      "usage",
      `Cannot serve ${what} on ${address.hostname}:${port}: ${
        error instanceof Deno.errors.AddrInUse ? "the port is taken; choose another" : String(error)
      }`,
      { cause: error },
    );
  }
  port = http.addr.port;
  const host = address.hostname.includes(":") ? `[${address.hostname}]` : address.hostname;
  return {
    address: `http://${host}:${port}`,
    [Symbol.asyncDispose]: () => http.shutdown(),
  };
}

/** Makes the directory, and checks that it is ours alone: below /tmp someone may have been faster. */
async function preparePlace(path: string): Promise<void> {
  const directory = dirname(path);
  await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
  const { mode, isSymlink } = await Deno.lstat(directory);
  if (isSymlink || ((mode ?? 0) & 0o077) !== 0) {
    throw new SeedmintError(
      "storage",
      `Cannot open the control socket: others may enter ${directory}; run: chmod 700 ${directory}`,
    );
  }
  await removeIfThere(path);
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function internalError(): Response {
  return new Response("internal error\n", { status: 500 });
}
