/** What a provider says when it gives a lease, checked against what was paid for. */
import { durationMsOf } from "../leases/credit.ts";
import { type AccessAnswer, leaseNumberOf, parseLeaseId } from "../wire/mod.ts";
import type { BookedLease, LeaseAccess } from "./book/lease.ts";
import { LESSEE_LIMITS } from "./limits.ts";

/** Names and addresses that are safe as one word of a command line. */
const HOST_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;
const HOST_IPV6 = /^[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{1,43}$/;
const USERNAME = /^[a-z_][a-z0-9_-]{0,31}$/;
const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}$/;

/** An access that can be used, and what is wrong with it all the same. */
export interface CheckedAccess {
  readonly access: LeaseAccess;
  readonly expiresMs: number;
  readonly complaints: readonly string[];
}

/**
 * Checks an answer that gives a lease.
 *
 * @returns What to note; or a sentence if it gives none that could be used.
 */
export function checkAccess(
  answer: AccessAnswer,
  options: { readonly lease: BookedLease; readonly amountSat: number; readonly nowMs: number },
): CheckedAccess | string {
  const { lease } = options;
  const { wanted, address } = lease;
  if (leaseNumberOf(answer.lease) === undefined || answer.sshPort === 0) {
    return `the provider gave "${
      answer.lease.slice(0, 64)
    }" at port ${answer.sshPort}, which is no lease`;
  }
  const complaints: string[] = [];
  const host = hostOf(answer);
  if (host === undefined) complaints.push("It named no host that could be connected to");
  const leaseId = answer.leaseId === undefined ? undefined : parseLeaseId(answer.leaseId);
  const isIdRight = leaseId?.provider === address.provider && leaseId.lease === answer.lease;
  if (answer.leaseId !== undefined && !isIdRight) complaints.push("It named a lease id of another");
  const isLess = answer.cpuMillicores < wanted.cpuMillicores || answer.memoryMb < wanted.memoryMb;
  if (isLess) {
    complaints.push(
      `It gave ${answer.cpuMillicores} millicores and ${answer.memoryMb} MB where ` +
        `${wanted.cpuMillicores} and ${wanted.memoryMb} were paid for`,
    );
  }
  const fingerprint = answer.hostKeyFingerprint;
  const isFingerprint = fingerprint !== undefined && FINGERPRINT.test(fingerprint);
  if (address.isOurs && !isFingerprint) complaints.push("It told no fingerprint of its host key");
  const ports = answer.ports ?? [];
  const missing = (wanted.ports ?? []).filter((port) =>
    !ports.some((one) =>
      one.containerPort === port.containerPort && one.protocol === port.protocol &&
      one.hostPort !== 0
    )
  );
  for (const port of missing) {
    complaints.push(`It does not pass port ${port.containerPort} through`);
  }
  const time = checkTime(answer, options);
  complaints.push(...time.complaints);
  const username = usernameOf(answer);
  if (wanted.sshUser !== undefined && username !== wanted.sshUser) {
    complaints.push(`It is logged in to as ${username}, not as ${wanted.sshUser}`);
  }
  return {
    access: {
      lease: answer.lease,
      sshPort: answer.sshPort,
      sshUsername: username,
      usesPassword: !address.isOurs,
      ...(address.isOurs ? {} : { password: passwordOf(answer) ?? wanted.sshPassword }),
      ports,
      readyMs: time.readyMs,
      ...(host === undefined ? {} : { host }),
      ...(isIdRight ? { leaseId: answer.leaseId! } : {}),
      ...(isFingerprint ? { hostKeyFingerprint: fingerprint } : {}),
    },
    expiresMs: time.expiresMs,
    complaints,
  };
}

/** A host that is safe to connect to by a program, from its own member or from the lines for people. */
export function hostOf(answer: {
  readonly host?: string;
  readonly instructions?: readonly string[];
}): string | undefined {
  const told = answer.host ?? answer.instructions
    ?.map((line) => /\bssh\s+-p\s+[0-9]{1,5}\s+[^\s@]+@(\S+)/.exec(line)?.[1])
    .find((host) => host !== undefined);
  const host = told?.replace(/^\[(.*)\]$/, "$1");
  if (host === undefined || host.length > 253) return undefined;
  return HOST_NAME.test(host) || HOST_IPV6.test(host) ? host : undefined;
}

/** Whom to log in as: by its own member, or by the line for people. */
function usernameOf(answer: AccessAnswer): string {
  const told = answer.sshUsername ??
    answer.instructions?.map((line) => /\bssh\s+-p\s+[0-9]{1,5}\s+([^\s@]+)@/.exec(line)?.[1])
      .find((name) => name !== undefined);
  return told !== undefined && USERNAME.test(told) ? told : "root";
}

/**
 * The password in the lines for people. Paygress chooses one by itself, whatever was asked for, and tells
 * it nowhere else.
 */
export function passwordOf(
  { instructions }: { readonly instructions?: readonly string[] },
): string | undefined {
  return instructions
    ?.map((line) => /^\P{L}{0,8}Password:\s+([!-~]{1,128})\s*$/u.exec(line)?.[1])
    .find((password) => password !== undefined);
}

/** The provider's clock is its own, so what counts is the stretch between its times. */
function checkTime(
  answer: AccessAnswer,
  { lease, amountSat, nowMs }: {
    readonly lease: BookedLease;
    readonly amountSat: number;
    readonly nowMs: number;
  },
): { readyMs: number; expiresMs: number; complaints: string[] } {
  const skewMs = LESSEE_LIMITS.clockSkewMs;
  const paidMs = durationMsOf(amountSat * 1000, lease.wanted.rateMsatPerS);
  const told = answer.readyMs;
  const isTold = told !== undefined && told >= lease.createdMs - skewMs && told <= nowMs + skewMs;
  const readyMs = isTold ? told : nowMs;
  const givenMs = answer.expiresMs - readyMs;
  // What it takes to redeem is taken off by the mint, and is no fault of the provider.
  const toleranceMs = feeMs(amountSat, lease.wanted.rateMsatPerS) + (isTold ? 5_000 : skewMs);
  const complaints = givenMs < paidMs - toleranceMs
    ? [`It gave ${seconds(givenMs)} s where ${seconds(paidMs)} s were paid for`]
    : [];
  // More than was paid for is not believed: what counts on it would end in the dark.
  const expiresMs = Math.min(answer.expiresMs, readyMs + paidMs + skewMs);
  return { readyMs, expiresMs, complaints };
}

/** The time that fees of a mint may cost: two in a hundred, or three sat. */
export function feeMs(amountSat: number, rateMsatPerS: number): number {
  return durationMsOf(feeSat(amountSat) * 1000, rateMsatPerS);
}

/** What fees of a mint may come to. */
export function feeSat(amountSat: number): number {
  return Math.max(3, Math.ceil(amountSat / 50));
}

function seconds(ms: number): number {
  return Math.max(0, Math.round(ms / 1000));
}
