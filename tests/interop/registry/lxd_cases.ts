/**
 * LXD and Incus as clients of the node's image server: they ask for the headers with hash and URL, get
 * the tarball there and check its SHA-256, which is the image's fingerprint.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { JsonLine } from "../../../devnet/processes.ts";
import { check, skip } from "../blossom/suite.ts";
import { Daemon, isInstalled, until } from "./clients.ts";
import { commandOutput } from "./lab.ts";
import { type LabNode, MIRROR, verb } from "./nodes.ts";
import type { World } from "./world.ts";

const SEEDER = "127.0.0.1:5155";
const MIB = 1024 * 1024;

/** A server of instances. */
interface Server {
  readonly name: string;
  readonly program: string;
  /** Names its directory. */
  readonly variable: string;
}

const SERVERS: readonly Server[] = [
  { name: "LXD", program: "lxd", variable: "LXD_DIR" },
  { name: "Incus", program: "/usr/libexec/incus/incusd", variable: "INCUS_DIR" },
];

/** Runs them. */
export async function lxdCases(world: World): Promise<void> {
  const { directory, nodes } = world;
  const seeder = await nodes.start(SEEDER);
  for (const server of SERVERS) {
    if (!await isInstalled(server.program)) {
      skip(`all cases of ${server.name}`, `${server.program} is not installed`);
      continue;
    }
    const home = join(directory, server.name);
    await Deno.mkdir(home);
    await using daemon = new Daemon(server.program, ["--group", "root"], {
      [server.variable]: home,
    });
    const socket = join(home, "unix.socket");
    const isUp = await until(async () => {
      const { metadata } = await ask(socket, "GET", "/1.0");
      return (metadata as JsonLine).environment as JsonLine;
    }).catch(() => undefined);
    if (isUp === undefined) {
      skip(`all cases of ${server.name}`, `it does not start: ${daemon.said.slice(-300)}`);
      continue;
    }
    console.log(`${server.name} ${isUp.server_version}`);
    await serverCases(world, { seeder, server, socket });
  }
  await nodes.end(seeder);
}

async function serverCases(
  { directory, nodes, hub }: World,
  { seeder, server, socket }: {
    readonly seeder: LabNode;
    readonly server: Server;
    readonly socket: string;
  },
): Promise<void> {
  const tarball = await makeTarball(directory, server.name);
  const fingerprint = createHash("sha256").update(await Deno.readFile(tarball)).digest("hex");
  await verb("add", tarball, "--visibility", "public", "--data", seeder.data);
  const url = (host: string, sha256: string) => `http://${host}/images/${sha256}`;
  await check(`${server.name} gets an image from the node that has it`, async () => {
    assert.equal(await pull(socket, url(SEEDER, fingerprint)), fingerprint);
    await finished(socket, await ask(socket, "DELETE", `/1.0/images/${fingerprint}`));
  });
  await check(`${server.name} gets an image from a peer of its node, and keeps it`, async () => {
    const node = await nodes.start(MIRROR);
    await Promise.all([hub.inner.shut(), hub.outer.shut()]);
    try {
      // Relays are told a moment after the file was added.
      await until(async () => {
        assert.equal(await pull(socket, url(MIRROR, fingerprint)), fingerprint);
      });
      const { metadata } = await ask(socket, "GET", `/1.0/images/${fingerprint}`);
      assert.equal((metadata as JsonLine).size, (await Deno.stat(tarball)).size);
    } finally {
      hub.inner.open();
      hub.outer.open();
      await nodes.end(node);
    }
  });
  await check(`${server.name} hears of an image that nobody has that it is not there`, async () => {
    await assert.rejects(
      pull(socket, url(SEEDER, "0".repeat(64))),
      /Missing \w+-Image-Hash header/,
    );
  });
}

/** An image in one file, as both servers have it: metadata and a root file system. */
async function makeTarball(directory: string, name: string): Promise<string> {
  const source = join(directory, `image-${name}`);
  await Deno.mkdir(join(source, "rootfs/etc"), { recursive: true });
  const metadata = `architecture: x86_64\ncreation_date: 1700000000\nproperties: {os: ${name}}\n`;
  await Deno.writeTextFile(join(source, "metadata.yaml"), metadata);
  const content = new Uint8Array(20 * MIB);
  for (let at = 0; at < content.length; at += 65_536) {
    crypto.getRandomValues(content.subarray(at, at + 65_536));
  }
  await Deno.writeFile(join(source, "rootfs/etc/content"), content);
  const tarball = join(directory, `${name}.tar.gz`);
  await commandOutput("tar", ["-C", source, "-czf", tarball, "metadata.yaml", "rootfs"]);
  return tarball;
}

/** Lets the server get an image by its URL. @returns Its fingerprint. */
async function pull(socket: string, url: string): Promise<unknown> {
  const begun = await ask(socket, "POST", "/1.0/images", {
    source: { type: "url", mode: "pull", protocol: "direct", url },
  });
  const ended = await finished(socket, begun);
  return (ended.metadata as JsonLine | null)?.fingerprint;
}

/** Waits for an operation. @throws {Error} What it failed with. */
async function finished(socket: string, begun: JsonLine): Promise<JsonLine> {
  if (begun.type === "error") throw new Error(String(begun.error));
  const ended = await ask(socket, "GET", `${begun.operation}/wait?timeout=60`);
  const operation = (ended.metadata ?? {}) as JsonLine;
  if (ended.type === "error" || operation.status !== "Success") {
    throw new Error(`${ended.error ?? ""} ${operation.status} ${operation.err}`);
  }
  return operation;
}

async function ask(
  socket: string,
  method: string,
  path: string,
  body?: object,
): Promise<JsonLine> {
  using client = Deno.createHttpClient({ proxy: { transport: "unix", path: socket } });
  const response = await fetch(`http://server${path}`, {
    client,
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return await response.json();
}
