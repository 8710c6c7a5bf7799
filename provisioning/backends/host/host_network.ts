/** The network of all leases of a directory: watched, put back where it is gone, and let through firewalls. */
import type { Clock } from "../../../src/core/ports.ts";
import type { StartOptions } from "./containers.ts";
import { closeFirewall, openFirewall } from "./firewall.ts";
import { forwardingProblem } from "./forward_probe.ts";
import { connectLease, disconnectLease, guardLease, restoreGuard } from "./network.ts";
import { leaseLink } from "./network_rules.ts";
import { type NetworkState, networkState } from "./network_state.ts";
import type { LeaseRecord } from "./records.ts";

/** What of a start is the network's. */
export type Connecting = Pick<StartOptions, "guardNetwork" | "connect">;

/** What a lease has on the host's network. */
export interface Presence {
  readonly hasRules: boolean;
  readonly hasLink: boolean;
}

/** The network of leases on this machine. */
export class HostNetwork {
  readonly #options: {
    readonly stateDir: string;
    readonly clock: Clock;
    readonly bandwidthBytesPerS?: number;
  };
  /** Whether leases are started here, so that the host's firewall is to stay open for them. */
  #isLending = false;
  /** Ports that had rules and no lease at the last look. */
  #strays: ReadonlySet<number> = new Set();

  constructor(
    options: {
      readonly stateDir: string;
      readonly clock: Clock;
      readonly bandwidthBytesPerS?: number;
    },
  ) {
    this.#options = options;
  }

  /** From now on firewalls are kept open. */
  lend(): void {
    this.#isLending = true;
  }

  /** What connects one lease. */
  of(record: LeaseRecord, guard: string): Connecting {
    const { bandwidthBytesPerS, stateDir } = this.#options;
    return {
      guardNetwork: () =>
        guardLease(record, {
          guard,
          stateDir,
          ...(bandwidthBytesPerS === undefined ? {} : { bandwidthBytesPerS }),
        }),
      connect: (pid) => connectLease(record.hostPort, pid, { guard }),
    };
  }

  /** What of a lease is there now. */
  async presenceOf(record: LeaseRecord, state?: NetworkState): Promise<Presence> {
    const { tables, devices } = state ?? await networkState();
    const { table, device } = leaseLink(record.hostPort);
    return { hasRules: tables.has(table), hasLink: devices.has(device) };
  }

  /** What is there now, after what keeps the host closed was put back, with a line if it was gone. */
  async repairGuard(): Promise<{ readonly state: NetworkState; readonly said: readonly string[] }> {
    const state = await networkState();
    const isBack = await restoreGuard(state, this.#options.stateDir);
    const said = ["The rule that this host forwards for leases only was gone; it is back"];
    return { state, said: isBack ? said : [] };
  }

  /** Lets packets of leases through firewalls that came since. @returns A line for each. */
  async open(state: NetworkState): Promise<readonly string[]> {
    const opened = this.#isLending ? await openFirewall(state) : [];
    return opened.map((chain) => `The firewall lets packets of leases through now: ${chain}`);
  }

  /** Removes rules of ports that no lease here has: nobody else's, where they have no link. */
  async sweep(state: NetworkState, ports: ReadonlySet<number>): Promise<void> {
    const strays = state.leasePorts.filter((port) =>
      !ports.has(port) && !state.devices.has(leaseLink(port).device)
    );
    for (const port of strays) {
      // Not at first sight: its lease may just have ended, and another be about to get the port.
      if (this.#strays.has(port)) await disconnectLease(port);
    }
    this.#strays = new Set(strays);
  }

  /** Why leases would not be reached or reach nothing, with what to do. */
  async problem(): Promise<string | undefined> {
    const opened = await openFirewall(await networkState());
    const problem = await forwardingProblem(this.#options.clock);
    // Beside a process that lends this was only to see whether it would do.
    if (opened.length > 0 && !this.#isLending) await closeFirewall(await networkState());
    return problem;
  }

  /** Takes back what was done to firewalls; only when there are no leases. */
  async close(): Promise<void> {
    if (!this.#isLending) return;
    // What stays open by a failure is harmless: there are no such links.
    await networkState().then(closeFirewall).catch(() => {});
  }
}
