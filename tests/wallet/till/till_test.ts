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
    const request = { id, amountSat, ...(lockTo === undefined ? {} : { lockTo }) };
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

Deno.test("Till.refund pays back from the mint that is named, locked or not, the same token each time", async () => {
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

Deno.test("Till.refund waits, and says so, while no mint of the wallet holds as much", async () => {
  await using kit = await startKit();
  await using world = await TillWorld.start(kit);
  await world.redeem("a", await world.locked(10n));
  const request = { id: "lease:1", amountSat: 40 };
  assert.equal((await world.till.refund(request, { signal })).status, "pending");
  assert.match(world.problems.join(), /no mint of the wallet holds as much/);
  await world.redeem("b", await world.locked(40n));
  assert.equal((await world.refund("lease:1", 40)).status, "refunded");
});

Deno.test("a till killed at any point takes each token once, pays back once, and its books balance", async () => {
  await using kit = await startKit();
  await using first = await TillWorld.start(kit);
  let crashCount = 0;
  for (let crashAfter = 1; crashAfter < 40; crashAfter++) {
    await using world = await TillWorld.start(kit, `till ${crashAfter}`, first.buyer);
    const token = await world.locked(64n);
    const live = async () => {
      const redeemed = await world.redeem("t", token);
      assert.deepEqual(redeemed, { status: "redeemed", amountSat: 64, feeSat: 0 });
      return await world.refund("lease:7", 24);
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
    assert.equal(world.wallet.free(), 40n);
    assert.equal(await kit.redeem([...seen][0]!), 24n);
    assert.deepEqual(world.wallet.troubles(), []);
    if (!died) break;
  }
  assert.ok(crashCount > 8, `${crashCount} crashes only`);
});
