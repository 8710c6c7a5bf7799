/** The cases, inside a lab that `run.ts` made. */
import { join } from "node:path";
import { ChildProcess, NODE_FLAGS } from "../../../devnet/processes.ts";
import { check, finish, skip } from "../blossom/suite.ts";
import { type Clients, startClients } from "./clients.ts";
import { conformanceCases } from "./conformance_cases.ts";
import { faultCases } from "./fault_cases.ts";
import { startHub } from "./hub.ts";
import { furnish } from "./lab.ts";
import { lxdCases } from "./lxd_cases.ts";
import { MIRROR, Nodes, PUSH, verb } from "./nodes.ts";
import { pushCases } from "./push_cases.ts";
import type { World } from "./world.ts";
import { twoNodeCases } from "./two_node_cases.ts";

const MIB = 1024 * 1024;
const isAll = Deno.args.includes("--all");
const [directory, ...groups] = Deno.args.filter((arg) => !arg.startsWith("--")) as [
  string,
  ...string[],
];
try {
  await furnish(directory);
  await run();
} catch (error) {
  await check("the lab stands", () => Promise.reject(error));
}
finish();

async function run(): Promise<void> {
  await using hub = await startHub(directory);
  await setUp();
  await using clients = await startClients(directory);
  await using nodes = new Nodes(directory, hub.innerUrl);
  tellClients(clients);
  const size = isAll
    ? { layerCount: 5, layerBytes: 64 * MIB }
    : { layerCount: 4, layerBytes: 15 * MIB };
  const world: World = { directory, hub, nodes, clients: clients.all, size };
  const all: readonly (readonly [string, () => Promise<void>])[] = [
    ["doctor", () => doctorCase(nodes, clients)],
    ["two", () => twoNodeCases(world)],
    ["push", () => pushCases(world)],
    ["faults", () => faultCases(world)],
    ["lxd", () => lxdCases(world)],
    ["conformance", () => conformanceCases(world)],
  ];
  for (const [name, cases] of all) {
    if (groups.length > 0 && !groups.includes(name)) continue;
    const startMs = performance.now();
    await check(`${name}: its cases were tried to the end`, cases);
    console.log(`        ${name}: ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
  }
}

/** Lets the clients of this host, all that setup knows, pull through the mirror. */
async function setUp(): Promise<void> {
  const clients = ["containerd", "docker", "podman", "skopeo"];
  const listeners = ["--mirror-listen", MIRROR, "--push-listen", PUSH];
  await verb("setup", ...clients, ...listeners, "--data", join(directory, "setup"));
}

function tellClients(clients: Clients): void {
  for (const { name, version } of clients.all) console.log(`${name} ${version}`);
  for (const [name, why] of clients.missing) skip(`all cases of ${name}`, why);
}

/** doctor lets each client pull what only this node has. */
async function doctorCase(nodes: Nodes, clients: Clients): Promise<void> {
  const node = await nodes.start(MIRROR);
  try {
    for (const name of ["containerd", "docker", "podman", "skopeo"]) {
      if (!clients.all.some((client) => client.name === name)) {
        skip(`doctor ${name}`, "it is missing");
        continue;
      }
      await check(`doctor proves by a pull of its own that ${name} uses the mirror`, async () => {
        const doctor = new ChildProcess({
          script: "node.ts",
          args: ["doctor", name, "--data", node.data, "--json"],
          flags: [...NODE_FLAGS, "--allow-run"],
        });
        const { code, lines, stderr } = await doctor.result();
        const isProven = lines.some(({ text }) => / pulled .* only this node has/.test(`${text}`));
        if (code !== 0 || !isProven) throw new Error(`${JSON.stringify(lines)} ${stderr}`);
      });
    }
  } finally {
    await nodes.end(node);
  }
}
