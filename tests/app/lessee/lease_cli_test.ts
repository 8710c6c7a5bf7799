/** The verbs about renting, against a node whose answers are made up. */
import assert from "node:assert/strict";
import { dropbearKey, makeHostKey } from "../../../provisioning/ssh/mod.ts";
import { systemRandom } from "../../../src/host/system.ts";
import type { LeaseExec } from "../../../src/app/api/lease_methods.ts";
import { added } from "../../../src/app/cli/verbs/lease/logs.ts";
import { SeedmintError } from "../../../src/core/errors.ts";
import { type Answers, run } from "./lease_cli.ts";
import { leaseOf, offerOf, PROVIDER, quoteOf } from "./lease_views.ts";

// deno-lint-ignore no-control-regex -- these are looked for
const COMMANDS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/;

const HOSTILE = "\u001b]0;pwned\u0007\u001b[2J\u202egnp\r\u009b31mevil";

Deno.test("market list shows offers as a table, and passes its filters on", async () => {
  const { code, out, asked } = await run(
    [
      ...[
        "market",
        "list",
        "--cpu",
        "0.5",
        "--memory",
        "2GiB",
        "--disk",
        "1GiB",
        "--sort",
        "score",
      ],
      ...["--capability", "oci", "--isolation", "shared-kernel", "--location", "EU", "--all"],
      ...["--mint", "https://mint.example.org", "--arch", "amd64", "--rate-max", "100"],
    ],
    {
      answers: { "market.list": { offers: [offerOf(), offerOf({ isOnline: false, name: "b" })] } },
    },
  );
  assert.equal(code, 0);
  assert.match(out, /alpha +basic \+1 +1 +1\.00 GiB +50 msat\/s +EU +97 % +12 +online/);
  assert.match(out, /offline/);
  assert.deepEqual(asked, [["market.list", {
    capabilities: ["oci"],
    isolation: "shared-kernel",
    cpuMillicoresMin: 500,
    memoryMbMin: 2048,
    diskMbMin: 1024,
    location: "EU",
    mint: "https://mint.example.org",
    arch: "amd64",
    rateMsatPerSMax: 100,
    sort: "score",
    withOffline: true,
  }]]);
});

Deno.test("an empty market says what to do, on stderr", async () => {
  const { code, out, err } = await run(["market", "list"], {
    answers: { "market.list": { offers: [] } },
  });
  assert.deepEqual([code, out], [0, ""]);
  assert.match(err, /--all shows those, too/);
});

Deno.test("nothing that a provider writes reaches the terminal as a command", async () => {
  const offer = offerOf({
    name: HOSTILE,
    location: HOSTILE,
    capabilities: [HOSTILE],
    mints: [HOSTILE],
    backend: HOSTILE,
    warnings: [HOSTILE],
    tiers: offerOf().tiers.map((tier) => ({ ...tier, id: HOSTILE, description: HOSTILE })),
  });
  const lease = leaseOf({
    providerName: HOSTILE,
    providerState: HOSTILE,
    image: HOSTILE,
    sshHost: HOSTILE,
    problem: HOSTILE,
    hostKeyFingerprint: HOSTILE,
    ports: [{ hostPort: 1, containerPort: 2, protocol: "tcp", label: HOSTILE }],
  });
  const answers: Answers = {
    "market.list": { offers: [offer] },
    "market.show": offer,
    "market.quote": quoteOf({ providerName: HOSTILE, note: HOSTILE }),
    "lease.ls": { leases: [lease] },
    "lease.status": lease,
    "lease.restart": lease,
    "lease.logs": { text: HOSTILE, isTruncated: false },
    "lease.exec": { stdout: HOSTILE, stderr: HOSTILE, exitCode: 0, isTruncated: false },
    "lease.stop": { lease, refundSat: 3, claimedSat: 3, comingSat: 0 },
    "lease.topup": { lease, extendedS: 60, paidSat: 3 },
  };
  const lines = [
    ["market", "list"],
    ["market", "show", "x"],
    ["market", "quote"],
    ["leases"],
    ["status", "abcd"],
    ["restart", "abcd"],
    ["logs", "abcd"],
    ["exec", "abcd", "ls"],
    ["stop", "abcd"],
    ["topup", "abcd"],
    ["keepalive", "abcd"],
    ["ssh", "abcd"],
  ];
  for (const line of lines) {
    const { code, out, err } = await run(line, { answers });
    assert.equal(code, line[0] === "ssh" ? 1 : 0, err);
    assert.doesNotMatch(out + err, COMMANDS, line.join(" "));
  }
});

Deno.test("logs and exec leave colours out, keep lines, and give the raw text when asked", async () => {
  const text = "\u001b[1;32mok\u001b[0m\r\n\tnext\n";
  const answers: Answers = {
    "lease.logs": { text, isTruncated: true },
    "lease.exec": { stdout: text, stderr: "e\u0007\n", exitCode: 7, isTruncated: true },
  };
  const logs = await run(["logs", "abcd", "-n", "5"], { answers });
  assert.equal(logs.out, "ok\n\tnext\n");
  assert.match(logs.err, /cut where a message ends/);
  assert.deepEqual(logs.asked, [["lease.logs", { lease: "abcd", lineCount: 5 }]]);
  assert.equal((await run(["logs", "abcd", "--raw"], { answers })).out, text);
  const exec = await run(["exec", "abcd", "--timeout", "2s", "--", "ls", "-la", "--raw"], {
    answers,
  });
  assert.deepEqual([exec.code, exec.out], [7, "ok\n\tnext\n"]);
  assert.match(exec.err, /^e\ufffd\n/);
  assert.deepEqual(exec.asked, [["lease.exec", {
    lease: "abcd",
    command: ["ls", "-la", "--raw"],
    timeoutMs: 2000,
  }]]);
  for (const exitCode of [-1, 256]) {
    const killed = { ...answers["lease.exec"] as LeaseExec, exitCode };
    const { code } = await run(["exec", "abcd", "ls"], { answers: { "lease.exec": killed } });
    assert.equal(code, 255, "what has no exit code did not end well");
  }
  const json = await run(["exec", "abcd", "ls", "--json"], { answers });
  assert.equal(JSON.parse(json.out).stdout, text);
});

Deno.test("added() tells what a log has more than before", () => {
  assert.equal(added("", "a\n"), "a\n");
  assert.equal(added("a\n", "a\nb\n"), "b\n");
  assert.equal(added("a\nb\nc\n", "b\nc\nd\n"), "d\n");
  assert.equal(added("a\n", "a\n"), "");
  assert.equal(added("a\n", "x\ny\n"), "x\ny\n");
});

Deno.test("market spawn pays by itself where nobody is asked, and tells what it got", async () => {
  const { code, out, asked } = await run(
    [
      ...["market", "spawn", "debian:12", "--for", "2h", "--port", "8080=web", "--port", "53/udp"],
      ...["--env", "MODE=live", "--env", "EMPTY=", "--user", "anna", "--keepalive", "500"],
      ...["--provider", "alpha", "--tier", "basic", "--request-id", "my-web"],
    ],
    { answers: { "lease.spawn": leaseOf() } },
  );
  assert.equal(code, 0);
  assert.match(out, /^lease +abcd1234$/m);
  assert.match(out, /^ssh +root@192\.0\.2\.7 port 2222$/m);
  assert.match(out, /^host key +SHA256:A{43}$/m);
  assert.match(out, /^money +180 sat paid, 2 sat fees$/m);
  assert.deepEqual(asked, [["lease.spawn", {
    image: "debian:12",
    filter: {},
    durationS: 7200,
    provider: "alpha",
    tier: "basic",
    sshUser: "anna",
    env: { MODE: "live", EMPTY: "" },
    ports: [
      { containerPort: 8080, protocol: "tcp", label: "web" },
      { containerPort: 53, protocol: "udp", label: "port-53" },
    ],
    keepaliveBudgetSat: 500,
    requestId: "my-web",
  }]]);
});

Deno.test("on a terminal market spawn shows who offers what, lets choose, and asks before it pays", async () => {
  const answers: Answers = {
    "market.list": { offers: [offerOf({ provider: "a".repeat(64) }), offerOf()] },
    "market.quote": quoteOf(),
    "lease.spawn": leaseOf(),
  };
  const spawn = ["market", "spawn", "debian:12"];
  const yes = await run(spawn, { answers, typed: ["7", "x", "2", "y"] });
  assert.equal(yes.code, 0);
  assert.match(yes.err, /There is no "7" in this list/);
  assert.match(yes.err, /Rent of alpha \(npub1\w+…\w+\): basic, 1 cores, .* for 180 sat/);
  const [list, quote, paid] = yes.asked;
  assert.deepEqual(list, ["market.list", { sort: "price" }]);
  assert.equal(quote![1].provider, PROVIDER);
  assert.equal(paid![1].provider, PROVIDER);
  assert.equal(quote![1].tier, "basic", "what was shown is what is asked for");
  const { confirmed, tier, durationS, budgetSat } = paid![1];
  assert.deepEqual({ confirmed, tier, durationS, budgetSat }, {
    ...{ confirmed: true, tier: "basic", durationS: 3600, budgetSat: 180 },
  }, "what was agreed to is a time for a sum");
  const settings = ["--lessee-rate-max", "60", "--lessee-isolation", "dedicated-host"];
  const large = [...spawn, "--tier", "large", "--budget", "500", ...settings];
  const cheap = offerOf({ tiers: offerOf().tiers.slice(0, 1), provider: "b".repeat(64) });
  const noted = { ...answers, "market.quote": quoteOf({ note: "It took money" }) };
  const bound = await run(large, {
    answers: { ...noted, "market.list": { offers: [cheap, offerOf()] } },
    typed: ["", "y"],
  });
  assert.deepEqual(bound.asked[0]![1], {
    ...{ isolation: "dedicated-host", rateMsatPerSMax: 60, sort: "price" },
  });
  assert.deepEqual([bound.asked[1]![1].provider, bound.asked[1]![1].tier], [PROVIDER, "large"]);
  assert.match(bound.err, /note: It took money\n/);
  assert.deepEqual([bound.asked[2]![1].durationS, bound.asked[2]![1].budgetSat], [3600, 180]);
  const no = await run(spawn, { answers, typed: ["", ""] });
  assert.equal(no.code, 1);
  assert.match(no.err, /Rented nothing: you said no/);
  assert.equal(no.asked.length, 2, "nothing is paid");
  const none = await run(spawn, { answers: { "market.list": { offers: [] } }, typed: ["1"] });
  assert.match(none.err, /nobody who is online offers what fits/);
  const full = { ...answers, "market.quote": quoteOf({ isAvailable: false, note: "no room" }) };
  const refused = await run(spawn, { answers: full, typed: ["1", "y"] });
  assert.match(refused.err, /Cannot rent this now: no room/);
});

Deno.test("wrong input is said to be wrong before anybody is asked", async () => {
  const spawn = ["market", "spawn", "debian:12"];
  const wrong: readonly (readonly [string[], RegExp])[] = [
    [["market", "spawn"], /IMAGE is missing/],
    [["market", "list", "--cpu", "many"], /--cpu "many": cores such as/],
    [["market", "list", "--memory", "-1"], /--memory/],
    [["market", "list", "--sort", "colour"], /one of price, score, uptime, capacity wanted/],
    [["market", "list", "--isolation", "strong"], /one of shared-kernel/],
    [[...spawn, "--for", "soon"], /--for "soon": a time such as/],
    [[...spawn, "--for", "1h", "--budget", "5"], /exclude each other/],
    [[...spawn, "--budget", "0"], /at least 1 sat/],
    [[...spawn, "--budget", "1.5sat"], /Cannot use --budget/],
    [[...spawn, "--port", "70000"], /--port "70000"/],
    [[...spawn, "--port", "80/icmp"], /--port/],
    [[...spawn, "--keepalive", "0"], /--keepalive must be/],
    [[...spawn, "--key", "/nonexistent"], /--key \/nonexistent cannot be read/],
    [[...spawn, "--token", "abc"], /a Cashu token wanted/],
    [[...spawn, "--token", "-", "--for", "1h"], /--token says how much/],
    [["topup", "abcd", "--token", "-", "--budget", "1"], /--token says how much/],
    [["logs", "abcd", "-n", "0"], /--lines "0"/],
    [["exec", "abcd"], /COMMAND… is missing/],
    [["keepalive", "abcd", "much"], /keepalive/],
    [["keepalive", "abcd", "--step", "1h"], /--step goes with AMOUNT/],
  ];
  for (const [line, message] of wrong) {
    const { code, err, asked } = await run(line, { piped: "cashuBabc" });
    assert.deepEqual([code, asked], [2, []], line.join(" "));
    assert.match(err, message, line.join(" "));
  }
  const secret = await run([...spawn, "--env", "1BAD=hunter2"]);
  assert.equal(secret.code, 2);
  assert.doesNotMatch(secret.err, /hunter2/, "values may be secret");
});

Deno.test("a private key is not sent to a provider by mistake", async () => {
  const file = await Deno.makeTempFile();
  try {
    const key = await makeHostKey(systemRandom);
    await Deno.writeTextFile(file, key.privateKey);
    const spawn = ["market", "spawn", "debian:12", "--key", file];
    const refused = await run(spawn);
    assert.equal(refused.code, 2);
    assert.match(refused.err, /is a private key: name the public one/);
    await Deno.writeTextFile(file, `# mine\n${key.publicKey} anna\n\n`);
    const sent = await run(spawn, { answers: { "lease.spawn": leaseOf() } });
    assert.deepEqual(sent.asked[0]![1].sshPublicKeys, [`${key.publicKey} anna`]);
    await Deno.writeTextFile(file, 'command="id" ssh-ed25519 AAAA');
    assert.match((await run(spawn)).err, /without options/);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("a token comes from a pipe, and never stands in a message", async () => {
  const { asked, err } = await run(["market", "spawn", "debian:12", "--token", "-"], {
    piped: "cashu:cashuBabc\n",
    answers: { "lease.spawn": leaseOf() },
  });
  assert.equal(asked[0]![1].token, "cashuBabc");
  assert.equal(asked[0]![1].durationS, undefined);
  assert.doesNotMatch(err, /cashuB/);
  const typed = await run(["topup", "abcd", "--token", "cashuBabc"], {
    answers: { "lease.topup": { lease: leaseOf(), extendedS: 60, paidSat: 3 } },
  });
  assert.match(typed.err, /others on this machine can see/);
});

Deno.test("what a node refuses is said on stderr, and fails", async () => {
  const why = "Cannot rent: 500 sat more would be above the budget; say --yes";
  const { code, out, err } = await run(["market", "spawn", "debian:12"], {
    answers: { "lease.spawn": new SeedmintError("payment-required", why) },
  });
  assert.deepEqual([code, out], [1, ""]);
  assert.match(err, /above the budget; say --yes/);
});

Deno.test("leases, stop, topup and keepalive tell what became of it", async () => {
  const lease = leaseOf({
    keepalive: { budgetSat: 1000, spentSat: 60, stepS: 3600 },
    refundedSat: 40,
    problem: "40 sat are on their way back",
  });
  const ls = await run(["leases", "--all", "--sync"], {
    answers: {
      "lease.sync": { found: [lease], ended: [], silent: [leaseOf().npub], unaskedCount: 9 },
      "lease.ls": { leases: [lease] },
    },
  });
  assert.match(ls.err, /1 leases found, 0 are over/);
  assert.match(ls.err, /npub1\w+…\w+ did not answer/);
  assert.match(ls.err, /9 providers were not asked in time; --lessee-timeout/);
  assert.match(ls.out, /abcd1234 +active +alpha .* 140 sat +40 sat are on their way back/);
  const none = await run(["leases"], { answers: { "lease.ls": { leases: [] } } });
  assert.match(none.err, /no leases; market spawn rents one/);
  const stops: readonly (readonly [refundSat: number, comingSat: number, told: RegExp])[] = [
    [40, 0, /^ended; 40 sat came back$/m],
    [0, 40, /^ended; 40 sat are coming back$/m],
    [0, 0, /^ended; nothing came back$/m],
  ];
  for (const [refundSat, comingSat, told] of stops) {
    const ended = leaseOf({ state: "ended", endedMs: 5 });
    const result = { lease: ended, refundSat, comingSat, claimedSat: 40 };
    const { out } = await run(["stop", "abcd"], { answers: { "lease.stop": result } });
    assert.match(out, told);
  }
  const kept = await run(["stop", "abcd"], {
    answers: { "lease.ls": { leases: [leaseOf()] } },
    typed: ["n"],
  });
  assert.match(kept.err, /you said no/);
  const topUp = await run(["topup", "abcd", "--for", "30m"], {
    answers: { "lease.topup": { lease, extendedS: 1800, paidSat: 90 } },
  });
  assert.match(topUp.out, /^30 min 0 s more for 90 sat$/m);
  const set = await run(["keepalive", "abcd", "1000sat", "--step", "2h"], {
    answers: { "lease.keepalive": lease },
  });
  assert.deepEqual(set.asked, [["lease.keepalive", {
    lease: "abcd",
    budgetSat: 1000,
    stepS: 7200,
  }]]);
  assert.match(set.out, /^keepalive +60 of 1000 sat, 1 h 0 min at a time$/m);
  const off = await run(["keepalive", "abcd", "off"], { answers: { "lease.keepalive": lease } });
  assert.equal(off.asked[0]![1].budgetSat, 0);
});

Deno.test("a lease is named by its first digits; what names several is refused", async () => {
  const answers: Answers = {
    "lease.ls": {
      leases: [
        leaseOf({ id: "aaaa1111" }),
        leaseOf({ id: "aabb2222", lease: "container-8" }),
        leaseOf({ id: "aaaa3333", state: "ended" }),
      ],
    },
  };
  assert.equal((await run(["keepalive", "aabb"], { answers })).code, 0);
  assert.equal((await run(["keepalive", "container-8"], { answers })).code, 0);
  const one = await run(["keepalive", "aaaa"], { answers });
  assert.match(one.out, /aaaa1111/, "the one that lives is meant");
  assert.match((await run(["keepalive", "aa"], { answers })).err, /names several leases/);
  assert.match((await run(["keepalive", "zz"], { answers })).err, /no such lease/);
});

Deno.test("ssh says what is in the way, and prints its line when asked", async () => {
  const lease = leaseOf({ sshHost: "127.0.0.1", sshPort: 1, hostKeyFingerprint: null });
  const { code, out, err } = await run(["ssh", "abcd", "--print", "--", "uname", "-a"], {
    answers: { "lease.ls": { leases: [lease] } },
  });
  assert.equal(code, 0);
  assert.match(
    out,
    /^ssh -o .*StrictHostKeyChecking=accept-new.* -p 1 -l root -- 127\.0\.0\.1 uname -a$/m,
  );
  assert.match(err, /told no host key/);
  const silent = leaseOf({ sshHost: "127.0.0.1", sshPort: 1 });
  const unreachable = await run(["ssh", "abcd"], { answers: { "lease.ls": { leases: [silent] } } });
  assert.equal(unreachable.code, 1);
  assert.match(unreachable.err, /does not answer; see status/);
});

/** An SSH server on loopback with one host key; undefined where there is no dropbear. */
async function sshServer(key: string): Promise<{ port: number; stop: () => Promise<void> } | void> {
  const folder = await Deno.makeTempDir();
  await Deno.writeFile(`${folder}/key`, dropbearKey(key), { mode: 0o600 });
  const port = freePort();
  try {
    const child = new Deno.Command("dropbear", {
      args: ["-F", "-E", "-s", "-g", "-r", `${folder}/key`, "-p", `127.0.0.1:${port}`],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    return {
      port,
      stop: async () => {
        child.kill();
        await child.status;
        await Deno.remove(folder, { recursive: true });
      },
    };
  } catch (error) {
    await Deno.remove(folder, { recursive: true });
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

Deno.test("ssh pins the key that the provider promised, and sends nothing to another machine", async () => {
  const key = await makeHostKey(systemRandom);
  const server = await sshServer(key.privateKey);
  if (server === undefined) return console.log("skipped: dropbear is not installed");
  try {
    const at = { sshHost: "127.0.0.1", sshPort: server.port };
    const ask = (hostKeyFingerprint: string) =>
      run(["ssh", "abcd", "--print", "--json"], {
        answers: { "lease.ls": { leases: [leaseOf({ ...at, hostKeyFingerprint })] } },
      });
    const right = await ask(key.fingerprint);
    assert.equal(right.code, 0, right.err);
    const { args, isPinned } = JSON.parse(right.out);
    assert.ok(isPinned && args.includes("StrictHostKeyChecking=yes"));
    const { fingerprint } = await makeHostKey(systemRandom);
    const wrong = await ask(fingerprint);
    assert.equal(wrong.code, 1);
    const { code, message } = JSON.parse(wrong.out);
    assert.equal(code, "denied");
    assert.match(message, /somebody is in between, or it is another machine\. Nothing was sent/);
  } finally {
    await server.stop();
  }
});
