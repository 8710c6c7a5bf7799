/**
 * Credential helpers: programs named `docker-credential-…` that keep logins in a keyring or fetch them
 * from a cloud. They are programs that a file names, so only those run that the operator allowed by name.
 */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Clock } from "../../../src/core/ports.ts";
import type { Credential } from "./auth_file.ts";
import { HELPER_BYTES_MAX, HELPER_MS_MAX } from "./limits.ts";
import { within } from "./within.ts";

/** Asks a helper for the login of a registry; undefined if it has none. */
export type AskHelper = (
  name: string,
  server: string,
  options: { readonly signal: AbortSignal },
) => Promise<Credential | undefined>;

/** What a helper prints when it knows no login, by its protocol. */
const NONE = /credentials not found/i;

/**
 * Runs `docker-credential-NAME get` with the server's name on its standard input. Needs the permission to
 * run it.
 *
 * @throws {SeedmintError} `unavailable` or `timeout` if it fails; never with anything that it printed.
 */
export function runHelper(options: { readonly clock: Clock }): AskHelper {
  return async (name, server, { signal }) => {
    const failed = (why: string) =>
      new SeedmintError(
        "unavailable",
        `Cannot ask docker-credential-${name} for the login of ${server}: ${why}`,
      );
    let child: Deno.ChildProcess;
    try {
      child = new Deno.Command(`docker-credential-${name}`, {
        args: ["get"],
        stdin: "piped",
        stdout: "piped",
        stderr: "null",
      }).spawn();
    } catch {
      throw failed("it cannot be run; install it, or allow it to be run");
    }
    const stop = () => {
      try {
        child.kill("SIGKILL");
      } catch {
        // It ended by itself.
      }
    };
    try {
      return await within({
        clock: options.clock,
        ms: HELPER_MS_MAX,
        signal,
        what: `docker-credential-${name} did not answer`,
      }, async () => {
        const [text, status] = await Promise.all([
          readBounded(child.stdout),
          child.status,
          writeAll(child.stdin, server),
        ]);
        if (NONE.test(text)) return undefined;
        const credential = status.success ? credentialOf(text) : undefined;
        if (credential === undefined) throw failed("it failed, or printed no login");
        return credential;
      });
    } finally {
      stop();
      await child.status.catch(() => {});
    }
  };
}

async function writeAll(stream: WritableStream<Uint8Array>, text: string): Promise<void> {
  const writer = stream.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch {
    // A helper may end without reading; what it printed decides.
  }
}

async function readBounded(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of stream) {
    if (text.length + piece.length > HELPER_BYTES_MAX) break;
    text += decoder.decode(piece, { stream: true });
  }
  return text;
}

function credentialOf(text: string): Credential | undefined {
  try {
    const { Username: username, Secret: secret } = JSON.parse(text);
    if (typeof username !== "string" || typeof secret !== "string" || secret === "") {
      return undefined;
    }
    return username === "<token>"
      ? { kind: "identity", token: secret }
      : { kind: "password", username, password: secret };
  } catch {
    return undefined;
  }
}
