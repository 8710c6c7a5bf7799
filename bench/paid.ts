/**
 * A paid fetch beside the same fetch free: 1 GiB from page cache to disk over loopback, seller, buyer
 * and mint each a process of its own, in one run. Paid twice: with the strip of top-ups made before the
 * clock starts, and made after. Each fetch has a new buyer, so that none has credit of the one before.
 *
 *     deno run -A bench/paid.ts [--mib 1024] [--runs 5] [--price 2000] [--direct] [--verbose]
 */
import { parseArgs } from "node:util";
import { HttpLightning } from "../devnet/lightning/client.ts";
import type { PaymentTerms } from "../swarm/ports.ts";
import { PeerProcess } from "./fetch/child.ts";
import type { Command } from "./paid/peer.ts";
import { service } from "./paid/services.ts";

const MIB = 2 ** 20;
/** What each buyer fetches first, free, so that code is compiled and the connection is open. */
const WARM_MIB = 64;
/** How long the seller may take to redeem what it was paid. */
const REDEEM_MS_MAX = 120_000;

const { values } = parseArgs({
  options: {
    mib: { type: "string", default: "1024" },
    runs: { type: "string", default: "5" },
    price: { type: "string", default: "2000" },
    direct: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
    directory: { type: "string" },
  },
});
const sizeBytes = Number(values.mib) * MIB;
const runCount = Number(values.runs);
const msatPerMiB = Number(values.price);
const fundedSat = Math.ceil(sizeBytes / MIB * msatPerMiB / 1000 * 1.5) + 1000;

/** How a fetch is paid for. */
const WAYS = ["free", "strip before", "strip after"] as const;
type Way = typeof WAYS[number];

interface Fetched {
  readonly ms: number;
  readonly firstMs: number;
  readonly paidSat: number;
}

function say(name: string, what: string): void {
  console.log(`${name.padEnd(22)} ${what}`);
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;
}

async function makeFile(path: string, bytes: number): Promise<string> {
  const piece = new Uint8Array(MIB);
  for (let at = 0; at < piece.length; at += 65_536) {
    crypto.getRandomValues(piece.subarray(at, at + 65_536));
  }
  using file = await Deno.open(path, { write: true, create: true });
  for (let done = 0; done < bytes; done += piece.length) {
    new DataView(piece.buffer).setUint32(0, done / piece.length);
    await file.write(piece.subarray(0, Math.min(piece.length, bytes - done)));
  }
  return path;
}

/** A new peer with a wallet that trusts the mint. */
async function startPeer(directory: string, mint: string): Promise<PeerProcess<Command>> {
  const script = new URL("paid/peer.ts", import.meta.url);
  const peer = await PeerProcess.start<Command>(directory, [], script);
  await peer.tell({ do: "wallet", mint });
  return peer;
}

interface Market {
  readonly directory: string;
  readonly mint: string;
  readonly lightning: HttpLightning;
  readonly seller: PeerProcess<Command>;
  readonly address: string;
  readonly film: string;
  readonly warm: string;
}

async function openMarket(directory: string, stack: AsyncDisposableStack): Promise<Market> {
  const lightning = stack.use(await service("lightning", ["--data", `${directory}/lightning`]));
  const mint = stack.use(
    await service("mint", [
      "--name",
      "M",
      "--lightning",
      lightning.url,
      "--data",
      `${directory}/mint`,
    ]),
  );
  const seller = stack.use(await startPeer(`${directory}/seller`, mint.url));
  const files = [
    await makeFile(`${directory}/film`, sizeBytes),
    await makeFile(`${directory}/warm`, WARM_MIB * MIB),
  ];
  const { address, hashes } = await seller.tell({ do: "serve", files, direct: values.direct });
  const [film, warm] = hashes as [string, string];
  const network = new HttpLightning(lightning.url);
  return { directory, mint: mint.url, lightning: network, seller, address, film, warm };
}

async function fund({ mint, lightning }: Market, buyer: PeerProcess<Command>): Promise<void> {
  const { id, invoice } = await buyer.tell({ do: "invoice", mint, sat: fundedSat });
  await lightning.pay({ bolt11: invoice, from: "outside", maxFeeMsat: 1_000_000n });
  const { status } = await buyer.tell({ do: "funded", id });
  if (status !== "done") throw new Error(`The buyer was not funded: ${status}`);
}

/** One fetch by a new buyer. */
async function fetchOnce(market: Market, way: Way, round: number): Promise<Fetched> {
  const { directory, seller, address, film, warm, mint } = market;
  const { terms } = await seller.tell({
    do: "price",
    hash: film,
    msatPerMiB: way === "free" ? 0 : msatPerMiB,
  }) as { terms: PaymentTerms | null };
  const folder = `${directory}/buyer-${round}-${WAYS.indexOf(way)}`;
  try {
    await using buyer = await startPeer(folder, mint);
    await fund(market, buyer);
    const common = { from: address, direct: values.direct };
    await buyer.tell({ do: "fetch", hash: warm, bytes: WARM_MIB * MIB, ...common });
    const priced = terms === null ? {} : { terms };
    if (way === "strip before" && terms !== null) {
      const peerId = address.split("/p2p/")[1]!;
      await buyer.tell({ do: "strip", hash: film, bytes: sizeBytes, peerId, terms });
    }
    await new Deno.Command("sync").output();
    const done = await buyer.tell({
      do: "fetch",
      hash: film,
      bytes: sizeBytes,
      ...common,
      ...priced,
    });
    if (done.failures.length > 0) console.error(done.failures);
    return done;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function redeemed({ seller }: Market): Promise<void> {
  const deadlineMs = performance.now() + REDEEM_MS_MAX;
  for (;;) {
    const now = await seller.tell({ do: "earned" });
    if (now.provisionalSat === 0 || performance.now() > deadlineMs) {
      const { creditedCount, swapCount, provisionalSat } = now;
      const left = provisionalSat === 0 ? "" : `, ${provisionalSat} sat not redeemed yet`;
      say(
        "redemptions",
        `${swapCount} transactions for ${creditedCount} payments: ` +
          `${(100 * swapCount / Math.max(1, creditedCount)).toFixed(1)} in 100${left}`,
      );
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

const scratch = await Deno.makeTempDir({
  prefix: "seedmint-paid-",
  ...(values.directory === undefined ? {} : { dir: values.directory }),
});
const resources = new AsyncDisposableStack();
try {
  const market = await openMarket(scratch, resources);
  const all = new Map<Way, Fetched[]>(WAYS.map((way) => [way, []]));
  // The first round warms caches and compilers and is not counted.
  for (let round = -1; round < runCount; round++) {
    for (const way of WAYS) {
      const done = await fetchOnce(market, way, round + 1);
      if (values.verbose) console.log(way, Math.round(done.ms), done.firstMs.toFixed(1));
      if (round >= 0) all.get(way)!.push(done);
    }
  }
  const freeMs = median(all.get("free")!.map((done) => done.ms));
  const freeFirstMs = median(all.get("free")!.map((done) => done.firstMs));
  for (const way of WAYS) {
    const done = all.get(way)!;
    const ms = median(done.map((one) => one.ms));
    const firstMs = median(done.map((one) => one.firstMs));
    const paid = way === "free" ? "" : `  ${median(done.map((one) => one.paidSat))} sat`;
    say(
      way === "free" ? way : `paid, ${way}`,
      `${(sizeBytes / 1e3 / ms).toFixed(0).padStart(5)} MB/s  ${
        (freeMs / ms).toFixed(2)
      } x free  first byte ${firstMs.toFixed(1)} ms (${
        (firstMs - freeFirstMs).toFixed(1)
      } ms after free)${paid}`,
    );
  }
  await redeemed(market);
} finally {
  await resources.disposeAsync();
  await Deno.remove(scratch, { recursive: true });
}
Deno.exit(0);
