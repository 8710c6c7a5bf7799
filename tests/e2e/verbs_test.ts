import assert from "node:assert/strict";
import { ChildProcess, NODE_FLAGS, runVerb } from "../../devnet/processes.ts";
import { PERMISSION_FLAGS } from "../../src/app/permissions.ts";
import { Bench, failed, lastOf, ok, testBytes } from "./support.ts";

const NODE = new URL("../../node.ts", import.meta.url).pathname;

async function deno(
  flags: readonly string[],
  args: readonly string[],
  input?: Uint8Array<ArrayBuffer>,
): Promise<{ code: number; out: Uint8Array; err: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", ...flags, NODE, ...args],
    env: { NO_COLOR: "1" },
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (input !== undefined) await new Blob([input]).stream().pipeTo(child.stdin);
  const { code, stdout, stderr } = await child.output();
  return { code, out: stdout, err: new TextDecoder().decode(stderr) };
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("node.ts without permissions prints the exact flags, exits with 2, and helps all the same", async () => {
  const refused = await deno(["--no-prompt"], ["ls"]);
  assert.equal(refused.code, 2);
  for (const flag of PERMISSION_FLAGS) assert.ok(refused.err.includes(flag), flag);
  for (const args of [["--help"], ["version"], ["add", "--help"], ["completions", "bash"]]) {
    assert.equal((await deno(["--no-prompt"], args)).code, 0, args.join(" "));
  }
  assert.deepEqual(NODE_FLAGS, PERMISSION_FLAGS);
  const devnet = await deno(["--no-prompt", ...NODE_FLAGS], ["devnet"]);
  assert.deepEqual([devnet.code, devnet.out.length], [2, 0]);
  assert.match(devnet.err, /permissions are missing: run\. Run:\n.* --allow-run node\.ts devnet\n/);
  assert.equal((await deno(["--no-prompt"], ["devnet", "--help"])).code, 0);
});

Deno.test("every verb works alone, and says so in JSON and exit codes", async () => {
  await using bench = await Bench.open();
  const data = ["--data", bench.path("data")];
  const file = bench.path("file");
  const bytes = testBytes(100_000);
  await Deno.writeFile(file, bytes);
  const added = await ok("add", "--tag", "mine", file, ...data);
  const hash = String(added.hash);
  assert.deepEqual(
    { ...added, sha256: String(added.sha256).length },
    { hash, size: 100_000, sha256: 64, name: "file" },
  );

  const [listed] = (await runVerb("ls", ...data)).lines;
  assert.equal(listed?.hash, hash);
  assert.deepEqual(listed?.tags, ["mine"]);
  assert.equal((await ok("pin", hash.slice(0, 12), ...data)).pinned, true);
  assert.equal((await ok("unpin", hash, ...data)).pinned, false);
  assert.equal((await ok("verify", ...data)).ok, true);

  const out = bench.path("copy");
  assert.equal((await ok("export", `sha256:${added.sha256}`, out, ...data)).path, out);
  assert.deepEqual(await Deno.readFile(out), bytes);
  await Deno.writeTextFile(out, "mine");
  assert.equal((await failed(2, "export", hash, out, ...data)).code, "usage");
  assert.equal(await Deno.readTextFile(out), "mine");
  await ok("export", hash, out, "--force", ...data);
  await ok("export", hash, out, ...data);
  assert.deepEqual(await Deno.readFile(out), bytes);

  assert.deepEqual((await runVerb("gc", "--dry-run", ...data)).lines, []);
  assert.equal((await ok("rm", hash, ...data)).removed, true);
  assert.deepEqual((await runVerb("ls", ...data)).lines, []);
  assert.deepEqual(await failed(1, "pin", hash, ...data), {
    event: "error",
    code: "not-found",
    message: `The store does not have ${hash}; get fetches it, ls lists what is here`,
  });
  assert.equal((await failed(2, "get", "nonsense", ...data)).code, "usage");
  assert.equal((await failed(2, "get", ...data)).code, "usage");
  assert.equal((await failed(1, "add", bench.path("nothing"), ...data)).code, "storage");
  assert.equal((await ok("status", ...data)).running, false);
  assert.equal((await runVerb("config", ...data)).lines[0]?.source, "--data");
});

Deno.test("add reads stdin and get writes stdout, alone and through a node", async () => {
  await using bench = await Bench.open();
  const data = ["--data", bench.path("data")];
  const bytes = testBytes(300_001);
  const add = ["add", "-", "--name", "piped", "--json", ...data];
  const alone = JSON.parse(text((await deno(NODE_FLAGS, add, bytes)).out));
  assert.equal(alone.size, bytes.length);
  assert.equal(alone.name, "piped");
  const get = ["get", alone.hash, "-o", "-", ...data];
  assert.deepEqual((await deno(NODE_FLAGS, get)).out, bytes);
  await bench.node("data");
  const other = testBytes(200_000, 7);
  const remote = JSON.parse(text((await deno(NODE_FLAGS, add, other)).out));
  assert.notEqual(remote.hash, alone.hash);
  const read = await deno(NODE_FLAGS, ["get", remote.hash, "-o", "-", ...data]);
  assert.deepEqual(read.out, other);
  assert.match(read.err, /verified 195 KiB/);
});

Deno.test("verify --rebuild brings back a store whose database is damaged", async () => {
  await using bench = await Bench.open();
  const data = ["--data", bench.path("data")];
  const file = bench.path("file");
  await Deno.writeFile(file, testBytes(100_000));
  const { hash } = await ok("add", file, ...data);
  const database = bench.path("data/store/store.sqlite");
  await Deno.writeFile(database, testBytes(8192));
  const told = await failed(1, "ls", ...data);
  assert.equal(told.code, "storage");
  assert.match(String(told.message), /damaged.*verify --rebuild/);
  assert.equal((await failed(2, "verify", "--rebuild", String(hash), ...data)).code, "usage");
  const report = await ok("verify", "--rebuild", ...data);
  assert.deepEqual({ ...report, oldDatabase: typeof report.oldDatabase }, {
    event: "rebuilt",
    completeCount: 1,
    partialCount: 0,
    unusable: [],
    oldDatabase: "string",
  });
  const [blob] = (await runVerb("ls", ...data)).lines;
  assert.deepEqual([blob?.hash, blob?.visibility], [hash, "private"]);
  await bench.node("data");
  assert.equal((await failed(1, "verify", "--rebuild", ...data)).code, "locked");
});

Deno.test("start refuses a second node on the same data, stops cleanly, and starts again", async () => {
  await using bench = await Bench.open();
  const { process, ready } = await bench.node("data");
  const listen = ["--listen", "/ip4/127.0.0.1/tcp/0", "--no-mdns"];
  const second = await failed(1, "start", ...listen, "--data", bench.path("data"));
  assert.equal(second.code, "locked");
  assert.match(String(second.message), /a node is running/);
  assert.equal((await ok("status", "--data", bench.path("data"))).running, true);
  assert.equal(await process.stop(), 0);
  assert.match(process.stderr, /stopped/);
  await assert.rejects(Deno.lstat(bench.path("data/control.sock")));
  const again = await bench.node("data");
  assert.equal(again.ready.peerId, ready.peerId);
  await again.process.kill();
  // A killed node leaves its socket and its lock file; neither is in the way of the next.
  assert.equal((await ok("status", "--data", bench.path("data"))).running, false);
  assert.equal((await bench.node("data")).ready.peerId, ready.peerId);
});

Deno.test("a node killed at any moment of its first start starts again, and is one and the same", async () => {
  await using bench = await Bench.open();
  const start = ["start", "--data", bench.path("data"), "--no-mdns"];
  const listen = ["--listen", "/ip4/127.0.0.1/tcp/0", "--relay-listen", "127.0.0.1:0"];
  for (const aliveMs of [60, 120, 180, 250, 350, 500]) {
    const child = bench.spawn(...start, ...listen);
    await new Promise((resolve) => setTimeout(resolve, aliveMs));
    await child.kill();
  }
  const { ready, process } = await bench.node("data");
  assert.equal(await process.stop(), 0);
  const { peerId, problems } = await ok("status", "--data", bench.path("data"));
  assert.deepEqual([peerId, problems], [ready.peerId, []]);
  const names = await Array.fromAsync(Deno.readDir(bench.path("data")), (entry) => entry.name);
  assert.ok(names.includes("seed"));
});

Deno.test("get that is interrupted exits with 130 and cancels the work in the node", async () => {
  await using bench = await Bench.open();
  const file = bench.path("file");
  await Deno.writeFile(file, testBytes(30 << 20));
  const { ready } = await bench.node("seeder", "--upload-rate", "2MiB");
  const { hash } = await ok("add", "--in-place", file, "--data", bench.path("seeder"));
  await bench.node("mine", "--peer", (ready.addresses as string[])[0]!);
  const child = bench.spawn("get", String(hash), "--data", bench.path("mine"));
  await child.waitFor((line) => line.event === "progress" && Number(line.bytes) > 0);
  assert.equal(await child.stop(), 130);
  assert.equal(child.lines.at(-1)?.code, "aborted");
  const held = async () =>
    Number((await runVerb("ls", "--data", bench.path("mine"))).lines[0]?.heldBytes);
  // What was under way when the word came may still be written down; then nothing more comes.
  let heldBytes = await held();
  let isStill = false;
  for (let count = 0; count < 4 && !isStill; count++) {
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const nowBytes = await held();
    isStill = nowBytes === heldBytes;
    heldBytes = nowBytes;
  }
  assert.ok(isStill, "it still fetches");
  assert.ok(heldBytes < 30 << 20, "it was cut off and did not end");
});

Deno.test("a node that stops cuts off what it does for others, in time and with a word", async () => {
  await using bench = await Bench.open();
  const file = bench.path("file");
  await Deno.writeFile(file, testBytes(30 << 20));
  const { process, ready } = await bench.node("seeder", "--upload-rate", "2MiB");
  const { hash } = await ok("add", "--in-place", file, "--data", bench.path("seeder"));
  const peer = (ready.addresses as string[])[0]!;
  const mine = await bench.node("mine", "--peer", peer);
  const child = bench.spawn("get", String(hash), "--data", bench.path("mine"));
  await child.waitFor((line) => line.event === "progress" && Number(line.bytes) > 0);
  const startMs = performance.now();
  assert.deepEqual(await Promise.all([process.stop(), mine.process.stop()]), [0, 0]);
  // All of it would take 15 s.
  assert.ok(performance.now() - startMs < 12_000);
  const { code } = await child.result();
  assert.equal(code, 1);
  assert.equal(child.lines.at(-1)?.event, "error");
});

Deno.test("peers, status and metrics tell of a transfer", async () => {
  await using bench = await Bench.open();
  const file = bench.path("file");
  await Deno.writeFile(file, testBytes(1 << 20));
  const metrics = ["--metrics-listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0"];
  const { ready } = await bench.node("seeder");
  const { hash } = await ok("add", "--in-place", file, "--data", bench.path("seeder"));
  const peer = (ready.addresses as string[])[0]!;
  await bench.node("mine", "--peer", peer, ...metrics);
  const data = ["--data", bench.path("mine")];
  await ok("get", String(hash), ...data);
  const peers = (await runVerb("peers", ...data)).lines;
  assert.deepEqual(peers.map(({ peerId, direction }) => ({ peerId, direction })), [
    { peerId: ready.peerId, direction: "outbound" },
  ]);
  const status = await ok("status", ...data);
  assert.equal(status.peerCount, 1);
  assert.deepEqual(status.problems, []);
  const client = Deno.createHttpClient({
    proxy: { transport: "unix", path: bench.path("mine/control.sock") },
  });
  const text = await (await fetch("http://seedmint/metrics", { client })).text();
  const again = await (await fetch("http://seedmint/metrics", { client })).text();
  assert.match(again, /^seedmint_verified_bytes_total 1048576$/m);
  client.close();
  assert.match(text, /^seedmint_received_bytes_total\{source="peer"\} 1048576$/m);
  assert.match(text, /^seedmint_blobs 1$/m);
  assert.match(text, /^seedmint_peers 1$/m);
  assert.match(text, /^seedmint_fetch_seconds_count\{result="done"\} 1$/m);
  assert.match(text, /^seedmint_verified_bytes_total 1048576$/m);
  assert.match(text, /^seedmint_verification_failures_total 0$/m);
  assert.match(text, /^seedmint_store_bytes 1048576$/m);
  assert.match(text, /^seedmint_relays 0$/m);
  assert.match(text, /^seedmint_store_ingesting_blobs 0$/m);
});

Deno.test("a verb whose reader goes away ends quietly", async () => {
  const child = new ChildProcess({ script: "node.ts", args: ["completions", "fish"] });
  const { code, stderr } = await child.result();
  assert.deepEqual([code, stderr], [0, ""]);
  const piped = await new Deno.Command("sh", {
    args: ["-c", `"${Deno.execPath()}" run --quiet ${NODE} completions fish | head -n 1`],
  }).output();
  assert.equal(text(piped.stderr), "");
});

Deno.test("the relay verb tells its address and refuses a bad one", async () => {
  await using bench = await Bench.open();
  assert.match(await bench.relay(), /^ws:\/\/127\.0\.0\.1:\d+/);
  const result = await runVerb("relay", "nowhere");
  assert.equal(lastOf(2, result, "relay").code, "usage");
});
