/** What is to be done on a host, from what it is and what is wanted: pure. */
import type { HostFacts } from "./facts.ts";
import {
  CLOCK_OFF_S_MAX,
  DISK_MB_MIN,
  INSTALL_MS_MAX,
  LOOK_MS_MAX,
  UPLOAD_MS_MAX,
} from "./limits.ts";
import {
  CACHE,
  COMMAND,
  CURRENT,
  DENO,
  DIRECTORIES,
  SETTINGS_FILE,
  UNIT,
  UNIT_FILE,
  VERSIONS,
} from "./places.ts";
import type { LocalFile, ProgramVersion } from "./program.ts";
import * as scripts from "./scripts.ts";
import { type BootstrapBackend, commandText, engineUnit, unitText } from "./unit.ts";

/** What is wanted of a host. */
export interface Wish {
  readonly backend: BootstrapBackend;
  /** As `x86_64`: of the runtime that is brought. */
  readonly machine: string;
  readonly runtime: LocalFile;
  /** Its version, which it must say of itself. */
  readonly runtimeVersion: string;
  readonly program: ProgramVersion;
  /** The text of the settings file; absent: what is there stays. */
  readonly settings?: string;
  /** SHA-256 of texts of ours, by path. */
  readonly hashOf: (text: string) => string;
  readonly nowS: number;
}

/** What a step is fed with. */
export type StepInput =
  | { readonly kind: "text"; readonly text: string; readonly isPrivate?: true }
  | { readonly kind: "file"; readonly file: LocalFile }
  | { readonly kind: "archive"; readonly program: ProgramVersion };

/** One change. */
export interface Step {
  /** For people: `install runc, nftables`. */
  readonly title: string;
  readonly script: string;
  readonly args: readonly string[];
  readonly input?: StepInput;
  readonly timeoutMs: number;
}

/** Why a host cannot be set up, and what to do. */
export interface Hindrance {
  readonly text: string;
  readonly next: string;
}

/** All of it. */
export interface BootstrapPlan {
  /** When there are any, nothing is done. */
  readonly hindrances: readonly Hindrance[];
  readonly steps: readonly Step[];
}

/** Programs that leases need on any engine, with the Debian packages that have them. */
const ANY_ENGINE: readonly (readonly [string, string])[] = [
  ["dropbear", "dropbear-bin"],
  ["nft", "nftables"],
  ["ip", "iproute2"],
  ["mkfs.ext4", "e2fsprogs"],
  ["mount", "mount"],
  ["nsenter", "util-linux"],
  ["flock", "util-linux"],
];

/** And on each besides. */
const PROGRAMS: Readonly<Record<BootstrapBackend, readonly (readonly [string, string])[]>> = {
  runc: [["runc", "runc"], ...ANY_ENGINE],
  docker: [["dockerd", "docker.io"], ...ANY_ENGINE],
  podman: [["podman", "podman"], ...ANY_ENGINE],
};

/** What the steps themselves need; every system that boots has these. */
const TOOLS = ["tar", "gzip", "sha256sum", "find", "install", "systemctl"];

/** The programs that are looked for. */
export function programsFor(backend: BootstrapBackend): readonly string[] {
  return [...TOOLS, ...PROGRAMS[backend].map(([program]) => program)];
}

/** The files whose hashes are looked at. */
export const LOOKED_AT: readonly string[] = [DENO, COMMAND, UNIT_FILE, SETTINGS_FILE];

/** What is to be done. */
export function planBootstrap(facts: HostFacts, wish: Wish): BootstrapPlan {
  const hindrances = hindrancesOf(facts, wish);
  if (hindrances.length > 0) return { hindrances, steps: [] };
  const steps = [
    ...packageSteps(facts, wish),
    ...directorySteps(facts),
    ...programSteps(facts, wish),
    ...fileSteps(facts, wish),
  ];
  return { hindrances, steps: [...steps, ...serviceSteps(facts, wish, steps.length > 0)] };
}

function hindrancesOf(facts: HostFacts, wish: Wish): readonly Hindrance[] {
  const found: Hindrance[] = [];
  const say = (text: string, next: string) => found.push({ text, next });
  if (facts.system !== "Linux") say(`it runs ${facts.system}`, "take a host with Linux");
  if (facts.machine !== wish.machine && !hasRuntime(facts, wish)) {
    say(
      `its processor is ${facts.machine}, and the runtime here is for ${wish.machine}`,
      `get Deno ${wish.runtimeVersion} for ${facts.machine} and name the file with --deno`,
    );
  }
  if (!facts.hasSystemd) {
    say("systemd does not run there", "take a host with systemd, or install by hand (see docs)");
  }
  const tools = TOOLS.filter((tool) => !facts.programs.has(tool));
  if (tools.length > 0) {
    say(`it lacks ${tools.join(", ")}`, "install the packages of these programs there");
  }
  const missing = missingPackages(facts, wish.backend);
  if (missing.length > 0 && !facts.hasApt) {
    const programs = PROGRAMS[wish.backend].map(([name]) => name)
      .filter((name) => !facts.programs.has(name));
    say(
      `it lacks ${programs.join(", ")}, and has no apt-get to install them`,
      "install the packages of these programs there, then run bootstrap again",
    );
  }
  if (facts.freeMb < DISK_MB_MIN) {
    say(`it has ${facts.freeMb} MiB of disk left`, `free ${DISK_MB_MIN} MiB in /opt and /var/lib`);
  }
  const offS = Math.round(facts.clockS - wish.nowS);
  if (Math.abs(offS) > CLOCK_OFF_S_MAX) {
    say(
      `its clock is ${Math.abs(offS)} s ${offS > 0 ? "ahead of" : "behind"} this machine's`,
      "set the wrong one of both right (timedatectl set-ntp true): leases go by it",
    );
  }
  if (wish.backend === "runc" && facts.userNamespacesMax === 0) {
    say(
      "user namespaces are switched off there, without which leases are not kept apart",
      "set user.max_user_namespaces above 0 in /etc/sysctl.d, then run sysctl --system",
    );
  }
  if (wish.settings === undefined && !facts.hashes.has(SETTINGS_FILE)) {
    say(
      "it has no settings yet",
      "name a mint with --mint and what else it is to have, or a file with --settings",
    );
  }
  return found;
}

function missingPackages(facts: HostFacts, backend: BootstrapBackend): readonly string[] {
  return [
    ...new Set(
      PROGRAMS[backend].filter(([program]) => !facts.programs.has(program))
        .map(([_, name]) => name),
    ),
  ];
}

function packageSteps(facts: HostFacts, { backend }: Wish): readonly Step[] {
  const missing = missingPackages(facts, backend);
  if (missing.length === 0) return [];
  return [{
    title: `install ${missing.join(", ")}`,
    script: scripts.INSTALL,
    args: missing,
    timeoutMs: INSTALL_MS_MAX,
  }];
}

function directorySteps(facts: HostFacts): readonly Step[] {
  return DIRECTORIES.filter(({ path }) => !facts.directories.has(path)).map(({ path, mode }) => ({
    title: `make ${path} with mode ${mode}`,
    script: scripts.DIRECTORY,
    args: [path, mode],
    timeoutMs: LOOK_MS_MAX,
  }));
}

function hasRuntime(facts: HostFacts, { runtime }: Wish): boolean {
  return facts.hashes.get(DENO) === runtime.hash;
}

function programSteps(facts: HostFacts, wish: Wish): readonly Step[] {
  const { program, runtime, runtimeVersion } = wish;
  const steps: Step[] = [];
  if (!hasRuntime(facts, wish)) {
    steps.push({
      title: `bring Deno ${runtimeVersion} to ${DENO}`,
      script: scripts.RUNTIME,
      args: [DENO, runtime.hash, runtimeVersion],
      input: { kind: "file", file: runtime },
      timeoutMs: UPLOAD_MS_MAX,
    });
  }
  if (facts.versionHash !== program.hash) {
    steps.push({
      title: `bring version ${program.id} with its packages to ${VERSIONS}`,
      script: scripts.VERSION,
      args: [VERSIONS, program.id, program.hash, DENO],
      input: { kind: "archive", program },
      timeoutMs: UPLOAD_MS_MAX,
    });
  }
  const links: readonly (readonly [path: string, to: string, isRight: boolean])[] = [
    [`${CACHE}/npm`, "../current/npm", facts.hasPackages],
    [CURRENT, `versions/${program.id}`, facts.currentVersion === program.id],
  ];
  for (const [path, to, isRight] of links) {
    if (isRight) continue;
    steps.push({
      title: `let ${path} lead to ${to}`,
      script: scripts.LINK,
      args: [path, to],
      timeoutMs: LOOK_MS_MAX,
    });
  }
  return steps;
}

function fileSteps(facts: HostFacts, wish: Wish): readonly Step[] {
  const files: readonly (readonly [path: string, mode: string, text: string | undefined])[] = [
    [COMMAND, "755", commandText()],
    [UNIT_FILE, "644", unitText(wish.backend)],
    [SETTINGS_FILE, "600", wish.settings],
  ];
  return files.flatMap(([path, mode, text]) => {
    if (text === undefined || facts.hashes.get(path) === wish.hashOf(text)) return [];
    const verb = facts.hashes.has(path) ? "replace" : "write";
    return [{
      title: `${verb} ${path}`,
      script: scripts.WRITE,
      args: [path, mode, wish.hashOf(text)],
      input: { kind: "text" as const, text },
      timeoutMs: LOOK_MS_MAX,
    }];
  });
}

function serviceSteps(facts: HostFacts, { backend }: Wish, hasChanged: boolean): readonly Step[] {
  const steps: Step[] = [];
  const engine = engineUnit(backend);
  const service = (title: string, script: string, args: readonly string[]) =>
    steps.push({ title, script, args, timeoutMs: LOOK_MS_MAX });
  if (engine !== undefined && hasChanged) service(`start ${engine}`, scripts.ENABLE, [engine]);
  if (!facts.isEnabled || hasChanged) service(`enable ${UNIT}`, scripts.ENABLE_ONLY, [UNIT]);
  if (facts.isActive && hasChanged) service(`restart ${UNIT}`, scripts.RESTART, [UNIT]);
  if (!facts.isActive) service(`start ${UNIT}`, scripts.RESTART, [UNIT]);
  return steps;
}
