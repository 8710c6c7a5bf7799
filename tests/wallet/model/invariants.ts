/** What must hold: I1 to I8 of the failure matrix, each against what others than the wallet say. */
import type { DevMint } from "../../../devnet/mint/mod.ts";
import { HttpMint } from "../../../wallet/mint/http_mint.ts";
import { parseMintUrl } from "../../../wallet/mint/mint_url.ts";
import type { LegPlan } from "../../../wallet/operations/melt_plan.ts";
import type { Operation } from "../../../wallet/operations/operation.ts";
import type { ProofState } from "../../../wallet/types.ts";
import { SecretBook } from "../../support/secret_scan.ts";
import type { TestWallet } from "../../support/wallet_kit.ts";
import { budgetOf } from "./play.ts";
import type { Who } from "./schedule.ts";
import { digest, type ModelWorld } from "./world.ts";

const HELD: readonly ProofState[] = ["free", "reserved", "outgoing", "incoming"];

/** Ys in one question to a mint. */
const YS_MAX = 200;

/** What does not hold now, in sentences that begin with the invariant. Any time. */
export function* brokenNow(world: ModelWorld): Iterable<string> {
  for (const [who, { wallet }] of world.actors) {
    if (wallet.isDead) continue;
    yield* wallet.store.audit().map((problem) => `audit of ${who}: ${problem}`);
    yield* countersOf(world, who, wallet);
    yield* reservedOnce(who, wallet);
  }
  for (const [index, mint] of world.kit.mints.entries()) {
    if (!mint.admin.books().isBalanced) yield `I1: the books of mint ${index} do not balance`;
  }
}

/** What does not hold once faults are gone and everything was driven to its end. */
export async function brokenAtRest(world: ModelWorld): Promise<string[]> {
  const problems = [...brokenNow(world)];
  for (const [index, mint] of world.kit.mints.entries()) {
    problems.push(...await conservation(world, index, mint));
  }
  if (!world.kit.lightning.books().isBalanced) problems.push("I1: Lightning does not balance");
  problems.push(...bodies(world));
  for (const [who, { wallet }] of world.actors) {
    problems.push(...credits(who, wallet), ...ends(world, who, wallet), ...caps(who, wallet));
  }
  problems.push(...paidOnce(world), ...leaks(world));
  return problems;
}

/** S1: nothing that a wallet says or writes beside its database tells what could be spent. */
function leaks({ kit, actors, told }: ModelWorld): string[] {
  const book = new SecretBook();
  const said = [...told];
  for (const [, { wallet }] of actors) {
    book.addDatabase(wallet.directory);
    book.addKeys(wallet.keys);
    const reasons = wallet.store.operations({}).map(({ reason }) => reason ?? "");
    said.push(JSON.stringify(wallet.events), ...reasons);
  }
  for (const { preimage } of kit.lightning.payments()) {
    if (preimage !== undefined) book.add("preimage", preimage);
  }
  const found = [
    ...book.findIn("what wallets said", said.join("\n")),
    ...book.findInFolder(kit.directory),
  ];
  return found.map((leak) => `S1: ${leak}`);
}

/**
 * I1: what a mint owes is what the wallets hold there, proof by proof, and what strangers took. What the
 * mint would still take and no wallet knows is lost; what a wallet calls its own and the mint would not
 * take is made of nothing.
 */
async function conservation(world: ModelWorld, index: number, mint: DevMint): Promise<string[]> {
  const problems: string[] = [];
  const api = new HttpMint({ url: parseMintUrl(mint.url), clock: world.kit.clock });
  const held = new Map<string, { readonly amount: bigint; readonly state: ProofState }>();
  for (const [, { wallet }] of world.actors) {
    for (const state of HELD) {
      for (const proof of wallet.store.proofs({ mint: world.url(index), state })) {
        const before = held.get(proof.y);
        if (before === undefined || before.state === "outgoing") held.set(proof.y, proof);
      }
    }
  }
  const ys = [...held.keys()];
  let sum = 0n;
  for (let at = 0; at < ys.length; at += YS_MAX) {
    const page = ys.slice(at, at + YS_MAX);
    for (const { y, state } of await world.hurry(api.checkStates(page))) {
      const proof = held.get(y)!;
      if (state === "UNSPENT") sum += proof.amount;
      else if (proof.state === "free") {
        problems.push(`I1: a free proof of ${proof.amount} sat at mint ${index} is ${state}`);
      }
    }
  }
  const books = mint.admin.books();
  const owed = books.outstanding - world.strangerSat[index]!;
  if (sum !== owed) {
    problems.push(`I1: mint ${index} owes ${owed} sat, and the wallets hold ${sum} sat`);
  }
  if (books.pending !== 0n) problems.push(`I1: ${books.pending} sat are pending at mint ${index}`);
  if (books.unissuedMsat !== 0n && !world.hasLied) {
    problems.push(`I1: mint ${index} has ${books.unissuedMsat} msat that nobody asked ecash for`);
  }
  return problems;
}

/** I2: no proof is in the requests of two open operations. */
function* reservedOnce(who: Who, { store }: TestWallet): Iterable<string> {
  const owner = new Map<string, string>();
  for (const { id } of store.operations({ status: ["open", "attention"] })) {
    for (const { y } of store.proofs({ operationId: id, state: "reserved" })) {
      if (owner.has(y)) yield `I2: ${who} reserved a proof for ${owner.get(y)} and for ${id}`;
      owner.set(y, id);
    }
  }
}

/** I3 and I4: a blinded message goes out in one body only, and a body is one that was frozen. */
function bodies(world: ModelWorld): string[] {
  const problems: string[] = [];
  const bodyOf = new Map<string, string>();
  const frozen = new Map<Who, Set<string>>();
  for (const [who, { wallet }] of world.actors) frozen.set(who, frozenBodies(wallet));
  for (const { who, path, body } of world.sent) {
    if (!frozen.get(who)!.has(digest(body))) {
      problems.push(`I4: ${who} sent a body to ${path} that is not frozen`);
    }
    // Both forms of NUT-20's signature stand for the same request.
    const { signature: _signature, ...rest } = JSON.parse(body);
    const same = digest(JSON.stringify(rest));
    for (const { B_ } of rest.outputs ?? []) {
      const before = bodyOf.get(B_);
      if (before !== undefined && before !== same) {
        problems.push(`I3: ${who} sent one blinded message to ${path} in two bodies`);
      }
      bodyOf.set(B_, same);
    }
  }
  return problems;
}

function frozenBodies({ store }: TestWallet): Set<string> {
  const found = new Set<string>();
  for (const { id } of store.operations({})) {
    const phases = new Set(store.outputs(id).map(({ phase }) => phase));
    for (const phase of [...phases, "melt"]) {
      const request = store.request(id, phase);
      if (request === undefined) continue;
      found.add(digest(request.body));
      if (request.legacyBody !== undefined) found.add(digest(request.legacyBody));
    }
  }
  return found;
}

/** I5: nothing is credited twice, and what is credited for good was gained. */
function* credits(who: Who, { store }: TestWallet): Iterable<string> {
  const seen = new Map<string, string>();
  let credited = 0n;
  for (const state of ["credited", "queued", "redeemed", "dead"] as const) {
    for (const payment of store.incomingPayments({ state })) {
      const name = `${payment.payer}/${payment.paymentId}`;
      if (state === "redeemed") credited += payment.credit;
      if (state === "dead") continue;
      const before = seen.get(payment.tokenHash);
      if (before !== undefined) yield `I5: ${who} credits one token as ${before} and as ${name}`;
      seen.set(payment.tokenHash, name);
    }
  }
  let gained = 0n;
  for (const { id } of store.operations({ kind: "redeem" })) {
    for (const { delta } of store.ledger({ operationId: id })) gained += delta;
  }
  if (gained < credited) yield `I5: ${who} credits ${credited} sat and has gained ${gained} sat`;
}

/** I6: what is not at an end waits for somebody else, and says so. */
function* ends(world: ModelWorld, who: Who, { store }: TestWallet): Iterable<string> {
  for (const operation of store.operations({ status: ["open", "attention"] })) {
    if (isGiven(operation)) continue;
    const { kind, state, status, reason } = operation;
    // The source believes its lying node for ever, and the payment has arrived: declared, and kept.
    if (world.hasLied && kind === "swap" && state === "source-pending") continue;
    yield `I6: a ${kind} of ${who} is ${state} (${status}): ${reason}`;
  }
}

/** A token that was handed over, or may be: its receiver decides when it ends. */
export function isGiven({ kind, state, status }: Operation): boolean {
  return kind === "send" && status === "open" && (state === "token-ready" || state === "delivered");
}

/** I7: counters never go back, crash or not. */
function* countersOf(world: ModelWorld, who: Who, { store }: TestWallet): Iterable<string> {
  for (const [index, mint] of world.kit.mints.entries()) {
    for (const { id } of mint.admin.books().keysets) {
      const name = `${who} ${index} ${id}`;
      const now = store.counter(id);
      const before = world.counters.get(name) ?? 0;
      if (now < before) yield `I7: the counter of ${name} went from ${before} back to ${now}`;
      world.counters.set(name, now);
    }
  }
}

/** I8: nothing costs more than was allowed. */
function* caps(who: Who, { store }: TestWallet): Iterable<string> {
  for (const operation of store.operations({})) {
    if (operation.kind !== "melt" && operation.kind !== "swap") continue;
    const { feeMaxSat } = operation.plan as LegPlan;
    const left = -store.ledger({ operationId: operation.id })
      .reduce((sum, { delta }) => sum + delta, 0n);
    const paid = operation.kind === "melt" && operation.status === "done" ? operation.amount : 0n;
    if (left - paid > BigInt(feeMaxSat)) {
      yield `I8: a ${operation.kind} of ${who} cost ${
        left - paid
      } sat, and ${feeMaxSat} were allowed`;
    }
    if (left - paid !== operation.fee) {
      yield `I8: a ${operation.kind} of ${who} says ${operation.fee} sat of fees, not ${
        left - paid
      }`;
    }
  }
  for (const payment of paymentsOf(store)) {
    const budget = budgetOf(Number(payment.amount));
    if (Number(payment.cost) > budget) {
      yield `I8: a payment of ${who} cost ${payment.cost} sat of a budget of ${budget}`;
    }
  }
}

function paymentsOf(store: TestWallet["store"]) {
  const ids = new Set(
    store.operations({}).flatMap(({ parent }) => parent === undefined ? [] : [parent]),
  );
  return [...ids].flatMap((id) => store.outgoing(id.replace(/^payment:/, "")) ?? []);
}

/** No invoice is paid twice, and what a melt or swap says of its payment is what Lightning says. */
function* paidOnce({ kit, actors, hasLied }: ModelWorld): Iterable<string> {
  const byHash = new Map<string, number>();
  for (const { paymentHash, state } of kit.lightning.payments()) {
    if (state === "succeeded") byHash.set(paymentHash, (byHash.get(paymentHash) ?? 0) + 1);
    if (state === "pending") yield "I1: a payment is still held";
  }
  for (const [who, { wallet }] of actors) {
    for (const operation of wallet.store.operations({})) {
      if (operation.kind !== "melt" && operation.kind !== "swap") continue;
      const count = byHash.get((operation.plan as LegPlan).paymentHash) ?? 0;
      const wanted = operation.status === "done" ? 1 : 0;
      if (operation.status === "open" || count === wanted) continue;
      // A mint that believes its lying node gives the ecash back: its loss, which no wallet can see.
      if (hasLied && operation.status === "failed") continue;
      yield `I1: a ${operation.kind} of ${who} is ${operation.status}, and Lightning paid it ${count} times`;
    }
  }
}
