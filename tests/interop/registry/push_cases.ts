/** Clients push to a node, and what they pushed is what comes back, there and at another node. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createGunzip } from "node:zlib";
import { check, skip } from "../blossom/suite.ts";
import { publishImage, publishIndex } from "./images.ts";
import { commandOutput } from "./lab.ts";
import { until } from "./clients.ts";
import { MIRROR, PUSH, verb } from "./nodes.ts";
import type { World } from "./world.ts";

/** Where the node listens that is pushed to. */
const MIRROR_OF_PUSHED = "127.0.0.1:5155";
const SHELF = "127.0.0.1:5156";
const GZIP = [0x1f, 0x8b];

/** Runs them. */
export async function pushCases(world: World): Promise<void> {
  const { directory, hub, nodes, size } = world;
  const { registry } = hub;
  const small = { layerCount: 2, layerBytes: 1 << 20 };
  await publishImage(directory, { registry, name: "library/pushed:1", size });
  await publishIndex(directory, { registry, name: "acme/many:1", size: small });
  const shelf = await nodes.start(MIRROR_OF_PUSHED, "--push-listen", SHELF);
  // Clients pull past a mirror that is not there, from the registry.
  try {
    for (const client of world.clients) {
      if (client.push === undefined) {
        skip(`${client.name} pushes`, "it does not push");
        continue;
      }
      await check(
        `${client.name} pushes an image, whose layers come back as they were`,
        async () => {
          await client.push!("docker.io/library/pushed:1", `${SHELF}/team/${client.name}:1`);
          const [was, is] = [
            await describe(`${new URL(registry).host}/library/pushed:1`),
            await describe(`${SHELF}/team/${client.name}:1`),
          ];
          assert.deepEqual(is, was);
        },
      );
    }
    for (const client of world.clients.filter(({ pullAll, push }) => pullAll && push)) {
      await check(`${client.name} pushes an index with its images`, async () => {
        await client.push!("ghcr.io/acme/many:1", `${SHELF}/team/many-${client.name}:1`);
        const raw = (from: string) =>
          commandOutput("skopeo", ["inspect", "--raw", "--tls-verify=false", `docker://${from}`]);
        const was = await raw(`${new URL(registry).host}/acme/many:1`);
        assert.equal(await raw(`${SHELF}/team/many-${client.name}:1`), was);
      });
    }
    await check("what is pushed as library/shadow answers for no other registry", async () => {
      const to = `docker://${SHELF}/library/shadow:1`;
      const from = `docker://${SHELF}/team/skopeo:1`;
      const plain = ["--src-tls-verify=false", "--dest-tls-verify=false"];
      await commandOutput("skopeo", ["copy", "-q", ...plain, from, to]);
      for (
        const name of [
          "library/shadow",
          "docker.io/library/shadow",
          "seedmint.local/library/shadow",
        ]
      ) {
        const answer = await fetch(`http://${MIRROR_OF_PUSHED}/v2/${name}/manifests/1`);
        await answer.body?.cancel();
        assert.equal(answer.status, 404, name);
      }
    });
    await announcedCases(world, shelf.data);
  } finally {
    await nodes.end(shelf);
  }
}

/** What was pushed to one node and announced is brought in by another, whose clients pull it there. */
async function announcedCases({ clients, nodes }: World, shelf: string): Promise<void> {
  const name = "seedmint.local/team/skopeo";
  const visibility = ["--visibility", "public"];
  const [announced] = await verb("image", "announce", `${name}:1`, ...visibility, "--data", shelf);
  const digest = String(announced!.digest);
  // Relays are told a moment later.
  const finder = ["--data", join(shelf, "../finder"), "--no-mdns", "--no-ask"];
  await until(async () => {
    const args = ["find", String(announced!.hash), "--relay", await nodes.relay(), ...finder];
    assert.ok((await verb(...args)).length > 0);
  });
  const node = await nodes.start(MIRROR, "--push-listen", PUSH);
  await check("another node brings in by its digest what was pushed and announced", async () => {
    await verb("image", "pull", `${name}@${digest}`, "--data", node.data);
  });
  for (const client of clients) {
    await check(`${client.name} pulls there what was pushed elsewhere`, async () => {
      assert.equal((await client.pull(`${PUSH}/team/skopeo@${digest}`)).digest, digest);
    });
  }
  await nodes.end(node);
}

/** What makes an image one image, however its layers are compressed: and each is checked against it. */
async function describe(image: string): Promise<unknown> {
  const target = await Deno.makeTempDir({ prefix: "seedmint-pushed-" });
  try {
    const args = ["copy", "-q", "--src-tls-verify=false", `docker://${image}`, `dir:${target}`];
    await commandOutput("skopeo", args);
    const read = async (name: string) => JSON.parse(await Deno.readTextFile(join(target, name)));
    const manifest = await read("manifest.json");
    const config = await read(manifest.config.digest.slice("sha256:".length));
    const found: string[] = [];
    for (const { digest } of manifest.layers) {
      found.push(await contentOf(join(target, digest.slice("sha256:".length))));
    }
    assert.deepEqual(found, config.rootfs.diff_ids);
    return { config: config.rootfs, architecture: config.architecture };
  } finally {
    await Deno.remove(target, { recursive: true });
  }
}

async function contentOf(path: string): Promise<string> {
  using file = await Deno.open(path);
  const start = new Uint8Array(2);
  await file.read(start);
  const isGzip = start[0] === GZIP[0] && start[1] === GZIP[1];
  const bytes = createReadStream(path);
  const hash = createHash("sha256");
  for await (const piece of isGzip ? bytes.pipe(createGunzip()) : bytes) hash.update(piece);
  return `sha256:${hash.digest("hex")}`;
}
