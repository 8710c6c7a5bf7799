/** What LXD and Incus are told of an instance. Pure. */
import { SeedmintError } from "../../../src/core/errors.ts";
import { containerName, type ContainerOrder } from "../engine/mod.ts";
import { architecture, CAPABILITIES, PIDS_MAX, seccompProfile } from "../host/mod.ts";

/** Where an instance keeps its labels. */
export const LABEL = "user.seedmint";

/** The fingerprint of the empty image and the pool that instances are made of. */
export interface Place {
  readonly fingerprint: string;
  readonly pool: string;
}

/** The request that makes an instance. */
export function instanceBody(
  order: ContainerOrder,
  place: Place & { readonly engine: "lxd" | "incus"; readonly tag: string },
): Record<string, unknown> {
  return {
    ...bareInstance(containerName(place.tag, order.leaseId), place),
    config: {
      ...labelsOf(order, place.tag),
      ...limitsOf(order),
      ...environmentOf(order.env),
      "boot.autostart": "false",
      "security.privileged": "false",
      "security.nesting": "false",
      // No interface to the server inside; they named it differently.
      [place.engine === "lxd" ? "security.devlxd" : "security.guestapi"]: "false",
      // Its root has its owners already; if the engine thinks otherwise, it is not to change them.
      "security.protection.shift": "true",
      "raw.seccomp": seccompText(),
      "raw.lxc": rawConfig(order),
    },
    devices: {
      ...rootDevice(place),
      ...Object.fromEntries(order.mounts.map(({ source, target, isReadOnly }, index) => [
        `seedmint${index}`,
        { type: "disk", source, path: target, readonly: String(isReadOnly) },
      ])),
    },
  };
}

/** The request that makes an instance with nothing in it. */
export function bareInstance(name: string, place: Place): Record<string, unknown> {
  return {
    name,
    type: "container",
    profiles: [],
    source: { type: "image", fingerprint: place.fingerprint },
    devices: rootDevice(place),
  };
}

/** An instance's labels; `tag` is its provider's. */
export function labelsOf(
  order: Pick<ContainerOrder, "leaseId" | "owner" | "expiresMs" | "hostPort">,
  tag: string,
): Record<string, string> {
  return {
    [`${LABEL}.provider`]: tag,
    [`${LABEL}.lease`]: order.leaseId,
    [`${LABEL}.owner`]: order.owner,
    [`${LABEL}.expires`]: String(order.expiresMs),
    [`${LABEL}.port`]: String(order.hostPort),
  };
}

/** `lxc.conf`: what the server's own settings do not say. */
export function rawConfig(order: Pick<ContainerOrder, "args">): string {
  const names = CAPABILITIES.map((name) => name.replace(/^CAP_/, "").toLowerCase());
  return [
    `lxc.init.cmd = ${order.args.join(" ")}`,
    "lxc.no_new_privs = 1",
    `lxc.cap.keep = ${names.join(" ")}`,
  ].join("\n");
}

/** The system calls that a lease may use, in the form of liblxc (lxc.container.conf, seccomp). */
export function seccompText(): string {
  const profile = seccompProfile(architecture());
  const lines = profile.syscalls.flatMap(({ names, action, errnoRet, args }) => {
    const verdict = action === "SCMP_ACT_ALLOW" ? "allow" : `errno ${errnoRet ?? 1}`;
    const conditions = (args ?? []).map(({ index, value, valueTwo, op }) =>
      // Masks come last here, and first in the specification of OCI.
      op === "SCMP_CMP_MASKED_EQ"
        ? ` [${index},${valueTwo ?? 0},${op},${value}]`
        : ` [${index},${value},${op}]`
    );
    return names.map((name) => `${name} ${verdict}${conditions.join("")}`);
  });
  return ["2", `allowlist errno ${profile.defaultErrnoRet}`, "[all]", ...lines].join("\n");
}

function rootDevice(place: Place): Record<string, unknown> {
  return { root: { type: "disk", path: "/", pool: place.pool } };
}

function limitsOf({ resources, openFilesMax }: ContainerOrder): Record<string, string> {
  const { cpuMillicores, memoryMb } = resources;
  // In whole milliseconds: of a tenth of a second, or of a second where that is too coarse.
  const isCoarse = cpuMillicores % 10 !== 0;
  return {
    "limits.memory": `${memoryMb}MiB`,
    "limits.memory.enforce": "hard",
    "limits.memory.swap": "false",
    "limits.processes": String(PIDS_MAX),
    "limits.kernel.core": "0",
    "limits.kernel.nofile": String(openFilesMax),
    // A lease has no IPv6, so that one egress policy holds for all that leaves.
    "linux.sysctl.net.ipv6.conf.all.disable_ipv6": "1",
    "linux.sysctl.net.ipv6.conf.default.disable_ipv6": "1",
    "limits.cpu.allowance": isCoarse
      ? `${cpuMillicores}ms/1000ms`
      : `${Math.max(10, cpuMillicores) / 10}ms/100ms`,
  };
}

/** These become lines of a file, so that a break in one would be another setting. */
function environmentOf(env: readonly string[]): Record<string, string> {
  return Object.fromEntries(env.map((line) => {
    const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=([^\p{Cc}]*)$/u.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      throw new SeedmintError(
        "invalid",
        `Cannot set the variable ${
          line.split("=")[0]!.slice(0, 40)
        }: names of letters, digits and _ and values without line breaks are possible here`,
      );
    }
    return [`environment.${name}`, value];
  }));
}
