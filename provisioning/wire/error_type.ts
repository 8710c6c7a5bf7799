/**
 * Why a request failed, as programs see it. Clients switch on these strings, so they never change; of
 * strangers any other may come.
 */

/** The strings of Paygress' messages and HTTP mode, which clients know. */
const PAYGRESS = [
  "invalid_request",
  // The token.
  "invalid_token",
  "non_whitelisted_mint",
  "token_already_spent",
  "token_pending",
  "mint_network_error",
  "unsupported_unit",
  "mint_error",
  "payment_required",
  "insufficient_payment",
  // Spawning.
  "not_addressed",
  "template_unsupported",
  "unknown_template",
  "no_specs",
  "no_capacity",
  "provisioning_error",
  "backend_error",
  "invalid_volume_encryption",
  "missing_workload_id",
  // A lease that is there, or is not.
  "invalid_pod_id",
  "not_owner",
  "not_found",
  "lease_expired",
  "spec_unavailable",
  "race_lost",
] as const;

/** Ours, where Paygress has no word. */
const OWN = [
  /** More requests than this key may make; `retry_ms` says when again. */
  "rate_limited",
  /** No new leases at the moment, by the provider's own will. */
  "draining",
  /** The image cannot be had. */
  "image_unavailable",
  /** The image, or this key, is not wanted here. */
  "denied",
  /** It is not ready yet, or it is being ended. */
  "not_ready",
] as const;

/** Why a request failed. */
export type ErrorType = (typeof PAYGRESS)[number] | (typeof OWN)[number];

const KNOWN: ReadonlySet<string> = new Set([...PAYGRESS, ...OWN]);

/** The names of Paygress' earlier document of its messages. */
const ALIASES: Readonly<Record<string, ErrorType>> = {
  invalid_spec: "spec_unavailable",
  resource_unavailable: "no_capacity",
  pod_creation_failed: "provisioning_error",
  pod_not_found: "not_found",
  payment_failed: "mint_error",
  internal_error: "backend_error",
};

/** Reads the name of an error; `unknown` if it is none that we know under any name. */
export function errorTypeOf(name: string): ErrorType | "unknown" {
  if (KNOWN.has(name)) return name as ErrorType;
  return Object.hasOwn(ALIASES, name) ? ALIASES[name]! : "unknown";
}

const GONE: ReadonlySet<string> = new Set(["lease_expired", "not_found", "race_lost", "not_owner"]);

/** Whether the error says that there is no such lease of ours any more: stop paying for it. */
export function isLeaseGone(type: ErrorType | "unknown"): boolean {
  return GONE.has(type);
}

const TAKEN_NOTHING: ReadonlySet<string> = new Set([
  "invalid_request",
  "non_whitelisted_mint",
  "unsupported_unit",
  "not_addressed",
  "template_unsupported",
  "unknown_template",
  "no_specs",
  "no_capacity",
  "spec_unavailable",
  "rate_limited",
  "draining",
  "denied",
]);

/**
 * Whether a provider that is honest and checks before it redeems has left the token alone. One of
 * Paygress redeems first, so with those the answer is a hope.
 */
export function leavesTokenAlone(type: ErrorType | "unknown"): boolean {
  return TAKEN_NOTHING.has(type);
}
