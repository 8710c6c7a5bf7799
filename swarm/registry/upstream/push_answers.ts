/** What the answers to a push mean. */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Clock } from "../../../src/core/ports.ts";
import type { Reply } from "./asker.ts";
import { readJson } from "./body.ts";
import { ERROR_BYTES_MAX, ERROR_CODES_MAX } from "./limits.ts";

/** What was pushed, for messages. */
export interface Pushed {
  readonly registry: string;
  /** `blob sha256:… of acme/web`. */
  readonly what: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * The answer to a request of a push.
 *
 * @throws {SeedmintError} `denied` or `busy` if there is none.
 */
export function answeredOf(reply: Reply, pushed: Pushed): Extract<Reply, { status: "answered" }> {
  const { registry, what } = pushed;
  if (reply.status === "answered") return reply;
  if (reply.status === "denied") {
    throw new SeedmintError(
      "denied",
      `Cannot push ${what} to ${registry}: the login of this node may not; log in to it with ` +
        "docker login or podman login",
    );
  }
  throw new SeedmintError(
    "busy",
    `Cannot push ${what} to ${registry}: it takes nothing for ${Math.ceil(reply.retryMs / 1000)} s`,
    { retryable: true },
  );
}

/** Codes of what is not there; registries send them with 400 as well as with 404. */
const UNKNOWN = new Set(["MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "NAME_UNKNOWN"]);

/** An error for an answer that means failure, with the codes that the registry gives. */
export async function refusalOf(response: Response, pushed: Pushed): Promise<SeedmintError> {
  const { registry, what, clock, signal } = pushed;
  const codes = await codesOf(response, { registry, clock, bytesMax: ERROR_BYTES_MAX, signal });
  const said = codes.length === 0 ? "" : ` (${codes.join(", ")})`;
  const isMissing = response.status === 404 || codes.some((code) => UNKNOWN.has(code));
  return new SeedmintError(
    codes.includes("DIGEST_INVALID") ? "corrupt" : isMissing ? "not-found" : "protocol",
    `Cannot push ${what} to ${registry}: it answered ${response.status}${said}`,
  );
}

/** Codes of an error's body (distribution specification, "Error Codes"); its words are not shown. */
async function codesOf(
  response: Response,
  options: Parameters<typeof readJson>[1],
): Promise<readonly string[]> {
  const json = await readJson(response, options).catch(() => undefined);
  const errors = typeof json === "object" && json !== null && "errors" in json ? json.errors : [];
  if (!Array.isArray(errors)) return [];
  return errors.slice(0, ERROR_CODES_MAX).flatMap((error) => {
    const code = error?.code;
    return typeof code === "string" && /^[A-Z_]{1,40}$/.test(code) ? [code] : [];
  });
}
