/**
 * A node of the paid world in a process of its own that can be killed: a store on disk, a libp2p network,
 * a wallet, and a provider or a fetch. It reads one command a line on stdin and answers each with one
 * line on stdout; what a node would log goes to stderr. `FAULT=<point>:<n>` makes the process SIGKILL
 * itself when it passes the fault point for the `n`th time.
 */
import { join } from "node:path";
import { SeedmintError } from "../../src/core/errors.ts";
import { parseHash } from "../../src/core/hash.ts";
import { systemClock, systemRandom } from "../../src/host/system.ts";
import { fetchBlob } from "../../swarm/fetch/mod.ts";
import { startLibp2pNetwork } from "../../swarm/net/start.ts";
import type { ByteStream, Gate, Network } from "../../swarm/ports.ts";
import { Provider } from "../../swarm/provider/mod.ts";
import {
  BLOBS_PROTOCOL,
  FrameReader,
  type Message,
  messageFrame,
} from "../../swarm/protocol/mod.ts";
import { PeerSource } from "../../swarm/requester/mod.ts";
import { FileBlobStore } from "../../swarm/store/mod.ts";
import { Wallet } from "../../wallet/wallet.ts";
import { JumpClock } from "../support/wallet_kit.ts";
import type {
  Command,
  Fetched,
  Opening,
  Report,
  Served,
  Settled,
  TraderEvent,
} from "./commands.ts";
import { markedGate, markedNetwork, markedPayer } from "./points.ts";
import { cheatingGate, cheatingWrite, troubledWrite } from "./trouble.ts";

/** How long `settle` waits at most. */
const SETTLE_MS_MAX = 60_000;

/** A token that was given is looked at so long before its next look is due. */
const SOON_MS = 5_000;

/** How long a seller may take to answer one message. */
const EXCHANGE_MS_MAX = 20_000;

/** Most that is unredeemed of one payer: above all that a fetch of these tests costs. */
const EXPOSURE_SAT = 100_000n;

const encoder = new TextEncoder();
const clock = new JumpClock();
const left = parseFault(Deno.env.get("FAULT"));

/** How often each point was passed. */
const passed = new Map<string, number>();

/** Payments that were sent, once each. */
const payments = new Map<string, string>();

interface Trader {
  readonly opening: Opening;
  readonly store: FileBlobStore;
  readonly network: Network;
  readonly wallet: Wallet;
  readonly stack: AsyncDisposableStack;
}

let trader: Trader | undefined;

function parseFault(text: string | undefined): { point: string; left: number } | undefined {
  if (text === undefined || text === "") return undefined;
  const at = text.lastIndexOf(":");
  return { point: text.slice(0, at), left: Number(text.slice(at + 1)) };
}

function pass(point: string): void {
  passed.set(point, (passed.get(point) ?? 0) + 1);
  if (left?.point !== point || --left.left > 0) return;
  Deno.kill(Deno.pid, "SIGKILL");
  for (;;) {
    // The signal is on its way: nothing more may happen.
  }
}

function say(line: unknown): void {
  Deno.stdout.writeSync(encoder.encode(`${JSON.stringify(line)}\n`));
}

function tell(event: TraderEvent): void {
  say(event);
}

function log(line: unknown): void {
  Deno.stderr.writeSync(encoder.encode(`${JSON.stringify(line)}\n`));
}

async function open(opening: Opening): Promise<null> {
  clock.jump(opening.aheadMs);
  await using stack = new AsyncDisposableStack();
  const budget = BigInt(opening.budgetSat);
  const wallet = stack.use(
    await Wallet.open({
      directory: opening.walletDirectory,
      seedWords: opening.seedWords,
      clock,
      random: systemRandom,
      budgets: { perSubjectMaxSat: budget, perPayeeMaxSat: budget, perDayMaxSat: budget },
      intake: {
        unredeemedPerPayerMaxSat: EXPOSURE_SAT,
        batch: { proofsMin: 24, idleMs: 300, lingerMs: 1_000 },
      },
      onEvent: (event) => log({ ...event }),
      onPayment: (receipt) => log({ event: "payment", ...receipt }),
      fault: pass,
    }),
  );
  const store = stack.use(
    await FileBlobStore.open({ directory: opening.storeDirectory, clock: systemClock }),
  );
  const network = stack.use(await startNetwork(opening.peerSecret, opening.port));
  trader = { opening, store, network, wallet, stack: stack.move() };
  return null;
}

async function startNetwork(peerSecret: string, port: number): Promise<Network> {
  return await startLibp2pNetwork({
    secretKey: Uint8Array.fromHex(peerSecret),
    listen: [`/ip4/127.0.0.1/tcp/${port}`],
    mdns: false,
    clock: systemClock,
  });
}

type Order<T extends Command["do"]> = Extract<Command, { readonly do: T }>;

async function serve(here: Trader, order: Order<"serve">): Promise<Served> {
  const { store, wallet, network, stack, opening } = here;
  const seller = wallet.seller();
  const gate: Required<Gate> = {
    isFree: (root) => seller.isFree(root),
    decide: (request) => seller.decide(request),
    pay: (request, options) => seller.pay(request, options),
    creditOf: (viewer) => seller.creditOf(viewer),
    openMeter: (request) => seller.openMeter(request),
    refund: (viewer, options) => seller.refund(viewer, options),
  };
  const hashes: string[] = [];
  let size = 0;
  for (const file of order.files) {
    const known = [...store.list()].find((record) => record.name === file);
    const record = known ?? await store.importFile(file, { mode: "in-place", name: file });
    hashes.push(record.hash);
    size += record.size;
  }
  const { cheat } = order;
  const charged = join(opening.storeDirectory, "charged.log");
  const journal = stack.use(await Deno.open(charged, { append: true, create: true }));
  const honest = troubledWrite({ pass, troubles: opening.wire ?? [] });
  const sentMax = cheat === "garbage" ? size / 2 : size * 0.99;
  stack.use(
    await Provider.start({
      network: markedNetwork(
        network,
        cheat === undefined ? honest : cheatingWrite(cheat, { bytes: sentMax }, honest),
      ),
      store,
      clock: systemClock,
      random: systemRandom,
      gate: markedGate(cheat === undefined ? gate : cheatingGate(gate, cheat), {
        pass,
        charged: (payer, bytes) => void journal.writeSync(encoder.encode(`${payer} ${bytes}\n`)),
      }),
      onServed: (event) => log({ event: "served", outcome: event.outcome, path: event.path }),
      ...order.bytesPerSecond === undefined
        ? {}
        : { limits: { bytesPerSecond: order.bytesPerSecond } },
      ...order.isDirect === true ? { direct: { hostname: "127.0.0.1", port: 0 } } : {},
    }),
  );
  return { address: network.addresses()[0]!, hashes };
}

function note(message: Message): void {
  if (message.t !== "want" && message.t !== "top-up") return;
  const { payment } = message;
  if (payment?.token !== undefined) payments.set(payment.id.toHex(), payment.token);
}

async function fetchOne(here: Trader, order: Order<"fetch">): Promise<Fetched> {
  const { store, wallet, network, opening } = here;
  const { address, terms, bytesMax, priceMaxMsatPerMiB, waitMs } = order;
  const hash = parseHash(order.hash);
  const payer = markedPayer(
    wallet.buyer({ priceMaxMsatPerMiB, budgetSat: opening.budgetSat, maxFeeSat: 1_000 }),
    pass,
  );
  await using source = new PeerSource({
    network: markedNetwork(
      network,
      troubledWrite({ pass, troubles: opening.wire ?? [], onMessage: note }),
    ),
    peer: {
      peerId: address.split("/p2p/")[1]!,
      addrs: [address],
      via: "advert",
      bound: true,
      ...terms,
    },
    store,
    clock: systemClock,
    direct: order.isDirect === true ? {} : false,
    pay: { payer, subject: hash, bytesMax },
  });
  let toldBytes = 0;
  const report = await fetchBlob({
    hash,
    store,
    sources: [source],
    clock: systemClock,
    random: systemRandom,
    signal: AbortSignal.timeout(waitMs),
    onProgress: ({ bytes }) => {
      if (bytes - toldBytes < 1 << 20) return;
      toldBytes = bytes;
      tell({ event: "progress", bytes });
    },
  });
  return { size: report.size, failures: report.failures };
}

/** Says one message to a seller and returns what it answers, without data. */
async function exchange(
  network: Network,
  address: string,
  message: Message,
): Promise<Message | "data" | "nothing"> {
  const peer = { peerId: address.split("/p2p/")[1]!, addrs: [address] };
  const stream: ByteStream = await network.openStream(peer, BLOBS_PROTOCOL);
  const late = setTimeout(
    () => stream.abort(new SeedmintError("timeout", "the test has no answer")),
    EXCHANGE_MS_MAX,
  );
  try {
    await stream.write(messageFrame(message));
    const reader = new FrameReader(stream, { messageBytesMax: 1 << 20, isDataAllowed: true });
    const next = await reader.next();
    return next === undefined ? "nothing" : next instanceof Uint8Array ? "data" : next;
  } finally {
    clearTimeout(late);
    stream.abort(new SeedmintError("aborted", "the test has its answer"));
  }
}

async function offer(here: Trader, order: Order<"offer">): Promise<unknown> {
  const { address, paymentId, token, peerSecret } = order;
  const message: Message = { t: "top-up", payment: { id: Uint8Array.fromHex(paymentId), token } };
  if (peerSecret === undefined) return plain(await exchange(here.network, address, message));
  await using other = await startNetwork(peerSecret, 0);
  return plain(await exchange(other, address, message));
}

/** As JSON has it. */
function plain(message: Message | "data" | "nothing"): unknown {
  if (typeof message === "string") return { t: message };
  return JSON.parse(
    JSON.stringify(message, (_, value) => value instanceof Uint8Array ? value.toHex() : value),
  );
}

/** Waits until nothing goes on by itself any more. */
async function settle({ wallet }: Trader): Promise<Settled> {
  const deadlineMs = performance.now() + SETTLE_MS_MAX;
  for (;;) {
    const open = await wallet.pending();
    const moving = open.filter((operation) => {
      if (operation.status !== "open") return false;
      const isGiven = ["token-ready", "delivered", "ready"].includes(operation.state);
      const dueMs = operation.nextAtMs ?? Infinity;
      return !isGiven || dueMs < clock.nowMs() + SOON_MS;
    });
    const isLate = performance.now() > deadlineMs;
    if (moving.length === 0 || isLate) return { open, unsettled: moving };
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function report({ wallet }: Trader): Promise<Report> {
  return {
    balance: await wallet.balance(),
    audit: await wallet.audit(),
    history: await wallet.history({ limit: 1000 }),
  };
}

async function answer(command: Command): Promise<unknown> {
  if (command.do === "open") return await open(command);
  const here = trader!;
  switch (command.do) {
    case "serve":
      return await serve(here, command);
    case "price": {
      const { priceMsatPerMiB, minTopUpSat, mints } = command;
      const seller = here.wallet.seller();
      seller.setService({ id: "default", enabled: true, priceMsatPerMiB, minTopUpSat, mints });
      const [record] = [...here.store.list()];
      return record === undefined ? null : seller.priceOf(record.hash) ?? null;
    }
    case "fetch":
      return await fetchOne(here, command);
    case "offer":
      return await offer(here, command);
    case "ask": {
      const want: Message = { t: "want", hash: parseHash(command.hash), format: "blob" };
      return plain(await exchange(here.network, command.address, want));
    }
    case "verify": {
      const hash = parseHash(command.hash);
      if (here.store.status(hash) === undefined) return { goodCount: 0, badCount: 0, size: 0 };
      const { good, bad, size } = await here.store.verify(hash);
      return { goodCount: good.count, badCount: bad.count, size };
    }
    case "jump":
      clock.jump(command.ms);
      return null;
    case "payments":
      return [...payments].map(([id, token]) => ({ id, token }));
    case "passed":
      return Object.fromEntries(passed);
    case "settle":
      return await settle(here);
    case "report":
      return await report(here);
  }
  command satisfies never;
}

function errorOf(error: unknown): { code: string; message: string } {
  const code = error instanceof SeedmintError ? error.code : "unexpected";
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  log({ event: "error", code, message, stack: error instanceof Error ? error.stack : "" });
  return { code, message };
}

let rest = "";
for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + chunk).split("\n");
  rest = lines.pop()!;
  for (const line of lines) {
    const { id, ...command } = JSON.parse(line) as Command & { readonly id: number };
    void Promise.try(answer, command as Command).then(
      (value) => say({ id, value: value ?? null }),
      (error) => say({ id, error: errorOf(error) }),
    );
  }
}
await trader?.stack.disposeAsync();
Deno.exit(0);
