/** Lessees who want more than they paid for, against a real wallet and mint. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { LeaseJournal } from "../../provisioning/leases/mod.ts";
import { DEFAULT_SETTINGS, Provider } from "../../provisioning/provider/mod.ts";
import type { Answer, SpawnRequest } from "../../provisioning/wire/mod.ts";
import { heldBack, heldBackIn } from "../../src/app/lifecycle/provider/lease_debts.ts";
import { LeaseTill } from "../../src/app/lifecycle/provider/lease_till.ts";
import { Till } from "../../wallet/till/mod.ts";
import { decodeToken, encodeToken, readTokenAt } from "../../wallet/token.ts";
import type { Proof } from "../../wallet/types.ts";
import { ALICE, BASIC, BOB, PROVIDER_KEY } from "../support/provisioning/lease_world.ts";
import { MemoryBackend } from "../support/provisioning/memory_backend.ts";
import { MemoryImages } from "../support/provisioning/memory_images.ts";
import { seededRandom } from "../support/seeded_random.ts";
import { startKit, type TestWallet, type WalletKit } from "../support/wallet_kit.ts";
import { intakeOf, payingWallet, tokenFrom } from "../wallet/payments/payments_world.ts";

const signal = new AbortController().signal;

/** A provider over a real wallet; its journal may be lost, its wallet not. */
class Lender implements AsyncDisposable {
  readonly images = new MemoryImages();
  readonly problems: string[] = [];
  readonly #wallet: TestWallet;
  readonly #stack = new AsyncDisposableStack();
  provider!: Provider;
  till!: Till;
  journal!: LeaseJournal;

  private constructor(wallet: TestWallet) {
    this.#wallet = wallet;
  }

  static async start(kit: WalletKit, wallet: TestWallet, journalName: string): Promise<Lender> {
    const lender = new Lender(wallet);
    const parts = { engine: wallet.engine, intake: intakeOf(wallet) };
    lender.till = new Till(parts, { onProblem: (message) => lender.problems.push(message) });
    await lender.till.prepare({ signal });
    const path = join(kit.directory, journalName);
    const journal = lender.#stack.use(LeaseJournal.open({ path }));
    lender.journal = journal;
    lender.provider = lender.#stack.use(
      await Provider.start({
        provider: PROVIDER_KEY,
        settings: { ...DEFAULT_SETTINGS, name: "Test", specs: [BASIC], leasesPerKeyMax: 20 },
        journal,
        backend: new MemoryBackend(),
        till: new LeaseTill(lender.till, journal, kit.clock),
        images: lender.images,
        ssh: {
          newHostKey: () =>
            Promise.resolve({ privateKey: "a key", fingerprint: `SHA256:${"f".repeat(43)}` }),
          awaitBanner: () => Promise.resolve(),
        },
        clock: kit.clock,
        random: seededRandom(5),
      }),
    );
    return lender;
  }

  spawn(owner: string, token: string, more: Partial<SpawnRequest> = {}): Promise<Answer> {
    return this.provider.ask(owner, {
      type: "spawn",
      token,
      specId: "basic",
      image: "ubuntu:22.04",
      sshUsername: "user",
      sshPassword: "short",
      ...more,
    }, { signal });
  }

  /** Ends all leases at once. @returns Tokens that were paid back. */
  async stopAll(): Promise<string[]> {
    const tokens: string[] = [];
    for (const { number, owner } of this.provider.leases()) {
      const request = { type: "stop", lease: `container-${number}` } as const;
      const answer = await this.provider.ask(owner, request, { signal });
      assert.deepEqual(await this.provider.ask(owner, request, { signal }), answer);
      if ("refund" in answer && answer.refund !== undefined) tokens.push(answer.refund.token);
    }
    return tokens;
  }

  /** What the wallet has. */
  get balanceSat(): number {
    return this.#wallet.context.store.balances().reduce((sum, { free }) => sum + Number(free), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
    assert.deepEqual(this.#wallet.troubles(), []);
  }
}

function wordOf(answer: Answer): string {
  return answer.type === "error" ? answer.error : answer.type;
}

Deno.test("no ecash is worth a lease twice, however it is put, and no more is paid back than came", async () => {
  await using kit = await startKit();
  const buyer = payingWallet(kit, "buyer");
  await buyer.fund(3_000n);
  const wallet = payingWallet(kit, "lender");
  const mint = buyer.context.mints.of(kit.url());
  const texts: string[] = [];
  const locked = async (amount: bigint) => {
    const token = await tokenFrom(buyer, amount, { lockTo: wallet.keys.payment.publicKey });
    texts.push(token);
    return token;
  };
  const read = async (token: string) => (await readTokenAt(token, mint)).token;
  const written = (proofs: readonly Proof[]) =>
    encodeToken(
      { mint: kit.url(), unit: "sat", proofs: [...proofs] } as Parameters<
        typeof encodeToken
      >[0],
    );
  const refunds: string[] = [];
  {
    await using lender = await Lender.start(kit, wallet, "leases.sqlite");

    // The same proofs in other words, by the same and by others, at once.
    const whole = await locked(63n);
    const { proofs } = await read(whole);
    const turned = written([...proofs].reverse());
    const answers = await Promise.all([
      lender.spawn(ALICE, whole, { requestId: "a" }),
      lender.spawn(ALICE, turned, { requestId: "b" }),
      lender.spawn(BOB, turned),
      lender.spawn(BOB, written([...proofs, proofs[0]!])),
    ]);
    assert.deepEqual(answers.slice(0, 2).map(wordOf), ["access", "access"]);
    assert.deepEqual({ ...answers[1], requestId: "a" }, answers[0], "it is one lease");
    assert.equal(wordOf(answers[2]!), "token_already_spent");
    assert.equal(answers[3]!.type, "error");
    assert.equal(lender.balanceSat, 63);

    // One proof in two tokens at once.
    const left = await read(await locked(63n));
    const right = await read(await locked(63n));
    const both = written([...right.proofs, left.proofs[0]!]);
    const shared = await Promise.all([
      lender.spawn(ALICE, written(left.proofs)),
      lender.spawn(BOB, both),
    ]);
    assert.equal(shared.filter(({ type }) => type === "access").length, 1);
    assert.ok(shared.some((answer) => wordOf(answer) === "token_already_spent"));

    // A spawn that waits for its image, and a top-up with the same token.
    const gate = Promise.withResolvers<void>();
    lender.images.gate = gate.promise;
    const once = await locked(63n);
    const spawning = lender.spawn(ALICE, once, { image: "slow:1" });
    while (lender.provider.leases()[0]?.state !== "pulling") await kit.clock.sleep(5);
    const topUp = await lender.provider.ask(ALICE, {
      type: "topup",
      lease: "container-1000",
      token: once,
    });
    gate.resolve();
    assert.equal(wordOf(topUp), "token_already_spent");
    assert.equal(wordOf(await spawning), "access");

    refunds.push(...await lender.stopAll());
    const backSat = refunds.reduce(
      (sum, token) =>
        sum + decodeToken(token, (id) => id).proofs.reduce((a, p) => a + Number(p.amount), 0),
      0,
    );
    assert.equal(backSat + lender.balanceSat, 63 * 3 + (shared[1]!.type === "access" ? 1 : 0));
    assert.ok(lender.balanceSat >= 0);

    // What was paid back does not pay here before its owner has taken it in.
    assert.equal(wordOf(await lender.spawn(BOB, refunds[0]!)), "invalid_token");
  }
  // A journal that was lost, or has forgotten.
  await using lender = await Lender.start(kit, wallet, "new.sqlite");
  for (const token of [texts[0]!, texts.at(-1)!]) {
    assert.equal(wordOf(await lender.spawn(ALICE, token)), "token_already_spent");
    assert.equal(wordOf(await lender.spawn(BOB, token)), "token_already_spent");
  }
  assert.deepEqual(lender.provider.leases(), []);
});

Deno.test("a refund to a key that is none is refused before anything is ended or taken", async () => {
  await using kit = await startKit();
  const buyer = payingWallet(kit, "buyer");
  await buyer.fund(500n);
  const wallet = payingWallet(kit, "lender");
  await using lender = await Lender.start(kit, wallet, "leases.sqlite");
  const token = await tokenFrom(buyer, 63n, { lockTo: wallet.keys.payment.publicKey });
  const refundKey = `02${"ff".repeat(32)}`;
  assert.equal(wordOf(await lender.spawn(ALICE, token, { refundKey })), "invalid_request");
  assert.equal(wordOf(await lender.spawn(ALICE, token)), "access");
  const lease = "container-1000";
  const topUp = { type: "topup", lease, token: "cashuB", refundKey } as const;
  assert.equal(wordOf(await lender.provider.ask(ALICE, topUp)), "invalid_request");
  const stop = { type: "stop", lease } as const;
  assert.equal(wordOf(await lender.provider.ask(ALICE, { ...stop, refundKey })), "invalid_request");
  assert.equal(lender.provider.leases()[0]?.state, "ready");
  assert.equal(wordOf(await lender.provider.ask(ALICE, stop)), "stop");
});

Deno.test("what a lease has left is held back at each mint that paid in, and paid back in ecash of each", async () => {
  await using kit = await startKit({ mints: 3 });
  const buyer = payingWallet(kit, "buyer");
  for (const index of [0, 1]) await buyer.fund(500n, kit.url(index));
  const wallet = payingWallet(kit, "lender");
  await wallet.fund(1_000n, kit.url(2));
  await using lender = await Lender.start(kit, wallet, "leases.sqlite");
  const { provider, journal } = lender;
  const lockTo = wallet.keys.payment.publicKey;
  const held = () => {
    const nowMs = kit.clock.nowMs();
    const known = heldBack(journal, nowMs);
    const path = join(kit.directory, "leases.sqlite");
    assert.deepEqual(heldBackIn(path, nowMs), known, "beside the one who writes it, too");
    return [0, 1, 2].map((index) => known.get(kit.url(index)) ?? 0);
  };
  assert.deepEqual(held(), [0, 0, 0]);
  assert.equal(
    wordOf(await lender.spawn(ALICE, await tokenFrom(buyer, 60n, { lockTo }))),
    "access",
  );
  assert.deepEqual(held(), [60, 0, 0]);
  const token = await tokenFrom(buyer, 100n, { lockTo, mint: kit.url(1) });
  const lease = "container-1000";
  const { publicKey: refundKey } = buyer.keys.payment;
  assert.equal(wordOf(await provider.ask(ALICE, { type: "topup", lease, token })), "topup");
  assert.deepEqual(held(), [60, 100, 0]);
  kit.clock.jump(400_000);
  assert.deepEqual(held(), [60, 100, 0], "its machine may have stood still since it was seen");
  const answer = await provider.ask(ALICE, { type: "stop", lease, refundKey });
  assert.ok(answer.type === "stop" && answer.refund !== undefined, JSON.stringify(answer));
  const parts = answer.refund.token.split(" ").map((token) => decodeToken(token, (id) => id));
  const sums = parts.map(({ mint, proofs }) => [
    mint,
    proofs.reduce((sum, { amount }) => sum + Number(amount), 0),
  ]);
  assert.deepEqual(sums, [[kit.url(1), 100], [kit.url(0), answer.refund.amountSat - 100]]);
  assert.ok(answer.refund.amountSat > 130 && answer.refund.amountSat <= 140);
  assert.deepEqual(held(), [0, 0, 0]);
});
