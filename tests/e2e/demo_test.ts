import assert from "node:assert/strict";
import { Bench, testBytes } from "./support.ts";

const ACTS = [
  ...["swarm", "liar", "origin", "resume", "wallet", "paid", "image", "release", "lease"],
];

const DEMO = new URL("../../devnet/demo.ts", import.meta.url).pathname;

async function demo(
  args: readonly string[],
  temporary?: string,
): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", DEMO, ...args],
    env: { NO_COLOR: "1", ...(temporary === undefined ? {} : { TMPDIR: temporary }) },
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, out: out!, err: err! };
}

/** It plays as root with runc, and says elsewhere why it does not. */
function checkLease(line: Record<string, unknown>): void {
  if (line.isSkipped === true) {
    assert.match(String(line.text), /^passed over: ./);
    return;
  }
  const { said, extendedS, paidSat, refundSat, usedSat, receipts, books } = line;
  assert.deepEqual([said, extendedS, receipts], ["hello from a lease", 60, true]);
  assert.ok(Number(usedSat) > 0 && Number(refundSat) + Number(usedSat) === paidSat);
  for (const { owedSat, lesseeSat, providerSat, agree } of books as Record<string, number>[]) {
    assert.deepEqual([owedSat, agree], [lesseeSat! + providerSat!, true]);
  }
}

Deno.test("the demo plays all its acts, one JSON line each, and leaves nothing behind", async () => {
  await using bench = await Bench.open();
  const temporary = bench.path("tmp");
  await Deno.mkdir(temporary);
  const file = bench.path("film");
  await Deno.writeFile(file, testBytes(24 << 20));
  const { code, out, err } = await demo([file, "--json"], temporary);
  const lines = out.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ act, ok, message }) => ({ act, ok, message })),
    ACTS.map((act) => ({ act, ok: true, message: undefined })),
    out + err,
  );
  assert.equal(code, 0);
  for (const line of lines.slice(0, 4)) {
    assert.ok(line.ms > 0 && line.verified && line.bytes === 24 << 20);
  }
  assert.ok(lines[0].peers >= 2);
  assert.match(lines[1].liar, /^12D3KooW/);
  assert.match(lines[2].originReason, /relay|no peer/);
  assert.ok(lines[3].keptBytes > 4 << 20);
  const { killedIn, paidOnce, receivedSat, books } = lines[4];
  assert.match(killedIn, /^source-(inflight|pending)$/);
  assert.deepEqual([paidOnce, receivedSat], [true, 400]);
  for (const { owedSat, payerSat, payeeSat, agree } of books) {
    assert.deepEqual([owedSat, agree], [payerSat + payeeSat, true]);
  }
  const { sellers, afterKill, verified } = lines[5];
  assert.equal(verified, true);
  assert.deepEqual(
    sellers.map(({ mint, agrees }: Record<string, unknown>) => ({ mint, agrees })),
    [{ mint: "A", agrees: true }, { mint: "B", agrees: true }],
  );
  for (const { bytes, paidSat, usedMsat, earnedMsat } of sellers) {
    assert.ok(bytes > 0 && earnedMsat >= usedMsat && paidSat * 1000 >= earnedMsat);
  }
  assert.ok(afterKill.lostMsat <= 2 * 18_000, `${afterKill.lostMsat} msat lost`);
  const { pushed, pulled, isKept, digest } = lines[6];
  assert.match(digest, /^sha256:[0-9a-f]{64}$/);
  assert.ok(isKept && pulled.bytes >= pushed.bytes && pushed.bytes > 32 << 20);
  const { role, sequence, newest, from, refused, refusedOffline } = lines[7];
  assert.deepEqual([role, sequence, newest, from, refusedOffline], ["ci", 1, 2, "peer", true]);
  assert.match(refused.join(), /no key that may sign the catalog tools/);
  checkLease(lines[8]);
  assert.deepEqual(await Array.fromAsync(Deno.readDir(temporary)), []);
});

Deno.test("the demo refuses what it cannot show", async () => {
  assert.equal((await demo(["--act", "magic"])).code, 2);
  assert.equal((await demo(["/nowhere"])).code, 2);
  assert.equal((await demo(["--frobnicate"])).code, 2);
  assert.match((await demo(["--help"])).err, /^Usage: deno task demo/);
});
