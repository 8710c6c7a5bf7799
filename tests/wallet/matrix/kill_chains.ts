/**
 * Kills the processes of wallets, one after the other: the child that goes on after one kill is the one
 * that is killed next, so that each kill costs one start of a process. In between nothing may be open
 * and all books must agree.
 */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { decodeInvoice } from "../../../wallet/lightning/bolt11.ts";
import { publicKeyOf } from "../../../wallet/cashu.ts";
import { walletKeysOf } from "../../../wallet/keys.ts";
import { decodeToken } from "../../../wallet/token.ts";
import type { PaymentTaken } from "../../../wallet/wallet.ts";
import type { OperationView, PaymentOutcome } from "../../../wallet/wallet_api.ts";
import { MatrixWorld, newest, type WalletFolder } from "../../support/matrix_world.ts";
import { Killed, type WalletProcess, type WalletReport } from "../../support/wallet_process.ts";
import { payingWallet, tokenFrom } from "../payments/payments_world.ts";
import type { TestWallet } from "../../support/wallet_kit.ts";
import { type Kill, type KillKind, prepareScenario, ROWS, type Scenario } from "./kill_rows.ts";

const FEE_PPK = 100;
const START_SAT = 20_000;
const SPLIT_SAT = 512;

/** Longest wait for a process to reach the point where it is killed. */
const KILL_MS_MAX = 60_000;

/** What one kind of operation does, and what must hold afterwards. */
interface Chain {
  readonly kind: KillKind;
  readonly mints: number;
  /** What the operation needs. */
  prepare?(turn: Turn): Promise<void>;
  /** Begins the operation: rejects when the process is killed. */
  begin(turn: Turn): Promise<unknown>;
  /** After the process is dead, before the next one is started. */
  dead?(turn: Turn): void | Promise<void>;
  /** In the next process, before it is waited for. */
  again?(turn: Turn): Promise<void>;
  /** Once nothing is open any more. */
  check(turn: Turn, before: WalletReport, after: WalletReport): Promise<void> | void;
}

/** One kill and what is known of it. */
interface Turn {
  readonly world: MatrixWorld;
  readonly name: string;
  readonly kill: Kill;
  readonly folder: WalletFolder;
  child: WalletProcess;
  /** What was made for the operation: an invoice or a token. */
  text: string;
  /** Secrets of a token that was frozen when the process died. */
  frozen: readonly string[];
}

/** Runs all kills of a kind; one outcome for each row. */
export async function runChain(chain: Chain): Promise<Map<string, Error | undefined>> {
  const outcomes = new Map<string, Error | undefined>();
  await using world = await MatrixWorld.start({ mints: chain.mints, feePpk: FEE_PPK });
  const main = new Life(world, await world.funded(chain.kind, START_SAT));
  const others: WalletReport[] = [];
  try {
    for (const row of ROWS[chain.kind]) {
      outcomes.set(row.id, undefined);
      for (const [index, kill] of row.kills.entries()) {
        const name = `${row.id}-${index}`;
        try {
          const isSplit = kill.scenario === "split";
          const folder = isSplit ? await world.funded(name, SPLIT_SAT) : main.folder;
          await using extra = isSplit ? new Life(world, folder) : undefined;
          const life = extra ?? main;
          await life.start();
          const turn = {
            ...{ world, name, kill, folder, child: life.child!, text: "" },
            frozen: [],
          };
          await play(chain, turn, life);
          if (extra !== undefined) others.push(extra.report!);
          else await chainConserved(world, main, others);
        } catch (cause) {
          const where = kill.point ?? kill.path ?? "while pending";
          throw new Error(`${where} (${kill.scenario ?? "plain"}): ${cause}`, { cause });
        }
      }
    }
  } catch (error) {
    const [last] = [...outcomes.keys()].slice(-1);
    outcomes.set(last!, error as Error);
  } finally {
    await main[Symbol.asyncDispose]();
  }
  return outcomes;
}

/** A wallet through all of its processes. */
class Life implements AsyncDisposable {
  readonly folder: WalletFolder;
  readonly #world: MatrixWorld;
  child: WalletProcess | undefined;
  report: WalletReport | undefined;

  constructor(world: MatrixWorld, folder: WalletFolder) {
    this.#world = world;
    this.folder = folder;
  }

  async start(): Promise<void> {
    this.child ??= await this.#world.open(this.folder);
    this.report ??= await this.#world.settled(this.child);
  }

  async restart(): Promise<WalletProcess> {
    this.child = await this.#world.open(this.folder);
    return this.child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child?.[Symbol.asyncDispose]();
    this.child = undefined;
  }
}

async function play(chain: Chain, turn: Turn, life: Life): Promise<void> {
  const { world, kill } = turn;
  const before = life.report!;
  world.clearRequests();
  prepareScenario(world.kit, kill.scenario);
  if (kill.point !== undefined) await turn.child.ask({ do: "arm", fault: `${kill.point}:1` });
  await untilKilled(chain, turn);
  await chain.dead?.(turn);
  turn.child = await life.restart();
  await chain.again?.(turn);
  life.report = await world.settled(turn.child);
  await chain.check(turn, before, life.report);
  if (kill.scenario === "late-change") world.kit.mints[0]!.admin.setFeeReserve({ minSat: 1 });
}

/** Begins the operation and sees the process die. */
async function untilKilled(chain: Chain, turn: Turn): Promise<void> {
  const { world, kill, child } = turn;
  await chain.prepare?.(turn);
  world.clearRequests();
  if (kill.path !== undefined) {
    const rule = { action: "hang-response", match: { path: kill.path } } as const;
    world.proxies[kill.mint ?? 0]!.fault(rule);
  }
  const begun = chain.begin(turn).catch((error) => {
    if (!(error instanceof Killed)) throw error;
  });
  if (kill.path !== undefined) {
    await world.reached(kill.path, kill.mint);
    child.kill();
  }
  await begun;
  if (kill.scenario === "hold") {
    if (kill.whilePending) child.kill();
    else world.kit.lightning.settle(decodeInvoice(await invoiceOf(turn)).paymentHash);
  }
  const late = setTimeout(() => child.kill(), KILL_MS_MAX);
  const startMs = performance.now();
  assert.ok(await child.ended(), "the process was killed");
  clearTimeout(late);
  assert.ok(performance.now() - startMs < KILL_MS_MAX, "the point is passed");
  if (kill.whilePending) {
    world.kit.lightning.settle(decodeInvoice(await invoiceOf(turn)).paymentHash);
  }
  for (const proxy of world.proxies) proxy.clear();
}

/** Invoice of the newest operation, from the database that the dead left. */
async function invoiceOf(turn: Turn): Promise<string> {
  if (turn.text !== "") return turn.text;
  const rows = read<{ request: string }>(
    turn.folder,
    "SELECT request FROM quotes WHERE kind = 'melt' ORDER BY rowid DESC LIMIT 1",
  );
  return await Promise.resolve(rows[0]!.request);
}

function read<T>({ directory }: WalletFolder, sql: string): T[] {
  const database = new DatabaseSync(join(directory, "wallet.db"), { readOnly: true });
  try {
    return database.prepare(sql).all() as T[];
  } finally {
    database.close();
  }
}

async function chainConserved(
  world: MatrixWorld,
  life: Life,
  others: readonly WalletReport[],
): Promise<void> {
  const extra = await outside.get(world)?.() ?? [];
  world.assertConserved([life.report!, ...others, ...extra]);
}

/** What strangers redeemed. */
const strangerSat = new WeakMap<MatrixWorld, number>();

/** What wallets in this process hold. */
const outside = new WeakMap<MatrixWorld, () => Promise<readonly WalletReport[]>>();

function freeAt(report: WalletReport, url: string): number {
  return report.balance.mints.find(({ mint }) => mint === url)?.freeSat ?? 0;
}

const SEND_SAT = 100;

/** A key that tokens are locked to. */
const PAYEE = publicKeyOf(new Uint8Array(32).fill(9));

/** Payments of ours. */
export const SEND: Chain = {
  kind: "send",
  mints: 1,
  async prepare(turn) {
    if (turn.kill.scenario !== "reclaim") return;
    const { point } = turn.kill;
    await turn.child.ask({ do: "arm", fault: "" });
    const outcome = await turn.child.ask<PaymentOutcome>(sendCommand(turn));
    assert.ok(outcome.status === "ready", JSON.stringify(outcome));
    if (point !== undefined) await turn.child.ask({ do: "arm", fault: `${point}:1` });
  },
  async begin(turn) {
    if (turn.kill.scenario !== "reclaim") {
      const { status } = await turn.child.ask<PaymentOutcome>(sendCommand(turn));
      assert.fail(`the process lives on: ${status}`);
    }
    const { id } = newest(await turn.child.ask<WalletReport>({ do: "report" }), "send");
    await turn.child.ask<OperationView>({ do: "reclaim", id });
  },
  dead(turn) {
    turn.frozen = read<{ secret: string }>(
      turn.folder,
      `SELECT secret FROM outputs JOIN requests USING (operation_id, phase)
       WHERE role = 'send' AND state <> 'void'
       AND operation_id = (SELECT id FROM operations ORDER BY sequence DESC LIMIT 1)`,
    ).map(({ secret }) => secret);
  },
  async again(turn) {
    if (turn.kill.scenario === "reclaim") return;
    const [first, second] = [
      await turn.child.ask<PaymentOutcome>(sendCommand(turn)),
      await turn.child.ask<PaymentOutcome>(sendCommand(turn)),
    ];
    assert.ok(first.status === "ready", JSON.stringify(first));
    assert.deepEqual(second, first, "asking twice gives the same token");
    turn.text = first.token;
  },
  check({ world, kill, text, frozen }, before, after) {
    assert.equal(world.effects("/v1/swap"), 1, "one swap has effect");
    const spent = before.balance.totalSat - after.balance.totalSat;
    if (kill.scenario === "reclaim") {
      assert.ok(spent <= 2, `the token came back, less fees: ${spent} sat are gone`);
      return;
    }
    const keysets = world.kit.mints[0]!.admin.books().keysets.map(({ id }) => id);
    const { proofs } = decodeToken(text, keysets);
    const worth = proofs.reduce((sum, { amount }) => sum + Number(amount), 0);
    assert.equal(after.balance.mints[0]!.outgoingSat - before.balance.mints[0]!.outgoingSat, worth);
    assert.ok(worth >= SEND_SAT && spent <= worth + 2, `${spent} sat left for ${worth}`);
    if (frozen.length > 0) {
      assert.deepEqual(proofs.map(({ secret }) => secret).sort(), [...frozen].sort());
    }
  },
};

/** Locked, so that there is always a swap; what is to come back is not. */
function sendCommand({ name, world, kill }: Turn) {
  const [mint] = world.urls;
  const lock = kill.scenario === "reclaim" ? {} : { lockTo: PAYEE };
  const request = { paymentId: name, acceptedMints: [mint!], priceSat: SEND_SAT, ...lock };
  return { do: "payment", request } as const;
}

/** Payments to us. */
export function redeemChain(): Chain {
  const payers = new WeakMap<MatrixWorld, TestWallet>();
  return {
    kind: "redeem",
    mints: 1,
    async prepare(turn) {
      const { world, kill, folder } = turn;
      const alice = payers.get(world) ?? await payer(world);
      payers.set(world, alice);
      const isSpent = kill.scenario === "spent";
      const lock = isSpent ? {} : { lockTo: walletKeysOf(folder.words).payment.publicKey };
      turn.text = await tokenFrom(alice, 100n, { ...lock, mint: alice.store.mints()[0]!.url });
      if (isSpent) {
        strangerSat.set(
          world,
          (strangerSat.get(world) ?? 0) + Number(await world.kit.redeem(turn.text)),
        );
      }
    },
    async begin(turn) {
      // It is redeemed in the background once it is taken.
      await turn.child.ask(offerOf(turn));
    },
    async again(turn) {
      const taken = await turn.child.ask<PaymentTaken>(offerOf(turn));
      assert.equal(taken.status, "taken");
    },
    async check(turn, before, after) {
      const taken = await turn.child.ask<PaymentTaken>(offerOf(turn));
      assert.ok(taken.status === "taken");
      const isSpent = turn.kill.scenario === "spent";
      assert.equal(taken.receipt.state, isSpent ? "dead" : "redeemed");
      const gained = after.balance.totalSat - before.balance.totalSat;
      assert.equal(gained, taken.receipt.creditSat, "what is credited was gained, once");
      assert.equal(turn.world.effects("/v1/swap"), isSpent ? 0 : 1);
      const other = await turn.child.ask<PaymentTaken>(offerOf(turn, "another"));
      assert.notEqual(other.status, "taken", "nothing is taken twice");
    },
  };
}

async function payer(world: MatrixWorld): Promise<TestWallet> {
  const alice = payingWallet(world.kit, "payer", { urls: world.urls });
  await alice.fund(5000n, alice.store.mints()[0]!.url);
  world.secrets.addDatabase(alice.directory);
  outside.set(world, () => {
    const [{ free } = { free: 0n }] = alice.store.balances();
    const one = {
      mint: world.urls[0],
      freeSat: Number(free) + (strangerSat.get(world) ?? 0),
      reservedSat: 0,
    };
    const mints = [{ ...one, trust: null, outgoingSat: 0, incomingSat: 0 }];
    return Promise.resolve([{ balance: { mints } } as unknown as WalletReport]);
  });
  return alice;
}

function offerOf({ name, text }: Turn, prefix = "") {
  const offer = { payer: "peer", paymentId: `${prefix}${name}`, token: text };
  return { do: "take", offer } as const;
}

const MELT_SAT = 120;

/** Invoices that we pay. */
export const MELT: Chain = {
  kind: "melt",
  mints: 1,
  async begin(turn) {
    const { kit } = turn.world;
    const invoice = await kit.lightning.createInvoice({
      payee: "shop",
      amountMsat: BigInt(MELT_SAT) * 1000n,
    });
    turn.text = invoice.bolt11;
    const request = { invoice: turn.text, mint: turn.world.urls[0]! };
    await turn.child.ask({ do: "pay", request });
  },
  check(turn, before, after) {
    const operation = newest(after, "melt");
    const { paymentHash } = decodeInvoice(turn.text);
    checkPaid(turn, operation, paymentHash);
    const spent = before.balance.totalSat - after.balance.totalSat;
    const paid = operation.status === "done" ? MELT_SAT : 0;
    assert.equal(spent, paid + operation.feeSat, "what left is the amount and its fee");
  },
};

const SWAP_SAT = 120;

/** Swaps from the first mint into the second. */
export const SWAP: Chain = {
  kind: "swap",
  mints: 2,
  async begin(turn) {
    const [from, to] = turn.world.urls;
    await turn.child.ask({
      do: "swap",
      request: { from: from!, to: to!, amountSat: SWAP_SAT, maxFeeSat: 40 },
    });
  },
  check(turn, before, after) {
    const operation = newest(after, "swap");
    const rows = read<{ request: string }>(
      turn.folder,
      `SELECT request FROM quotes WHERE operation_id = '${operation.id}' AND kind = 'mint'`,
    );
    for (const { request } of rows.slice(-1)) {
      checkPaid(turn, operation, decodeInvoice(request).paymentHash);
    }
    const [from, to] = turn.world.urls;
    const arrived = freeAt(after, to!) - freeAt(before, to!);
    const isDone = operation.status === "done";
    assert.equal(arrived, isDone ? SWAP_SAT : 0, "exactly the amount arrives");
    const left = freeAt(before, from!) - freeAt(after, from!);
    assert.equal(left, arrived + operation.feeSat);
    assert.ok(operation.feeSat <= 40, "the cap on fees holds");
  },
};

/** One Lightning payment at most, and one if the operation says so. */
function checkPaid({ world, kill }: Turn, operation: OperationView, paymentHash: string): void {
  const isDone = operation.status === "done";
  const { state, reason } = operation;
  assert.ok(isDone || operation.status === "failed", `${state}: ${reason}`);
  const payments = world.kit.lightning.payments().filter((one) => one.paymentHash === paymentHash);
  const paid = payments.filter((one) => one.state === "succeeded");
  assert.equal(paid.length, isDone ? 1 : 0, `${state}: ${reason}`);
  assert.ok(payments.every(({ attemptCount }) => attemptCount === 1));
  assert.ok(world.bodies("/v1/melt/bolt11") <= 1, "one melt is asked for");
  const mustEnd: Partial<Record<Scenario, string>> = {
    hold: "done",
    fail: "failed",
    "late-change": "done",
  };
  const wanted = kill.scenario === undefined ? undefined : mustEnd[kill.scenario];
  if (wanted !== undefined) assert.equal(operation.status, wanted, `${state}: ${reason}`);
}
