/** Saying no as the distribution specification wants it: a status, and codes for programs. */
import { isSeedmintError } from "../../../src/core/errors.ts";
import type { ReplyHeaders } from "../../http/message.ts";
import { Refusal } from "../../http/refusal.ts";

/** Codes of the specification, and the two that Docker's registry adds for trouble of the server. */
export type OciCode =
  | "BLOB_UNKNOWN"
  | "BLOB_UPLOAD_INVALID"
  | "BLOB_UPLOAD_UNKNOWN"
  | "DENIED"
  | "DIGEST_INVALID"
  | "MANIFEST_BLOB_UNKNOWN"
  | "MANIFEST_INVALID"
  | "MANIFEST_UNKNOWN"
  | "NAME_INVALID"
  | "NAME_UNKNOWN"
  | "SIZE_INVALID"
  | "TOOMANYREQUESTS"
  | "UNAVAILABLE"
  | "UNKNOWN"
  | "UNSUPPORTED";

/** Options of {@link ociRefusal}. */
export interface OciRefusalOptions {
  readonly code: OciCode;
  /** One line, without secrets, that says what to do next. */
  readonly message: string;
  readonly headers?: ReplyHeaders;
  readonly detail?: unknown;
}

/** A refusal with the body that clients of registries read. */
export function ociRefusal(status: number, options: OciRefusalOptions): Refusal {
  const { code, message, headers = [], detail } = options;
  return new Refusal(status, message, { headers, json: errorsOf(code, message, detail) });
}

function errorsOf(code: OciCode, message: string, detail: unknown): unknown {
  return { errors: [{ code, message, ...(detail === undefined ? {} : { detail }) }] };
}

/** The same refusal with such a body, where HTTP itself was the trouble. */
export function asOci(refusal: Refusal): unknown {
  if (refusal.json !== undefined) return refusal.json;
  return errorsOf(CODES.get(refusal.status) ?? "UNKNOWN", refusal.message, undefined);
}

const CODES: ReadonlyMap<number, OciCode> = new Map([
  [403, "DENIED"],
  [405, "UNSUPPORTED"],
  [411, "SIZE_INVALID"],
  [413, "SIZE_INVALID"],
  [416, "SIZE_INVALID"],
  [421, "DENIED"],
  [501, "UNSUPPORTED"],
]);

/** That a manifest is not here. */
export function manifestUnknown(reference: string): Refusal {
  return ociRefusal(404, {
    code: "MANIFEST_UNKNOWN",
    message: `No manifest ${reference} here; ask the registry itself`,
  });
}

/** That a blob is not here. */
export function blobUnknown(digest: string): Refusal {
  return ociRefusal(404, {
    code: "BLOB_UNKNOWN",
    message: `No blob ${digest} here; ask the registry itself`,
  });
}

/** That there is no such upload. */
export function uploadUnknown(): Refusal {
  return ociRefusal(404, {
    code: "BLOB_UPLOAD_UNKNOWN",
    message: "There is no such upload, or it took too long; begin another one",
  });
}

/** That a digest is none, or of an algorithm that is not kept here. */
export function digestInvalid(what: string): Refusal {
  return ociRefusal(400, {
    code: "DIGEST_INVALID",
    message: `${what}; sha256: and 64 lower-case hex digits are wanted`,
  });
}

/** That a repository's name is none. */
export function nameInvalid(): Refusal {
  return ociRefusal(400, {
    code: "NAME_INVALID",
    message: "The repository's name is malformed; lower-case parts between slashes are wanted",
  });
}

/** That no such repository is here. */
export function nameUnknown(why: string): Refusal {
  return ociRefusal(404, { code: "NAME_UNKNOWN", message: why });
}

/**
 * What a failure is to a client. A mirror never says 401, 403 or 429: its clients would stop instead of
 * asking the registry itself.
 */
export function refusalOf(error: unknown, isMirror: boolean): Refusal {
  if (error instanceof Refusal) return error;
  if (isSeedmintError(error)) {
    const found = (isMirror ? undefined : refusedWriter(error.code, error.message)) ??
      (error.code === "not-found" || error.code === "denied"
        ? nameUnknown("Not here; ask the registry itself")
        : undefined);
    if (found !== undefined) return found;
  }
  return ociRefusal(503, {
    code: isSeedmintError(error) ? "UNAVAILABLE" : "UNKNOWN",
    message: "It cannot be had here at the moment; ask the registry itself, or try again later",
    headers: [["Retry-After", "1"]],
  });
}

/** What the local registry says of itself may be told to its own clients. */
function refusedWriter(code: string, message: string): Refusal | undefined {
  switch (code) {
    case "busy":
      return ociRefusal(429, {
        code: "TOOMANYREQUESTS",
        message,
        headers: [["Retry-After", "1"]],
      });
    case "no-space":
      return ociRefusal(507, { code: "DENIED", message });
    case "invalid":
      return ociRefusal(400, { code: "MANIFEST_INVALID", message });
    case "corrupt":
      return ociRefusal(400, { code: "DIGEST_INVALID", message });
    case "denied":
      return ociRefusal(403, { code: "DENIED", message });
    case "timeout":
      return ociRefusal(408, { code: "BLOB_UPLOAD_INVALID", message: "It came too slowly" });
    default:
      return undefined;
  }
}
