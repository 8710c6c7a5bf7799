/** What is looked at before anything is made for a lease. */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { InstanceSpec } from "../../ports.ts";

const LEASE_ID = /^container-\d{1,15}$/;

/** Whether it is a name as leases have. */
export function isLeaseId(name: string): boolean {
  return LEASE_ID.test(name);
}

/** @throws {SeedmintError} `invalid` */
export function checkLeaseId(leaseId: string): void {
  if (!LEASE_ID.test(leaseId)) {
    throw new SeedmintError("invalid", `Cannot use "${leaseId.slice(0, 40)}" as name of a lease`);
  }
}

/** Refuses names, sizes and ports that no lease can have. @throws {SeedmintError} `invalid` */
export function checkSpec(spec: InstanceSpec): void {
  checkLeaseId(spec.leaseId);
  const { cpuMillicores, memoryMb, diskMb } = spec.resources;
  const amounts = [cpuMillicores, memoryMb, diskMb, spec.ssh.hostPort];
  const ports = spec.ports.flatMap((port) => [port.hostPort, port.containerPort]);
  const isGood = [...amounts, ...ports].every((count) => Number.isInteger(count) && count > 0) &&
    [...ports, spec.ssh.hostPort].every((port) => port < 65_536) &&
    // Below are the host's own services, whose guests a lease must not take.
    [spec.ssh.hostPort, ...spec.ports.map(({ hostPort }) => hostPort)].every((port) =>
      port >= 1024
    ) &&
    spec.ports.every(({ protocol }) => protocol === "tcp" || protocol === "udp");
  if (!isGood) {
    throw new SeedmintError(
      "invalid",
      `Cannot create ${spec.leaseId}: a size or port is out of range`,
    );
  }
}

/**
 * What listens on the host itself would be cut off by the lease's redirection.
 *
 * @throws {SeedmintError} `conflict`
 */
export function checkPortsFree(spec: InstanceSpec): void {
  const portsOf = (protocol: "tcp" | "udp") =>
    spec.ports.filter((port) => port.protocol === protocol).map(({ hostPort }) => hostPort);
  const taken = (port: number) =>
    new SeedmintError(
      "conflict",
      `Cannot create ${spec.leaseId}: something of the host uses port ${port}; choose another range of ports`,
    );
  for (const port of [spec.ssh.hostPort, ...portsOf("tcp")]) {
    try {
      Deno.listen({ hostname: "0.0.0.0", port }).close();
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
      throw taken(port);
    }
  }
  const udpPorts = portsOf("udp");
  if (udpPorts.length === 0) return;
  const used = usedUdpPorts();
  for (const port of udpPorts) if (used.has(port)) throw taken(port);
}

/** The ports of the host's sockets for UDP, which nothing but the kernel's own list tells. */
function usedUdpPorts(): ReadonlySet<number> {
  const ports = new Set<number>();
  for (const path of ["/proc/net/udp", "/proc/net/udp6"]) {
    let text: string;
    try {
      text = Deno.readTextFileSync(path);
    } catch (error) {
      // A machine without IPv6 has no such list.
      if (error instanceof Deno.errors.NotFound) continue;
      throw error;
    }
    for (const [, port] of text.matchAll(/^ *\d+: [0-9A-F]+:([0-9A-F]{4}) /gm)) {
      ports.add(Number.parseInt(port!, 16));
    }
  }
  return ports;
}
