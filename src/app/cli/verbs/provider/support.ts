/** What the verbs of `provider` share. */
import { SeedmintError } from "../../../../core/errors.ts";
import type { NodeApi } from "../../../api/methods.ts";
import type { LentLease, ProviderReport } from "../../../api/provider_methods.ts";
import { RemoteNode } from "../../../api/remote.ts";
import { formatDuration, formatMsat, formatTable, printable } from "../../../output/format.ts";
import type { VerbContext } from "../../verb.ts";

/**
 * Does `use` with the node that runs: only one that runs can lend.
 *
 * @throws {SeedmintError} `unavailable` if none does.
 */
export async function withRunning<T>(
  context: VerbContext,
  use: (node: NodeApi) => Promise<T>,
): Promise<T> {
  const { data } = context.config.values;
  await using node = await RemoteNode.of(data);
  if (node !== undefined) return await use(node);
  throw new SeedmintError(
    "unavailable",
    `Cannot run ${context.verb.name}: no node runs on ${data}; provider start starts one that lends`,
  );
}

/** The report for people. */
export function describeProvider(report: ProviderReport): string[] {
  const { backend, total, free } = report;
  const state = { off: "nothing is lent", lending: "lending", draining: "draining: no new leases" };
  const slots = (count: number | null) => count === null ? "" : `, ${count} free`;
  const watchdog = report.watchdogPid === null ? "none" : `process ${report.watchdogPid}`;
  return [
    `provider   ${printable(report.name)}, ${state[report.state]}`,
    `npub       ${report.npub}`,
    ...report.tiers.map((tier) =>
      `tier       ${tier.id}: ${tier.cpuMillicores / 1000} cores, ${tier.memoryMb} MiB, ` +
      `${tier.diskMb} MiB disk, ${tier.rateMsatPerS} msat/s (${
        formatMsat(tier.rateMsatPerS * 3600)
      }/h)${slots(tier.slotCount)}`
    ),
    `engine     ${printable(backend.description ?? backend.name)}` +
    (backend.ok === false ? `: ${backend.problem ?? "it does not work"}` : ""),
    `address    ${report.publicHost ?? "not said: --provider-public-host"}` +
    (report.httpUrl === null ? "" : `, ${report.httpUrl}`),
    `mints      ${report.mints.join(", ") || "none"}`,
    ...(total === null || free === null ? [] : [
      `free       ${free.cpuMillicores / 1000} of ${total.cpuMillicores / 1000} cores, ` +
      `${free.memoryMb} of ${total.memoryMb} MiB, ${free.diskMb} of ${total.diskMb} MiB disk`,
    ]),
    `leases     ${report.activeCount} ready, ${report.openCount} open, ${report.completedCount} done`,
    `earned     ${report.earnedSat} sat before refunds`,
    ...(report.state === "off" ? [] : [`watchdog   ${watchdog}`]),
    ...report.problems.map((problem) => `problem    ${printable(problem)}`),
  ];
}

/** Leases as a table. */
export function lentTable(leases: readonly LentLease[], nowMs: number): string {
  return formatTable(
    [
      { title: "lease" },
      { title: "state" },
      { title: "tier" },
      { title: "ends in", alignRight: true },
      { title: "paid", alignRight: true },
      { title: "ssh", alignRight: true },
      { title: "owner" },
      { title: "image" },
    ],
    leases.map((lease) => [
      lease.name,
      lease.state,
      lease.tier,
      lease.expiresMs === null || lease.ending !== null
        ? "-"
        : formatDuration(Math.max(0, lease.expiresMs - nowMs)),
      formatMsat(lease.creditMsat),
      String(lease.sshPort),
      `${lease.owner.slice(0, 8)}…`,
      printable(lease.image),
    ]),
  );
}

/** One lease with its story. */
export function describeLent(lease: LentLease, nowMs: number): string[] {
  const time = (ms: number) => new Date(ms).toISOString();
  const left = lease.expiresMs === null ? "-" : time(lease.expiresMs);
  return [
    `lease      ${lease.leaseId}`,
    `state      ${lease.state}`,
    `owner      ${lease.owner}`,
    `tier       ${lease.tier}`,
    `image      ${printable(lease.image)}${
      lease.imageDigest === null ? "" : ` (${lease.imageDigest})`
    }`,
    `ports      ${
      [
        `${lease.sshPort} ssh`,
        ...lease.ports.map((port) => `${port.hostPort} to ${port.containerPort}`),
      ].join(", ")
    }`,
    `made       ${time(lease.createdMs)}`,
    `ends       ${left}${
      lease.expiresMs === null || lease.expiresMs < nowMs
        ? ""
        : ` (in ${formatDuration(lease.expiresMs - nowMs)})`
    }`,
    `paid       ${formatMsat(lease.creditMsat)}, ${formatMsat(lease.spentMsat)} used, ` +
    `${lease.refundedSat} sat paid back`,
    ...(lease.ending === null
      ? []
      : [`ended      ${lease.ending.reason}: ${printable(lease.ending.message)}`]),
    ...lease.story.map(({ atMs, text }) => `${time(atMs)}  ${printable(text)}`),
  ];
}
