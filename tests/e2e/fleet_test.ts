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
