import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { UNITS_PER_SAT } from "../../../wallet/credit_units.ts";
import { SqliteWalletStore } from "../../../wallet/store/mod.ts";
import type { StripPartState } from "../../../wallet/store/buying_store.ts";
import type { WalletTransaction } from "../../../wallet/store/wallet_store.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { FINGERPRINT, MINT_A, operation, proof } from "../store/fixture.ts";

const PEER = "12D3KooWSeller";
const STRIP = operation("strip", { kind: "strip", state: "ready" });
const PROOFS = [proof("part 0", 64n), proof("part 0 b", 1n), proof("part 1", 64n)];
const IDS = ["00".repeat(16), "11".repeat(16)];

/** A strip of two top-ups. */
function made(tx: WalletTransaction): void {
  tx.insertOperation(STRIP);
  tx.insertProofs(PROOFS, { mint: MINT_A, state: "outgoing", operationId: STRIP.id });
  tx.insertStripParts([
    part(0, [PROOFS[0]!.y, PROOFS[1]!.y], 65n),
    part(1, [PROOFS[2]!.y], 64n),
  ]);
}

function part(place: number, ys: readonly string[], gross: bigint) {
  return {
    paymentId: IDS[place]!,
    operationId: STRIP.id,
    place,
    peer: PEER,
    gross,
    net: 64n,
    ys,
  };
}

function revealed(tx: WalletTransaction): void {
  made(tx);
  tx.moveStripPart(IDS[0]!, "revealed");
  tx.putOutgoing({
    paymentId: IDS[0]!,
    subject: "blob",
    payee: PEER,
    amount: 64n,
    cost: 65n,
    state: "spent",
    operationId: STRIP.id,
    createdMs: 5,
  });
}

/** A store in a folder of its own; the folder goes with it. */
async function withStore(
  test: (store: SqliteWalletStore, path: string) => void,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "buying-store-" });
  try {
    using store = SqliteWalletStore.open({
      directory,
      clock: new ManualClock(),
      seedFingerprint: FINGERPRINT,
    });
    test(store, join(directory, "wallet.db"));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("what a seller has of us follows the states of its top-ups, whatever their order", async () => {
  const orders: readonly (readonly [readonly StripPartState[], bigint, bigint])[] = [
    [["revealed"], 64n, 0n],
    [["revealed", "credited"], 64n, 0n],
    [["revealed", "refused"], 64n, 64n],
    [["revealed", "refused", "credited"], 64n, 0n],
    [["revealed", "credited", "claimed"], 64n, 0n],
    [["revealed", "refused", "claimed"], 64n, 0n],
    [["revealed", "refused", "returned"], 0n, 0n],
    [["revealed", "credited", "returned"], 0n, 0n],
    [["returned"], 0n, 0n],
    [["claimed"], 0n, 0n],
  ];
  for (const [states, paid, refused] of orders) {
    await withStore((store) => {
      store.transact(made);
      for (const state of states) {
        store.transact((tx) => {
          tx.moveStripPart(IDS[0]!, state);
          // The same again changes nothing.
          tx.moveStripPart(IDS[0]!, state);
        });
      }
      const account = store.sellerAccount(PEER)!;
      assert.deepEqual([account.paid, account.refused], [paid, refused], states.join());
      const isStolen = states.join() === "revealed,refused,claimed";
      assert.equal(account.lost, isStolen ? 64n * UNITS_PER_SAT : 0n);
    });
  }
});

Deno.test("a top-up never goes back: what was handed over is never hidden, what ended stays so", async () => {
  await withStore((store) => {
    store.transact(revealed);
    const moves: readonly (readonly [string, StripPartState])[] = [
      [IDS[0]!, "hidden"],
      [IDS[1]!, "credited"],
      [IDS[1]!, "refused"],
      ["22".repeat(16), "revealed"],
    ];
    for (const [id, state] of moves) {
      assert.throws(() => store.transact((tx) => tx.moveStripPart(id, state)));
    }
    store.transact((tx) => tx.moveStripPart(IDS[0]!, "returned"));
    assert.throws(() => store.transact((tx) => tx.moveStripPart(IDS[0]!, "revealed")));
    const { ys } = store.stripPart(IDS[0]!)!;
    store.transact((tx) => tx.moveProofs(ys, "spent", STRIP.id));
    assert.deepEqual(store.audit(), []);
  });
});

Deno.test("what was given up is less by what came back", async () => {
  await withStore((store) => {
    store.transact(revealed);
    const used = 10n * UNITS_PER_SAT;
    store.transact((tx) => tx.putSellerUse(PEER, { used, lost: 54n * UNITS_PER_SAT }));
    store.transact((tx) => tx.moveStripPart(IDS[0]!, "returned"));
    assert.equal(store.sellerAccount(PEER)!.lost, 0n);
    assert.equal(store.sellerAccount(PEER)!.used, used);
  });
});

Deno.test("a seller that cheated is marked with a strike more each time", async () => {
  await withStore((store) => {
    assert.equal(store.sellerAccount(PEER), undefined);
    for (const [index, reason] of ["first", "second"].entries()) {
      store.transact((tx) => tx.avoidSeller(PEER, { untilMs: 100 + index, reason }));
    }
    const { strikes, avoidUntilMs, avoidReason } = store.sellerAccount(PEER)!;
    assert.deepEqual([strikes, avoidUntilMs, avoidReason], [2, 101, "second"]);
  });
});

Deno.test("audit() finds top-ups that do not agree with their seller, their proofs or the budgets", async () => {
  const harms: readonly (readonly [string, RegExp])[] = [
    ["UPDATE seller_accounts SET paid = 63", /says that 63 sat were handed over, .* are 64 sat/],
    ["UPDATE seller_accounts SET refused = 1", /account of seller/],
    [
      "INSERT INTO seller_accounts (peer, paid, moved_ms) VALUES ('ghost', 5, 1)",
      /seller ghost says that 5 sat were handed over, .* are 0 sat/,
    ],
    ["UPDATE proofs SET state = 'spent'", /Top-up \d of operation .* proofs say otherwise/],
    ["DELETE FROM outgoing_payments", /1 top-ups of operation .* are in no budget/],
    ["UPDATE strip_parts SET gross = 66 WHERE place = 0", /of 66 sat, and its proofs are 65 sat/],
    [
      "UPDATE operations SET status = 'done', next_at_ms = NULL",
      /is done, and 2 of its top-ups are neither/,
    ],
  ];
  for (const [sql, words] of harms) {
    await withStore((store, path) => {
      store.transact(revealed);
      assert.deepEqual(store.audit(), []);
      const database = new DatabaseSync(path);
      database.exec(sql);
      database.close();
      assert.match(store.audit().join("\n"), words);
    });
  }
});

Deno.test("purchases are found by what they were for, and only grow in what was used", async () => {
  await withStore((store) => {
    const purchase = {
      id: "one",
      peer: PEER,
      subject: "blob",
      priceMsatPerMiB: 7,
      used: 0n,
      createdMs: 10,
    };
    store.transact((tx) => tx.putPurchase(purchase));
    const used = 3n * UNITS_PER_SAT + 5n;
    store.transact((tx) => tx.putPurchase({ ...purchase, used }));
    assert.deepEqual(store.purchases({ subject: "blob", sinceMs: 10 }), [{ ...purchase, used }]);
    assert.deepEqual(store.purchases({ subject: "blob", sinceMs: 11 }), []);
    assert.deepEqual(store.purchases({ subject: "other", sinceMs: 0 }), []);
  });
});
