/** What is on the host's network now, of leases and of firewalls: read with one program. */
import { mustRun } from "../../machine/mod.ts";

/** A chain of another's that all forwarded packets of IPv4 pass. */
export interface ForwardChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  /** Whether what none of its rules takes is dropped. */
  readonly isClosed: boolean;
}

/** The host's network. */
export interface NetworkState {
  /** Names of tables of packet rules. */
  readonly tables: ReadonlySet<string>;
  /** Ports of the host whose leases have, or had, rules. */
  readonly leasePorts: readonly number[];
  /** Names of devices. */
  readonly devices: ReadonlySet<string>;
  /** Those of others, whoever made them. */
  readonly forwardChains: readonly ForwardChain[];
}

/** Our own tables begin so. */
const OWN_TABLE = /^seedmint_/;

/** Names as nft itself takes them: whatever else there is was made by hand, and is left to it. */
const NAME = /^[A-Za-z0-9_./-]+$/;

/** Looks at the network of this process. @throws {SeedmintError} `unavailable` */
export async function networkState(): Promise<NetworkState> {
  const [chains, devices] = await Promise.all([
    mustRun(["nft", "-j", "list", "chains"]),
    Deno.readTextFile("/proc/net/dev"),
  ]);
  return { ...chainsOf(chains), devices: devicesOf(devices) };
}

/** Reads the answer of `nft -j list chains`. Pure. */
export function chainsOf(json: string): Omit<NetworkState, "devices"> {
  const { nftables } = JSON.parse(json) as {
    readonly nftables: readonly {
      readonly chain?: {
        readonly family: string;
        readonly table: string;
        readonly name: string;
        readonly hook?: string;
        readonly policy?: string;
      };
    }[];
  };
  const tables = new Set<string>();
  const forwardChains: ForwardChain[] = [];
  for (const { chain } of nftables) {
    if (chain === undefined) continue;
    const { family, table, name, hook, policy } = chain;
    tables.add(table);
    if (hook !== "forward" || (family !== "ip" && family !== "inet")) continue;
    if (OWN_TABLE.test(table) || !NAME.test(table) || !NAME.test(name)) continue;
    forwardChains.push({ family, table, name, isClosed: policy === "drop" });
  }
  const leasePorts = [...tables].flatMap((table) => {
    const [, port] = /^seedmint_(\d+)$/.exec(table) ?? [];
    return port === undefined ? [] : [Number(port)];
  });
  return { tables, leasePorts, forwardChains };
}

/** Reads `/proc/net/dev`. Pure. */
export function devicesOf(text: string): ReadonlySet<string> {
  return new Set([...text.matchAll(/^ *([^\s:]+):/gm)].map(([, name]) => name!));
}
