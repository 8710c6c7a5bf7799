/**
 * One peer of `bench/paid.ts` in a process of its own: a store on disk, a network, a wallet, and either
 * a seller or a buyer. Takes commands as JSON lines on stdin, answers each with one on stdout.
 */
import { join } from "node:path";
import { parseHash } from "../../src/core/hash.ts";
import { newSeedWords } from "../../src/core/keys.ts";
import { systemClock, systemRandom } from "../../src/host/system.ts";
import { fetchBlob } from "../../swarm/fetch/mod.ts";
import { startLibp2pNetwork } from "../../swarm/net/start.ts";
import type { Gate, PaymentTerms } from "../../swarm/ports.ts";
import { Provider } from "../../swarm/provider/mod.ts";
import { PeerSource } from "../../swarm/requester/mod.ts";
import { FileBlobStore } from "../../swarm/store/file_store.ts";
import { Wallet } from "../../wallet/wallet.ts";
import { TextLineStream } from "../fetch/lines.ts";

/** What a peer can be told. */
export type Command =
  | { readonly do: "wallet"; readonly mint: string }
  | { readonly do: "invoice"; readonly mint: string; readonly sat: number }
  | { readonly do: "funded"; readonly id: string }
  | { readonly do: "serve"; readonly files: readonly string[]; readonly direct: boolean }
  | { readonly do: "price"; readonly hash: string; readonly msatPerMiB: number }
  /** Makes the first strip of top-ups, as a node does that plans its payment while it dials. */
  | {
    readonly do: "strip";
    readonly hash: string;
    readonly bytes: number;
    readonly peerId: string;
    readonly terms: PaymentTerms;
  }
  | {
    readonly do: "fetch";
    readonly hash: string;
    readonly bytes: number;
    readonly from: string;
    readonly direct: boolean;
    /** As an advert names them; absent for a fetch that pays nothing. */
    readonly terms?: PaymentTerms;
  }
  | { readonly do: "earned" };

/** Far above what the bench pays. */
const PRICE_MAX = 10_000_000;
const BUDGET_SAT = 1_000_000;

const [directory] = Deno.args;
await Deno.mkdir(directory!, { recursive: true, mode: 0o700 });
const store = await FileBlobStore.open({
  directory: join(directory!, "store"),
  clock: systemClock,
});
const network = await startLibp2pNetwork({
  secretKey: systemRandom.bytes(32),
  listen: ["/ip4/127.0.0.1/tcp/0"],
  clock: systemClock,
  mdns: false,
});
let wallet: Wallet | undefined;
let swapCount = 0;
let creditedCount = 0;

function opened(): Wallet {
  if (wallet === undefined) throw new Error("No wallet was opened");
  return wallet;
}

/** `fetch`, which counts transactions at the mint. */
const counting: typeof fetch = async (input, init) => {
  const url = new URL(input instanceof Request ? input.url : input);
  if (url.pathname.endsWith("/v1/swap")) swapCount++;
  return await fetch(input, init);
};

async function openWallet(mint: string): Promise<void> {
  wallet = await Wallet.open({
    directory: join(directory!, "wallet"),
    seedWords: newSeedWords(),
    clock: systemClock,
    random: systemRandom,
    homeMint: mint,
    fetch: counting,
    budgets: {
      perSubjectMaxSat: BigInt(BUDGET_SAT),
      perPayeeMaxSat: BigInt(BUDGET_SAT),
      perDayMaxSat: BigInt(BUDGET_SAT),
    },
  });
  await wallet.addMint({ url: mint, trust: "trusted" });
}

async function serve(files: readonly string[], direct: boolean): Promise<object> {
  const seller = opened().seller();
  const gate: Gate = {
    isFree: (root) => seller.isFree(root),
    decide: (request) => seller.decide(request),
    pay: async (request, options) => {
      const answer = await seller.pay(request, options);
      if (answer.answer === "credited" && request.payment.token !== undefined) creditedCount++;
      return answer;
    },
    creditOf: (viewer) => seller.creditOf(viewer),
    openMeter: (request) => seller.openMeter(request),
  };
  await Provider.start({
    network,
    store,
    gate,
    clock: systemClock,
    random: systemRandom,
    ...(direct ? { direct: { hostname: "127.0.0.1", port: 0 } } : {}),
  });
  const hashes: string[] = [];
  for (const file of files) {
    hashes.push((await store.importFile(file, { mode: "in-place" })).hash);
  }
  return { address: network.addresses()[0], hashes };
}

function buyer() {
  return opened().buyer({ priceMaxMsatPerMiB: PRICE_MAX, maxFeeSat: BUDGET_SAT });
}

async function fetchOne(command: Extract<Command, { readonly do: "fetch" }>): Promise<object> {
  const { from, bytes, direct, terms } = command;
  const hash = parseHash(command.hash);
  const peerId = from.split("/p2p/")[1]!;
  await using source = new PeerSource({
    network,
    peer: { peerId, addrs: [from], ...(terms === undefined ? {} : { bound: true, ...terms }) },
    store,
    clock: systemClock,
    direct: direct ? {} : false,
    ...(terms === undefined ? {} : { pay: { payer: buyer(), subject: hash, bytesMax: bytes } }),
  });
  const sinceMs = systemClock.nowMs();
  let firstMs: number | undefined;
  const startMs = performance.now();
  const report = await fetchBlob({
    hash,
    store,
    sources: [source],
    clock: systemClock,
    random: systemRandom,
    onProgress: (now) => {
      if (now.bytes > 0) firstMs ??= performance.now() - startMs;
    },
  });
  const ms = performance.now() - startMs;
  const paid = terms === undefined ? [] : buyer().paidFor(hash, sinceMs);
  await store.remove(hash);
  return {
    ms,
    firstMs: firstMs ?? ms,
    paidSat: paid.reduce((sum, one) => sum + one.paidSat, 0),
    failures: report.failures,
  };
}

async function run(command: Command): Promise<object> {
  switch (command.do) {
    case "wallet":
      await openWallet(command.mint);
      return {};
    case "invoice": {
      const { operation, invoice } = await opened().fund({
        mint: command.mint,
        amountSat: command.sat,
      });
      return { id: operation.id, invoice };
    }
    case "funded":
      await opened().resume({ id: command.id });
      return await opened().wait(command.id);
    case "serve":
      return await serve(command.files, command.direct);
    case "price": {
      const hash = parseHash(command.hash);
      const id = `content:${hash}` as const;
      opened().seller().setService({ id, priceMsatPerMiB: command.msatPerMiB, enabled: true });
      return { terms: opened().seller().priceOf(hash) ?? null };
    }
    case "strip": {
      const answer = await buyer().open({
        peerId: command.peerId,
        subject: parseHash(command.hash),
        terms: command.terms,
        bytesMax: command.bytes,
      });
      if (answer.status === "declined") throw new Error(answer.reason);
      await using session = answer.session;
      const due = await session.next();
      if (due.due === "declined") throw new Error(due.reason);
      return {};
    }
    case "fetch":
      return await fetchOne(command);
    case "earned": {
      const { total } = opened().seller().earnings({ by: "day" });
      const { provisionalSat, redeemedSat, soldBytes } = total;
      return { provisionalSat, redeemedSat, soldBytes, swapCount, creditedCount };
    }
  }
}

console.log(JSON.stringify({ ready: true }));
const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream()).pipeThrough(
  new TextLineStream(),
);
for await (const line of lines) {
  try {
    console.log(JSON.stringify(await run(JSON.parse(line) as Command)));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
Deno.exit(0);
