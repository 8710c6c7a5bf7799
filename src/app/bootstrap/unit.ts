/** The service of a host that lends compute, and the command for whoever is on it. */
import { LENDING_FLAGS } from "../permissions.ts";
import { CACHE, CURRENT, DATA, DENO } from "./places.ts";

/** The engines that a host can be set up for. */
export const BOOTSTRAP_BACKENDS = ["runc", "docker", "podman"] as const;

/** One of {@link BOOTSTRAP_BACKENDS}. */
export type BootstrapBackend = typeof BOOTSTRAP_BACKENDS[number];

/** What a node that lends is never in need of, though it is root. */
const DROPPED = [
  "CAP_AUDIT_CONTROL",
  "CAP_AUDIT_READ",
  "CAP_BLOCK_SUSPEND",
  "CAP_LINUX_IMMUTABLE",
  "CAP_MAC_ADMIN",
  "CAP_MAC_OVERRIDE",
  "CAP_SYSLOG",
  "CAP_SYS_BOOT",
  "CAP_SYS_MODULE",
  "CAP_SYS_RAWIO",
  "CAP_SYS_TIME",
  "CAP_WAKE_ALARM",
];

/** Units of an engine with a daemon. */
const ENGINE_UNITS: Readonly<Record<BootstrapBackend, string | undefined>> = {
  runc: undefined,
  docker: "docker.service",
  podman: "podman.socket",
};

/** The unit of an engine, if it has one. */
export function engineUnit(backend: BootstrapBackend): string | undefined {
  return ENGINE_UNITS[backend];
}

/**
 * The unit. No option of it gives the service a mount namespace of its own: leases' disks are mounted
 * by one process, and must be seen by the engine and by the next process. Leases, and the watchdog that
 * ends them, outlive the service (`KillMode=process`).
 */
export function unitText(backend: BootstrapBackend): string {
  const engine = ENGINE_UNITS[backend];
  const after = ["network-online.target", ...(engine === undefined ? [] : [engine])].join(" ");
  return [
    "[Unit]",
    "Description=Seedmint node that lends compute",
    `After=${after}`,
    `Wants=${after}`,
    "",
    "[Service]",
    `Environment=SEEDMINT_DATA=${DATA} DENO_DIR=${CACHE} DENO_NO_UPDATE_CHECK=1 HOME=${DATA}`,
    `WorkingDirectory=${CURRENT}`,
    `ExecStart=${commandWords().join(" ")} start --log-format json`,
    "Restart=on-failure",
    "RestartSec=2",
    "TimeoutStopSec=20",
    "KillMode=process",
    "LimitNOFILE=65536",
    "NoNewPrivileges=true",
    `CapabilityBoundingSet=~${DROPPED.join(" ")}`,
    "",
    "[Install]",
    "WantedBy=multi-user.target",
    "",
  ].join("\n");
}

/** The command `seedmint`, which runs verbs with what the service has. */
export function commandText(): string {
  return [
    "#!/bin/sh",
    `export SEEDMINT_DATA="\${SEEDMINT_DATA:-${DATA}}" DENO_DIR=${CACHE} DENO_NO_UPDATE_CHECK=1`,
    `exec ${commandWords().map((word) => word.includes("*") ? `'${word}'` : word).join(" ")} "$@"`,
    "",
  ].join("\n");
}

function commandWords(): readonly string[] {
  const flags = LENDING_FLAGS;
  return [DENO, "run", "--cached-only", "--frozen", ...flags, `${CURRENT}/node.ts`];
}
