import assert from "node:assert/strict";
import { type JsonLine, runVerb } from "../../devnet/processes.ts";
import { Bench, type Devnet, failed, fed, metricsOf, ok } from "./support.ts";

/** The verbs of one wallet. */
function walletAt(directory: string) {
  const data = ["--data", directory];
  return {
    data,
    ok: (...args: string[]) => ok("wallet", ...args, ...data),
    all: async (...args: string[]) => (await runVerb("wallet", ...args, ...data)).lines,
    failed: (code: number, ...args: string[]) => failed(code, "wallet", ...args, ...data),
    feed: (input: string, ...args: string[]) => fed(input, "wallet", ...args, ...data),
    total: async () => Number((await ok("wallet", "balance", ...data)).totalSat),
  };
}

type TestWallet = ReturnType<typeof walletAt>;

async function fund(bench: Bench, net: Devnet, wallet: TestWallet, sat: number, mint?: string) {
  const from = mint === undefined ? [] : ["--mint", mint];
  const funding = bench.spawn("wallet", "fund", String(sat), ...from, ...wallet.data);
  const { invoice } = await funding.waitFor((line) => line.event === "invoice");
  await ok("devnet", "pay", String(invoice), "--data", net.directory);
  const { code, lines } = await funding.result();
  assert.deepEqual([code, lines.at(-1)?.event, lines.at(-1)?.amountSat], [0, "done", sat]);
}

async function outstandingAt({ adminUrl }: Devnet["mints"][number]): Promise<number> {
  const { result } = await (await fetch(`${adminUrl}/admin/books`)).json();
  assert.equal(result.isBalanced, true);
  return result.outstanding;
}

Deno.test("wallet verbs alone: fund, send, receive, pay, withdraw, swap, plan, reclaim, and the books hold", async () => {
  await using bench = await Bench.open();
  const net = await bench.devnet(100);
  const [a, b] = net.mints as [Devnet["mints"][number], Devnet["mints"][number]];
  const ann = walletAt(bench.path("ann"));
  const ben = walletAt(bench.path("ben"));
  const added = await ann.ok("mints", "add", a.url, "--trusted", "--exposure", "5000 sat");
  assert.deepEqual([added.url, added.trust, added.exposureMaxSat], [a.url, "trusted", 5000]);
  await ann.ok("mints", "add", b.url, "--trusted");
  await ben.ok("mints", "add", a.url, "--accepted");
  await ben.ok("mints", "add", b.url, "--trusted");
  assert.deepEqual((await ann.all("mints", "--probe")).map((mint) => mint.online), [true, true]);
  await fund(bench, net, ann, 1000, a.url);
  assert.equal(await ann.total(), 1000);

  const sent = await ann.ok("send", "21sat", "--mint", a.url, "--yes");
  assert.match(String(sent.token), /^cashuB/);
  assert.equal((await ann.ok("token", String(sent.id))).token, sent.token);
  const received = await ben.feed(`${sent.token}\n`, "receive");
  assert.deepEqual([received.status, received.receivedSat], ["done", 20]);
  assert.equal(
    (await failed(1, "wallet", "receive", String(sent.token), ...ben.data)).code,
    "denied",
  );

  const { publicKey } = await ben.ok("key");
  const locked = await ann.ok("send", "64", "--lock", String(publicKey), "--locktime", "7d", "-y");
  assert.equal((await ben.feed(String(locked.token), "receive", "-")).status, "done");
  const taken = await ann.ok("send", "8", "-y");
  const before = await ann.total();
  assert.equal((await ann.ok("reclaim", String(taken.id))).state, "reclaimed");
  assert.equal(await ann.total(), before + 8 - 1);

  const bill = String((await ok("devnet", "invoice", "33", "--data", net.directory)).invoice);
  assert.equal(
    (await failed(1, "wallet", "pay", bill, "--max-fee", "0", "-y", ...ann.data)).event,
    "error",
  );
  const paid = await ann.ok("pay", `lightning:${bill.toUpperCase()}`, "--yes");
  assert.deepEqual([paid.event, paid.status, paid.amountSat], ["done", "done", 33]);
  const address = `carla@${new URL(net.lightning).host}`;
  assert.equal((await ann.ok("withdraw", address, "40", "--yes")).status, "done");
  assert.equal((await ann.ok("swap", "300", "--from", a.url, "--to", b.url, "-y")).amountSat, 300);
  assert.equal((await ann.ok("plan", "200", "--mint", b.url)).kind, "direct");
  assert.equal((await ann.ok("plan", "400", "--mint", b.url)).kind, "swap");
  assert.equal((await ann.failed(1, "plan", "4000", "--mint", b.url)).kind, "insufficient");
  const asked = ["prepare-payment", "--price", "64", "--mint", b.url, "--id", "one"];
  const token = (await ann.ok(...asked)).token;
  assert.equal((await ann.ok(...asked)).token, token);
  const overdrawn = await ann.failed(1, "prepare-payment", "--price", "1200", "--mint", b.url);
  assert.equal(overdrawn.status, "declined");

  assert.ok((await ann.all("history")).length >= 8);
  assert.deepEqual((await ann.ok("audit")).problems, []);
  assert.deepEqual((await ben.ok("audit")).problems, []);
  await ann.all("resume");
  await assertBooks(net, [ann, ben]);
});

/** What the mints owe is what the wallets hold and have given away. */
async function assertBooks(net: Devnet, wallets: readonly TestWallet[]): Promise<void> {
  const reports = await Promise.all(wallets.map((wallet) => wallet.ok("balance")));
  for (const mint of net.mints) {
    const held = reports.flatMap((report) => report.mints as JsonLine[])
      .filter((line) => line.mint === mint.url)
      .reduce(
        (sum, line) =>
          sum + Number(line.freeSat) + Number(line.reservedSat) + Number(line.outgoingSat),
        0,
      );
    assert.equal(await outstandingAt(mint), held, mint.url);
  }
}

Deno.test("a wallet is found again from its words alone, and all of it from its backup", async () => {
  await using bench = await Bench.open();
  const net = await bench.devnet();
  const [a] = net.mints as [Devnet["mints"][number]];
  const ann = walletAt(bench.path("ann"));
  await ann.ok("mints", "add", a.url, "--trusted");
  await fund(bench, net, ann, 100);
  const sent = await ann.ok("send", "30", "-y");
  const file = bench.path("wallet.backup");
  assert.equal((await ann.ok("backup", file)).path, file);
  assert.equal(((await Deno.stat(file)).mode ?? 0) & 0o777, 0o600);
  assert.equal((await ann.failed(2, "words")).code, "usage");
  const words = String((await ann.ok("words", "--yes")).words);
  assert.equal(words.split(" ").length, 12);

  const fromFile = walletAt(bench.path("from-file"));
  const restored = await fromFile.feed(`${words}\n`, "restore", "--words", file);
  assert.equal(restored.event, "done");
  assert.equal((await fromFile.ok("token", String(sent.id))).token, sent.token);
  assert.equal(await fromFile.total(), 70);
  assert.equal((await fromFile.feed(words, "restore", "--words")).event, "done");

  const other = walletAt(bench.path("other"));
  await other.ok("key");
  const refused = await runVerb("wallet", "restore", file, ...other.data);
  assert.equal(refused.code, 1);

  const fromWords = walletAt(bench.path("from-words"));
  await fromWords.feed(words, "restore", "--words");
  await fromWords.ok("mints", "add", a.url, "--trusted");
  assert.equal((await fromWords.ok("restore")).foundSat, 100);
});

Deno.test("a running node keeps the wallet: verbs go through it, status and metrics tell of it without secrets", async () => {
  await using bench = await Bench.open();
  const net = await bench.devnet();
  const [a, b] = net.mints as [Devnet["mints"][number], Devnet["mints"][number]];
  const { process, ready } = await bench.node(
    "ann",
    ...["--mint", a.url, "--mint-accepted", b.url, "--metrics-listen", "127.0.0.1:0"],
    ...["--control-listen", "127.0.0.1:0", "--log-level", "debug"],
  );
  assert.equal(ready.event, "ready");
  const ann = walletAt(bench.path("ann"));
  await waitFor(async () => (await ann.all("mints")).length === 2);
  assert.deepEqual((await ann.all("mints")).map(({ trust }) => trust).sort(), [
    "accepted",
    "trusted",
  ]);
  await fund(bench, net, ann, 500);
  const sent = await ann.ok("send", "21", "-y");
  assert.equal((await ok("status", ...ann.data)).running, true);
  const { wallet, problems } = await ok("status", ...ann.data);
  assert.deepEqual([wallet, problems], [
    { totalSat: 479, pendingCount: 1, attentionCount: 0 },
    [],
  ]);
  const metrics = await metricsOf(bench.path("ann"));
  assert.match(metrics, /seedmint_wallet_balance_sat\{mint="127\.0\.0\.1:\d+",state="free"\} 479/);
  assert.match(metrics, /seedmint_wallet_operations_total\{kind="fund",status="done"\} 1/);
  assert.match(
    metrics,
    /seedmint_wallet_mint_requests_total\{[^}]*endpoint="mint\/quote",result="2xx"\}/,
  );
  const words = String((await ann.ok("words", "--yes")).words);
  for (const text of [metrics, process.stderr]) {
    assert.ok(!text.includes(String(sent.token).slice(0, 30)));
    assert.ok(!/lnbcrt\d/.test(text));
    assert.ok(!text.includes(words));
  }
  assert.equal(await process.stop(), 0);
  assert.equal(await ann.total(), 479);
});

async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  const deadline = AbortSignal.timeout(60_000);
  while (!await condition()) {
    if (deadline.aborted) throw new Error("it never came true");
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

Deno.test("a wallet that another verb holds is told of by verbs, and by a node that starts all the same", async () => {
  await using bench = await Bench.open();
  const net = await bench.devnet();
  const ann = walletAt(bench.path("ann"));
  await ann.ok("mints", "add", net.mints[0]!.url, "--trusted");
  const funding = bench.spawn("wallet", "fund", "100", ...ann.data);
  const { invoice } = await funding.waitFor((line) => line.event === "invoice");
  const refused = await ann.failed(1, "balance");
  assert.equal(refused.code, "locked");
  assert.match(String(refused.message), /is using it/);
  await bench.node("ann");
  const { problems } = await ok("status", ...ann.data);
  assert.match(String(problems), /the wallet does not open/);
  await ok("devnet", "pay", String(invoice), "--data", net.directory);
  assert.equal((await funding.result()).code, 0);
  assert.equal(await ann.total(), 100);
  assert.deepEqual((await ok("status", ...ann.data)).problems, []);
});

Deno.test("a node that was killed while Lightning had its payment ends it by itself when it is started again", async () => {
  await using bench = await Bench.open();
  const net = await bench.devnet(100);
  const [a] = net.mints as [Devnet["mints"][number]];
  const first = await bench.node("ann", "--mint", a.url);
  const ann = walletAt(bench.path("ann"));
  await waitFor(async () => (await ann.all("mints")).length === 1);
  await fund(bench, net, ann, 500);
  const bill = String((await ok("devnet", "invoice", "100", "--data", net.directory)).invoice);
  await post(`${net.lightning}/script`, { match: { from: "A" }, action: "hold" });
  const paying = bench.spawn("wallet", "pay", bill, "--yes", ...ann.data);
  const { paymentHash } = await heldPayment(net);
  await first.process.kill();
  const cut = await paying.result();
  assert.deepEqual([cut.code, cut.lines.at(-1)?.code], [1, "reset"]);
  await post(`${net.lightning}/settle`, { paymentHash });
  await bench.node("ann", "--mint", a.url);
  await waitFor(async () => (await ann.all("pending")).length === 0);
  const [paid] = await ann.all("history", "--limit", "1");
  assert.deepEqual([paid?.kind, paid?.status, paid?.amountSat], ["melt", "done", 100]);
  assert.equal(await ann.total(), 500 - 100 - Number(paid?.feeSat));
  await assertBooks(net, [ann]);
  const again = await ann.failed(1, "pay", bill, "--yes");
  assert.equal(again.event, "error");
});

async function heldPayment(net: Devnet): Promise<JsonLine> {
  let held: JsonLine | undefined;
  await waitFor(async () => {
    const { payments } = await (await fetch(`${net.lightning}/payments`)).json();
    held = (payments as JsonLine[]).find((payment) => payment.state === "pending");
    return held !== undefined;
  });
  return held!;
}

async function post(url: string, body: object): Promise<void> {
  const response = await fetch(url, { method: "POST", body: JSON.stringify(body) });
  assert.ok(response.ok, await response.text());
}

Deno.test("wallet verbs refuse what is wrong before anything happens, and say what to do", async () => {
  await using bench = await Bench.open();
  const ann = walletAt(bench.path("ann"));
  const why = async (code: number, ...args: string[]) =>
    String((await ann.failed(code, ...args)).message);
  for (const amount of ["0", "1.5", "-3", "ten", "21 msat", "99999999999999999999"]) {
    assert.match(
      await why(2, "fund", amount),
      /whole number|at least 1 sat|too much|more than|no flag/,
    );
  }
  assert.match(await why(2, "send", "5"), /say --yes/);
  assert.match(await why(2, "withdraw", "nobody", "5", "-y"), /Lightning address/);
  assert.match(await why(2, "pay", "lnbc1x", "-y"), /begins with lnbc/);
  assert.match(await why(2, "swap", "5", "-y"), /--from URL and --to URL/);
  assert.match(await why(2, "mints", "add", "http://mint.example", "--trusted"), /neither https/);
  assert.match(await why(2, "mints", "add", "https://mint.example"), /--trusted .* or --accepted/);
  assert.match(await why(1, "mints", "add", "https://10.0.0.7", "--trusted"), /private network/);
  assert.match(await why(1, "mints", "remove", "https://mint.example"), /not listed/);
  assert.match(await why(2, "fund", "5"), /no trusted mint/);
  assert.match(await why(1, "fund", "5", "--mint", "https://mint.example"), /not listed/);
  assert.match(await why(2, "receive", "cashuBnonsense"), /token cannot be read|Cannot read/);
  assert.match(await why(2, "receive", "nonsense"), /begins with cashuA or cashuB/);
  assert.match(await why(2, "send", "5", "-y", "--lock", "abc"), /66 hex digits/);
  assert.match(await why(2, "send", "5", "-y", "--locktime", "7d"), /without --lock/);
  assert.match(await why(2, "resume", "7"), /32 hex digits/);
  assert.match(await why(1, "token", "0".repeat(32)), /No send operation/);
  assert.match(await why(2, "history", "--limit", "0"), /from 1 to/);
  assert.match(await why(2, "plan", "5"), /--mint/);
  assert.match(await why(2, "prepare-payment", "--price", "5"), /--mint URL/);
  assert.match(await why(1, "restore", bench.path("nothing")), /no such file/);
  const seen = JSON.stringify(await ann.failed(2, "receive", `cashuB${"A".repeat(300)}`));
  assert.ok(!seen.includes("AAAAAAAAAA"));
});
