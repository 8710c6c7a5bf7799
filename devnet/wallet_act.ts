/**
 * The act about money: a bill priced at one mint is paid from another, the wallet is killed while
 * Lightning has the payment in its hands, and afterwards nobody's books miss a sat.
 */
import { join } from "node:path";
import type { ActResult } from "./acts.ts";
import type { JsonLine } from "./processes.ts";
import type { Devnet, World } from "./world.ts";

const FUNDED_SAT = 1000;
const PRICE_SAT = 400;
/** What the payee's program calls the bill: with the same name it is never paid twice. */
const PAYMENT = "demo-bill";
/** The Lightning node of the mint that pays. */
const PAYING_NODE = "A";
const WAIT_MS_MAX = 20_000;
const LOOK_MS = 50;

/** Pays a bill, killed in the middle. */
export async function wallet(world: World): Promise<ActResult> {
  const net = await world.devnet();
  const mints = net.mints.slice(0, 2) as [Devnet["mints"][0], Devnet["mints"][0]];
  const [a, b] = mints;
  const payer = await walletThatTrusts(join(world.directory, "payer"), [a.url, b.url]);
  const payee = await walletThatTrusts(join(world.directory, "payee"), [b.url]);
  const [key] = await Promise.all([
    world.verb("wallet", "key", ...payee),
    fund(world, net, FUNDED_SAT, [...payer, "--mint", a.url]),
  ]);
  const { publicKey } = last(key);
  const bill = [
    ...["--price", String(PRICE_SAT), "--mint", b.url, "--lock", String(publicKey)],
    ...["--id", PAYMENT, ...payer],
  ];
  const killedIn = await killWhilePaying(world, net, bill, payer);
  await world.verb("wallet", "resume", ...payer);
  const paid = last(await world.verb("wallet", "prepare-payment", ...bill));
  const again = last(await world.verb("wallet", "prepare-payment", ...bill));
  if (paid.status !== "ready") throw new Error(`the wallet declined: ${paid.reason}`);
  const received = await world.feed(String(paid.token), "wallet", "receive", ...payee);
  await world.verb("wallet", "resume", ...payer);
  const books = await booksOf(world, { ...net, mints }, { payer, payee });
  const paidOnce = again.token === paid.token && books.paymentCount === 1;
  return {
    ok: books.agree && paidOnce && Number(received.receivedSat) > 0 && killedIn !== "",
    text: `a wallet was killed while its swap was ${killedIn}, went on, and paid its bill once: ` +
      `${PRICE_SAT} sat at mint B, from mint A, for ${
        Number(paid.costSat) - PRICE_SAT
      } sat of fees`,
    lines: books.lines,
    figures: { killedIn, receivedSat: received.receivedSat, paidOnce, ...books.figures },
  };
}

/** Settings of a wallet, and the flags that lead to it. */
export async function walletThatTrusts(data: string, mints: readonly string[]): Promise<string[]> {
  await Deno.mkdir(data, { mode: 0o700 });
  await Deno.writeTextFile(join(data, "seedmint.toml"), `mint = ${JSON.stringify(mints)}\n`);
  return ["--data", data];
}

/** An invoice of the wallet, paid by a wallet that is nobody's here. */
export async function fund(
  world: World,
  net: Devnet,
  sat: number,
  args: readonly string[],
): Promise<void> {
  const funding = world.start("wallet", "fund", String(sat), ...args);
  const { invoice } = await funding.waitFor((line) => line.event === "invoice");
  await world.verb("devnet", "pay", String(invoice), "--data", net.directory);
  const { code, stderr } = await funding.result();
  if (code !== 0) throw new Error(`wallet fund failed: ${stderr}`);
}

/** Kills the payer once Lightning holds its payment. @returns The state that its journal is left in. */
async function killWhilePaying(
  world: World,
  net: Devnet,
  bill: readonly string[],
  payer: readonly string[],
): Promise<string> {
  await post(`${net.lightning}/script`, { match: { from: PAYING_NODE }, action: "hold" });
  const paying = world.start("wallet", "prepare-payment", ...bill);
  const paymentHash = await heldPayment(net);
  await paying.kill();
  const { lines } = await world.verb("wallet", "pending", ...payer);
  await post(`${net.lightning}/settle`, { paymentHash });
  return String(lines.find((line) => line.kind === "swap")?.state ?? "");
}

async function heldPayment(net: Devnet): Promise<string> {
  const deadline = AbortSignal.timeout(WAIT_MS_MAX);
  while (!deadline.aborted) {
    const held = (await paymentsOf(net)).find((payment) => payment.state === "pending");
    if (held !== undefined) return String(held.paymentHash);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  throw new Error("The wallet never paid");
}

async function paymentsOf(net: Devnet): Promise<readonly JsonLine[]> {
  const { payments } = await (await fetch(`${net.lightning}/payments`)).json();
  return (payments as JsonLine[]).filter((payment) => payment.from === PAYING_NODE);
}

interface Wallets {
  readonly payer: readonly string[];
  readonly payee: readonly string[];
}

/** What both mints owe and what both wallets hold, side by side. */
async function booksOf(world: World, net: Devnet, wallets: Wallets) {
  const names = ["A", "B"];
  const mints = await Promise.all(net.mints.map(async ({ adminUrl }) => {
    const { result } = await (await fetch(`${adminUrl}/admin/books`)).json();
    return result as JsonLine;
  }));
  const held = await Promise.all(
    [wallets.payer, wallets.payee].map(async (data) => {
      const { mints } = last(await world.verb("wallet", "balance", ...data));
      return (url: string) => {
        const line = (mints as JsonLine[]).find((mint) => mint.mint === url) ?? {};
        return ["freeSat", "reservedSat", "outgoingSat", "incomingSat"]
          .reduce((sum, name) => sum + Number(line[name] ?? 0), 0);
      };
    }),
  );
  const audits = await Promise.all(
    [wallets.payer, wallets.payee].map(async (data) =>
      last(await world.verb("wallet", "audit", ...data))
    ),
  );
  const rows = net.mints.map(({ url }, index) => {
    const [payerSat, payeeSat] = held.map((sat) => sat(url)) as [number, number];
    const owedSat = Number(mints[index]!.outstanding);
    const agree = owedSat === payerSat + payeeSat && mints[index]!.isBalanced === true;
    return { mint: names[index]!, owedSat, payerSat, payeeSat, feesSat: mints[index]!.fees, agree };
  });
  const paymentCount = (await paymentsOf(net)).filter(({ state }) => state === "succeeded").length;
  const cell = (value: unknown) => `${value} sat`.padStart(10);
  return {
    agree: rows.every(({ agree }) => agree) && audits.every(({ ok }) => ok === true),
    paymentCount,
    figures: { books: rows, paymentCount },
    lines: [
      `BOOKS     ${["OWES", "PAYER HAS", "PAYEE HAS", "FEES"].map((t) => t.padStart(10)).join("")}`,
      ...rows.map(({ mint, owedSat, payerSat, payeeSat, feesSat, agree }) =>
        `mint ${mint}    ${[owedSat, payerSat, payeeSat, feesSat].map(cell).join("")}  ${
          agree ? "agrees to the sat" : "DOES NOT AGREE"
        }`
      ),
    ],
  };
}

function last({ lines }: { readonly lines: readonly JsonLine[] }): JsonLine {
  return lines.at(-1) ?? {};
}

async function post(url: string, body: object): Promise<void> {
  const response = await fetch(url, { method: "POST", body: JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} said ${response.status}: ${text}`);
}
