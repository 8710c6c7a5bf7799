/** A lease's link and packet rules, put onto the machine and taken off it. */
import { SeedmintError } from "../../../src/core/errors.ts";
import { mustRun, readIfThere, runCommand } from "../../machine/mod.ts";
import {
  GUARD_RULES,
  GUARD_TABLE,
  hostLinkBatch,
  insideLinkBatch,
  leaseLink,
  leaseRules,
  noRules,
  type PublishedPorts,
} from "./network_rules.ts";
import { type NetworkState, networkState } from "./network_state.ts";

const FORWARDING = "/proc/sys/net/ipv4/ip_forward";

/** Of this start of the machine. */
const BOOT_ID = "/proc/sys/kernel/random/boot_id";

/** Puts a lease's rules in force, before it has a link: nothing slips through in between. */
export async function guardLease(
  published: PublishedPorts,
  options: {
    readonly bandwidthBytesPerS?: number;
    readonly guard: string;
    readonly stateDir: string;
  },
): Promise<void> {
  await forward(options.stateDir);
  const rules = leaseRules(leaseLink(published.hostPort), published, options);
  await mustRun(["nft", "-f", "-"], { input: rules, guard: options.guard });
}

/** Connects the namespace of `pid` to the host. */
export async function connectLease(
  hostPort: number,
  pid: number,
  options: { readonly guard: string },
): Promise<void> {
  const link = leaseLink(hostPort);
  const batch = { input: hostLinkBatch(link, pid), guard: options.guard };
  const made = await runCommand(["ip", "-batch", "-"], batch);
  if (made.exitCode !== 0) {
    // A link of an earlier try whose namespace still lives.
    await runCommand(["ip", "link", "del", link.device]);
    await mustRun(["ip", "-batch", "-"], batch);
  }
  // What the host itself sends to 127.0.0.1 and a published port goes out of the link, too.
  await Deno.writeTextFile(`/proc/sys/net/ipv4/conf/${link.device}/route_localnet`, "1");
  await mustRun(["nsenter", `--net=/proc/${pid}/ns/net`, "ip", "-batch", "-"], {
    input: insideLinkBatch(link),
    guard: options.guard,
  });
}

/** Takes everything of a lease off the network; fine when nothing is there. */
export async function disconnectLease(hostPort: number): Promise<void> {
  const link = leaseLink(hostPort);
  if ((await runCommand(["ip", "link", "show", link.device])).exitCode === 0) {
    // It may go by itself in between, with its namespace.
    await runCommand(["ip", "link", "del", link.device]);
  }
  await mustRun(["nft", "-f", "-"], { input: noRules(link) });
}

/** Bytes that the lease received and sent since its link was made. */
export async function trafficOf(
  hostPort: number,
): Promise<{ readonly rxBytes: number; readonly txBytes: number }> {
  const { exitCode, stdout } = await runCommand([
    "ip",
    "-json",
    "-stats",
    "link",
    "show",
    leaseLink(hostPort).device,
  ]);
  if (exitCode !== 0) return { rxBytes: 0, txBytes: 0 };
  const [found] = JSON.parse(stdout) as {
    readonly stats64?: { readonly rx: { bytes: number }; readonly tx: { bytes: number } };
  }[];
  // Seen from the host's end: what it sends, the lease receives.
  return { rxBytes: found?.stats64?.tx.bytes ?? 0, txBytes: found?.stats64?.rx.bytes ?? 0 };
}

/** Lets the host forward. If it did not before, then for leases only, as long as the machine runs. */
async function forward(stateDir: string): Promise<void> {
  if ((await Deno.readTextFile(FORWARDING)).trim() === "1") return;
  // First noted, so that whoever finds the guard gone knows that it has to be there.
  await Deno.writeTextFile(noteOf(stateDir), await Deno.readTextFile(BOOT_ID));
  await mustRun(["nft", "-f", "-"], { input: GUARD_RULES });
  await Deno.writeTextFile(FORWARDING, "1");
}

/** Puts the guard back, where it was ours to put and is gone. @returns Whether it did. */
export async function restoreGuard(state: NetworkState, stateDir: string): Promise<boolean> {
  if (state.tables.has(GUARD_TABLE)) return false;
  const note = await readIfThere(noteOf(stateDir));
  if (note === undefined || note !== await Deno.readTextFile(BOOT_ID)) return false;
  await mustRun(["nft", "-f", "-"], { input: GUARD_RULES });
  return true;
}

function noteOf(stateDir: string): string {
  return `${stateDir}/forwarding`;
}

/**
 * Refuses a port whose link or rules are there already. What listens on a port is seen elsewhere; what
 * other rules pass on is not, and ours would cut it off.
 *
 * @throws {SeedmintError} `conflict`
 */
export async function checkLinkFree(leaseId: string, hostPort: number): Promise<void> {
  const { device, table } = leaseLink(hostPort);
  const { devices, tables } = await networkState();
  if (!devices.has(device) && !tables.has(table)) return;
  throw new SeedmintError(
    "conflict",
    `Cannot create ${leaseId}: a lease of another provider of this host has port ${hostPort}; choose ` +
      `another range of ports, or if there is none, run nft delete table inet ${table}`,
  );
}
