/** Everything about a spawn request that can be told without asking anybody: before money, before room. */
import { isSeedmintError } from "../../src/core/errors.ts";
import { durationMsOf, type LeaseSpec, satFor } from "../leases/mod.ts";
import type { TokenFacts, TokenRefusal } from "../ports.ts";
import { readPublicKey } from "../ssh/mod.ts";
import type { SpawnRequest } from "../wire/mod.ts";
import type { ProviderContext } from "./context.ts";
import { imageProblem, imageReference } from "./image_rules.ts";
import { PROVIDER_LIMITS } from "./limits.ts";
import { Refusal } from "./refusal.ts";

/** What a valid request comes to. */
export interface CheckedSpawn {
  readonly spec: LeaseSpec;
  readonly image: string;
  readonly facts: TokenFacts;
  readonly isTokenSafe: boolean;
  readonly authorizedKeys: readonly string[];
  /** Of a client without a key; undefined means that we choose one. */
  readonly password?: string;
}

/** The longest wait that a lock must cover, in minutes, as quotes say it. */
export const LOCKTIME_MIN = Math.ceil(
  (PROVIDER_LIMITS.pullWithinMs + PROVIDER_LIMITS.lockMarginMs) / 60_000,
);

const TOKEN_REFUSALS: ReadonlySet<unknown> = new Set<TokenRefusal>([
  "invalid_token",
  "non_whitelisted_mint",
  "token_already_spent",
  "token_pending",
  "mint_network_error",
  "unsupported_unit",
  "mint_error",
]);

/** @throws {Refusal} */
export function checkSpawn(
  request: SpawnRequest,
  owner: string,
  context: ProviderContext,
): CheckedSpawn {
  const { settings, journal } = context;
  checkWelcome(owner, context);
  checkKind(request, context);
  const spec = specFor(request.specId, context);
  const image = imageReference(request);
  const problem = imageProblem(image, settings.images, journal.policy);
  if (problem !== undefined) throw new Refusal("denied", problem);
  checkPorts(request, context);
  const authorizedKeys = keysIn(request.sshPublicKey);
  const facts = inspect(request.token, context);
  assertUntaken(facts);
  checkAmount(facts.amountSat, { spec, context });
  const isPassword = /^[A-Za-z0-9]{12,64}$/.test(request.sshPassword);
  return {
    spec,
    image,
    facts,
    isTokenSafe: isSafe(facts, context),
    authorizedKeys,
    ...(authorizedKeys.length === 0 && isPassword ? { password: request.sshPassword } : {}),
  };
}

/** Whether a new lease of `owner` is wanted at all. @throws {Refusal} */
export function checkWelcome(owner: string, context: ProviderContext): void {
  const { journal, settings } = context;
  if (journal.policy.isKeyDenied(owner)) {
    throw new Refusal("denied", "This provider lends nothing to this key");
  }
  if (journal.policy.isDraining) {
    throw new Refusal("draining", "This provider takes no new leases at the moment");
  }
  const waitMs = context.silent.waitMs(owner);
  if (waitMs > 0) {
    throw new Refusal(
      "rate_limited",
      "SSH did not answer in several leases of this key; try another image, later",
      { retryMs: waitMs },
    );
  }
  if (journal.leases.heldCount(owner) >= settings.leasesPerKeyMax) {
    throw new Refusal(
      "rate_limited",
      `This key has ${settings.leasesPerKeyMax} leases here already; end one first`,
      { retryMs: 60_000 },
    );
  }
}

/** The tier that is meant. @throws {Refusal} */
export function specFor(specId: string | undefined, context: ProviderContext): LeaseSpec {
  const { specs } = context.settings;
  if (specs.length === 0) throw new Refusal("no_specs", "This provider has no tiers");
  const spec = specId === undefined && specs.length === 1
    ? specs[0]
    : specs.find((one) => one.id === specId);
  if (spec !== undefined) return spec;
  const ids = specs.map((one) => one.id).join(", ");
  throw new Refusal("spec_unavailable", `pod_spec_id must be one of: ${ids}`);
}

/** Reads a token without asking anybody. @throws {Refusal} */
export function inspect(token: string, context: ProviderContext): TokenFacts {
  let facts: TokenFacts;
  try {
    facts = context.till.inspect(token);
  } catch (error) {
    const code = (error as { cause?: { code?: unknown } }).cause?.code;
    if (!TOKEN_REFUSALS.has(code)) {
      if (isSeedmintError(error)) throw new Refusal("invalid_token", error.message);
      throw error;
    }
    throw new Refusal(code as TokenRefusal, (error as Error).message);
  }
  if (facts.unit !== "sat" && facts.unit !== "msat") {
    throw new Refusal("unsupported_unit", "Only sat tokens are taken");
  }
  if (facts.lockedTo !== undefined && facts.lockedTo !== context.till.paymentKey) {
    throw new Refusal("invalid_token", "The token is locked to another key than this provider's");
  }
  return facts;
}

/** A token that the till has, and the journal does not, paid for what is forgotten. @throws {Refusal} */
export function assertUntaken(facts: TokenFacts): void {
  if (facts.wasTaken !== true) return;
  throw new Refusal("token_already_spent", "The token was used already");
}

/** Whether `amountSat` pays for a time that can be had. @throws {Refusal} */
export function checkAmount(
  amountSat: number,
  options: { readonly spec: LeaseSpec; readonly context: ProviderContext },
): void {
  const { spec, context } = options;
  const { minDurationMs, maxDurationMs } = context.settings;
  const paidMs = durationMsOf(amountSat * 1000, spec.rateMsatPerS);
  if (paidMs < minDurationMs) {
    const seconds = Math.ceil(minDurationMs / 1000);
    throw new Refusal(
      "insufficient_payment",
      `Insufficient payment for minimum duration. Required: ${
        satFor(minDurationMs, spec.rateMsatPerS) * 1000
      } msats for ${seconds}s`,
    );
  }
  if (paidMs > maxDurationMs) {
    throw new Refusal(
      "invalid_request",
      `Too much: a lease lasts at most ${Math.floor(maxDurationMs / 1000)} s, which cost ${
        satFor(maxDurationMs, spec.rateMsatPerS)
      } sat`,
    );
  }
}

function checkKind(request: SpawnRequest, context: ProviderContext): void {
  if (request.template !== undefined) {
    throw new Refusal("template_unsupported", "There are no templates here; name an image");
  }
  if (request.volumeEncryption !== undefined) {
    throw new Refusal("invalid_volume_encryption", "There are no encrypted volumes here");
  }
  if (request.replication?.mode !== "warm-standby") return;
  if (request.workloadId === undefined) {
    throw new Refusal("missing_workload_id", "A workload with standbys needs a workload_id");
  }
  if (request.primary !== context.provider) {
    throw new Refusal("not_addressed", "This provider keeps no standby places");
  }
}

function checkPorts(request: SpawnRequest, context: ProviderContext): void {
  const ports = request.ports ?? [];
  if (ports.length > context.settings.portCountMax) {
    throw new Refusal(
      "invalid_request",
      `A lease has at most ${context.settings.portCountMax} ports here besides SSH`,
    );
  }
  const names = new Set(ports.map((port) => `${port.containerPort}/${port.protocol}`));
  if (names.size !== ports.length) {
    throw new Refusal("invalid_request", "A port was asked for twice");
  }
}

/** Keys and nothing else: what else may stand in a line of authorized_keys is not for strangers. */
function keysIn(text: string | undefined): readonly string[] {
  const lines = (text ?? "").split("\n").map((line) => line.trim()).filter((line) => line !== "");
  try {
    return lines.map(readPublicKey);
  } catch (error) {
    throw new Refusal("invalid_request", `ssh_public_key: ${(error as Error).message}`);
  }
}

/** Whether a token may be taken to its mint now. @throws {Refusal} */
export function admit(facts: TokenFacts, context: ProviderContext): void {
  const { till, time, tokens } = context;
  // One whose lock is about to end may be gone before its turn comes.
  const isOurs = facts.lockedTo === till.paymentKey &&
    (facts.locktimeS === undefined || facts.locktimeS * 1000 >= time.nowMs() + 30_000);
  if (tokens.admits(facts, { isOurs })) return;
  throw new Refusal(
    "rate_limited",
    "Too many tokens that were worth nothing; send one that has proofs of its mint (NUT-12) and is " +
      "locked to this provider",
    { retryMs: 10_000 },
  );
}

/** Whether a token may wait for an image: nobody else can spend it meanwhile, and it is real. */
function isSafe(facts: TokenFacts, context: ProviderContext): boolean {
  if (facts.lockedTo !== context.till.paymentKey || !facts.hasValidDleq) return false;
  if (facts.locktimeS === undefined) return true;
  const waitMs = PROVIDER_LIMITS.pullWithinMs + PROVIDER_LIMITS.lockMarginMs;
  // Quotes tell whole minutes; half a minute is for the way of the request.
  return facts.locktimeS * 1000 >= context.time.nowMs() + waitMs - 30_000;
}
