/**
 * A lease on its way to its owner, one step at a time. Each step reads the journal, does at most one
 * thing outside, which can be done again, and writes the journal: after a crash the same step runs.
 */
import { isSeedmintError, messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { Sha256 } from "../../src/core/hash.ts";
import { durationMsOf, type Lease, type Payment } from "../leases/mod.ts";
import type { Image, InstanceSpec } from "../ports.ts";
import { type ErrorType, leaseNameOf } from "../wire/mod.ts";
import type { ProviderContext } from "./context.ts";
import { within } from "./deadline.ts";
import { digestProblem } from "./image_rules.ts";
import type { SharedLanes } from "./lanes.ts";
import { instanceEndMs } from "./lease_time.ts";
import { PROVIDER_LIMITS } from "./limits.ts";

const SILENT = "SSH did not answer";

/** What a step found: go on at once, or wait for so many milliseconds. */
export type Step = "again" | { readonly waitMs: number };

/** What the steps share. */
export interface StepContext extends ProviderContext {
  readonly pulls: SharedLanes;
  readonly starts: SharedLanes;
  /** Images that were made ready to start before: nobody need wait for that again. */
  readonly prepared: Set<Sha256>;
  /** Bytes of an image that came. */
  readonly onPull: (lease: Lease, bytes: number, size: number | undefined) => void;
}

/** `reserved`: what is safe with us waits for its image, anything else is redeemed at once. */
export function stepReserved(lease: Lease, context: StepContext): Step {
  if (isTooLate(lease, context)) return "again";
  const { journal, time } = context;
  if (lease.terms.isTokenSafe) apply(context, lease, { type: "pull" });
  else {
    journal.leases.apply(lease.number, { type: "redeem" }, {
      nowMs: time.nowMs(),
      also: () => journal.payments.redeeming(lease.terms.tokenId),
    });
  }
  return "again";
}

/** `pulling`: the image is brought, and the engine makes it ready to start. */
export async function stepPulling(lease: Lease, context: StepContext): Promise<Step> {
  if (isTooLate(lease, context)) return "again";
  const { clock, signal, journal, time } = context;
  let error: ErrorType = "image_unavailable";
  try {
    const leftMs = Math.max(1, lease.createdMs + PROVIDER_LIMITS.spawnWithinMs - time.nowMs());
    const image = await within(
      clock,
      { ms: leftMs, what: "Bringing the image after those of others", signal },
      (signal) => makeReady(lease, context, { signal, onBrought: () => error = "backend_error" }),
    );
    // Nothing is redeemed for somebody who went elsewhere.
    if (isTooLate(lease, context)) return "again";
    journal.leases.apply(lease.number, { type: "pulled", digest: image.digest }, {
      nowMs: time.nowMs(),
      also: (after) => {
        if (after.state === "redeeming") journal.payments.redeeming(lease.terms.tokenId);
      },
    });
  } catch (cause) {
    failUnlessClosing(lease, context, { error, what: "The image cannot be used", cause });
  }
  return "again";
}

/** Brings an image and makes it ready; what was ready before waits for nobody's image. */
async function makeReady(
  lease: Lease,
  context: StepContext,
  options: { readonly signal: AbortSignal; readonly onBrought: () => void },
): Promise<Image> {
  const { clock, backend, images, prepared } = context;
  const timely = (work: (signal: AbortSignal) => Promise<Image>) =>
    within(
      clock,
      {
        ms: PROVIDER_LIMITS.pullWithinMs,
        what: "Bringing the image",
        signal: options.signal,
      },
      work,
    );
  const found = images.has(referenceOf(lease))
    ? await timely((signal) => bring(lease, context, signal))
    : undefined;
  const prepare = async (image: Image, signal: AbortSignal) => {
    options.onBrought();
    await backend.prepare(image, { signal });
    return image;
  };
  if (found !== undefined && prepared.has(found.digest)) {
    return await timely((signal) => prepare(found, signal));
  }
  const image = await context.pulls.run(
    lease.owner,
    () =>
      timely(async (signal) => {
        noteTry(lease, context);
        return prepare(found ?? await bring(lease, context, signal), signal);
      }),
    options,
  );
  prepared.add(image.digest);
  if (prepared.size > PROVIDER_LIMITS.preparedMax) prepared.delete([...prepared][0]!);
  return image;
}

/** An image that ends this process does so a few times, and not at each start for as long as it is wanted. */
function noteTry(lease: Lease, context: StepContext): void {
  const tryCount = lease.tryCount ?? 0;
  if (tryCount >= PROVIDER_LIMITS.triesMax) {
    throw new SeedmintError(
      "unavailable",
      `the provider was stopped ${tryCount} times in the midst of making it ready`,
    );
  }
  apply(context, lease, { type: "try" });
}

/** `redeeming`: the token is redeemed under its own id, however often it takes. */
export async function stepRedeeming(lease: Lease, context: StepContext): Promise<Step> {
  const { journal, time } = context;
  const payment = paymentOf(lease, context);
  if (payment === undefined) {
    fail(context, lease, "provisioning_error", "The payment is not in the journal");
    return "again";
  }
  const redeemed = await redeemOnce(payment, context);
  if (redeemed.status === "redeemed") {
    const event = { type: "redeemed", amountMsat: redeemed.amountSat * 1000 } as const;
    journal.leases.apply(lease.number, event, {
      nowMs: time.nowMs(),
      also: () => journal.payments.redeemed(payment.tokenId, redeemed.amountSat),
    });
    return "again";
  }
  if (redeemed.status === "refused") {
    const event = { type: "fail", error: redeemed.code, message: redeemed.message } as const;
    journal.leases.apply(lease.number, event, {
      nowMs: time.nowMs(),
      also: () => journal.payments.refused(payment.tokenId, redeemed.code, redeemed.message),
    });
    return "again";
  }
  const waitedMs = time.nowMs() - lease.changedMs;
  if (waitedMs < PROVIDER_LIMITS.redeemPatienceMs) return { waitMs: redeemed.retryMs };
  fail(
    context,
    lease,
    "token_pending",
    "The mint does not say whether the token was taken; what it gives is paid back",
  );
  return "again";
}

/** `paid`: enough for the shortest lease, or all of it goes back. */
export function stepPaid(lease: Lease, context: StepContext): Step {
  if (isTooLate(lease, context)) return "again";
  const { spec } = lease.terms;
  const { minDurationMs } = context.settings;
  if (durationMsOf(lease.creditMsat, spec.rateMsatPerS) < minDurationMs) {
    fail(
      context,
      lease,
      "insufficient_payment",
      `Insufficient payment for minimum duration: ${lease.creditMsat} msats arrived after the mint's fee, ` +
        `${Math.ceil(minDurationMs / 1000)}s cost ${spec.rateMsatPerS} msats each`,
    );
  } else apply(context, lease, { type: lease.imageDigest === undefined ? "pull" : "start" });
  return "again";
}

/** `starting`: the instance is made and started, and SSH must answer through its published port. */
export async function stepStarting(lease: Lease, context: StepContext): Promise<Step> {
  if (isTooLate(lease, context)) return "again";
  const { backend, clock, signal, ssh, settings } = context;
  let what = "The instance could not be started";
  try {
    const image = await within(
      clock,
      { ms: PROVIDER_LIMITS.pullWithinMs, what: "Bringing the image", signal },
      (signal) => {
        const work = () => bring(lease, context, signal);
        // It went from here since it was made ready: nobody's start waits for that.
        const isHere = context.images.has(referenceOf(lease));
        return isHere ? work() : context.pulls.run(lease.owner, work, { signal });
      },
    );
    await context.starts.run(lease.owner, () =>
      within(
        clock,
        { ms: PROVIDER_LIMITS.startWithinMs, what: "Starting the instance", signal },
        async (signal) => {
          await backend.create(instanceOf(lease, image, context), { signal });
          signal.throwIfAborted();
          await backend.start(leaseNameOf(lease.number));
        },
      ), { signal });
    what = SILENT;
    const host = settings.probeHost ?? backend.publicHost;
    await within(
      clock,
      { ms: PROVIDER_LIMITS.readyWithinMs, what: "SSH", signal },
      (signal) => ssh.awaitBanner({ host, port: lease.terms.sshPort }, { signal }),
    );
    // From here the paid time runs.
    const ready = apply(context, lease, { type: "ready" });
    const endMs = ready && instanceEndMs(ready, settings);
    if (endMs !== undefined) {
      await backend.extend(leaseNameOf(lease.number), endMs).catch((error) => {
        // The label is later than the truth; the comparison that comes every minute puts it right.
        context.emit({ type: "problem", message: `Cannot note an end: ${messageOf(error)}` });
      });
    }
  } catch (cause) {
    failUnlessClosing(lease, context, { error: "backend_error", what, cause });
    if (what === SILENT) context.silent.note(lease.owner);
  }
  return "again";
}

/** The payment that a lease began with: a token that went elsewhere since is none of its. */
export function paymentOf(lease: Lease, context: ProviderContext): Payment | undefined {
  const payment = context.journal.payments.get(lease.terms.tokenId);
  return payment?.lease === lease.number && payment.purpose === "spawn" ? payment : undefined;
}

/** Redeems, or asks again what became of it; never throws for the till. */
export async function redeemOnce(payment: Payment, context: ProviderContext) {
  try {
    const redeemed = await context.till.redeem(
      { id: payment.tokenId, token: payment.token },
      { signal: context.signal },
    );
    if (redeemed.status !== "pending") {
      context.tokens.settled(payment.tokenId, { isRefused: redeemed.status === "refused" });
    }
    return redeemed;
  } catch (error) {
    context.signal.throwIfAborted();
    context.emit({ type: "problem", message: `Cannot redeem: ${messageOf(error)}` });
    return { status: "pending", retryMs: PROVIDER_LIMITS.retryFirstMs * 4 } as const;
  }
}

/** Ends a lease that will not become ready. */
export function fail(
  context: ProviderContext,
  lease: Lease,
  error: ErrorType,
  message: string,
): void {
  apply(context, lease, { type: "fail", error, message });
}

function apply(
  context: ProviderContext,
  lease: Lease,
  event: Parameters<ProviderContext["journal"]["leases"]["apply"]>[1],
): Lease | undefined {
  return context.journal.leases.apply(lease.number, event, { nowMs: context.time.nowMs() });
}

async function bring(lease: Lease, context: StepContext, signal: AbortSignal): Promise<Image> {
  const { images, settings, journal } = context;
  const found = await images.bring(referenceOf(lease), {
    signal,
    onProgress: (bytes, size) => context.onPull(lease, bytes, size),
  });
  const { digest, listDigest = digest } = found;
  const problem = digestProblem([digest, listDigest], settings.images, journal.policy);
  if (problem !== undefined) throw new SeedmintError("denied", problem);
  return found;
}

/** What was resolved once stays what it was. */
function referenceOf({ imageDigest, terms: { image } }: Lease): string {
  return imageDigest === undefined
    ? image
    : `${image.replace(/@sha256:.*$/, "")}@sha256:${imageDigest}`;
}

function instanceOf(lease: Lease, image: Image, context: ProviderContext): InstanceSpec {
  const { spec, env, ports, sshPort, authorizedKeys, password, sshUser, hostKey } = lease.terms;
  const paidMs = durationMsOf(lease.creditMsat, spec.rateMsatPerS);
  return {
    leaseId: leaseNameOf(lease.number),
    owner: lease.owner,
    // The latest that it can be, for the watchdog; the true one follows when SSH answers.
    expiresMs: context.time.nowMs() + PROVIDER_LIMITS.startWithinMs +
      PROVIDER_LIMITS.readyWithinMs + paidMs + context.settings.graceMs,
    image,
    resources: {
      cpuMillicores: spec.cpuMillicores,
      memoryMb: spec.memoryMb,
      diskMb: spec.diskMb,
    },
    env,
    ports,
    ssh: {
      hostPort: sshPort,
      authorizedKeys,
      user: sshUser,
      hostKey,
      ...(password === undefined ? {} : { password }),
    },
  };
}

/** Nobody waits for a lease that was asked for long ago: a stop of ours came in between. */
function isTooLate(lease: Lease, context: ProviderContext): boolean {
  if (context.time.nowMs() - lease.createdMs <= PROVIDER_LIMITS.spawnWithinMs) return false;
  fail(context, lease, "provisioning_error", "It took too long until the lease could be started");
  return true;
}

function failUnlessClosing(
  lease: Lease,
  context: ProviderContext,
  problem: { readonly error: ErrorType; readonly what: string; readonly cause: unknown },
): void {
  context.signal.throwIfAborted();
  const { cause, what } = problem;
  const isOurs = isSeedmintError(cause, "storage") && problem.error !== "image_unavailable";
  const error = isSeedmintError(cause, "denied") && problem.error === "image_unavailable"
    ? "denied"
    : problem.error;
  // What went wrong inside of an engine is the operator's; of an image its lessee may know.
  const reason = isSeedmintError(cause) && !isOurs ? `: ${cause.message}` : "";
  fail(context, lease, error, `${what}${reason}`.slice(0, 500));
}
