import assert from "node:assert/strict";
import { SeedmintError } from "../../../src/core/errors.ts";
import { walletKeysOf } from "../../../wallet/keys.ts";
import { backoffMs, RETRY } from "../../../wallet/operations/backoff.ts";
import { Engine } from "../../../wallet/operations/engine.ts";
import type { Operation } from "../../../wallet/operations/operation.ts";
import { Resumer } from "../../../wallet/operations/resumer.ts";
import type { Saga, SagaContext, Step, WalletEvent } from "../../../wallet/operations/saga.ts";
import { commit, newOperation } from "../../../wallet/operations/transition.ts";
import { MintRefusal } from "../../../wallet/mint/mint_api.ts";
import { MemoryWalletStore } from "../../../wallet/store/sqlite_wallet_store.ts";
import { StaleOperationError } from "../../../wallet/store/wallet_store.ts";
import { parseMintUrl } from "../../../wallet/mint/mint_url.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { seededRandom } from "../../support/seeded_random.ts";

const MINT = parseMintUrl("https://mint.example");
const WORDS =
  "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

interface CountPlan {
  readonly left: number;
  readonly holdUntilMs?: number;
}

type Act = (
  operation: Operation<CountPlan>,
  context: SagaContext,
  signal: AbortSignal,
) => Promise<Step> | Step;

/** A saga whose steps the test writes. */
function sagaOf(act: Act): Saga {
  return {
    kind: "fund",
    step: async (operation, context, { signal }) =>
      await act(operation as Operation<CountPlan>, context, signal),
  };
}

/** Counts down in commits, one for each step. */
const countDown: Act = (operation, context) => {
  const left = operation.plan.left - 1;
  commit(context, operation, (tx) =>
    tx.updateOperation(operation, {
      state: left === 0 ? "done" : "counting",
      status: left === 0 ? "done" : "open",
      plan: { left },
    }));
  return "again";
};

function world(act: Act) {
  const clock = new ManualClock();
  const keys = walletKeysOf(WORDS);
  const store = MemoryWalletStore.open({ clock, seedFingerprint: keys.fingerprint });
  store.transact((tx) => tx.putMint({ url: MINT, trust: "trusted", addedMs: 0 }));
  const events: WalletEvent[] = [];
  const context: SagaContext = {
    store,
    clock,
    keys,
    random: seededRandom(1),
    fault: () => {},
    emit: (event) => void events.push(event),
    mints: { of: () => assert.fail("no mint is asked in these tests") },
  };
  const engine = new Engine(context, [sagaOf(act)]);
  const begin = (plan: CountPlan = { left: 3 }, state = "counting"): string => {
    const operation = newOperation<CountPlan>(context, {
      kind: "fund",
      state,
      mint: MINT,
      amount: 1n,
      plan,
    });
    store.transact((tx) => tx.insertOperation(operation));
    return operation.id;
  };
  return { clock, store, context, engine, events, begin };
}

Deno.test("drive runs an operation step by step to its end and tells of each change", async () => {
  const { engine, begin, events, store } = world(countDown);
  await using _ = engine;
  const id = begin();
  const ended = await engine.drive(id);
  assert.equal(ended.status, "done");
  assert.equal(ended.rev, store.operation(id)!.rev);
  assert.deepEqual(events.map((event) => event.message), [
    "fund counting (open)",
    "fund counting (open)",
    "fund done (done)",
  ]);
});

Deno.test("a listener that throws stops nothing", async () => {
  const { engine, begin } = world(countDown);
  await using _ = engine;
  engine.onEvent(() => assert.fail("a listener's mistake"));
  assert.equal((await engine.drive(begin())).status, "done");
});

Deno.test("eight drives of one operation at once have one driver and one effect", async () => {
  let running = 0;
  let runningMax = 0;
  let stepCount = 0;
  const { engine, begin } = world(async (operation, context, signal) => {
    stepCount++;
    runningMax = Math.max(runningMax, ++running);
    await new Promise((resolve) => setTimeout(resolve, 5));
    running--;
    return countDown(operation, context, signal);
  });
  await using _ = engine;
  const id = begin();
  const ended = await Promise.all(Array.from({ length: 8 }, () => engine.drive(id)));
  assert.equal(runningMax, 1);
  assert.equal(stepCount, 3);
  for (const operation of ended) assert.equal(operation.status, "done");
});

Deno.test("two engines over one journal never both make a transition", async () => {
  const made: number[] = [];
  const { context, begin, engine } = world(async (operation, inner, signal) => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    const step = await countDown(operation, inner, signal);
    made.push(operation.plan.left - 1);
    return step;
  });
  await using first = engine;
  const saga = sagaOf(async (operation, inner, signal) => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    const step = await countDown(operation, inner, signal);
    made.push(operation.plan.left - 1);
    return step;
  });
  await using second = new Engine(context, [saga]);
  const id = begin({ left: 5 });
  const [one, other] = await Promise.all([first.drive(id), second.drive(id)]);
  assert.equal(one.status, "done");
  assert.equal(other.status, "done");
  assert.deepEqual(made, [4, 3, 2, 1, 0]);
});

Deno.test("trouble that passes waits with backoff that grows, and a change of state resets it", async () => {
  const { engine, begin, clock } = world(() => {
    throw new SeedmintError("unavailable", "The mint does not answer", { retryable: true });
  });
  await using _ = engine;
  const id = begin();
  const waits: number[] = [];
  for (let count = 0; count < 4; count++) {
    const operation = await engine.drive(id);
    assert.equal(operation.status, "open");
    assert.equal(operation.attempts, count + 1);
    assert.equal(operation.reason, "The mint does not answer");
    waits.push(operation.nextAtMs! - clock.nowMs());
  }
  for (const [index, waitMs] of waits.entries()) {
    assert.ok(waitMs >= 500 * 2 ** index && waitMs <= 1000 * 2 ** index, `wait ${waitMs} ms`);
  }
});

Deno.test("backoffMs stays between half the cap and the cap, however often it was tried", () => {
  const random = seededRandom(7);
  for (const attempts of [20, 100, 1e9]) {
    const waitMs = backoffMs(RETRY, attempts, random);
    assert.ok(waitMs >= RETRY.capMs / 2 && waitMs <= RETRY.capMs);
  }
});

Deno.test("an unexpected error stops the operation for a person, without its text, and resume tries once more", async () => {
  let isBroken = true;
  const { engine, begin, events } = world((operation, context, signal) => {
    if (isBroken) throw new TypeError("secret text");
    return countDown(operation, context, signal);
  });
  await using _ = engine;
  const id = begin();
  const stopped = await engine.drive(id);
  assert.equal(stopped.status, "attention");
  assert.equal(stopped.nextAtMs, undefined);
  assert.match(stopped.reason!, /TypeError/);
  assert.doesNotMatch(stopped.reason!, /secret/);
  assert.ok(events.some((event) => event.event === "attention" && event.operationId === id));
  assert.equal((await engine.drive(id)).status, "attention", "drive leaves it alone");
  isBroken = false;
  assert.equal((await engine.resume(id)).status, "done");
});

Deno.test("a disk that is full is told to the caller and leaves the operation as it was", async () => {
  const { engine, begin, store } = world(() => {
    throw new SeedmintError("no-space", "The disk is full");
  });
  await using _ = engine;
  const id = begin();
  await assert.rejects(engine.drive(id), { code: "no-space" });
  assert.equal(store.operation(id)!.rev, 0);
});

Deno.test("a step that changes nothing is not called again at once", async () => {
  for (const answer of ["again", "rest"] as const) {
    let stepCount = 0;
    const { engine, begin } = world(() => {
      stepCount++;
      return answer;
    });
    await using _ = engine;
    const operation = await engine.drive(begin());
    assert.equal(stepCount, 1);
    assert.equal(operation.attempts, 1);
  }
});

Deno.test("an operation that somebody else moves all the time is given up for now", async () => {
  const { engine, begin } = world(() => {
    throw new StaleOperationError("moved");
  });
  await using _ = engine;
  await assert.rejects(engine.drive(begin()), { code: "busy" });
});

Deno.test("a caller that gives up stops the step only when nobody else waits", async () => {
  const gate = Promise.withResolvers<void>();
  let aborted = 0;
  const { engine, begin } = world(async (operation, context, signal) => {
    signal.addEventListener("abort", () => {
      aborted++;
      gate.resolve();
    });
    await gate.promise;
    signal.throwIfAborted();
    return countDown(operation, context, signal);
  });
  await using _ = engine;
  const id = begin({ left: 1 });
  const first = new AbortController();
  const second = new AbortController();
  const one = engine.drive(id, { signal: first.signal });
  const other = engine.drive(id, { signal: second.signal });
  first.abort(new Error("first gave up"));
  await assert.rejects(one, /first gave up/);
  assert.equal(aborted, 0);
  second.abort(new Error("second gave up"));
  await assert.rejects(other, /second gave up/);
  assert.equal(aborted, 1);
  assert.equal((await engine.drive(id)).status, "done", "and it goes on later");
});

Deno.test("confirm lets a prepared operation go on once, and not after its time", async () => {
  const { engine, context, begin, clock } = world((operation, inner, signal) => {
    if (operation.plan.holdUntilMs !== undefined) return "rest";
    return countDown(operation, inner, signal);
  });
  await using _ = engine;
  const holdUntilMs = clock.nowMs() + 1000;
  const id = begin({ left: 1, holdUntilMs }, "prepared");
  assert.equal((await engine.confirm(id)).status, "done");
  await assert.rejects(engine.confirm(id), { code: "denied" });
  const late = begin({ left: 1, holdUntilMs }, "prepared");
  clock.jump(2000);
  await assert.rejects(engine.confirm(late), { code: "denied" });
  assert.equal(context.store.operation(late)!.status, "open");
});

Deno.test("confirm refuses what is not prepared, whose fees nobody has seen", async () => {
  const { engine, begin, clock } = world(() => "rest");
  await using _ = engine;
  const id = begin({ left: 1, holdUntilMs: clock.nowMs() + 1000 });
  await assert.rejects(engine.confirm(id), { code: "denied" });
});

Deno.test("a mint's refusal of a question is waited out, not a mistake of ours", async () => {
  const { engine, begin } = world(() => {
    throw new MintRefusal(10000, "no");
  });
  await using _ = engine;
  const operation = await engine.drive(begin());
  assert.equal(operation.status, "open");
  assert.match(operation.reason!, /code 10000/);
});

Deno.test("cancel ends what was not sent, and refuses what may be under way", async () => {
  const { engine, begin, store } = world(() => "rest");
  await using _ = engine;
  const id = begin({ left: 1 });
  const cancelled = engine.cancel(id);
  assert.equal(cancelled.status, "failed");
  assert.equal(cancelled.reason, "cancelled");
  assert.equal(engine.cancel(id).rev, cancelled.rev, "a second time changes nothing");
  const sent = begin({ left: 1 });
  store.transact((tx) =>
    tx.freezeRequest({ operationId: sent, phase: "mint", path: "/v1/mint/bolt11", body: "{}" })
  );
  assert.throws(() => engine.cancel(sent), { code: "denied" });
});

Deno.test("wait drives an operation whenever it is due until it has ended", async () => {
  const { engine, begin, clock } = world((operation, context) => {
    const left = operation.plan.left - 1;
    commit(context, operation, (tx) =>
      tx.updateOperation(operation, {
        plan: { left },
        status: left === 0 ? "done" : "open",
        nextAtMs: left === 0 ? null : clock.nowMs() + 60_000,
      }));
    return "rest";
  });
  await using _ = engine;
  const waited = engine.wait(begin({ left: 3 }));
  await clock.advance(60_000);
  await clock.advance(60_000);
  assert.equal((await waited).status, "done");
  assert.equal(clock.timerCount, 0);
});

Deno.test("wait can be given up without harm", async () => {
  const { engine, begin, clock, context } = world((operation) => {
    context.store.transact((tx) =>
      tx.updateOperation(operation, { nextAtMs: clock.nowMs() + 60_000 })
    );
    return "rest";
  });
  await using _ = engine;
  const stop = new AbortController();
  const waited = engine.wait(begin(), { signal: stop.signal });
  await clock.settle();
  stop.abort(new Error("enough"));
  await assert.rejects(waited, /enough/);
  assert.equal(clock.timerCount, 0);
});

Deno.test("driveDue drives what is due, a few at a time, and leaves the rest", async () => {
  let running = 0;
  let runningMax = 0;
  const { engine, begin, store, clock } = world(async (operation, context, signal) => {
    runningMax = Math.max(runningMax, ++running);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running--;
    return countDown(operation, context, signal);
  });
  await using _ = engine;
  for (let count = 0; count < 20; count++) begin({ left: 1 });
  const later = begin({ left: 1 });
  store.transact((tx) =>
    tx.updateOperation(tx.operation(later)!, { nextAtMs: clock.nowMs() + 1000 })
  );
  const ended = await engine.driveDue({ concurrency: 4 });
  assert.equal(ended.length, 20);
  assert.equal(runningMax, 4);
  assert.equal(store.operation(later)!.status, "open");
});

Deno.test("the resumer drives what a crash left behind, and what falls due later", async () => {
  const { engine, begin, store, clock } = world((operation, context) => {
    const left = operation.plan.left - 1;
    commit(context, operation, (tx) =>
      tx.updateOperation(operation, {
        plan: { left },
        status: left === 0 ? "done" : "open",
        nextAtMs: left === 0 ? null : clock.nowMs() + 10_000,
      }));
    return "rest";
  });
  await using _ = engine;
  const ids = Array.from({ length: 20 }, () => begin({ left: 2 }));
  {
    await using resumer = new Resumer(engine, { concurrency: 4 });
    for (let count = 0; count < 10; count++) await clock.advance(500);
    assert.ok(ids.every((id) => (store.operation(id)!.plan as CountPlan).left === 1));
    for (let count = 0; count < 20; count++) await clock.advance(1000);
    assert.ok(ids.every((id) => store.operation(id)!.status === "done"));
    const fresh = begin({ left: 1 });
    resumer.wake();
    await clock.settle();
    assert.equal(store.operation(fresh)!.status, "done");
  }
  assert.equal(clock.timerCount, 0);
});

Deno.test("the resumer lets go of what it drives when it is disposed of", async () => {
  let aborted = false;
  const { engine, begin, store } = world((_operation, _context, signal) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        aborted = true;
        reject(signal.reason);
      });
    })
  );
  await using _ = engine;
  const id = begin();
  {
    await using _resumer = new Resumer(engine);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.ok(aborted);
  assert.equal(store.operation(id)!.status, "open");
});

Deno.test("the resumer does not spin on an operation whose driver throws", async () => {
  let stepCount = 0;
  const { engine, begin, clock } = world(() => {
    stepCount++;
    throw new SeedmintError("storage", "The disk is gone");
  });
  await using _ = engine;
  begin();
  await using _resumer = new Resumer(engine);
  for (let count = 0; count < 20; count++) await clock.advance(500);
  assert.ok(stepCount >= 2 && stepCount <= 8, `${stepCount} steps in 10 s`);
});
