/**
 * Paid blobs with real processes: nodes that sell, verbs that buy, mints and Lightning of the
 * development network. What each side says of money is compared with the other's word.
 */
import assert from "node:assert/strict";
import {
  type ChildProcess,
  type JsonLine,
  runVerb,
  type VerbResult,
} from "../../devnet/processes.ts";
import { ReceiptStore, verifyReceipt } from "../../trust/mod.ts";
import { Bench, type Devnet, fundWallet, lastOf, metricsOf, ok, testBytes } from "./support.ts";

const MIB = 2 ** 20;
const TOP_UP_SAT = 16;
/** A payment may be larger than the least: the fee of redeeming it comes on top. */
const PAYMENT_SAT_MAX = TOP_UP_SAT + 2;

interface Payment {
  readonly peerId: string;
  readonly mint: string;
  readonly priceMsatPerMiB: number;
  readonly paidSat: number;
  readonly feeSat: number;
  readonly usedMsat: number;
}

interface Shop {
  readonly name: string;
  readonly data: readonly string[];
  readonly peerId: string;
  readonly address: string;
  /** URLs of its HTTP gateway. */
  readonly gateways: readonly string[];
  process: ChildProcess;
}

/** A market: mints, a relay is not needed, for buyers are told the seller's address. */
interface Market {
  readonly bench: Bench;
  readonly net: Devnet;
  readonly mints: readonly string[];
}

async function openMarket(bench: Bench, mintCount = 2): Promise<Market> {
  const net = await bench.devnet(100, mintCount);
  return { bench, net, mints: net.mints.map((mint) => mint.url) };
}

async function openShop(
  { bench }: Market,
  options: {
    readonly name: string;
    readonly mint: string;
    readonly price: number;
    readonly flags?: readonly string[];
  },
): Promise<Shop> {
  const { name, mint, price, flags = [] } = options;
  const { process, ready } = await bench.node(name, "--mint", mint, ...flags);
  const data = ["--data", bench.path(name)];
  const shop = {
    ...{ name, data, process },
    peerId: String(ready.peerId),
    address: (ready.addresses as string[])[0]!,
    gateways: ready.gateways as string[],
  };
  await waitFor(async () => (await runVerb("wallet", "mints", ...data)).lines.length === 1);
  await setPrice(shop, price);
  return shop;
}

async function setPrice({ data }: Shop, price: number): Promise<void> {
  const least = ["--min-top-up", String(TOP_UP_SAT)];
  const service = await ok("services", "set", "default", String(price), ...least, ...data);
  assert.deepEqual([service.enabled, service.priceMsatPerMiB], [true, price]);
}

async function seed({ data }: Shop, path: string): Promise<string> {
  return String((await ok("add", "--in-place", path, ...data)).hash);
}

/** A wallet that trusts all mints and holds ecash of one. */
async function openBuyer(
  { bench, net, mints }: Market,
  options: { readonly name: string; readonly sat: number; readonly mint: string },
): Promise<readonly string[]> {
  const { name, sat, mint } = options;
  const data = bench.path(name);
  await Deno.mkdir(data, { mode: 0o700 });
  await Deno.writeTextFile(`${data}/seedmint.toml`, `mint = ${JSON.stringify(mints)}\n`);
  await fundWallet(bench, net, { data, sat, mint });
  return ["--data", data, "--no-mdns"];
}

function getArgs(hash: string, shop: Shop, more: readonly string[]): string[] {
  return ["get", hash, "--peer", shop.address, ...more];
}

async function get(hash: string, shop: Shop, ...more: string[]): Promise<JsonLine> {
  return lastOf(0, await runVerb(...getArgs(hash, shop, more)), "get");
}

function paymentsOf(done: JsonLine): readonly Payment[] {
  return done.payments as readonly Payment[];
}

function sum(payments: readonly Payment[], of: (one: Payment) => number): number {
  return payments.reduce((all, one) => all + of(one), 0);
}

/** What content that costs so much takes at most: two payments may be ahead of what is verified. */
function mostSat(costSat: number): number {
  return (Math.ceil(costSat / TOP_UP_SAT) + 2) * PAYMENT_SAT_MAX;
}

/** As much as wanted, or up to a hundredth more: some groups are asked for, and sent, twice. */
function isAbout(found: number, wanted: number): boolean {
  return found >= wanted && found <= wanted * 1.01;
}

async function totalsOf({ data }: Shop): Promise<Readonly<Record<string, number>>> {
  const report = await ok("earnings", "--by", "peer", ...data);
  return report.total as Readonly<Record<string, number>>;
}

async function balanceOf(data: readonly string[]): Promise<number> {
  return Number((await ok("wallet", "balance", ...data.slice(0, 2))).totalSat);
}

async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  const deadline = AbortSignal.timeout(20_000);
  while (!await condition()) {
    if (deadline.aborted) throw new Error("it never came true");
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Serves one file, as an origin does. */
function openOrigin(bytes: Uint8Array<ArrayBuffer>): { readonly url: string } & AsyncDisposable {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response(bytes, { headers: { "content-length": String(bytes.length) } }),
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}/film`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function isFailedByMoney(done: JsonLine): boolean {
  return (done.failures as readonly JsonLine[]).some(({ code }) => code === "payment-required");
}

Deno.test("a paid fetch: the buyer swaps, pays and verifies, and the seller earned what it paid", async () => {
  await using bench = await Bench.open();
  const market = await openMarket(bench);
  const [a, b] = market.mints as [string, string];
  const film = testBytes(48 * MIB);
  const path = bench.path("film");
  await Deno.writeFile(path, film);
  const flags = ["--log-level", "debug"];
  const shop = await openShop(market, { name: "shop", mint: a, price: 2000, flags });
  const hash = await seed(shop, path);
  const ben = await openBuyer(market, { name: "ben", sat: 400, mint: b });

  const refused = await runVerb(...getArgs(hash, shop, ["--no-pay", ...ben]));
  assert.equal(refused.code, 1);
  assert.match(String(refused.lines.at(-1)?.message), /2000 msat/);
  const tooDear = await runVerb(...getArgs(hash, shop, ["--price-max", "1999", ...ben]));
  assert.equal(tooDear.code, 1);
  assert.equal(await balanceOf(ben), 400, "nothing was spent");

  const output = bench.path("out");
  const done = await get(hash, shop, "-o", output, ...ben);
  assert.deepEqual(await Deno.readFile(output), film);
  const [payment, ...others] = paymentsOf(done);
  assert.deepEqual(others, []);
  assert.deepEqual([payment!.peerId, payment!.mint, payment!.priceMsatPerMiB], [
    shop.peerId,
    a,
    2000,
  ]);
  const costMsat = 48 * 2000;
  assert.ok(isAbout(payment!.usedMsat, costMsat), `used ${payment!.usedMsat}`);
  assert.ok(payment!.paidSat * 1000 >= costMsat && payment!.paidSat <= mostSat(96));
  assert.ok(payment!.feeSat <= 40, `fees ${payment!.feeSat}`);

  const earned = await totalsOf(shop);
  assert.ok(isAbout(earned.soldBytes!, film.length), `sold ${earned.soldBytes}`);
  assert.ok(isAbout(earned.earnedMsat!, costMsat), `earned ${earned.earnedMsat}`);
  assert.ok(earned.earnedMsat! >= payment!.usedMsat);
  const incomeSat = earned.provisionalSat! + earned.redeemedSat!;
  assert.ok(incomeSat <= payment!.paidSat && incomeSat >= costMsat / 1000, `${incomeSat}`);
  const byContent = await ok("earnings", "--by", "content", ...shop.data);
  assert.deepEqual((byContent.rows as JsonLine[]).map(({ key }) => key), [hash]);
  const ls = await ok("ls", ...shop.data);
  assert.equal(ls.priceMsatPerMiB, 2000);
  const status = await ok("status", ...shop.data);
  assert.equal((status.selling as JsonLine).pricedCount, 1);
  assert.deepEqual((await ok("wallet", "audit", ...ben.slice(0, 2))).problems, []);
  assert.deepEqual((await ok("wallet", "audit", ...shop.data)).problems, []);
  const metrics = await metricsOf(bench.path("shop"));
  assert.match(metrics, new RegExp(`seedmint_sold_bytes_total ${earned.soldBytes}\\b`));
  assert.match(metrics, /seedmint_payments_total\{answer="credited",code=""\} [1-9]/);
  assert.match(metrics, /seedmint_income_sat\{mint="127\.0\.0\.1:\d+",state="provisional"\}/);
  for (const text of [metrics, shop.process.stderr]) assert.doesNotMatch(text, /cashu[AB]|creq/i);
  await shop.process.stop();
  assertReceipt(bench.path("shop"), { role: "provider", root: hash, bytes: earned.soldBytes! });
  assertReceipt(bench.path("ben"), { role: "consumer", root: hash, bytes: earned.soldBytes! });
});

/** One receipt that both signed, for about so many bytes. */
function assertReceipt(
  data: string,
  wanted: { readonly role: string; readonly root: string; readonly bytes: number },
): void {
  using store = ReceiptStore.open(`${data}/receipts.sqlite`);
  const [kept, ...others] = store.list();
  assert.deepEqual(others, []);
  assert.deepEqual([kept?.role, kept?.root], [wanted.role, wanted.root]);
  const { receipt } = kept!.signed;
  assert.ok(receipt.bytes > 0 && receipt.bytes <= wanted.bytes, `${receipt.bytes}`);
  assert.ok(receipt.payments.length > 0 && verifyReceipt(kept!.signed, "both"));
}

Deno.test("without money, or when it may not be spent, the origin serves, and get says why", async () => {
  await using bench = await Bench.open();
  const market = await openMarket(bench);
  const [a] = market.mints as [string];
  const film = testBytes(8 * MIB, 2);
  const path = bench.path("film");
  await Deno.writeFile(path, film);
  await using origin = openOrigin(film);
  const shop = await openShop(market, { name: "shop", mint: a, price: 2000 });
  const hash = await seed(shop, path);
  const poor = ["--data", bench.path("poor"), "--no-mdns"];
  const behind = ["--origin", origin.url];
  const noPay = await get(hash, shop, "--no-pay", ...behind, ...poor);
  assert.ok(isFailedByMoney(noPay), JSON.stringify(noPay));
  assert.deepEqual([noPay.payments, (noPay.sources as JsonLine[])[0]!.kind], [[], "origin"]);
  const other = ["--data", bench.path("other"), "--no-mdns"];
  const noWallet = await get(hash, shop, ...behind, ...other);
  assert.ok(isFailedByMoney(noWallet), JSON.stringify(noWallet));
  assert.match(JSON.stringify(noWallet.failures), /no wallet/);
  assert.match(String(noWallet.originReason), /./);

  // The mint goes away: what costs something comes from the origin, what is free still from the shop.
  const ben = await openBuyer(market, { name: "ben", sat: 100, mint: a });
  const free = bench.path("free");
  await Deno.writeFile(free, testBytes(MIB, 3));
  const freeHash = await seed(shop, free);
  await ok("services", "set", freeHash, "0", ...shop.data);
  await admin(market, 0, "offline", true);
  const offline = await get(hash, shop, ...behind, ...ben);
  assert.ok(isFailedByMoney(offline), JSON.stringify(offline));
  assert.equal(paymentsOf(offline).length, 0);
  const gift = await get(freeHash, shop, ...ben);
  assert.deepEqual((gift.sources as JsonLine[]).map(({ id }) => id), [shop.peerId]);
  await shop.process.stop();
  const again = await bench.node("shop", "--mint", a);
  const address = (again.ready.addresses as string[])[0]!;
  const late = { ...shop, address };
  const third = ["--data", bench.path("third"), "--no-mdns"];
  assert.equal(
    (await get(freeHash, late, ...third)).size,
    MIB,
    "also after a start without the mint",
  );
  const stillPriced = await runVerb(...getArgs(hash, late, ["--no-pay", ...third]));
  assert.equal(stillPriced.code, 1);
});

async function admin(market: Market, index: number, name: string, value: unknown): Promise<void> {
  const { adminUrl } = market.net.mints[index]!;
  const response = await fetch(`${adminUrl}/admin/${name}`, {
    method: "POST",
    body: JSON.stringify([value]),
  });
  assert.ok(response.ok, await response.text());
}

Deno.test("a seller that was killed while it sold charges nothing twice when it is back", async () => {
  await using bench = await Bench.open();
  const market = await openMarket(bench);
  const [a] = market.mints as [string];
  const film = testBytes(48 * MIB, 4);
  const path = bench.path("film");
  await Deno.writeFile(path, film);
  const rate = ["--upload-rate", String(12 * MIB)];
  const shop = await openShop(market, { name: "shop", mint: a, price: 2000, flags: rate });
  const hash = await seed(shop, path);
  const ben = await openBuyer(market, { name: "ben", sat: 400, mint: a });
  const first = bench.spawn(...getArgs(hash, shop, [...ben]));
  await first.waitFor((line) => line.event === "progress" && Number(line.bytes) > 16 * MIB);
  await shop.process.kill();
  const broken = await first.result();
  assert.equal(broken.code, 1);
  const told = /(\d+) sat were paid/.exec(String(broken.lines.at(-1)?.message));
  const firstSat = Number(told?.[1]);
  assert.ok(firstSat > 0, JSON.stringify(broken.lines.at(-1)));

  const { ready } = await bench.node("shop", "--mint", a, ...rate);
  const back = { ...shop, address: (ready.addresses as string[])[0]! };
  const output = bench.path("out");
  const done = await get(hash, back, "-o", output, ...ben);
  assert.deepEqual(await Deno.readFile(output), film);
  const keptBytes = (done.sources as JsonLine[]).find(({ kind }) => kind === "store")?.bytes ?? 0;
  assert.ok(Number(keptBytes) > 8 * MIB, `kept ${keptBytes}`);
  const spentSat = firstSat + sum(paymentsOf(done), (one) => one.paidSat);
  // Two payments that were not used up, and a slice that the crash cost.
  const most = mostSat(96) + PAYMENT_SAT_MAX;
  assert.ok(spentSat <= most, `spent ${spentSat}, at most ${most}`);
  const earned = await totalsOf(back);
  assert.ok(earned.provisionalSat! + earned.redeemedSat! <= spentSat);
  assert.deepEqual((await ok("wallet", "audit", ...back.data)).problems, []);
});

Deno.test("a price that rises in the middle is not paid above price-max, and the origin brings the rest", async () => {
  await using bench = await Bench.open();
  const market = await openMarket(bench);
  const [a] = market.mints as [string];
  const film = testBytes(32 * MIB, 5);
  const path = bench.path("film");
  await Deno.writeFile(path, film);
  await using origin = openOrigin(film);
  const rate = ["--upload-rate", String(6 * MIB)];
  const shop = await openShop(market, { name: "shop", mint: a, price: 2000, flags: rate });
  const hash = await seed(shop, path);
  const ben = await openBuyer(market, { name: "ben", sat: 400, mint: a });
  const output = bench.path("out");
  const more = ["-o", output, "--origin", origin.url, "--origin-floor", "0", ...ben];
  const getting = bench.spawn(...getArgs(hash, shop, more));
  await getting.waitFor((line) => line.event === "progress" && Number(line.bytes) > 6 * MIB);
  await setPrice(shop, 9000);
  const done = lastOf(0, await getting.result() as VerbResult, "get");
  assert.deepEqual(await Deno.readFile(output), film);
  const payments = paymentsOf(done);
  assert.ok(payments.every((one) => one.priceMsatPerMiB <= 2000), JSON.stringify(payments));
  const paidSat = sum(payments, (one) => one.paidSat);
  assert.ok(paidSat > 0 && paidSat <= mostSat(64), `paid ${paidSat}`);
  assert.deepEqual((await ok("wallet", "audit", ...ben.slice(0, 2))).problems, []);
});

Deno.test("an origin that asks ecash is paid as a peer is, when it is another node's HTTP gateway", async () => {
  await using bench = await Bench.open();
  const market = await openMarket(bench);
  const [a] = market.mints as [string];
  const film = testBytes(4 * MIB, 7);
  const path = bench.path("film");
  await Deno.writeFile(path, film);
  const gateway = ["--gateway-listen", "127.0.0.1:0"];
  const shop = await openShop(market, { name: "shop", mint: a, price: 2000, flags: gateway });
  const hash = await seed(shop, path);
  const url = `${shop.gateways[0]}/blob/${hash}`;
  const asked = await fetch(url);
  assert.equal(asked.status, 402);
  assert.match(asked.headers.get("x-cashu") ?? "", /^creq/i);
  await asked.body?.cancel();
  const ben = await openBuyer(market, { name: "ben", sat: 100, mint: a });
  const output = bench.path("out");
  const done = lastOf(0, await runVerb("get", hash, "--origin", url, "-o", output, ...ben), "get");
  assert.deepEqual(await Deno.readFile(output), film);
  assert.ok(sum(paymentsOf(done), (one) => one.paidSat) >= 8, JSON.stringify(done.payments));
  const earned = await totalsOf(shop);
  assert.ok(isAbout(earned.soldBytes!, film.length), `sold ${earned.soldBytes}`);
  const poor = ["--data", bench.path("poor"), "--no-mdns", "--no-pay"];
  const refused = await runVerb("get", hash, "--origin", url, ...poor);
  assert.equal(refused.code, 1);
  assert.match(String(refused.lines.at(-1)?.message), /402|price|pay/);
});

Deno.test("two sellers at two mints are paid out of ecash of a third, and the fleet pays nothing", async () => {
  await using bench = await Bench.open();
  const market = await openMarket(bench, 3);
  const [a, b, c] = market.mints as [string, string, string];
  const film = testBytes(48 * MIB, 6);
  const path = bench.path("film");
  await Deno.writeFile(path, film);
  const rate = ["--upload-rate", String(10 * MIB)];
  const friend = await ok("status", "--data", bench.path("friend"));
  const fleet = ["--fleet", String(friend.peerId)];
  const [one, two] = await Promise.all([
    openShop(market, { name: "one", mint: a, price: 1500, flags: [...rate, ...fleet] }),
    openShop(market, { name: "two", mint: b, price: 1000, flags: rate }),
  ]);
  const hash = await seed(one, path);
  assert.equal(await seed(two, path), hash);
  const ben = await openBuyer(market, { name: "ben", sat: 500, mint: c });
  const output = bench.path("out");
  const more = ["--peer", two.address, "--fastest", "-o", output, ...ben];
  const { ticket } = await ok("ticket", hash, ...one.data);
  const done = await get(String(ticket), one, ...more);
  assert.deepEqual(await Deno.readFile(output), film);
  const payments = paymentsOf(done);
  const pairs = payments.map(({ peerId, mint }) => `${peerId} ${mint}`).sort();
  assert.deepEqual(pairs, [`${one.peerId} ${a}`, `${two.peerId} ${b}`].sort());
  for (const shop of [one, two]) {
    const payment = payments.find(({ peerId }) => peerId === shop.peerId)!;
    const earned = await totalsOf(shop);
    assert.ok(earned.earnedMsat! >= payment.usedMsat);
    assert.ok(earned.earnedMsat! <= payment.paidSat * 1000);
  }
  const gift = await get(hash, one, "--data", bench.path("friend"), "--no-mdns");
  assert.deepEqual([gift.payments, gift.size], [[], film.length]);
  await assertBooks(market, [one.data, two.data, ben.slice(0, 2)]);
});

/** What the mints owe is what the wallets hold, have given away, and have not redeemed yet. */
async function assertBooks(market: Market, wallets: readonly (readonly string[])[]): Promise<void> {
  const reports = await Promise.all(wallets.map((data) => ok("wallet", "balance", ...data)));
  for (const { url, adminUrl } of market.net.mints) {
    const { result } = await (await fetch(`${adminUrl}/admin/books`)).json();
    assert.equal(result.isBalanced, true);
    const held = reports.flatMap((report) => report.mints as JsonLine[])
      .filter((line) => line.mint === url)
      .reduce(
        (all, line) =>
          all + Number(line.freeSat) + Number(line.reservedSat) + Number(line.outgoingSat),
        0,
      );
    // Payments count at the seller as incoming while they count at the buyer as outgoing.
    assert.ok(result.outstanding <= held, `${url}: ${result.outstanding} owed, ${held} held`);
  }
}
