/** What Proxmox is told to make of a lease: its container, and the firewall around it. Pure. */
import type { Random } from "../../../src/core/ports.ts";
import type { InstanceSpec } from "../../ports.ts";
import { dropbearKey, firstProcess } from "../../ssh/mod.ts";
import {
  BANDWIDTH_BYTES_PER_S,
  CLOSED_PORTS,
  CLOSED_RANGES,
  environment,
  imageCommand,
  SERVER_AT,
  SSH_PORT_INSIDE,
} from "../host/mod.ts";
import type { Form } from "./api.ts";
import { recordOf, writeRecord } from "./record.ts";
import { START_AT } from "./template.ts";

/** How containers are placed. */
export interface ContainerOptions {
  readonly template: string;
  /** Holds the containers' disks. */
  readonly storage: string;
  readonly bridge: string;
  /** The first two numbers of the leases' network, `10.213`; `.0.1` in it is the node. */
  readonly network: string;
  readonly tags: string;
  readonly nameServers: readonly string[];
  readonly bandwidthBytesPerS?: number | undefined;
  readonly random: Random;
}

/** The address of the lease whose SSH is published on `hostPort`: no two leases share one. */
export function addressOf(network: string, hostPort: number): string {
  return `${network}.${hostPort >> 8}.${hostPort & 255}`;
}

/** The fields of `POST /nodes/{node}/lxc` but the number. */
export function containerForm(spec: InstanceSpec, options: ContainerOptions): Form {
  const { cpuMillicores, memoryMb, diskMb } = spec.resources;
  const rate = (options.bandwidthBytesPerS ?? BANDWIDTH_BYTES_PER_S) / 1e6;
  const address = addressOf(options.network, spec.ssh.hostPort);
  return {
    ostemplate: options.template,
    ostype: "unmanaged",
    hostname: spec.leaseId,
    description: writeRecord(recordOf(spec)),
    tags: options.tags,
    unprivileged: 1,
    onboot: 0,
    cores: Math.max(1, Math.ceil(cpuMillicores / 1000)),
    cpulimit: cpuMillicores / 1000,
    memory: memoryMb,
    swap: 0,
    rootfs: `${options.storage}:${diskMb / 1024}`,
    net0: [
      ...["name=eth0", `bridge=${options.bridge}`, `ip=${address}/16`],
      ...[`gw=${options.network}.0.1`, "firewall=1", "host-managed=1", `rate=${rate}`],
    ].join(","),
    nameserver: options.nameServers.join(" "),
    entrypoint: `${SERVER_AT}/busybox sh ${START_AT}`,
    env: environmentOf(spec, options),
  };
}

/** Rules of the container's firewall in their order: who may come in, where it may not go. */
export function firewallRules(spec: Pick<InstanceSpec, "ports">): readonly Form[] {
  const inward = [
    { proto: "tcp", dport: SSH_PORT_INSIDE },
    ...spec.ports.map(({ protocol, containerPort }) => ({ proto: protocol, dport: containerPort })),
  ].map((rule) => ({ type: "in", action: "ACCEPT", enable: 1, ...rule }));
  const out = { type: "out", action: "REJECT", enable: 1 };
  return [
    ...inward,
    ...CLOSED_RANGES.map((dest) => ({ ...out, dest })),
    { ...out, proto: "tcp", dport: CLOSED_PORTS.join(",") },
  ];
}

/** The container's firewall: what no rule lets in stays out, of other addresses nothing is let out. */
export const FIREWALL_OPTIONS: Form = {
  enable: 1,
  policy_in: "DROP",
  policy_out: "ACCEPT",
  ipfilter: 1,
  macfilter: 1,
  dhcp: 0,
  ndp: 0,
  radv: 0,
};

/** The lease's environment, and what its first process is made of: separated by NUL, lines not possible. */
function environmentOf(spec: InstanceSpec, options: ContainerOptions): string {
  const script = firstProcess({
    serverAt: SERVER_AT,
    hostKeyAt: "/.seedmint/host_key",
    port: SSH_PORT_INSIDE,
    ssh: spec.ssh,
    command: imageCommand(spec.image.config),
    commandUser: spec.image.config.user ?? "",
    random: options.random,
  });
  const lines = environment(spec.image.config, spec.env)
    // deno-lint-ignore no-control-regex -- what Proxmox refuses
    .filter((line) => /^\w+=[^\x00-\x08\x0a-\x1f\x7f]*$/.test(line));
  return [
    ...lines,
    `SEEDMINT_FIRST=${new TextEncoder().encode(script).toBase64()}`,
    `SEEDMINT_HOST_KEY=${dropbearKey(spec.ssh.hostKey).toBase64()}`,
  ].join("\0");
}
