/** Signed releases with real processes: ceremonies, following without a relay, origins, pinned tags. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { makeImage } from "../../devnet/oci_layout.ts";
import { Bench, failed, ok, testBytes } from "./support.ts";

/** A publisher's folder with a root of two people and a role that signs `tools`. */
async function desk(bench: Bench) {
  const at = (name: string) => join(bench.path("desk"), name);
  await Deno.mkdir(bench.path("desk"));
  const own = ["--data", bench.path("offline")];
  const run = (...args: string[]) => ok(...args, ...own);
  const ben = await run("root", "pubkey", "--new", "--seed", at("ben.seed"));
  const root = ["--seed", at("root.seed"), "--key", String(ben.key), "--threshold", "2"];
  const draft = await run("root", "new", "acme", "-o", at("root.json"), ...root);
  assert.deepEqual([draft.version, draft.complete], [1, false]);
  const signed = await run("root", "sign", at("root.json"), "--seed", at("ben.seed"), "--yes");
  assert.deepEqual([signed.complete, signed.fingerprint], [true, draft.fingerprint]);
  const ci = await run("root", "pubkey", "--new", "--seed", at("ci.seed"), "--label", "ci");
  const role = ["ci", "--key", String(ci.key), "--catalog", "tool*", "--seed", at("root.seed")];
  await run("root", "delegate", at("root.json"), ...role, "--yes");
  await run("root", "sign", at("root.json"), "--seed", at("ben.seed"), "--yes");
  for (const name of ["root.seed", "ben.seed", "ci.seed"]) {
    assert.equal((await Deno.stat(at(name))).mode! & 0o777, 0o600);
  }
  return { at, run, ciKey: String(ci.key) };
}

Deno.test("a release is followed without a relay, fetched from a peer, then from its origin, never forged", async () => {
  await using bench = await Bench.open();
  const { at, run } = await desk(bench);
  const bytes = testBytes(3 << 20);
  await Deno.writeFile(at("tool.bin"), bytes);
  let served: Uint8Array<ArrayBuffer> = bytes;
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const name = new URL(request.url).pathname.slice(1);
      if (name === "tool.bin") return new Response(served);
      const file = await Deno.readFile(at(`public/${name}`)).catch(() => undefined);
      return new Response(file ?? null, { status: file === undefined ? 404 : 200 });
    },
  );
  const origin = `http://127.0.0.1:${server.addr.port}/`;
  const sign = async (version: string) => {
    await run(
      ...["catalog", "add", at("tools.json"), at("tool.bin"), "--release", "tool"],
      ...["--version", version, "--origin", origin],
    );
    await run("catalog", "sign", at("tools.json"), "--seed", at("ci.seed"), "--yes");
  };
  await run("catalog", "init", "tools", "--root", at("root.json"), "-o", at("tools.json"));
  await sign("1.0.0");

  // A peer alone: no relay, no origin of the catalog.
  const publisher = await bench.node("publisher");
  const [address] = publisher.ready.addresses as string[];
  await ok(
    "catalog",
    "publish",
    at("tools.json"),
    at("tool.bin"),
    "--data",
    bench.path("publisher"),
  );
  const host = await bench.node(
    "host",
    ...["--release-root", at("root.json"), "--peer", address!],
  );
  const data = ["--data", bench.path("host")];
  const followed = await ok("catalog", "follow", "tools", ...data);
  assert.deepEqual(
    [followed.outcome, followed.sequence, followed.role, followed.rootVersion],
    ["new", 1, "ci", 2],
  );
  const fetched = await ok("release", "get", "tool", "-o", bench.path("one/"), ...data);
  const [file] = fetched.files as { sources: { kind: string }[]; path: string }[];
  assert.deepEqual(file!.sources.map(({ kind }) => kind), ["peer"]);
  assert.deepEqual(await Deno.readFile(file!.path), bytes);

  // The publisher is gone: the next catalog and its file come from the origin.
  await publisher.process.stop();
  const next = testBytes(2 << 20, 7);
  await Deno.writeFile(at("tool.bin"), next);
  await sign("1.1.0");
  await run("catalog", "publish", at("tools.json"), "-o", at("public"));
  const url = `${origin}tools.publication.json`;
  // An origin that sends something else is of no use.
  const refused = await failed(1, "release", "get", "tool@1.1.0", ...data);
  assert.match(String(refused.message), /lists tool@1.1.0: there are 1.0.0/);
  assert.equal((await ok("catalog", "follow", "tools", "--url", url, ...data)).sequence, 2);
  const wrong = await failed(1, "release", "get", "tool", "-o", bench.path("two/"), ...data);
  assert.match(String(wrong.code), /corrupt|unavailable/);
  served = next;
  const second = await ok("release", "get", "tool", "-o", bench.path("two/"), ...data);
  assert.equal(second.version, "1.1.0");
  assert.deepEqual(await Deno.readFile(bench.path("two/tool.bin")), next);

  // What was published before is shown again.
  const publication = at("public/tools.publication.json");
  const text = await Deno.readTextFile(publication);
  await Deno.writeTextFile(publication, text.replace('"sequence":2', '"sequence":3'));
  const forged = await failed(1, "catalog", "follow", "tools", ...data);
  assert.equal((forged.refused as { code: string }[])[0]!.code, "unsigned");
  assert.equal(forged.sequence, 2);
  await host.process.stop();
});

Deno.test("a tag that a catalog pins is answered while its registry is away, and a revoked key's is not", async () => {
  await using bench = await Bench.open();
  const { at, run, ciKey } = await desk(bench);
  const made = await makeImage(at("app"), { layerCount: 2, layerBytes: 1 << 20 });
  const relay = await bench.relay();
  const publisher = await bench.node("publisher", "--push-listen", "127.0.0.1:0", "--relay", relay);
  const data = ["--data", bench.path("publisher")];
  const push = new URL(String(publisher.ready.push)).host;
  await ok("image", "push", at("app"), `${push}/team/app:1`, "--data", bench.path("builder"));
  await ok("image", "announce", "seedmint.local/team/app:1", "--visibility", "public", ...data);
  const catalog = at("tool-images.json");
  await run("catalog", "init", "tool-images", "--root", at("root.json"), "-o", catalog);
  const image = ["--image", "seedmint.local/team/app:1", "--as", "ghcr.io/acme/app:1"];
  await ok("catalog", "add", catalog, ...image, ...data);
  await run("catalog", "sign", catalog, "--seed", at("ci.seed"), "--yes");
  await ok("catalog", "publish", catalog, ...data);

  using closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const away = `ghcr.io=http://127.0.0.1:${closed.addr.port}`;
  closed.close();
  const host = await bench.node(
    "host",
    ...["--relay", relay, "--release-root", at("root.json"), "--catalog", "tool-images"],
    ...["--catalog-pins", "ghcr.io/acme/"],
    ...["--mirror-listen", "127.0.0.1:0", "--mirror-upstream", away],
  );
  const own = ["--data", bench.path("host")];
  assert.equal((await ok("catalog", "follow", "tool-images", ...own)).sequence, 1);
  const ask = (path: string) =>
    fetch(`${host.ready.mirror}/v2/acme/app/${path}?ns=ghcr.io`, {
      headers: { accept: "application/vnd.oci.image.manifest.v1+json" },
    });
  const manifest = await ask("manifests/1");
  assert.equal(manifest.status, 200);
  assert.equal(manifest.headers.get("docker-content-digest"), made.digest);
  await manifest.body?.cancel();
  for (const { digest } of made.layers) {
    const layer = new Uint8Array(await (await ask(`blobs/${digest}`)).arrayBuffer());
    assert.equal(`sha256:${createHash("sha256").update(layer).digest("hex")}`, digest);
  }

  // The role's key is stolen: what it signed pins nothing any more.
  const revoke = ["--reason", "stolen", "--seed", at("root.seed"), "--yes"];
  await run("root", "delegate", at("root.json"), "ci", "--remove", ...revoke.slice(2));
  await run("root", "revoke", at("root.json"), ciKey, ...revoke);
  await run("root", "sign", at("root.json"), "--seed", at("ben.seed"), "--yes");
  const stale = await failed(1, "catalog", "publish", catalog, ...data);
  assert.match(String(stale.message), /revokes \(stolen\)/);
  await run("catalog", "sign", catalog, "--renew", "--seed", at("root.seed"), "--yes");
  await run("catalog", "sign", catalog, "--seed", at("ben.seed"), "--yes");
  await ok("catalog", "publish", catalog, ...data);
  const again = await ok("catalog", "follow", "tool-images", ...own);
  assert.deepEqual([again.sequence, again.role, again.rootVersion], [2, "root", 3]);
});
