import assert from "node:assert/strict";
import { NODE_FLAGS } from "../../devnet/processes.ts";
import { Bench, ok, testBytes } from "./support.ts";

const NODE = new URL("../../node.ts", import.meta.url).pathname;
const TELEMETRY = { OTEL_DENO: "true", OTEL_EXPORTER_OTLP_PROTOCOL: "console", NO_COLOR: "1" };

/** Starts a verb whose spans Deno prints. */
function traced(...args: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", ...NODE_FLAGS, NODE, ...args],
    env: TELEMETRY,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function saidBy(child: Deno.ChildProcess): Promise<string> {
  const { stdout, stderr } = await child.output();
  return [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("\n");
}

Deno.test("add, get and what is served make spans when Deno's telemetry is on, without secrets", async () => {
  await using bench = await Bench.open();
  const file = bench.path("file");
  await Deno.writeFile(file, testBytes(50_000));
  const added = await saidBy(traced("add", file, "--data", bench.path("seeder")));
  assert.match(added, /seedmint\.add/);
  assert.match(added, /seedmint\.size.*50000/);
  const [hash] = /[0-9a-f]{64}/.exec(added)!;

  const seeder = traced(
    ...["start", "--data", bench.path("seeder"), "--listen", "/ip4/127.0.0.1/tcp/0", "--no-mdns"],
  );
  const output = saidBy(seeder);
  try {
    const deadline = AbortSignal.timeout(60_000);
    let status = await ok("status", "--data", bench.path("seeder"));
    while (status.running !== true && !deadline.aborted) {
      status = await ok("status", "--data", bench.path("seeder"));
    }
    const [address] = status.addresses as string[];
    const client = ["--data", bench.path("client"), "--peer", address!, "--no-mdns"];
    const got = await saidBy(traced("get", hash, ...client));
    assert.match(got, /seedmint\.get/);
    assert.match(got, new RegExp(`seedmint\\.hash.*${hash}`));
    assert.match(got, new RegExp(`seedmint\\.sources.*peer ${status.peerId} 50000`));
    // How many depends on how busy the machine is: a peer that is silent for a second is asked again.
    assert.match(got, /seedmint\.wasted_bytes: \d+/);
  } finally {
    seeder.kill("SIGTERM");
    await output;
  }
  const served = await output;
  assert.match(served, /seedmint\.serve/);
  assert.match(served, /seedmint\.peer_id.*12D3Koo/);
  assert.match(served, /seedmint\.bytes: 50\d\d\d/);
  const words = (await Deno.readTextFile(bench.path("seeder/seed"))).trim();
  assert.ok(!served.includes(words));
});

Deno.test("get that fails makes a span with the error's code", async () => {
  await using bench = await Bench.open();
  const flags = ["--data", bench.path("data"), "--no-mdns", "--find-timeout", "1s"];
  const said = await saidBy(traced("get", "ab".repeat(32), ...flags));
  assert.match(said, /seedmint\.get/);
  assert.match(said, /error\.type.*unavailable/);
});
