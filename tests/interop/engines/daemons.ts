/** The engines that are installed, each started in the lab with directories of its own. */
import { join } from "node:path";
import { Daemon, isInstalled, until } from "../registry/clients.ts";
import type { EngineName } from "./backends.ts";
import { addRemappedUser, commandOutput } from "./lab.ts";
import { refusalIn } from "./refusals.ts";

/** A daemon that answers. */
export interface RunningEngine {
  readonly name: EngineName;
  readonly socketPath: string;
  /** Ends the daemon, and starts it again after `meanwhile`. */
  restart(meanwhile: () => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

const REMAPPED = "dockremap";

/**
 * Starts an engine.
 *
 * @param within A program that becomes the daemon, such as one that enters a namespace.
 * @returns Why it cannot be had here, as text: it is not installed, or the kernel refuses what it needs.
 * @throws {Error} If it does not start for any other reason.
 */
export async function startEngine(
  name: EngineName,
  directory: string,
  within: readonly string[] = [],
): Promise<RunningEngine | string> {
  const plan = await PLANS[name](directory);
  if (!await isInstalled(plan.program)) return `${plan.program} is not installed`;
  // What an engine leaves where it was started, as podman's monitor does, is not left in the project.
  const there = ["env", `--chdir=${directory}`];
  const [program, ...args] = [...within, ...there, plan.program, ...plan.args] as [string];
  const start = () => new Daemon(program, args, plan.env);
  let daemon = start();
  const answers = () =>
    until(() => commandOutput("curl", ["-sf", "--unix-socket", plan.socketPath, plan.question]));
  try {
    await answers();
  } catch (cause) {
    await daemon[Symbol.asyncDispose]();
    const refused = refusalIn(daemon.said);
    if (refused !== undefined) return `the kernel refuses ${refused}: ${daemon.said.slice(-300)}`;
    throw new Error(`${plan.program} does not start: ${daemon.said.slice(-1_500)}`, { cause });
  }
  return {
    name,
    socketPath: plan.socketPath,
    async restart(meanwhile) {
      await daemon[Symbol.asyncDispose]();
      await meanwhile();
      daemon = start();
      await answers();
    },
    stop: () => daemon[Symbol.asyncDispose](),
  };
}

interface Plan {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly socketPath: string;
  readonly question: string;
}

const PLANS: Readonly<Record<EngineName, (directory: string) => Promise<Plan>>> = {
  async docker(directory) {
    await addRemappedUser(REMAPPED, 300_000);
    const config = join(directory, "daemon.json");
    const socketPath = "/run/lab-docker.sock";
    await Deno.writeTextFile(
      config,
      JSON.stringify({
        "data-root": join(directory, "data"),
        "exec-root": "/run/lab-docker",
        "pidfile": "/run/lab-docker.pid",
        "hosts": [`unix://${socketPath}`],
        "userns-remap": REMAPPED,
        // Leases have networks of ours.
        "iptables": false,
        "bridge": "none",
      }),
    );
    return {
      program: "/usr/sbin/dockerd",
      args: ["--config-file", config],
      socketPath,
      question: "http://engine/info",
    };
  },
  async podman(directory) {
    const config = join(directory, "storage.conf");
    const socketPath = "/run/lab-podman.sock";
    await Deno.writeTextFile(
      config,
      `[storage]\ndriver = "overlay"\nrunroot = "/run/lab-podman"\ngraphroot = "${directory}/graph"\n`,
    );
    // Debian's crun refuses hosts that mix both versions of control groups.
    const flags = ["--runtime", "runc", "--cgroup-manager", "cgroupfs"];
    return {
      program: "podman",
      args: [...flags, "system", "service", "--time=0", `unix://${socketPath}`],
      env: { CONTAINERS_STORAGE_CONF: config },
      socketPath,
      question: "http://engine/v4.0.0/libpod/info",
    };
  },
  lxd: (directory) =>
    Promise.resolve({
      program: "lxd",
      args: ["--group", "root"],
      env: { LXD_DIR: directory },
      socketPath: join(directory, "unix.socket"),
      question: "http://engine/1.0",
    }),
  incus: (directory) =>
    Promise.resolve({
      program: "/usr/libexec/incus/incusd",
      args: ["--group", "root"],
      env: { INCUS_DIR: directory },
      socketPath: join(directory, "unix.socket"),
      question: "http://engine/1.0",
    }),
};
