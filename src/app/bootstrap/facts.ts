/** What a host is and has: asked by one script that changes nothing, and read by form. */
import { SeedmintError } from "../../core/errors.ts";
import { printable } from "../output/format.ts";
import { CACHE, CURRENT, DATA, type Directory, UNIT, VERSIONS } from "./places.ts";

/** What is known of a host. */
export interface HostFacts {
  readonly system: string;
  /** As `x86_64`. */
  readonly machine: string;
  /** `ID` and `ID_LIKE` of os-release. */
  readonly distribution: readonly string[];
  readonly hasSystemd: boolean;
  readonly hasApt: boolean;
  /** Programs that were asked for and are there. */
  readonly programs: ReadonlySet<string>;
  readonly cpuCount: number;
  /** In all, in MiB. */
  readonly memoryMb: number;
  /** Free where the program and the data will be, in MiB. */
  readonly freeMb: number;
  /** Its clock, in seconds since 1970. */
  readonly clockS: number;
  /** User namespaces that may be made; 0 if they are off. */
  readonly userNamespacesMax: number;
  /** SHA-256 of files that were asked for; absent if there is none. */
  readonly hashes: ReadonlyMap<string, string>;
  /** SHA-256 over the files of the wanted version; absent if it is not there. */
  readonly versionHash?: string;
  /** Whether the runtime finds the packages of the version that runs. */
  readonly hasPackages: boolean;
  /** The version that the link leads to. */
  readonly currentVersion?: string;
  readonly directories: ReadonlySet<string>;
  /** As `systemctl is-active` and `is-enabled` say it. */
  readonly isActive: boolean;
  readonly isEnabled: boolean;
  /** Whether a seed is there: this host is a node already. */
  readonly hasSeed: boolean;
}

/** What of a host is looked at. */
export interface Question {
  readonly version: string;
  readonly programs: readonly string[];
  readonly files: readonly string[];
  readonly directories: readonly Directory[];
}

/**
 * Prints `seedmint:NAME=VALUE` a line. Arguments: the version, then words of the form `program:NAME`,
 * `file:PATH`, `directory:PATH=MODE`.
 */
export const LOOK_SCRIPT = `
set -u
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C
say() { printf 'seedmint:%s=%s\\n' "$1" "$2"; }
hash() { sha256sum < "$1" | cut -d ' ' -f 1; }
version=$1
shift
say system "$(uname -s)"
say machine "$(uname -m)"
[ -r /etc/os-release ] && say distribution "$(. /etc/os-release; echo "\${ID:-} \${ID_LIKE:-}")"
[ -d /run/systemd/system ] && say systemd yes
command -v apt-get >/dev/null && say apt yes
say clock "$(date +%s)"
say cpus "$(nproc)"
say memory "$(awk '/^MemTotal:/ { print $2 }' /proc/meminfo)"
say free "$(df -Pk /opt /var/lib 2>/dev/null | awk 'NR > 1 { print $4 }' | sort -n | head -n 1)"
[ -r /proc/sys/user/max_user_namespaces ] && say namespaces "$(cat /proc/sys/user/max_user_namespaces)"
tree=${VERSIONS}/$version
if [ -d "$tree" ]; then
  say version "$(cd "$tree" && find . -type f -exec sha256sum {} + | sort | sha256sum | cut -d ' ' -f 1)"
fi
[ "$(readlink "${CACHE}/npm")" = ../current/npm ] && say packages yes
[ -L "${CURRENT}" ] && say current "$(basename "$(readlink "${CURRENT}")")"
[ -f "${DATA}/seed" ] && say seed yes
say active "$(systemctl is-active ${UNIT} 2>/dev/null | head -n 1)"
say enabled "$(systemctl is-enabled ${UNIT} 2>/dev/null | head -n 1)"
for word in "$@"; do
  name=\${word#*:}
  case $word in
    program:*) command -v "$name" >/dev/null && say program "$name" ;;
    file:*) [ -f "$name" ] && say "hash:$name" "$(hash "$name")" ;;
    directory:*)
      path=\${name%=*}
      [ -d "$path" ] && [ "$(stat -c %a "$path")" = "\${name##*=}" ] && say directory "$path" ;;
  esac
done
exit 0
`;

/** The arguments of {@link LOOK_SCRIPT}. */
export function lookArguments(question: Question): readonly string[] {
  return [
    question.version,
    ...question.programs.map((name) => `program:${name}`),
    ...question.files.map((path) => `file:${path}`),
    ...question.directories.map(({ path, mode }) => `directory:${path}=${mode}`),
  ];
}

/**
 * Reads what the script printed.
 *
 * @throws {SeedmintError} `protocol` if the essential is missing.
 */
export function readFacts(text: string): HostFacts {
  const values = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const [, name, value] = /^seedmint:([^=]{1,300})=(.*)$/.exec(line) ?? [];
    if (name === undefined) continue;
    const list = values.get(name) ?? [];
    list.push(printable(value!.trim()).slice(0, 300));
    values.set(name, list);
  }
  const one = (name: string) => values.get(name)?.at(-1);
  const [system, machine, clock] = [one("system"), one("machine"), one("clock")];
  if (system === undefined || machine === undefined || !/^\d{9,12}$/.test(clock ?? "")) {
    throw new SeedmintError(
      "protocol",
      "Cannot look at this host: it answered something else than was asked; its shell must be one " +
        "that runs sh, without a greeting that waits",
    );
  }
  const hashes = [...values].flatMap(([name, list]) => {
    const hash = list.at(-1)!;
    return name.startsWith("hash:") && isHash(hash) ? [[name.slice(5), hash] as const] : [];
  });
  const versionHash = one("version");
  const currentVersion = one("current");
  return {
    system,
    machine,
    distribution: (one("distribution") ?? "").split(/\s+/).filter((word) => word !== ""),
    hasSystemd: one("systemd") === "yes",
    hasApt: one("apt") === "yes",
    programs: new Set(values.get("program")),
    cpuCount: countOf(one("cpus")),
    memoryMb: Math.floor(countOf(one("memory")) / 1024),
    freeMb: Math.floor(countOf(one("free")) / 1024),
    clockS: Number(clock),
    userNamespacesMax: countOf(one("namespaces")),
    hashes: new Map(hashes),
    hasPackages: one("packages") === "yes",
    directories: new Set(values.get("directory")),
    isActive: one("active") === "active",
    isEnabled: one("enabled") === "enabled",
    hasSeed: one("seed") === "yes",
    ...(versionHash !== undefined && isHash(versionHash) ? { versionHash } : {}),
    ...(currentVersion === undefined ? {} : { currentVersion }),
  };
}

function isHash(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

function countOf(text: string | undefined): number {
  return /^\d{1,15}$/.test(text ?? "") ? Number(text) : 0;
}
