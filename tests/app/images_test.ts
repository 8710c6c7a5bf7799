/** The registry of a node, put together without a network. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { compose } from "../../src/app/lifecycle/compose.ts";
import { ImageNames } from "../../src/app/lifecycle/image_names.ts";
import { Membership } from "../../src/app/lifecycle/membership.ts";
import { makeProbe } from "../../src/app/lifecycle/probe_image.ts";
import { loadConfig } from "../../src/app/config/load.ts";
import { LocalNode } from "../../src/app/api/local.ts";
import { ed25519PublicKey } from "../../src/core/ed25519.ts";
import { systemClock as clock, systemRandom as random } from "../../src/host/system.ts";
import { issueCertificate } from "../../swarm/fleet.ts";
import { RegistryIndex } from "../../swarm/registry/index/mod.ts";
import { MemoryBlobStore } from "../../swarm/store/mod.ts";
import { makeImage } from "../../devnet/oci_layout.ts";

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "seedmint-images-" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function configOf(data: string) {
  const flags = { data, mirrorUpstream: ["docker.io=http://127.0.0.1:1"] };
  const inputs = { flags, variable: () => undefined, readFile: () => Promise.resolve(undefined) };
  return (await loadConfig(inputs)).values;
}

Deno.test("ImageNames reads the address of the push registry as this node's own names", () => {
  const names = new ImageNames({ hostname: "0.0.0.0", port: 5056 });
  const registryOf = (text: string) => names.read(text).registry;
  assert.equal(registryOf("127.0.0.1:5056/team/app:1"), "seedmint.local");
  assert.equal(registryOf("localhost:5056/team/app:1"), "seedmint.local");
  assert.equal(registryOf("seedmint.local/team/app"), "seedmint.local");
  assert.equal(registryOf("127.0.0.1:5000/team/app:1"), "127.0.0.1:5000");
  assert.equal(registryOf("nginx"), "docker.io");
  assert.equal(names.readTarget("ghcr.io/a/b").reference.tag, "latest");
  for (const text of ["a/b:1", `ghcr.io/a/b@sha256:${"a".repeat(64)}`, "Nginx", "ghcr.io/A"]) {
    assert.throws(() => names.readTarget(text), { code: "usage" }, text);
  }
  assert.equal(new ImageNames(undefined).read("127.0.0.1:5056/a:1").registry, "127.0.0.1:5056");
});

Deno.test("Membership remembers who showed a certificate, and nobody else", async () => {
  const fleetSecret = random.bytes(32);
  const fleetKey = (await ed25519PublicKey(fleetSecret)).toHex();
  const members = new Membership({ fleet: ["configured"], fleetKey }, clock);
  const certificate = await issueCertificate({
    fleetSecret,
    peerId: "shown",
    expiresMs: clock.nowMs() + 60_000,
  });
  assert.deepEqual(["configured", "shown", "stranger"].map((id) => members.isMember(id)), [
    true,
    false,
    false,
  ]);
  assert.equal((await members.viewerOf("stranger", certificate)).fleet, false);
  assert.equal((await members.viewerOf("shown", certificate)).fleet, true);
  assert.equal(members.isMember("shown"), true);
  assert.equal(members.isMember("stranger"), false);
});

Deno.test("a new probe takes the place of the last one, and no two are the same", async () => {
  await using store = new MemoryBlobStore({ clock });
  using index = RegistryIndex.open({ path: ":memory:", clock });
  const name = { registry: "docker.io", repository: "seedmint/probe" };
  const first = await makeProbe({ store, index, random }, "amd64");
  const second = await makeProbe({ store, index, random }, "amd64");
  assert.notEqual(first, second);
  assert.deepEqual([...index.members.of(name, "manifest")].map(({ digest }) => digest), [second]);
  assert.ok([...store.list()].every(({ visibility }) => visibility === "private"));
});

Deno.test("no registry is asked that is not mirrored, whoever names the image", async () => {
  await inFolder(async (folder) => {
    let askedCount = 0;
    await using registry = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
      askedCount++;
      return new Response(null, { status: 404 });
    });
    const name = `127.0.0.1:${registry.addr.port}`;
    const pull = async (config: Awaited<ReturnType<typeof configOf>>) => {
      const composition = await compose(config, "store");
      await using node = new LocalNode(composition.parts, {
        close: async () => await composition[Symbol.asyncDispose](),
      });
      return await node.call("image.pull", { image: `${name}/a/b:1`, platforms: [] });
    };
    const config = await configOf(join(folder, "data"));
    await assert.rejects(pull(config), /not mirrored here; add it with --mirror-registry/);
    assert.equal(askedCount, 0);
    await assert.rejects(pull({ ...config, mirrorRegistry: [name] }), { code: "not-found" });
    assert.ok(askedCount > 0);
  });
});

Deno.test("images go in, out, on and away through the methods of a node that works alone", async () => {
  await inFolder(async (folder) => {
    const data = join(folder, "data");
    const made = await makeImage(join(folder, "layout"), { layerCount: 2, layerBytes: 20_000 });
    const composition = await compose(await configOf(data), "store");
    await using node = new LocalNode(composition.parts, {
      close: async () => await composition[Symbol.asyncDispose](),
    });
    assert.equal((await node.call("status", {})).registry, null, "it is opened when it is needed");
    const from = join(folder, "layout");
    const to = "seedmint.local/team/app:1";
    const pushed = await node.call("image.push", { from, to });
    assert.deepEqual([pushed.digest, pushed.sentBytes], [made.digest, 0]);
    const images = async () => (await node.call("image.list", {})).images;
    const until = async (count: number) => {
      for (let attempt = 0; (await images()).length !== count && attempt < 500; attempt++) {
        await clock.sleep(5);
      }
      return await images();
    };
    const [only, ...more] = await until(1);
    assert.deepEqual([only!.name, only!.size, only!.visibility, more], [
      to,
      made.size,
      "private",
      [],
    ]);
    await node.call("image.push", { from: to, to: "seedmint.local/team/app:2" });
    assert.equal((await until(2)).length, 2);

    const notes: string[] = [];
    const announced = await node.call("image.announce", { image: to, visibility: "fleet" }, {
      onEvent: ({ message }) => notes.push(message),
    });
    assert.equal(announced.visibility, "fleet");
    assert.match(notes.join(), /fleet-relay/);
    const output = join(folder, "out.tar");
    const written = await node.call("image.export", { image: to, output, overwrite: false });
    assert.equal((await Deno.stat(output)).size, written.size);
    await assert.rejects(
      node.call("image.export", { image: to, output, overwrite: false }),
      /exists/,
    );
    await node.call("image.remove", { images: [to] });
    assert.deepEqual((await images()).map(({ name }) => name), ["seedmint.local/team/app:2"]);
    await node.call("image.remove", { images: ["seedmint.local/team/app:2"] });
    assert.deepEqual(await images(), []);
    await assert.rejects(node.call("image.remove", { images: [to] }), { code: "not-found" });
    const status = await node.call("status", {});
    assert.deepEqual([status.registry?.imageCount, status.registry?.mirrorUrl], [0, null]);
  });
});

/** A registry of one image; with a login it wants that. */
function registryOf(directory: string, digest: string, login?: string) {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (asked) => {
      if (login !== undefined && asked.headers.get("authorization") !== `Basic ${btoa(login)}`) {
        const headers = { "www-authenticate": 'Basic realm="here"' };
        return Response.json({ errors: [] }, { status: 401, headers });
      }
      const reference = new URL(asked.url).pathname.split("/").at(-1)!;
      const wanted = reference === "1" ? digest : reference;
      const path = `${directory}/blobs/sha256/${wanted.slice("sha256:".length)}`;
      const bytes = await Deno.readFile(path).catch(() => undefined);
      if (bytes === undefined) return Response.json({ errors: [] }, { status: 404 });
      const isManifest = asked.url.includes("/manifests/");
      return new Response(asked.method === "HEAD" ? null : bytes, {
        headers: {
          "content-type": isManifest
            ? "application/vnd.oci.image.manifest.v1+json"
            : "application/octet-stream",
          "content-length": String(bytes.length),
          "docker-content-digest": wanted,
        },
      });
    },
  );
  return { server, registry: `127.0.0.1:${server.addr.port}` };
}

Deno.test("what anybody may pull is for the fleet, and what only our login may pull for nobody", async () => {
  await inFolder(async (folder) => {
    const layout = (name: string) => join(folder, name);
    const shape = { layerCount: 1, layerBytes: 5_000 };
    const [open, secret] = [
      await makeImage(layout("open"), shape),
      await makeImage(layout("secret"), shape),
    ];
    const anybody = registryOf(layout("open"), open.digest);
    const members = registryOf(layout("secret"), secret.digest, "anna:word");
    const auths = { [members.registry]: { auth: btoa("anna:word") } };
    await Deno.writeTextFile(join(folder, "auth.json"), JSON.stringify({ auths }));
    const config = {
      ...await configOf(join(folder, "data")),
      registryAuth: [join(folder, "auth.json")],
      mirrorRegistry: [anybody.registry, members.registry],
    };
    try {
      const composition = await compose(config, "store");
      await using node = new LocalNode(composition.parts, {
        close: async () => await composition[Symbol.asyncDispose](),
      });
      const pull = async (image: string) => await node.call("image.pull", { image, platforms: [] });
      const pulled = await pull(`${anybody.registry}/team/app:1`);
      assert.deepEqual([pulled.digest, pulled.visibility], [open.digest, "fleet"]);
      assert.ok(pulled.sources.every(({ kind }) => kind === "origin"));
      const kept = await pull(`${members.registry}/team/app:1`);
      assert.deepEqual([kept.digest, kept.visibility], [secret.digest, "private"]);
      const { images } = await node.call("image.list", {});
      assert.deepEqual(
        images.map(({ name, visibility }) => [name, visibility]).toSorted(),
        [
          [`${anybody.registry}/team/app:1`, "fleet"],
          [`${members.registry}/team/app:1`, "private"],
        ].toSorted(),
      );
      for (const blob of [...composition.parts.store.list()]) {
        const isSecret = secret.layers.some(({ digest }) => digest === `sha256:${blob.sha256}`);
        if (isSecret) assert.equal(blob.visibility, "private");
      }
    } finally {
      await Promise.all([anybody.server.shutdown(), members.server.shutdown()]);
    }
  });
});

Deno.test("a pull that nobody can serve says what was tried, and probes are no images", async () => {
  await inFolder(async (folder) => {
    const composition = await compose(await configOf(join(folder, "data")), "store");
    await using node = new LocalNode(composition.parts, {
      close: async () => await composition[Symbol.asyncDispose](),
    });
    const pull = (image: string) => node.call("image.pull", { image, platforms: [] });
    await assert.rejects(pull("nginx:1"), (error: Error) => {
      assert.match(error.message, /neither docker\.io nor a peer has it/);
      assert.match(error.message, /cannot be reached/);
      return true;
    });
    await assert.rejects(pull("seedmint.local/a:1"), { code: "usage" });
    const digest = `sha256:${"c".repeat(64)}`;
    await assert.rejects(pull(`seedmint.local/a@${digest}`), /no peer has it/);
    const probe = await node.call("image.probe", { architecture: "amd64" });
    const name = `docker.io/${probe.repository}@${probe.digest}`;
    await assert.rejects(
      node.call("image.export", {
        image: name,
        output: join(folder, "x"),
        overwrite: false,
      }),
      { code: "not-found" },
    );
    assert.deepEqual((await node.call("image.list", {})).images, []);
  });
});
