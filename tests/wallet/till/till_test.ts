import assert from "node:assert/strict";
import { Till, TillRefusal, tokenEvidence } from "../../../wallet/till/mod.ts";
import { encodeToken, readTokenAt } from "../../../wallet/token.ts";
import type { MintUrl } from "../../../wallet/types.ts";
import { startKit, type TestWallet, type WalletKit } from "../../support/wallet_kit.ts";
import { intakeOf, payingWallet, tokenFrom } from "../payments/payments_world.ts";

const signal = new AbortController().signal;

/** A buyer with money, and a till over another wallet. */
class TillWorld implements AsyncDisposable {
  readonly kit: WalletKit;
  readonly buyer: TestWallet;
  wallet: TestWallet;
  till: Till;
  readonly problems: string[] = [];

  private constructor(kit: WalletKit, buyer: TestWallet, wallet: TestWallet) {
    this.kit = kit;
    this.buyer = buyer;
    this.wallet = wallet;
    this.till = this.#till();
  }

  static async start(kit: WalletKit, name = "till", known?: TestWallet): Promise<TillWorld> {
    const buyer = known ?? payingWallet(kit, "buyer");
    if (known === undefined) await buyer.fund(3_000n);
    const world = new TillWorld(kit, buyer, payingWallet(kit, name));
    await world.till.prepare({ signal });
    return world;
  }

  /** The till of the next process. */
  async reopen(): Promise<void> {
    this.wallet = await this.wallet.reopen();
    this.till = this.#till();
  }

  locked(amount: bigint): Promise<string> {
    return tokenFrom(this.buyer, amount, { lockTo: this.till.paymentKey });
  }

  /** Redeems, asking again as long as it is pending. */
  async redeem(id: string, token: string) {
    for (let tries = 0; tries < 30; tries++) {
      const redeemed = await this.till.redeem({ id, token }, { signal });
      if (redeemed.status !== "pending") return redeemed;
      this.kit.clock.jump(redeemed.retryMs);
    }
    return assert.fail("it stayed pending");
  }

  async refund(id: string, amountSat: number, lockTo?: string) {
    const mint = this.kit.url();
    const request = { id, amountSat, mint, ...(lockTo === undefined ? {} : { lockTo }) };
    for (let tries = 0; tries < 30; tries++) {
      const refunded = await this.till.refund(request, { signal });
      if (refunded.status !== "pending") return refunded;
      this.kit.clock.jump(refunded.retryMs);
    }
    return assert.fail("it stayed pending");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.wallet[Symbol.asyncDispose]();
  }

  #till(): Till {
    const parts = { engine: this.wallet.engine, intake: intakeOf(this.wallet) };
    return new Till(parts, { onProblem: (message) => this.problems.push(message) });
  }
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof TillRefusal) return error.code;
    throw error;
  }
  return "taken";
}

Deno.test("Till.inspect tells what a token is, who it is locked to, and whether its mint signed it", async () => {
  await using kit = await startKit();
  await using world = await TillWorld.start(kit);
  const { till } = world;
  const locktimeS = Math.floor(kit.clock.nowMs() / 1000) + 3600;
  const token = await tokenFrom(world.buyer, 21n, { lockTo: till.paymentKey, locktimeS });
  const facts = till.inspect(token);
  assert.deepEqual({ ...facts, id: "" }, {
    mint: kit.url(),
    unit: "sat",
    amountSat: 21,
    lockedTo: till.paymentKey,
    locktimeS,
    refundKey: world.buyer.keys.payment.publicKey,
    hasValidDleq: true,
    id: "",
    wasTaken: false,
  });
  const bare = till.inspect(await tokenFrom(world.buyer, 5n));
  assert.deepEqual([bare.lockedTo, bare.hasValidDleq], [undefined, true]);
  const { token: read } = await readTokenAt(token, world.buyer.context.mints.of(kit.url()));
  const mixed = encodeToken({ ...read, proofs: [...read.proofs].reverse() });
  assert.equal(till.inspect(mixed).id, facts.id, "in another order it is the same ecash");
  const unproven = encodeToken({
    ...read,
    proofs: read.proofs.map(({ dleq: _, ...proof }) => proof),
  });
  assert.equal(till.inspect(unproven).hasValidDleq, false);
  const forged = encodeToken({
    ...read,
    proofs: read.proofs.map((proof) => ({ ...proof, amount: 1n })),
  });
  assert.equal(till.inspect(forged).hasValidDleq, false);
  const foreign = world.buyer.keys.payment.publicKey;
  const other = await tokenFrom(world.buyer, 3n, { lockTo: foreign });
  assert.equal(till.inspect(other).lockedTo, foreign);
});

Deno.test("Till.inspect refuses what cannot be taken, each for its reason", async () => {
  await using kit = await startKit({ mints: 2 });
  await using world = await TillWorld.start(kit);
  const token = await world.locked(20n);
  const only = (mints: readonly string[]) =>
    new Till({ engine: world.wallet.engine, intake: intakeOf(world.wallet) }, { mints });
  assert.equal(codeOf(() => world.till.inspect("cashuBgarbage")), "invalid_token");
  assert.equal(codeOf(() => only([kit.url(1)]).inspect(token)), "non_whitelisted_mint");
  assert.equal(
    codeOf(() => only(["https://other.example"]).inspect(token)),
    "non_whitelisted_mint",
  );
  assert.equal((await world.redeem("a", token)).status, "redeemed");
  assert.equal(codeOf(() => world.till.inspect(token)), "token_already_spent", "of another id");
});

Deno.test("Till gives a token's facts again when it took that token itself, and ecash in parts never twice", async () => {
  await using kit = await startKit();
  await using world = await TillWorld.start(kit);
  const token = await world.locked(20n);
  const facts = world.till.inspect(token);
  assert.equal((await world.redeem(facts.id, token)).status, "redeemed");
  assert.deepEqual(world.till.inspect(token), { ...facts, wasTaken: true });
  const other = await world.redeem(facts.id, token);
  assert.equal(other.status, "redeemed", "which is why a till says that it took it");
  await world.reopen();
  assert.equal(world.till.inspect(token).id, facts.id);
  const { token: read } = await readTokenAt(token, world.buyer.context.mints.of(kit.url()));
  const more = await readTokenAt(
    await world.locked(4n),
    world.buyer.context.mints.of(kit.url()),
  );
  const part = encodeToken({ ...read, proofs: read.proofs.slice(0, 1) });
  const joined = encodeToken({ ...read, proofs: [read.proofs[0]!, ...more.token.proofs] });
  for (const again of [part, joined]) {
    assert.equal(codeOf(() => world.till.inspect(again)), "token_already_spent");
    const id = `again ${again.length}`;
    const redeemed = await world.redeem(id, again);
    assert.equal(redeemed.status === "refused" && redeemed.code, "token_already_spent");
  }
  assert.deepEqual(world.wallet.troubles(), []);
});

Deno.test("Till.redeem tells what arrived after the fee, and refuses what was spent elsewhere", async () => {
  await using kit = await startKit({ feePpk: 1000 });
  await using world = await TillWorld.start(kit);
  const token = await world.locked(16n);
  const redeemed = await world.redeem("a", token);
  assert.deepEqual(redeemed, { status: "redeemed", amountSat: 15, feeSat: 1 });
  assert.deepEqual(await world.redeem("a", token), redeemed, "the same answer again");
  const spent = await tokenFrom(world.buyer, 8n);
  await kit.redeem(spent);
  const refused = await world.redeem("b", spent);
  assert.equal(refused.status === "refused" && refused.code, "token_already_spent");
  assert.equal(world.wallet.free(), 15n);
  assert.deepEqual(world.wallet.troubles(), []);
});

Deno.test("Till.ysOf and tokenEvidence name the same proofs, before and after the token is redeemed", async () => {
  await using kit = await startKit();
  await using world = await TillWorld.start(kit);
  const token = await world.locked(13n);
  const { id, mint } = world.till.inspect(token);
  assert.deepEqual(world.till.ysOf(id), [], "nothing is known of it yet");
  const named = tokenEvidence(` ${token}\n`)!;
  assert.deepEqual([named.id, named.mint, named.ys.length], [id, mint, 3]);
  await world.redeem(id, token);
  assert.deepEqual([...world.till.ysOf(id)].sort(), [...named.ys].sort());
  const { mints } = world.wallet.engine.context;
  const states = await mints.of(mint as MintUrl).checkStates(named.ys, { signal });
  assert.ok(states.every(({ state }) => state === "SPENT"), "who asks the mint learns that");
  await world.reopen();
  assert.equal(world.till.ysOf(id).length, 3);
  assert.deepEqual(world.till.ysOf("another"), []);
  for (const text of ["", "cashuA", "cashuBgg", token.slice(0, 40)]) {
    assert.equal(tokenEvidence(text), undefined);
  }
});

Deno.test("Till.refund pays back from the mint that paid in, locked or not, the same token each time", async () => {
  await using kit = await startKit();
  await using world = await TillWorld.start(kit);
  await world.redeem("a", await world.locked(100n));
  const first = await world.refund("lease:1", 40);
  assert.equal(first.status, "refunded");
  assert.deepEqual(await world.refund("lease:1", 40), first);
  await world.reopen();
  assert.deepEqual(await world.refund("lease:1", 40), first);
  const other = await world.refund("lease:2", 10, world.buyer.keys.payment.publicKey);
  if (first.status !== "refunded" || other.status !== "refunded") return;
  assert.equal(await kit.redeem(first.token), 40n);
  assert.ok(
    typeof await kit.redeem(other.token) !== "bigint",
    "without the key it is worth nothing",
  );
  const { secretKey } = world.buyer.keys.payment;
  assert.equal(await kit.redeem(other.token, { secretKey }), 10n);
  const own = await tokenFrom(world.wallet, 5n);
  assert.equal(codeOf(() => world.till.inspect(own)), "invalid_token", "given out by us");
  assert.deepEqual(world.wallet.troubles(), []);
});

Deno.test("Till.refund waits, says so and writes nothing while the mint that paid in does not hold as much", async () => {
  await using kit = await startKit({ mints: 2 });
  await using world = await TillWorld.start(kit);
  await world.redeem("a", await world.locked(10n));
  await world.wallet.fund(100n, kit.url(1));
  const request = { id: "lease:1", amountSat: 40, mint: kit.url() };
  const pauses: number[] = [];
  for (let tries = 0; tries < 7; tries++) {
    const refunded = await world.till.refund(request, { signal });
    if (refunded.status === "pending") pauses.push(refunded.retryMs);
  }
  assert.deepEqual(pauses.map((ms) => ms / 1000), [30, 60, 120, 240, 480, 600, 600]);
  assert.match(world.problems[0]!, /Cannot pay back yet 40 sat of http.*: it holds 10 sat; bring/);
  const gone = { id: "lease:2", amountSat: 1, mint: "https://gone.example" };
  assert.equal((await world.till.refund(gone, { signal })).status, "pending");
  assert.match(world.problems.at(-1)!, /gone\.example: it is not listed/);
  assert.deepEqual(world.wallet.store.operations({ kind: "send" }), []);
  assert.equal(world.wallet.free(kit.url(1)), 100n, "of a mint that its payer may not know");
  await world.redeem("b", await world.locked(40n));
  const refunded = await world.refund("lease:1", 40);
  assert.equal(refunded.status === "refunded" && refunded.mint, kit.url());
});

Deno.test("a whole payment goes back, locked, at a mint with fees and an empty wallet", async () => {
  await using kit = await startKit({ feePpk: 100 });
  await using world = await TillWorld.start(kit);
  const redeemed = await world.redeem("a", await world.locked(1_000n));
  assert.deepEqual(redeemed, { status: "redeemed", amountSat: 999, feeSat: 1 });
  const { secretKey, publicKey } = world.buyer.keys.payment;
  const refunded = await world.refund("lease:1", 999, publicKey);
  assert.equal(refunded.status, "refunded");
  if (refunded.status !== "refunded") return;
  assert.equal(refunded.amountSat, 998, "what its fee leaves");
  assert.deepEqual(await world.refund("lease:1", 999, publicKey), refunded);
  assert.ok(Number(await kit.redeem(refunded.token, { secretKey })) >= 996);
  assert.equal(world.wallet.free(), 0n);
  assert.equal(world.wallet.store.operations({ kind: "send" }).length, 1);
  assert.deepEqual(world.problems, []);
  assert.deepEqual(world.wallet.troubles(), []);
});

Deno.test("Till.refund bears a mint's fee out of what is ours there, never out of what others are owed", async () => {
  await using kit = await startKit({ feePpk: 1000 });
  await using world = await TillWorld.start(kit);
  const { publicKey: lockTo } = world.buyer.keys.payment;
  await world.redeem("a", await world.locked(64n));
  await world.redeem("b", await world.locked(64n));
  const refund = async (id: string, amountSat: number, owedSat: number) => {
    const request = { id, amountSat, lockTo, mint: kit.url(), owedSat };
    const refunded = await world.till.refund(request, { signal });
    return refunded.status === "refunded" ? refunded.amountSat : refunded.status;
  };
  const free = () => Number(world.wallet.free());
  const before = free();
  const poor = await refund("lease:1", 60, before - 60);
  assert.ok(typeof poor === "number" && poor < 60 && poor > 50, String(poor));
  assert.ok(free() >= before - 60, "the others' money is all there");
  assert.equal(await refund("lease:2", 40, 0), 40);
  assert.equal(await refund("lease:3", 1, free() - 1), "dust", "its fee is as much");
  assert.deepEqual(world.wallet.troubles(), []);
});

Deno.test("a till killed at any point takes each token once, pays back once, and its books balance", async () => {
  await using kit = await startKit();
  await using first = await TillWorld.start(kit);
  await killed(first, { paidSat: 64, arrivingSat: 64, dueSat: 24, backSat: 24 });
});

Deno.test("a till killed at any point pays a whole payment back once, less its mint's fee", async () => {
  await using kit = await startKit({ feePpk: 100 });
  await using first = await TillWorld.start(kit);
  const { publicKey: lockTo } = first.buyer.keys.payment;
  await killed(first, { paidSat: 5, arrivingSat: 4, dueSat: 4, backSat: 3, lockTo });
});

/** Lives a payment and its refund, dies at one point after the other, and lives on. */
async function killed(
  { kit, buyer }: TillWorld,
  { paidSat, arrivingSat, dueSat, backSat, lockTo }: {
    readonly paidSat: number;
    readonly arrivingSat: number;
    readonly dueSat: number;
    readonly backSat: number;
    readonly lockTo?: string;
  },
): Promise<void> {
  let crashCount = 0;
  for (let crashAfter = 1; crashAfter < 40; crashAfter++) {
    await using world = await TillWorld.start(kit, `till ${crashAfter}`, buyer);
    const token = await world.locked(BigInt(paidSat));
    const live = async () => {
      const redeemed = await world.redeem("t", token);
      const feeSat = paidSat - arrivingSat;
      assert.deepEqual(redeemed, { status: "redeemed", amountSat: arrivingSat, feeSat });
      return await world.refund("lease:7", dueSat, lockTo);
    };
    world.wallet.crashAfter(crashAfter);
    const seen = new Set<string>();
    try {
      const refunded = await live();
      if (refunded.status === "refunded") seen.add(refunded.token);
    } catch (error) {
      if (!world.wallet.isDead) throw error;
    }
    const died = world.wallet.isDead;
    if (died) crashCount++;
    await world.reopen();
    const refunded = await live();
    if (refunded.status === "refunded") seen.add(refunded.token);
    assert.equal(seen.size, 1, "one refund, one token");
    assert.equal(world.wallet.free(), BigInt(lockTo === undefined ? arrivingSat - backSat : 0));
    const { secretKey } = buyer.keys.payment;
    const key = lockTo === undefined ? {} : { secretKey };
    const arrived = Number(await kit.redeem([...seen][0]!, key));
    assert.ok(
      arrived <= backSat && arrived >= backSat - (paidSat - arrivingSat),
      `${arrived} sat arrived`,
    );
    assert.deepEqual(world.wallet.troubles(), []);
    if (!died) break;
  }
  assert.ok(crashCount > 8, `${crashCount} crashes only`);
}
