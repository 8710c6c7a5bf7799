/** What an HTTP response of a mint says, before anybody looks at the protocol. */
import type { PostOutcome } from "./mint_api.ts";
import { parseExactJson } from "./exact_json.ts";
import { COOLDOWN_MS_MAX, RESPONSE_BYTES_MAX } from "./limits.ts";

/** Longest part of a mint's words that is kept. */
const DETAIL_CHARS_MAX = 200;

/**
 * Reads and classifies a response. Only a typed answer (a code and a detail, status 4xx) is a refusal;
 * what is neither that nor JSON with status 200 may or may not have had its effect.
 */
export async function readOutcome(
  response: Response,
  options: { readonly nowMs: number; readonly cooldownMs: number },
): Promise<PostOutcome> {
  if (response.status === 429) {
    await response.body?.cancel();
    const wanted = retryAfterMs(response.headers.get("retry-after"), options.nowMs);
    return { kind: "limited", retryAfterMs: wanted ?? options.cooldownMs };
  }
  const text = await readText(response);
  if (text === undefined) {
    return { kind: "unknown", why: `its answer is larger than ${RESPONSE_BYTES_MAX} bytes` };
  }
  let body: unknown;
  try {
    body = parseExactJson(text);
  } catch {
    const length = text.length;
    return {
      kind: "unknown",
      why: `its answer (status ${response.status}, ${length} characters) is not JSON`,
    };
  }
  if (response.status === 200) return { kind: "answered", body };
  const typed = response.status >= 400 && response.status < 500 ? typedRefusal(body) : undefined;
  return typed ?? { kind: "unknown", why: `it answered with status ${response.status}` };
}

function typedRefusal(body: unknown): PostOutcome | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  const { code, detail } = body as { code?: unknown; detail?: unknown };
  if (!Number.isSafeInteger(code) || (code as number) < 0) return undefined;
  return {
    kind: "refused",
    code: code as number,
    detail: typeof detail === "string" ? withoutSecrets(detail) : "",
  };
}

/** The mint's words without what may be a secret in them: they go into errors that people read. */
export function withoutSecrets(text: string): string {
  return text.slice(0, 4 * DETAIL_CHARS_MAX)
    .replace(/[^\x20-\x7e]+/g, " ")
    // Long words are keys, secrets, tokens, quote ids and invoices.
    .replace(/[A-Za-z0-9+/_=-]{20,}/g, "…")
    .slice(0, DETAIL_CHARS_MAX).trim();
}

/** The wait that `Retry-After` (seconds or a date) asks for, at most {@link COOLDOWN_MS_MAX}. */
function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d{1,9}$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), COOLDOWN_MS_MAX) : undefined;
}

/** The body as text, or undefined if it is too large: read piece by piece, so that a lie costs nothing. */
async function readText(response: Response): Promise<string | undefined> {
  if (response.body === null) return "";
  if (Number(response.headers.get("content-length") ?? 0) > RESPONSE_BYTES_MAX) {
    await response.body.cancel();
    return undefined;
  }
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const part of response.body) {
    size += part.length;
    // Leaving the loop cancels the body.
    if (size > RESPONSE_BYTES_MAX) return undefined;
    text += decoder.decode(part, { stream: true });
  }
  return text + decoder.decode();
}
