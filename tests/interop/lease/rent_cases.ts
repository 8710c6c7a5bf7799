/** A lease as people have it: rented, used, topped up, ended. */
import assert from "node:assert/strict";
import { ChildProcess, runVerb } from "../../../devnet/processes.ts";
import { LENDING_FLAGS } from "../../../src/app/permissions.ts";
import { commandOutput } from "../registry/lab.ts";
import { lastLine, RATE_MSAT, until } from "../../e2e/lease/lab.ts";
import type { LeaseWorld, WorldProvider } from "./world.ts";

/** Runs one case, and tells. */
export type Check = (name: string, fn: () => Promise<void>) => Promise<void>;

const CPU_MILLICORES = 100;
const BURN_S = 4;
/** A lease of some seconds. */
const SHORT_SAT = 9;
const LATE_MS_MAX = 5_000;

/** A shell on a lease, over the provider's published port. */
type Shell = (script: string) => Promise<{ readonly code: number; readonly text: string }>;

/** Logs in as OpenSSH does, with the key that was made and the host key that was promised. */
async function shellOf(world: LeaseWorld, lease: string): Promise<Shell> {
  // It looks for the host key once, over the network.
  const printed = new ChildProcess({
    script: "node.ts",
    flags: LENDING_FLAGS,
    args: ["ssh", lease, "--print", "--json", "--data", world.anna],
  });
  const { args } = lastLine(await printed.result()) as { args: string[] };
  assert.ok(args.some((arg) => arg.includes("10.88.0.2")), args.join(" "));
  return async (script) => {
    const { code, stdout, stderr } = await new Deno.Command("timeout", {
      args: ["60", "ssh", "-o", "BatchMode=yes", ...args, script],
      stdin: "null",
    }).output();
    const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    return { code, text };
  };
}

async function assertLimits(shell: Shell): Promise<void> {
  const burn = `busybox time -f %U+%S busybox timeout ${BURN_S} sh -c 'while :; do :; done'`;
  const { text } = await shell(`${burn}; true`);
  const [user, system] = text.trim().split("\n").at(-1)!.split("+").map(Number);
  const share = (user! + system!) / BURN_S;
  assert.ok(share > 0.01 && share < 2 * CPU_MILLICORES / 1000, `${share} of a core: ${text}`);

  const memory = await shell("dd if=/dev/zero of=/dev/null bs=400M count=1; echo code $?");
  assert.match(memory.text, /code 137|memory exhausted|Killed/, memory.text);

  const disk = await shell("dd if=/dev/zero of=/root/fill bs=1M count=100; rm /root/fill");
  assert.match(disk.text, /No space left/, disk.text);

  // Each waits for somebody to write, and goes once there is one.
  const bomb =
    "busybox mkfifo /tmp/f; sh -c 'while :; do : < /tmp/f & done'; : > /tmp/f; echo over";
  const pids = await shell(bomb);
  // Of memory it has enough: what stops it is the number of processes.
  assert.match(pids.text, /can't fork: Resource temporarily unavailable/, pids.text);
  await until(async () => (await shell("echo alive")).text.includes("alive"), 30_000);
}

/** Rents with verbs, looks at everything from inside, and ends it early. */
export async function rent(
  world: LeaseWorld,
  provider: WorldProvider,
  name = "provider",
): Promise<void> {
  const beganMs = performance.now();
  const lease = await world.verb("market", "spawn", world.images.box, "--for", "3m", "--yes", ...[
    "--provider",
    provider.npub,
  ]);
  assert.equal(lease.state, "active", JSON.stringify(lease));
  console.log(`        a lease after ${Math.round(performance.now() - beganMs)} ms`);
  const id = String(lease.id);
  const shell = await shellOf(world, id);
  const hello = await shell("echo hello $((6*7)); hostname");
  assert.match(hello.text, /hello 42/, hello.text);
  await assertLimits(shell);

  const topUp = await world.verb("topup", id, "--for", "1m", "--yes");
  assert.ok(Number(topUp.extendedS) >= 59, JSON.stringify(topUp));
  const logs = await runVerb("logs", id, "--data", world.anna);
  assert.match(JSON.stringify(logs.lines), /ready/);
  const exec = await runVerb("exec", id, "--data", world.anna, "--", "/bin/sh", "-c", "exit 7");
  assert.equal(exec.code, 7, exec.stderr);
  const stopped = await world.verb("stop", id);
  assert.ok(Number(stopped.refundSat) > 100, JSON.stringify(stopped));
  assert.ok(!(await world.instances(name)).includes(String(lease.lease)), JSON.stringify(lease));
  assert.notEqual((await shell("true")).code, 0, "nobody is there any more");
  await world.assertBooks();
}

async function expire(world: LeaseWorld, provider: WorldProvider): Promise<void> {
  const request = await world.request(provider, { sat: SHORT_SAT });
  const answer = await world.client.ask(provider.npub, request);
  assert.equal(answer.type, "access", JSON.stringify(answer));
  if (answer.type !== "access") return;
  assert.ok(answer.expiresMs - (answer.readyMs ?? 0) <= SHORT_SAT * 1_000_000 / RATE_MSAT);
  const { host, sshPort } = answer;
  const banner = await commandOutput("ssh-keyscan", ["-p", String(sshPort), String(host)]);
  assert.match(banner, /ssh-ed25519/);
  let lateMs = 0;
  await until(async () => {
    lateMs = Date.now() - answer.expiresMs;
    return !(await world.instances()).includes(answer.lease);
  }, 40_000);
  assert.ok(lateMs >= -500 && lateMs <= LATE_MS_MAX, `${lateMs} ms late`);
  await assert.rejects(Deno.connect({ hostname: String(host), port: sshPort }));
  await world.assertBooks();
  console.log(`        it ended ${lateMs} ms after its time`);
}

/** See the head of this file. */
export async function rentCases(world: LeaseWorld, check: Check): Promise<void> {
  const provider = await world.provider();
  await check(
    "a lease over the network, paid with ecash of another mint: SSH by key, limits, top-up, logs, exec, stop",
    () => rent(world, provider),
  );
  await check("a lease ends within 5 s of its time", () => expire(world, provider));
  await provider.process.stop();
}
