import assert from "node:assert/strict";
import { JumpClock, startKit } from "../../support/wallet_kit.ts";
import { HereVerifier, ThreadVerifier } from "../../../wallet/payments/proof_verifier.ts";
import { VERIFY_IDLE_MS, VERIFY_QUEUE_MAX } from "../../../wallet/payments/limits.ts";
import { readTokenAt } from "../../../wallet/token.ts";
import type { Keyset, Proof } from "../../../wallet/types.ts";
import { payingWallet, tokenFrom } from "./payments_world.ts";

/** Eight proofs of a mint, and the mint's keysets. */
async function ecash(): Promise<
  { readonly proofs: readonly Proof[]; readonly keysetOf: (id: string) => Keyset | undefined }
> {
  await using kit = await startKit();
  const alice = payingWallet(kit, "alice");
  await alice.fund(300n);
  const text = await tokenFrom(alice, 255n, { lockTo: alice.keys.payment.publicKey });
  const { token, keysets } = await readTokenAt(text, alice.context.mints.of(kit.url()));
  return { proofs: token.proofs, keysetOf: (id) => keysets.get(id) };
}

/** Ways in which one proof of them does not prove itself. */
function forgeries(proofs: readonly Proof[]): Readonly<Record<string, readonly Proof[]>> {
  const last = proofs.at(-1)!;
  const { dleq } = last;
  const withLast = (proof: Proof) => [...proofs.slice(0, -1), proof];
  const { dleq: _, ...bare } = last;
  return {
    "no DLEQ": withLast(bare),
    "no factor": withLast({ ...last, dleq: { e: dleq!.e, s: dleq!.s } }),
    "another factor": withLast({ ...last, dleq: { ...dleq!, r: "1".padStart(64, "0") } }),
    "another e": withLast({ ...last, dleq: { ...dleq!, e: "f".repeat(64) } }),
    "no number": withLast({ ...last, dleq: { ...dleq!, s: "zz" } }),
    "another secret": withLast({ ...last, secret: last.secret.replace("nonce", "nonces") }),
    "another amount": withLast({ ...last, amount: last.amount * 2n }),
    "no such amount": withLast({ ...last, amount: 3n }),
    "no point": withLast({ ...last, C: `02${"0".repeat(64)}` }),
    "no keyset": withLast({ ...last, keysetId: "00".padEnd(16, "f") }),
  };
}

Deno.test("ThreadVerifier says the same on its threads, while they load, without any, and as HereVerifier", async () => {
  const { proofs, keysetOf } = await ecash();
  const clock = new JumpClock();
  await using threads = new ThreadVerifier({ clock, threadCountMax: 2 });
  await using none = new ThreadVerifier({ clock, threadCountMax: 0 });
  const verifiers = [threads, none, new HereVerifier()];
  for (const verifier of verifiers) {
    assert.equal(await verifier.verify(proofs.slice(0, 1), keysetOf), true);
    assert.equal(await verifier.verify(proofs, keysetOf), true);
    assert.equal(await verifier.verify([], keysetOf), true);
  }
  assert.equal(threads.threadCount >= 1, true);
  assert.equal(none.threadCount, 0);
  for (const [name, forged] of Object.entries(forgeries(proofs))) {
    for (const verifier of verifiers) {
      assert.equal(await verifier.verify(forged, keysetOf), false, name);
    }
  }
});

Deno.test("ThreadVerifier lets those who paid before go first, and does not hold up the caller's thread", async () => {
  const { proofs, keysetOf } = await ecash();
  await using threads = new ThreadVerifier({ clock: new JumpClock(), threadCountMax: 1 });
  await threads.verify(proofs, keysetOf);
  const order: string[] = [];
  const longest = watchTurns();
  const jobs = Array.from(
    { length: 20 },
    (_, at) => threads.verify(proofs, keysetOf).then(() => order.push(`stranger ${at}`)),
  );
  jobs.push(threads.verify(proofs, keysetOf, { isFirst: true }).then(() => order.push("known")));
  await Promise.all(jobs);
  assert.ok(order.indexOf("known") <= 1, order.join());
  assert.equal(order.length, 21);
  // 168 proofs are half a second of work; here they are none.
  assert.ok(longest() < 100, `${longest()} ms`);
});

Deno.test("ThreadVerifier refuses what is too much, ends idle threads, and begins again", async () => {
  const { proofs, keysetOf } = await ecash();
  const clock = new JumpClock();
  await using threads = new ThreadVerifier({ clock, threadCountMax: 1 });
  const one = proofs.slice(0, 1);
  const outcomes = await Promise.allSettled(
    Array.from({ length: VERIFY_QUEUE_MAX + 10 }, () => threads.verify(one, keysetOf)),
  );
  const refused = outcomes.filter(({ status }) => status === "rejected");
  assert.ok(refused.length >= 1 && refused.length <= 10, `${refused.length}`);
  assert.equal((refused[0] as PromiseRejectedResult).reason.code, "busy");
  assert.equal(threads.threadCount, 1);
  clock.jump(VERIFY_IDLE_MS + 1);
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(threads.threadCount, 0);
  assert.equal(await threads.verify(proofs, keysetOf), true);
});

Deno.test("ThreadVerifier fails what waits when it is closed", async () => {
  const { proofs, keysetOf } = await ecash();
  const threads = new ThreadVerifier({ clock: new JumpClock(), threadCountMax: 1 });
  const waiting = Promise.allSettled(
    Array.from({ length: 5 }, () => threads.verify(proofs, keysetOf)),
  );
  await threads[Symbol.asyncDispose]();
  const outcomes = await waiting;
  assert.ok(outcomes.some((one) => one.status === "rejected" && one.reason.code === "aborted"));
  await assert.rejects(threads.verify(proofs, keysetOf), { code: "aborted" });
});

/** Looks how long a turn of this thread took at most, until it is asked. */
function watchTurns(): () => number {
  let longestMs = 0;
  let lastMs = performance.now();
  const id = setInterval(() => {
    const nowMs = performance.now();
    longestMs = Math.max(longestMs, nowMs - lastMs - 1);
    lastMs = nowMs;
  }, 1);
  return () => {
    clearInterval(id);
    return longestMs;
  };
}
