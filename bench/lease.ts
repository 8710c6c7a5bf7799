/**
 * Compute leases: from a request's arrival to the banner of its SSH server on runc with a cached image,
 * beside the same container made by hand in the same run; ten at once; layers unpacked; messages answered.
 * Runs as root in network and mount namespaces of its own. Money is in memory, engines and files are real.
 *
 *     deno run -A bench/lease.ts [--runs 9] [--parallel 10] [--mib 256] [--messages 200]
 *         [--only spawn,unpack,messages] [--json]
 */
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { busyboxImage } from "../tests/support/provisioning/busybox_image.ts";
import { labMissing, stateFolder } from "../tests/provisioning/backends/runc/lab.ts";
import { architecture, openFilesMax, serverCommand } from "../provisioning/backends/host/mod.ts";
import { bundleConfig } from "../provisioning/backends/runc/bundle.ts";
import { serverBundle } from "../provisioning/ssh/mod.ts";
import { UnpackedImages } from "../provisioning/unpack/mod.ts";
import { messageRate } from "./lease/messages.ts";
import { rawRunc } from "./lease/raw_runc.ts";
import { compressed, gunzipMs, makeArchive, sha256Of, unpackBoth } from "./lease/unpacking.ts";
import { LeaseBenchWorld } from "./lease/world.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    runs: { type: "string", default: "9" },
    parallel: { type: "string", default: "10" },
    mib: { type: "string", default: "256" },
    messages: { type: "string", default: "200" },
    only: { type: "string", default: "spawn,unpack,messages" },
    inside: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const only = new Set(values.only.split(","));
const runCount = Number(values.runs);
const parallelCount = Number(values.parallel);

/** What a lease may take longer than the container by hand. */
const ABOVE_RAW_MS = 350;

function tell(what: string, figure: number, unit: string, note = ""): void {
  const shown = figure >= 100 ? figure.toFixed(0) : figure.toFixed(1);
  console.log(
    values.json
      ? JSON.stringify({ what, figure, unit, note })
      : `${what.padEnd(52)}${shown.padStart(8)} ${unit}${note === "" ? "" : `  ${note}`}`,
  );
}

const middleOf = (all: readonly number[]) =>
  all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)]!;

async function benchSpawn(): Promise<void> {
  const stateDir = await stateFolder();
  try {
    const image = await busyboxImage({ entrypoint: ["/bin/sh", "-c"], cmd: ["sleep 3600"] });
    await using world = await LeaseBenchWorld.open(stateDir, image);
    const images = new UnpackedImages(`${stateDir}/raw-images`, { idOffset: 200_000 });
    await images.clean();
    await images.unpack(image, { signal: new AbortController().signal });
    const server = await serverBundle(`${stateDir}/server`);
    const files = await openFilesMax();
    const raw = async (index: number) => {
      const folder = `${stateDir}/raw-${index}`;
      const spec = {
        leaseId: `container-${9000 + index}`,
        owner: "aa".repeat(32),
        image,
        resources: { cpuMillicores: 100, memoryMb: 64, diskMb: 64 },
        env: {},
        ssh: { hostPort: 0, authorizedKeys: [], user: "root", hostKey: "" },
        ports: [],
        expiresMs: 0,
      };
      return await rawRunc({
        folder,
        index,
        imageRoot: images.rootOf(image.digest),
        server: server.folder,
        config: bundleConfig(spec, {
          rootfs: `${folder}/rootfs`,
          serverFolder: server.folder,
          leaseFolder: `${folder}/own`,
          cgroupsPath: `/seedmint-bench-${index}`,
          idBase: 200_000,
          openFilesMax: files,
          architecture: architecture(),
          args: serverCommand(spec),
        }),
      });
    };
    const [ours, rivals] = [[] as number[], [] as number[]];
    for (let turn = -1; turn < runCount; turn++) {
      const lease = await world.spawn();
      await world.stop(lease);
      const rival = await raw(turn + 2);
      await rival.end();
      if (turn < 0) continue;
      ours.push(lease.ms);
      rivals.push(rival.ms);
    }
    const above = middleOf(ours) - middleOf(rivals);
    tell("raw runc by hand to its banner, middle", middleOf(rivals), "ms");
    tell("request to banner, middle", middleOf(ours), "ms", `best ${Math.min(...ours).toFixed(0)}`);
    tell("above raw runc", above, "ms", above <= ABOVE_RAW_MS ? "met" : "MISSED");
    let startMs = performance.now();
    const leases = await Promise.all(Array.from({ length: parallelCount }, () => world.spawn()));
    tell(`${parallelCount} requests at once, all ready`, performance.now() - startMs, "ms");
    tell("of them the middle one", middleOf(leases.map(({ ms }) => ms)), "ms");
    await Promise.all(leases.map((lease) => world.stop(lease)));
    startMs = performance.now();
    const rawOnes = await Promise.all(
      Array.from({ length: parallelCount }, (_, index) => raw(100 + index)),
    );
    tell(`${parallelCount} raw ones at once`, performance.now() - startMs, "ms");
    await Promise.all(rawOnes.map((one) => one.end()));
  } finally {
    // What is still mounted after a failure goes with the namespace.
    await Deno.remove(stateDir, { recursive: true }).catch(() => {});
  }
}

async function benchUnpack(): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "seedmint-bench-unpack-" });
  try {
    const archive = await makeArchive(folder, Number(values.mib));
    const diffId = await sha256Of(archive);
    const bytes = (await Deno.stat(archive)).size;
    const files = await compressed(archive);
    const rate = (ms: number) => bytes / 1e6 / (ms / 1000);
    for (const [form, file] of files) {
      const rounds = [];
      for (let turn = 0; turn < 3; turn++) {
        rounds.push(await unpackBoth(form, file, { folder, diffId, bytes }));
      }
      const ms = Math.min(...rounds.map((round) => round.ms));
      const tarMs = Math.min(...rounds.map((round) => round.tarMs));
      tell(`unpack ${form}, verified`, rate(ms), "MB/s", `${(tarMs / ms).toFixed(2)} × tar -x`);
    }
    const alone = await gunzipMs(files.get("gzip")!);
    tell("gunzip alone in this process", rate(alone), "MB/s");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function benchMessages(): Promise<void> {
  const count = Number(values.messages);
  for (const kind of ["nip17", "nip04"] as const) {
    await messageRate(kind, Math.min(20, count));
    const { perSecond, cpuMs } = await messageRate(kind, count);
    tell(
      `requests over ${kind} answered`,
      perSecond,
      "a second",
      `${cpuMs.toFixed(1)} CPU-ms each`,
    );
  }
}

async function main(): Promise<number> {
  if (only.has("unpack")) await benchUnpack();
  if (only.has("messages")) await benchMessages();
  if (!only.has("spawn")) return 0;
  const missing = await labMissing();
  if (missing !== undefined) {
    console.log(`Leases on runc are passed over: ${missing}`);
    return 0;
  }
  const { code } = await new Deno.Command("unshare", {
    args: [
      "--net",
      "--mount",
      "--propagation",
      "private",
      "sh",
      "-c",
      'ip link set lo up && exec "$@"',
      "sh",
      Deno.execPath(),
      "run",
      "-A",
      fileURLToPath(import.meta.url),
      ...Deno.args,
      "--inside",
    ],
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  return code;
}

if (values.inside) await benchSpawn();
else Deno.exit(await main());
