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
  const deadline = AbortSignal.timeout(15_000);
  let found = await find("two");
  while (found.code !== 0 && !deadline.aborted) found = await find("two");
  assert.equal(found.lines[0]?.peerId, ready.peerId);
  assert.equal(found.lines[0]?.holds, "all");
  assert.equal((await find("stranger")).code, 1);
});
