/** paygress-cli as a client of our provider. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { runVerb } from "../../../devnet/processes.ts";
import { check } from "../blossom/suite.ts";
import { until } from "../../e2e/lease/lab.ts";
import { ok } from "../../e2e/support.ts";
import { bareToken, type Ground } from "./ground.ts";
import { type Login, loginIn, PaygressUser, sshByPassword } from "./paygress.ts";

/**
 * It takes the first message for an answer that its relay has of the last minute, its own answer to
 * an earlier verb, too; so its users wait for longer than that.
 */
const LOOK_BACK_MS = 62_000;

const HTTP = "127.0.0.1:31490";
const SERVER = `http://${HTTP}`;

/** Runs them. */
export async function clientCases(ground: Ground): Promise<void> {
  const { lab, directory, program } = ground;
  const provider = await lab.provider(
    ...["--provider-http", HTTP, "--provider-name", "Owl", "--provider-location", "EU-North"],
  );
  const data = await lab.lessee("pays-anna", 700, 0);
  const anna = new PaygressUser(program, join(directory, "anna"));
  const relays = ["--relays", lab.relay];
  const ours = ["--provider", provider.npub, ...relays];
  const token = (sat: number) => bareToken(lab.net.mints[0]!.url, data, sat);
  const leases = async () =>
    (await runVerb("provider", "leases", "--all", "--data", provider.data)).lines;

  await check("its list shows our provider, online, with its cheapest tier", async () => {
    let out = "";
    await until(async () => {
      ({ out } = await anna.run("list", ...relays));
      return /Owl .*✓/.test(out);
    });
    assert.match(out, /Owl .* EU-North .* 1000m\/s .* shared .* ✓/);
  });

  await check("its filters find our provider, or leave it out", async () => {
    const found = async (...flags: string[]) =>
      (await anna.run("list", "--online-only", ...flags, ...relays)).out.includes("Owl");
    assert.equal(await found("--isolation-level", "shared-kernel", "--sort", "uptime"), true);
    assert.equal(await found("--isolation-level", "dedicated-host"), false);
    assert.equal(await found("--capability", "no-such"), false);
  });

  await check("its list info tells our tiers and mints", async () => {
    const { out } = await anna.run("list", "info", provider.npub, ...relays);
    assert.match(out, /Provider: Owl/);
    assert.match(out, /Online/);
    assert.match(out, /basic/);
    assert.ok(out.includes(lab.net.mints[0]!.url), out);
  });

  const credit = async () => Number((await leases()).find((one) => one.name === lease)?.creditMsat);
  const bank = await lab.lessee("bank", 5, 0);
  /** That nobody redeemed a token, by doing so. */
  const unspent = (text: string) => ok("wallet", "receive", text, "--data", bank);

  let lease = "";
  let answeredMs = -Infinity;
  /** Runs a verb of anna's that waits for an answer. */
  const asked = async (...args: string[]) => {
    const waitMs = answeredMs + LOOK_BACK_MS - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    try {
      return await anna.run(...args, ...ours);
    } finally {
      answeredMs = performance.now();
    }
  };

  let login: Login | undefined;

  await check("its spawn rents from us by a bare token, over NIP-04", async () => {
    const { out, code } = await asked("spawn", "--image", lab.image, "--token", await token(300));
    assert.equal(code, 0);
    assert.match(out, /Workload Provisioned Successfully/);
    lease = /Pod ID:\s+(container-\d+)/.exec(out)?.[1] ?? "";
    assert.notEqual(lease, "", out);
    login = loginIn(out);
  });

  await check("its user logs in by the password in its instructions", async () => {
    assert.ok(login !== undefined);
    assert.equal(await sshByPassword(login, "echo $((6*7))", directory), "42\n");
    await assert.rejects(
      sshByPassword({ ...login, password: `${login.password}x` }, "true", directory),
      /Permission denied/,
    );
  });

  await check("its user is told of tiers and money that we do not take", async () => {
    const carol = new PaygressUser(program, join(directory, "carol"));
    const wanted = ["spawn", ...ours, "--image", lab.image, "--token", "cashuBjunk"];
    const wrong = await carol.run(...wanted, "--tier", "giant");
    assert.match(wrong.err, /Tier 'giant' not available/);
    const junk = await carol.run(...wanted);
    assert.match(junk.out, /Type:\s+invalid_token/);
  });

  await check("a stranger with its client learns and changes nothing of a lease", async () => {
    const strangers = ["bob", "dora"].map((name) =>
      new PaygressUser(program, join(directory, name))
    );
    const status = await strangers[0]!.run("status", "--pod-id", lease, ...ours);
    assert.match(status.err, /error_type":"not_found/);
    const gift = await token(5);
    const topup = await strangers[1]!.run("topup", "--pod-id", lease, ...ours, "--token", gift);
    assert.match(topup.out, /Type:\s+not_found/);
    await unspent(gift);
  });

  await check("its templates are refused before money moves", async () => {
    const emil = new PaygressUser(program, join(directory, "emil"));
    const kept = await token(20);
    const { out, err } = await emil.run("deploy", "nostr-relay", ...ours, "--token", kept);
    assert.match(out, /Type:\s+template_unsupported/, err);
    await unspent(kept);
  });

  await check("its list --server shows our tiers over HTTP", async () => {
    const { out, err } = await anna.run("list", "--server", SERVER);
    assert.match(out, /basic .* 0 cores .* 64 MB .* 1000 msats\/sec/, err);
    assert.ok(out.includes(lab.net.mints[0]!.url), out);
  });

  await check("its spawn --server rents over HTTP, and its password opens it", async () => {
    const password = "vgZ2MPnMiGGQtqEd";
    const { out, err } = await anna.run(
      ...["spawn", "--server", SERVER, "--image", lab.image, "--token", await token(250)],
      ...["--ssh-user", "user", "--ssh-pass", password],
    );
    assert.match(out, /Pod spawned successfully!/, err);
    const [, user, host, port] = /SSH: ssh (\S+)@(\S+) -p (\d+)/.exec(out) ?? [];
    assert.ok(user !== undefined && host !== undefined, out);
    const there = { user, host, port: Number(port), password };
    assert.equal(await sshByPassword(there, "echo over HTTP", directory), "over HTTP\n");
    const pod = /Pod ID: (\S+)/.exec(out)?.[1] ?? "";
    // It sends neither a key nor what we gave it to prove whose the lease is.
    const status = await anna.run("status", "--pod-id", pod, "--server", SERVER);
    assert.match(status.err, /401/);
  });

  await check("its status reads our answer", async () => {
    const { out, code } = await asked("status", "--pod-id", lease);
    assert.equal(code, 0, out);
    // Its provider, too, names a lease by the number alone here.
    assert.match(out, new RegExp(`ID: ${lease.split("-")[1]}`));
    assert.match(out, /Status: Running/);
    assert.match(out, new RegExp(`SSH: ssh ${login?.user}@127.0.0.1 -p ${login?.port}`));
    assert.match(out, /Time Left: (\d+m )?\d+s/);
  });

  await check("its topup makes the lease longer by what was paid", async () => {
    const { out } = await asked("topup", "--pod-id", lease, "--token", await token(30));
    assert.match(out, /Topup successful!/);
    const added = Number(/Added: \+(\d+)s/.exec(out)?.[1]);
    // Less what the mint takes.
    assert.ok(added >= 28 && added <= 30, out);
  });

  await check("its streamed topup, a token a tick, is counted whole", async () => {
    const file = join(directory, "tokens");
    await Deno.writeTextFile(file, `# two ticks\n${await token(10)}\n${await token(10)}\n`);
    const before = await credit();
    const { out } = await anna.run(
      ...["topup", "--pod-id", lease, ...ours, "--stream", "--tick-secs", "1"],
      ...["--tokens-file", file],
    );
    assert.match(out, /2 chunk\(s\) sent, 0 failed/);
    await until(async () => await credit() >= before + 16_000);
  });

  await check("every lease of its client is in our books once, and paid", async () => {
    const lines = await leases();
    assert.deepEqual(lines.map(({ state }) => state), ["ready", "ready"]);
    assert.equal((await runVerb("wallet", "audit", "--data", provider.data)).code, 0);
  });

  await provider.process.stop();
}
