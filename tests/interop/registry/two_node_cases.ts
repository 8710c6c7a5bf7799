/** An image that one node brought in is pulled from another while its registry is away. */
import assert from "node:assert/strict";
import { check } from "../blossom/suite.ts";
import type { Client } from "./clients.ts";
import { publishImage, publishIndex } from "./images.ts";
import { commandOutput } from "./lab.ts";
import { type LabNode, MIRROR, verb } from "./nodes.ts";
import type { World } from "./world.ts";
import { until } from "./clients.ts";

/** Where the node is asked that seeds. */
const SEEDER = "127.0.0.1:5155";
const MIB = 1024 * 1024;

/** Runs them. */
export async function twoNodeCases(world: World): Promise<void> {
  const { directory, hub, nodes, size } = world;
  const registry = hub.registry;
  const image = await publishImage(directory, { registry, name: "library/app:1", size });
  const index = await publishIndex(directory, {
    registry,
    name: "acme/multi:1",
    size: { layerCount: 2, layerBytes: MIB },
  });
  const seeder = await nodes.start(SEEDER);
  try {
    await seed("docker.io/library/app:1");
    await seed("ghcr.io/acme/multi:1", "--all");
    await until(async () => assert.equal((await imagesOf(seeder)).length, 2));
    console.log(`image of ${Math.round(image.size / MIB)} MiB, ${image.layers.length} layers`);
    for (const client of world.clients) {
      await withoutUpstream(world, async () => {
        await check(`${client.name} pulls by digest from peers alone`, () =>
          timed(async () => {
            const { digest } = await client.pull(`docker.io/library/app@${image.digest}`);
            assert.equal(digest, image.digest);
          }));
        await indexCase(client, index.digest);
      });
    }
    await tagCases(world, image.digest);
    await platformCase(world, index);
  } finally {
    await nodes.end(seeder);
  }
}

async function indexCase(client: Client, digest: string): Promise<void> {
  const name = `ghcr.io/acme/multi@${digest}`;
  if (client.name !== "docker") {
    await check(`${client.name} pulls its platform of an index from peers alone`, async () => {
      await client.pull(name);
    });
  }
  if (client.pullAll === undefined) return;
  await check(`${client.name} pulls all platforms of an index from peers alone`, async () => {
    assert.equal((await client.pullAll!(name)).digest, digest);
  });
}

/** Lets the seeder bring an image in, for a client that names it by the mirror's address. */
async function seed(image: string, ...flags: string[]): Promise<void> {
  const target = await Deno.makeTempDir({ prefix: "seedmint-seed-" });
  const from = `docker://${SEEDER}/${image}`;
  const plain = ["-q", "--src-tls-verify=false", ...flags];
  try {
    await commandOutput("skopeo", ["copy", ...plain, from, `dir:${target}`]);
  } finally {
    await Deno.remove(target, { recursive: true });
  }
}

async function imagesOf(node: LabNode) {
  return await verb("image", "ls", "--data", node.data);
}

/** Runs `cases` with a node that has nothing, and no registry to ask for it or for clients. */
async function withoutUpstream({ hub, nodes }: World, cases: () => Promise<void>): Promise<void> {
  const node = await nodes.start(MIRROR);
  await Promise.all([hub.inner.shut(), hub.outer.shut()]);
  try {
    await cases();
  } finally {
    hub.inner.open();
    hub.outer.open();
    await nodes.end(node);
  }
}

/** A registry that says what a tag is, and gives no blobs: they come from the other node. */
async function tagCases(world: World, digest: string): Promise<void> {
  const { hub, nodes } = world;
  const blobs = () => hub.inner.asked.filter((line) => line.includes("library/app/blobs")).length;
  for (const client of world.clients) {
    const node = await nodes.start(MIRROR);
    for (const door of [hub.inner, hub.outer]) door.setFault("library/app", "blobs-404");
    try {
      await check(`${client.name} pulls by tag, layers from a peer`, () =>
        timed(async () => {
          assert.equal((await client.pull("docker.io/library/app:1")).digest, digest);
        }));
    } finally {
      for (const door of [hub.inner, hub.outer]) door.setFault("library/app", undefined);
      await nodes.end(node);
    }
  }
  console.log(`        the registry was asked for blobs ${blobs()} times in all`);
}

/** Only what clients want of an index is brought in. */
async function platformCase(
  { hub, nodes, clients }: World,
  index: Awaited<ReturnType<typeof publishIndex>>,
): Promise<void> {
  const client = clients.find(({ name }) => name === "podman") ?? clients[0]!;
  const node = await nodes.start(MIRROR);
  await check(`${client.name} pulls its platform, and no other's layers are fetched`, async () => {
    await client.pull("ghcr.io/acme/multi:1");
    const other = Deno.build.arch === "aarch64" ? "amd64" : "arm64";
    const [first] = index.manifests[other].layers;
    const lines = await verb("ls", "--data", node.data);
    const has = JSON.stringify(lines).includes(first!.digest.slice("sha256:".length));
    assert.equal(has, false, "a layer of another platform is here");
    assert.ok(hub.inner.asked.some((line) => line.includes("acme/multi/manifests/1")));
  });
  await nodes.end(node);
}

async function timed(run: () => Promise<void>): Promise<void> {
  const startMs = performance.now();
  await run();
  console.log(`        ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
}
