/** Answers that are not what the mint said. */
import { utf8 } from "../../src/core/bytes.ts";
import type { ProxyAnswer } from "./connection.ts";
import type { Fault } from "./rules.ts";

/** Fields of answers (NUT-03, 04, 05, 09) that are lists of signatures. */
const SIGNATURE_FIELDS = ["signatures", "change", "promises", "outputs"] as const;

const PAGE = "<!doctype html><title>Welcome</title><p>Please log in to the network.</p>";

/** What is answered instead of anything that the mint might say. */
export function spoiltAnswer(
  rule: Fault & { readonly action: "status" | "html" | "empty" },
): ProxyAnswer {
  const html = [["content-type", "text/html"]] as const;
  const json = [["content-type", "application/json"]] as const;
  if (rule.action === "html") return { status: 200, headers: html, body: utf8(PAGE) };
  if (rule.action === "empty") return { status: 200, headers: json, body: utf8("") };
  const retry = rule.retryAfterS === undefined
    ? []
    : [["retry-after", String(rule.retryAfterS)]] as const;
  const body = rule.body ?? JSON.stringify({ detail: "the fault proxy was told to say this" });
  return { status: rule.status, headers: [...json, ...retry], body: utf8(body) };
}

/** Reverses the lists of signatures; without any, the answer stays as it is. */
export function permuteSignatures(answer: ProxyAnswer): ProxyAnswer {
  return changed(answer, (json) => {
    const lists = SIGNATURE_FIELDS.filter((field) => Array.isArray(json[field]));
    const reversed = lists.map((field) => [field, (json[field] as unknown[]).toReversed()]);
    return { ...json, ...Object.fromEntries(reversed) };
  });
}

/** Puts `fields` over those of the answer. */
export function mergeFields(
  answer: ProxyAnswer,
  fields: Readonly<Record<string, unknown>>,
): ProxyAnswer {
  return changed(answer, (json) => ({ ...json, ...fields }));
}

function changed(
  answer: ProxyAnswer,
  change: (json: Record<string, unknown>) => unknown,
): ProxyAnswer {
  try {
    const json: unknown = JSON.parse(new TextDecoder().decode(answer.body));
    if (typeof json !== "object" || json === null) return answer;
    return { ...answer, body: utf8(JSON.stringify(change(json as Record<string, unknown>))) };
  } catch {
    return answer;
  }
}
