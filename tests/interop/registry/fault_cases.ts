/**
 * Everything that may go wrong between a node and a registry, with real clients. What the user must see
 * is that a pull succeeds whenever the registry could have given the image, and never a wrong byte. The
 * inner door is the registry as the node sees it, the outer one as clients do that go on to it.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { MadeImage } from "../../../devnet/oci_layout.ts";
import { check } from "../blossom/suite.ts";
import { type Client, until } from "./clients.ts";
import type { Fault } from "./hub.ts";
import { publishImage } from "./images.ts";
import { commandOutput } from "./lab.ts";
import { type LabNode, MIRROR, verb } from "./nodes.ts";
import type { World } from "./world.ts";

/** Where the node is asked that seeds. */
const SEEDER = "127.0.0.1:5155";
const SIZE = { layerCount: 2, layerBytes: 1_500_000 };
/** The longest that a pull of 3 MB may take, whatever is wrong; beyond it a user looks for the fault. */
const PULL_MS_MAX = 30_000;

/** A line of the table. */
interface Row {
  readonly name: string;
  readonly fault: Fault;
  /** Whose way to the registry has it. */
  readonly at: "inner" | "both";
  /** Whether another node has the image. */
  readonly hasPeer?: true;
  /**
   * Whether the fault comes after the manifest was given, so that a client that is bound to the mirror
   * may fail once: then the next pull has to succeed.
   */
  readonly mayFailOnce?: true;
}

const ROWS: readonly Row[] = [
  { name: "404 for the manifest", fault: "manifests-404", at: "inner" },
  { name: "500 for the manifest", fault: "manifests-500", at: "inner" },
  { name: "a blob missing", fault: "blobs-404", at: "inner" },
  { name: "cut in the middle of a blob", fault: "cut-once", at: "inner" },
  { name: "cut in the middle of every answer", fault: "cut-always", at: "inner" },
  { name: "wrong bytes once", fault: "wrong-once", at: "inner" },
  { name: "wrong bytes always", fault: "wrong-always", at: "inner", mayFailOnce: true },
  { name: "wrong bytes always, a peer", fault: "wrong-always", at: "both", hasPeer: true },
  { name: "a slow registry", fault: "slow", at: "both" },
  { name: "gone after the manifest", fault: "gone-after-manifest", at: "inner", mayFailOnce: true },
  {
    name: "gone after the manifest, a peer",
    fault: "gone-after-manifest",
    at: "both",
    hasPeer: true,
  },
];

/** Runs them. */
export async function faultCases(world: World): Promise<void> {
  // buildah pulls by the code that podman pulls by.
  const clients = world.clients.filter(({ name }) => name !== "buildah");
  const seeder = await world.nodes.start(SEEDER);
  const node = await world.nodes.start(MIRROR);
  for (const row of ROWS) {
    for (const client of clients) await rowCase(world, row, { client, seeder });
  }
  await world.nodes.end(node);
  for (const client of clients) await killedCase(world, client);
  for (const client of clients) await hungCase(world, client);
  for (const client of clients) await downCase(world, client);
  await world.nodes.end(seeder);
}

async function rowCase(
  { directory, hub }: World,
  row: Row,
  { client, seeder }: { readonly client: Client; readonly seeder: LabNode },
): Promise<void> {
  const repository = `faults/${row.fault}-${row.at}-${client.name}`;
  const name = `${repository}:1`;
  const image = await publishImage(directory, { registry: hub.registry, name, size: SIZE });
  await check(`${row.name}: ${client.name} pulls`, async () => {
    if (row.hasPeer) await seed(name, seeder);
    hub.inner.setFault(repository, row.fault);
    if (row.at === "both") hub.outer.setFault(repository, row.fault);
    const startMs = performance.now();
    const failed = await pulls(client, name, image).then(() => undefined, (error: Error) => error);
    const ms = Math.round(performance.now() - startMs);
    console.log(`        ${ms} ms${failed === undefined ? "" : ", failed once"}`);
    if (row.fault.startsWith("wrong")) await noneIsWrong(repository, image);
    if (failed !== undefined) {
      if (!(row.mayFailOnce && client.isBoundToMirror)) throw failed;
      await pulls(client, name, image);
    }
    assert.ok(ms < PULL_MS_MAX, `it took ${ms} ms`);
  });
}

async function pulls(client: Client, name: string, image: MadeImage): Promise<void> {
  assert.equal((await client.pull(`docker.io/${name}`)).digest, image.digest);
}

/** Whatever the mirror gives of an image is right, or it gives nothing. */
async function noneIsWrong(repository: string, image: MadeImage): Promise<void> {
  for (const { digest } of image.layers) {
    const answer = await fetch(`http://${MIRROR}/v2/docker.io/${repository}/blobs/${digest}`);
    const bytes = await answer.bytes();
    if (answer.status === 404) continue;
    assert.equal(`sha256:${createHash("sha256").update(bytes).digest("hex")}`, digest);
  }
}

/** Lets the other node bring an image in, and waits until it seeds it. */
async function seed(name: string, seeder: LabNode): Promise<void> {
  const target = await Deno.makeTempDir({ prefix: "seedmint-seed-" });
  const from = `docker://${SEEDER}/docker.io/${name}`;
  try {
    await commandOutput("skopeo", ["copy", "-q", "--src-tls-verify=false", from, `dir:${target}`]);
  } finally {
    await Deno.remove(target, { recursive: true });
  }
  await until(async () => {
    const lines = await verb("image", "ls", "--data", seeder.data);
    assert.ok(JSON.stringify(lines).includes(name));
  });
}

/** The node dies in the middle of a pull: who is bound to it fails once, everybody has it then. */
async function killedCase({ directory, hub, nodes }: World, client: Client): Promise<void> {
  const repository = `faults/killed-${client.name}`;
  const name = `${repository}:1`;
  const image = await publishImage(directory, { registry: hub.registry, name, size: SIZE });
  const node = await nodes.start(MIRROR);
  await check(`node killed in the middle of a pull: ${client.name} pulls`, async () => {
    hub.inner.setFault(repository, "slow");
    const first = pulls(client, name, image).then(() => undefined, (error: Error) => error);
    const [layer] = image.layers;
    await until(() => {
      assert.ok(hub.inner.asked.includes(`GET /v2/${repository}/blobs/${layer!.digest}`));
      return Promise.resolve();
    });
    await node.process.kill();
    const failed = await first;
    if (failed === undefined) return;
    if (!client.isBoundToMirror) throw failed;
    await pulls(client, name, image);
  });
  await nodes.end(node);
}

/** A registry that answers nothing; a node of its own, since it leaves such a registry alone for a while. */
async function hungCase(world: World, client: Client): Promise<void> {
  const node = await world.nodes.start(MIRROR);
  const row = { name: "a registry that hangs", fault: "hung", at: "inner" } as const;
  await rowCase(world, row, { client, seeder: node });
  await world.nodes.end(node);
}

async function downCase({ directory, hub }: World, client: Client): Promise<void> {
  const name = `faults/down-${client.name}:1`;
  const image = await publishImage(directory, { registry: hub.registry, name, size: SIZE });
  await check(`node down: ${client.name} pulls`, () => pulls(client, name, image));
}
