/** What the verbs about leases share: how leases are shown, and how a token is given. */
import { SeedmintError } from "../../../../core/errors.ts";
import { systemClock } from "../../../../host/system.ts";
import type { LeaseView, StepEvent } from "../../../api/lease_methods.ts";
import type { NoteEvent } from "../../../api/methods.ts";
import { formatDuration, formatTable, printable } from "../../../output/format.ts";
import type { Output } from "../../../output/output.ts";
import type { VerbContext } from "../../verb.ts";
import { formatCpu, formatMiB, short, shortNpub, usage } from "../market/support.ts";

/** Longest token that is read: more than a private message takes. */
const TOKEN_BYTES_MAX = 65_536;

/** Shows how far a request has got. */
export function showStep(out: Output, event: NoteEvent | StepEvent): void {
  if (event.event === "note") {
    if (out.json) out.object(event);
    else out.note(`note: ${printable(event.message)}`);
    return;
  }
  if (out.json) return out.object(event);
  if (event.bytes === undefined) return out.note(printable(event.message));
  out.progress({ label: event.message, bytes: event.bytes, size: event.size });
}

/** One lease, in lines. */
export function describeLease(lease: LeaseView, nowMs = systemClock.nowMs()): string[] {
  const name = lease.providerName === null ? "" : `${printable(lease.providerName)} `;
  const said = lease.providerState === null ? "" : ` (${printable(lease.providerState)})`;
  const size = lease.cpuMillicores === null
    ? []
    : [`${formatCpu(lease.cpuMillicores)} cores`, formatMiB(lease.memoryMb ?? 0)];
  const tier = [...lease.tier === null ? [] : [printable(lease.tier)], ...size].join(", ");
  const { sshHost, sshPort, sshUser } = lease;
  const isOpen = lease.state === "active" && sshHost !== null && sshPort !== null;
  return [
    row("lease", lease.id),
    ...(lease.leaseId === null ? [] : [row("known as", printable(lease.leaseId))]),
    row("state", `${lease.state}${said}`),
    row("provider", `${name}${lease.npub}`),
    ...(tier === "" ? [] : [row("tier", tier)]),
    row("image", printable(lease.image)),
    ...endOf(lease, nowMs),
    ...(isOpen
      ? [
        row("ssh", `${printable(sshUser ?? "root")}@${printable(sshHost)} port ${sshPort}`),
        ...(lease.sshPassword === null ? [] : [row("password", printable(lease.sshPassword))]),
        row("host key", printable(lease.hostKeyFingerprint ?? "not told: the first one is kept")),
        row("log in", `seedmint ssh ${lease.id}`),
      ]
      : []),
    ...lease.ports.map(({ hostPort, containerPort, protocol, label }) =>
      row("port", `${printable(label)}: ${protocol} ${containerPort} at ${hostPort}`)
    ),
    row("money", moneyOf(lease)),
    ...keepaliveOf(lease),
    ...(lease.problem === null ? [] : [row("problem", printable(lease.problem))]),
  ];
}

function endOf({ endedMs, expiresMs, state }: LeaseView, nowMs: number): string[] {
  if (endedMs !== null) return [row("ended", timeOf(endedMs))];
  if (expiresMs === null) return [];
  const left = state === "active" ? `, ${leftOf(expiresMs, nowMs)} left` : "";
  return [row("until", `${timeOf(expiresMs)}${left}`)];
}

function moneyOf({ paidSat, feeSat, refundedSat }: LeaseView): string {
  const fee = feeSat === 0 ? "" : `, ${feeSat} sat fees`;
  const back = refundedSat === 0 ? "" : `, ${refundedSat} sat came back`;
  return `${paidSat} sat paid${fee}${back}`;
}

function keepaliveOf({ keepalive }: LeaseView): string[] {
  if (keepalive === null) return [];
  const { budgetSat, spentSat, stepS } = keepalive;
  return [
    row("keepalive", `${spentSat} of ${budgetSat} sat, ${formatDuration(stepS * 1000)} at a time`),
  ];
}

/** Leases as a table. */
export function leaseTable(leases: readonly LeaseView[], nowMs: number): string {
  return formatTable(
    [
      { title: "LEASE" },
      { title: "STATE" },
      { title: "PROVIDER" },
      { title: "IMAGE" },
      { title: "SSH" },
      { title: "LEFT", alignRight: true },
      { title: "PAID", alignRight: true },
      { title: "NOTE" },
    ],
    leases.map((lease) => [
      lease.id,
      lease.state,
      short(lease.providerName ?? shortNpub(lease.npub), 20),
      short(lease.image, 36),
      lease.sshHost === null ? "-" : `${short(lease.sshHost, 40)}:${lease.sshPort ?? "?"}`,
      lease.state !== "active" || lease.expiresMs === null ? "-" : leftOf(lease.expiresMs, nowMs),
      `${lease.paidSat - lease.refundedSat} sat`,
      lease.problem !== null
        ? short(lease.problem, 60)
        : lease.keepalive !== null && lease.state === "active"
        ? "kept alive"
        : "",
    ]),
  );
}

/** What `--token` gives; `-` reads stdin. It is never part of a message. */
export async function tokenFlag(context: VerbContext): Promise<string | undefined> {
  const given = context.flag("token");
  if (given === undefined) return undefined;
  if (given !== "-") {
    context.out.note(
      "note: others on this machine can see command lines; say --token - and pipe it",
    );
  }
  const text = given === "-"
    ? await context.input.text({ bytesMax: TOKEN_BYTES_MAX, signal: context.signal })
    : given;
  const token = text.trim().replace(/^cashu:(\/\/)?/i, "");
  if (/^cashu[AB][\w=+/-]+$/.test(token)) return token;
  throw usage(context, "--token: a Cashu token wanted, which begins with cashuA or cashuB");
}

/** The lease that is meant among those that are known. @throws {SeedmintError} `usage` */
export function named(
  context: VerbContext,
  leases: readonly LeaseView[],
  name: string,
): LeaseView {
  const found = leases.filter((lease) =>
    lease.id.startsWith(name) || lease.lease === name || lease.leaseId === name
  );
  // Of those that have the same name one after the other, the one that lives is meant.
  const alive = found.filter(({ state }) => state === "active" || state === "pending");
  const [first, ...others] = alive.length > 0 ? alive : found;
  if (first !== undefined && others.length === 0) return first;
  throw usage(
    context,
    first === undefined ? "there is no such lease; see leases --all" : "that names several leases",
  );
}

/** An error of a verb about a lease that is no error of the command line. */
export function cannot(context: VerbContext, why: string): SeedmintError {
  return new SeedmintError("unavailable", `Cannot run ${context.verb.name}: ${why}`);
}

function leftOf(expiresMs: number, nowMs: number): string {
  return expiresMs <= nowMs ? "nothing" : formatDuration(expiresMs - nowMs);
}

function timeOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

function row(title: string, text: string): string {
  return `${title.padEnd(10)} ${text}`;
}
