import assert from "node:assert/strict";
import { runVerb } from "../../devnet/processes.ts";
import { Bench, failed, ok, testBytes } from "./support.ts";

Deno.test("content of the fleet is for its members, and private content for nobody", async () => {
  await using bench = await Bench.open();
  const member = await ok("status", "--data", bench.path("member"));
  const { ready } = await bench.node("seeder", "--fleet", String(member.peerId));
  const peer = ["--peer", (ready.addresses as string[])[0]!, "--no-mdns"];
  const hashes: Record<string, string> = {};
  for (const [index, visibility] of ["public", "fleet", "private"].entries()) {
    const file = bench.path(visibility);
    await Deno.writeFile(file, testBytes(50_000, index + 1));
    const data = ["--data", bench.path("seeder")];
    const added = await ok("add", file, "--visibility", visibility, ...data);
    hashes[visibility] = String(added.hash);
  }
  const get = (
    who: string,
    what: string,
  ) => ["get", hashes[what]!, ...peer, "--data", bench.path(who)];
  await ok(...get("member", "public"));
  await ok(...get("member", "fleet"), "--visibility", "fleet");
  assert.equal((await failed(1, ...get("member", "private"))).code, "not-found");
  await ok(...get("stranger", "public"));
  // Exactly the words that one hears for what does not exist at all.
  const hidden = await failed(1, ...get("stranger", "fleet"));
  const absent = await failed(1, "get", "ab".repeat(32), ...peer, "--data", bench.path("stranger"));
  assert.equal(hidden.code, "not-found");
  assert.equal(
    String(hidden.message).replaceAll(hashes.fleet!.slice(0, 8), "x"),
    String(absent.message).replaceAll("abababab", "x"),
  );
  const held = (await runVerb("ls", "--data", bench.path("member"))).lines;
  assert.equal(held.find((line) => line.hash === hashes.fleet)?.visibility, "fleet");
});

Deno.test("certificates of the fleet's key admit peers, and a stranger hears not-found", async () => {
  await using bench = await Bench.open();
  const key = ["--key", bench.path("fleet.key")];
  const { fleetKey } = await ok("fleet", "init", ...key);
  const certified = async (who: string) => {
    const { peerId } = await ok("status", "--data", bench.path(who));
    const output = bench.path(`${who}.cert`);
    const line = await ok("fleet", "certify", String(peerId), ...key, "--days", "1", "-o", output);
    assert.deepEqual([line.fleetKey, line.path], [fleetKey, output]);
    return ["--fleet-key", String(fleetKey), "--fleet-certificate", output];
  };
  const files = ["one", "two"].map((name, index) => [name, testBytes(50_000, index + 1)] as const);
  for (const [name, bytes] of files) await Deno.writeFile(bench.path(name), bytes);
  const one = await bench.node("anna", ...await certified("anna"));
  const address = (one.ready.addresses as string[])[0]!;
  const two = await bench.node("ben", ...await certified("ben"), "--peer", address);
  const added = async (who: string, file: string) =>
    String(
      (await ok("add", bench.path(file), "--visibility", "fleet", "--data", bench.path(who))).hash,
    );
  const [ofAnna, ofBen] = [await added("anna", "one"), await added("ben", "two")];
  const back = ["--peer", (two.ready.addresses as string[])[0]!];
  await ok("get", ofAnna, "--data", bench.path("ben"));
  assert.equal((await ok("find", ofAnna, "--data", bench.path("ben"))).holds, "all");
  assert.equal((await ok("get", ofBen, ...back, "--data", bench.path("anna"))).size, 50_000);
  const stranger = ["--peer", address, "--no-mdns", "--data", bench.path("stranger")];
  assert.equal((await failed(1, "get", ofAnna, ...stranger)).code, "not-found");
  // The certificate of another peer admits nobody else.
  const stolen = ["--fleet-certificate", bench.path("ben.cert")];
  assert.equal((await failed(1, "get", ofAnna, ...stranger, ...stolen)).code, "not-found");
  // One verb without a node of its own shows its certificate, too.
  const alone = (await certified("carl")).slice(2);
  const carl = ["--peer", address, "--no-mdns", "--data", bench.path("carl")];
  assert.equal((await ok("get", ofAnna, ...carl, ...alone)).size, 50_000);
});

Deno.test("fleet refuses to replace a key, to use one that others can read, and bad words", async () => {
  await using bench = await Bench.open();
  const data = ["--data", bench.path("data")];
  await ok("fleet", "init", ...data);
  const path = bench.path("data/fleet.key");
  assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
  const secret = await Deno.readTextFile(path);
  assert.equal((await failed(2, "fleet", "init", ...data)).code, "usage");
  assert.equal(await Deno.readTextFile(path), secret);
  const { peerId } = await ok("status", ...data);
  const certify = ["fleet", "certify", String(peerId), ...data] as const;
  assert.equal((await failed(2, ...certify, "--days", "0")).code, "usage");
  assert.equal((await failed(2, "fleet", "certify", "nobody", ...data)).code, "usage");
  assert.equal((await failed(2, "fleet", "certify", ...data)).code, "usage");
  await Deno.chmod(path, 0o644);
  const told = await failed(1, ...certify);
  assert.match(String(told.message), /chmod 600/);
  assert.ok(!String(told.message).includes(secret.trim()));
});

Deno.test("a relay with members serves them alone, and they find each other through it", async () => {
  await using bench = await Bench.open();
  const keyOf = async (name: string) =>
    String((await ok("status", "--data", bench.path(name))).nostrKey);
  const members = ["--relay-member", await keyOf("one"), "--relay-member", await keyOf("two")];
  const relay = await bench.start("relay", "127.0.0.1:0", "--memory", ...members);
  const url = String(relay.ready.url);
  const { ready } = await bench.node("one", "--relay", url);
  const file = bench.path("file");
  await Deno.writeFile(file, testBytes(1000));
  const { hash } = await ok("add", file, "--data", bench.path("one"));
  const find = (who: string) =>
    runVerb("find", String(hash), "--relay", url, "--no-mdns", "--data", bench.path(who));
  const deadline = AbortSignal.timeout(60_000);
  let found = await find("two");
  while (found.code !== 0 && !deadline.aborted) found = await find("two");
  assert.equal(found.lines[0]?.peerId, ready.peerId);
  assert.equal(found.lines[0]?.holds, "all");
  assert.equal((await find("stranger")).code, 1);
});
