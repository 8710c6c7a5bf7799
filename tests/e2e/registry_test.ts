/** Two node processes as container clients see them: one is pushed to, the other mirrors. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { makeImage } from "../../devnet/oci_layout.ts";
import { runVerb } from "../../devnet/processes.ts";
import { Bench, failed, ok } from "./support.ts";

const LAYER_BYTES = 3 << 20;

/** A registry that answers one image, as often as it is asked, and counts. */
function upstreamOf(directory: string, digest: string) {
  const asked: string[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const path = new URL(request.url).pathname;
      asked.push(`${request.method} ${path}`);
      if (path === "/v2/") return Response.json({});
      const [, kind, reference] = /^\/v2\/library\/app\/(manifests|blobs)\/(.+)$/.exec(path) ?? [];
      const wanted = reference === "1" ? digest : reference;
      const file = `${directory}/blobs/sha256/${wanted?.slice("sha256:".length)}`;
      const bytes = await Deno.readFile(file).catch(() => undefined);
      if (bytes === undefined) return Response.json({ errors: [] }, { status: 404 });
      const type = kind === "manifests"
        ? "application/vnd.oci.image.manifest.v1+json"
        : "application/octet-stream";
      const headers = {
        "content-type": type,
        "content-length": String(bytes.length),
        "docker-content-digest": wanted!,
      };
      return new Response(request.method === "HEAD" ? null : bytes, { headers });
    },
  );
  return { asked, server, url: `http://127.0.0.1:${server.addr.port}` };
}

async function pulled(base: string, reference: string): Promise<{ digest: string; bytes: number }> {
  const manifest = await fetch(`${base}/manifests/${reference}`);
  const text = await manifest.text();
  assert.equal(manifest.status, 200, text);
  const digest = manifest.headers.get("docker-content-digest")!;
  assert.equal(digest, `sha256:${createHash("sha256").update(text).digest("hex")}`);
  const { config, layers } = JSON.parse(text);
  let bytes = text.length;
  for (const blob of [config, ...layers]) {
    const response = await fetch(`${base}/blobs/${blob.digest}`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-encoding"), null);
    const content = new Uint8Array(await response.arrayBuffer());
    assert.equal(blob.digest, `sha256:${createHash("sha256").update(content).digest("hex")}`);
    bytes += content.length;
  }
  return { digest, bytes };
}

Deno.test("an image pushed to one node is pulled through another while its registry is away", async () => {
  await using bench = await Bench.open();
  const made = await makeImage(bench.path("layout"), { layerCount: 2, layerBytes: LAYER_BYTES });
  const relay = ["--relay", await bench.relay()];
  const away = ["--mirror-upstream", "docker.io=http://127.0.0.1:1"];
  const push = ["--push-listen", "127.0.0.1:0"];
  const [shelf, host] = await Promise.all([
    bench.node("shelf", ...relay, ...push),
    bench.node("host", ...relay, ...away, "--mirror-listen", "127.0.0.1:0"),
  ]);
  const to = `${new URL(String(shelf.ready.push)).host}/team/app:1`;
  const data = ["--data", bench.path("shelf")];
  const sent = await ok("image", "push", bench.path("layout"), to, "--data", bench.path("builder"));
  assert.deepEqual([sent.digest, sent.name], [made.digest, to]);
  // What is pushed is nobody else's until its owner says so, and never stands for another registry's.
  const [held] = (await runVerb("image", "ls", ...data)).lines;
  assert.deepEqual(
    [held!.name, held!.visibility, held!.size],
    ["seedmint.local/team/app:1", "private", made.size],
  );
  const mirror = `${host.ready.mirror}/v2`;
  const unknown = await fetch(`${mirror}/seedmint.local/team/app/manifests/1`);
  await unknown.body?.cancel();
  assert.equal(unknown.status, 404);

  const announced = await ok(
    ...["image", "announce", "seedmint.local/team/app:1", "--visibility", "public"] as const,
    ...data,
  );
  assert.deepEqual([announced.digest, announced.visibility], [made.digest, "public"]);
  const find = ["find", String(announced.hash), ...relay, "--no-mdns", "--no-ask"];
  await untilSome(() => runVerb(...find, "--data", bench.path("finder")));
  const got = await pulled(`${mirror}/docker.io/team/app`, made.digest);
  assert.deepEqual(got, { digest: made.digest, bytes: made.size });
  const images = await untilSome(() => runVerb("image", "ls", "--data", bench.path("host")));
  assert.deepEqual([images[0]!.digest, images[0]!.hash], [made.digest, announced.hash]);

  // By verb, alone, to an archive, and away again.
  const args = ["--data", bench.path("alone"), "--no-mdns", ...relay, ...away];
  const name = `team/app@${made.digest}`;
  const brought = await ok("image", "pull", name, ...args);
  assert.deepEqual([brought.digest, brought.stale], [made.digest, false]);
  assert.ok((brought.sources as { kind: string }[]).every(({ kind }) => kind === "peer"));
  const tar = bench.path("app.tar");
  await ok("image", "export", name, tar, "--data", bench.path("alone"));
  await ok("image", "push", tar, to.replace(":1", ":2"), "--data", bench.path("other"));
  await ok("image", "rm", name, "--data", bench.path("alone"));
  assert.deepEqual((await runVerb("ls", "--data", bench.path("alone"))).lines, []);
  const names = (await runVerb("image", "ls", ...data)).lines.map((line) => line.name);
  assert.deepEqual(names, ["seedmint.local/team/app:1", "seedmint.local/team/app:2"]);

  // Into a registry of one's own, from peers alone, whatever becomes of the names elsewhere.
  const own = `seedmint.local/team/app@${made.digest}`;
  const there = ["--data", bench.path("own"), "--no-mdns", ...relay];
  const fetched = await ok("image", "pull", own, ...there);
  assert.deepEqual([fetched.name, fetched.hash], [own, announced.hash]);
  assert.equal(
    (await failed(2, "image", "pull", "seedmint.local/team/app:1", ...there)).code,
    "usage",
  );
  const missing = await failed(1, "image", "export", "nginx:1", tar, ...data);
  assert.equal(missing.code, "not-found");
});

Deno.test("a mirror asks its registry for an image once, says so, and the doctor finds it in order", async () => {
  await using bench = await Bench.open();
  const directory = bench.path("layout");
  const made = await makeImage(directory, { layerCount: 2, layerBytes: LAYER_BYTES });
  const upstream = upstreamOf(directory, made.digest);
  try {
    const { ready } = await bench.node(
      "host",
      ...["--mirror-listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"],
      ...["--mirror-upstream", `docker.io=${upstream.url}`],
    );
    const data = ["--data", bench.path("host")];
    const mirror = String(ready.mirror);
    const first = await pulled(`${mirror}/v2/library/app`, "1");
    assert.deepEqual(first, { digest: made.digest, bytes: made.size });
    for (let again = 0; again < 3; again++) await pulled(`${mirror}/v2/docker.io/library/app`, "1");
    for (const { digest } of made.layers) {
      const count = upstream.asked.filter((line) => line === `GET /v2/library/app/blobs/${digest}`);
      assert.equal(count.length, 1, upstream.asked.join("\n"));
    }
    const { registry } = await ok("status", ...data) as { registry: Record<string, unknown> };
    assert.equal(registry.mirrorUrl, mirror);
    assert.equal(registry.requestCount, 4 * (2 + made.layers.length));
    const metrics = await (await fetch(String(ready.metrics))).text();
    assert.match(metrics, /seedmint_mirror_requests_total\{[^}]*registry="docker.io",result="200"/);
    assert.match(metrics, /seedmint_mirror_answers_total\{registry="docker.io",kind="tag"/);

    // The doctor reads files that setup wrote, and asks as the clients would.
    const root = ["--root", bench.path("etc")];
    const address = ["--mirror-listen", new URL(mirror).host];
    const clients = ["containerd", "podman", "docker"];
    const sick = await runVerb("doctor", ...clients, ...root, ...data);
    assert.equal(sick.code, 1);
    await ok("setup", ...clients, ...root, ...address);
    const { code, lines } = await runVerb("doctor", ...clients, ...root, ...data);
    assert.deepEqual([code, lines.filter((line) => line.ok !== true)], [0, []]);
    const proofs = lines.filter((line) =>
      String(line.text).startsWith("the mirror answers requests")
    );
    assert.deepEqual(proofs.map((line) => line.subject), clients);
    await ok("setup", ...clients, ...root, ...address, "--remove");
    assert.equal((await runVerb("doctor", ...clients, ...root, ...data)).code, 1);
  } finally {
    await upstream.server.shutdown();
  }
});

Deno.test("a member of the fleet pulls what another was pushed, without relays, and a stranger does not", async () => {
  await using bench = await Bench.open();
  const made = await makeImage(bench.path("layout"), { layerCount: 2, layerBytes: LAYER_BYTES });
  const { peerId } = await ok("status", "--data", bench.path("member"));
  const push = ["--push-listen", "127.0.0.1:0"];
  const shelf = await bench.node("shelf", ...push, "--fleet", String(peerId));
  const to = `${new URL(String(shelf.ready.push)).host}/team/app:1`;
  await ok("image", "push", bench.path("layout"), to, "--data", bench.path("builder"));
  await ok("image", "announce", "seedmint.local/team/app:1", "--data", bench.path("shelf"));
  const peer = ["--peer", (shelf.ready.addresses as string[])[0]!];
  const name = `seedmint.local/team/app@${made.digest}`;
  const stranger = ["--data", bench.path("stranger"), "--no-mdns", ...peer];
  assert.equal((await failed(1, "image", "pull", name, ...stranger)).code, "not-found");
  const { ready } = await bench.node("member", ...push, ...peer);
  const pulledHere = await ok("image", "pull", name, "--data", bench.path("member"));
  assert.deepEqual([pulledHere.digest, pulledHere.visibility], [made.digest, "fleet"]);
  const got = await pulled(`${ready.push}/v2/team/app`, made.digest);
  assert.deepEqual(got, { digest: made.digest, bytes: made.size });
});

/** The lines of a verb once there are some: a pulled image is put together beside the answers. */
async function untilSome(look: () => ReturnType<typeof runVerb>) {
  for (let attempt = 0; attempt < 30; attempt++) {
    const { lines } = await look();
    if (lines.length > 0) return lines;
  }
  assert.fail("nothing came in 30 attempts");
}
