import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { ManualClock } from "../../support/manual_clock.ts";
import { UNITS_PER_SAT } from "../../../wallet/credit_units.ts";
import { MIGRATIONS } from "../../../wallet/store/schema.ts";
import { SqliteWalletStore } from "../../../wallet/store/mod.ts";
import { FINGERPRINT, hex, MINT_A } from "./fixture.ts";

function open(directory: string): SqliteWalletStore {
  return SqliteWalletStore.open({
    directory,
    clock: new ManualClock(),
    seedFingerprint: FINGERPRINT,
  });
}

/** A database as it was before bytes were sold, with payments of three payers. */
function oldDatabase(path: string): void {
  using database = new DatabaseSync(path);
  for (const sql of MIGRATIONS.slice(0, 2)) database.exec(sql);
  database.exec(`PRAGMA user_version = 2;
    INSERT INTO meta VALUES ('seed-fingerprint', '${FINGERPRINT}');`);
  const insert = database.prepare(
    "INSERT INTO incoming_payments VALUES (?,?,?,?,?,?,?,NULL,NULL,1,?)",
  );
  const rows: readonly [string, number, number, string][] = [
    ["p", 64, 63, "redeemed"],
    ["p", 10, 10, "credited"],
    ["p", 99, 98, "dead"],
    ["q", 50, 50, "queued"],
    ["local", 500, 499, "redeemed"],
  ];
  for (const [index, [payer, amount, credit, state]] of rows.entries()) {
    insert.run(payer, `${index}`, hex(`${index}`), MINT_A, amount, credit, state, 100 + index);
  }
}

function withDirectory(test: (directory: string) => void): () => void {
  return () => {
    const directory = Deno.makeTempDirSync({ prefix: "seedmint-wallet-" });
    try {
      test(directory);
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  };
}

Deno.test(
  "SqliteWalletStore gives the payers of an older database their credit",
  withDirectory((directory) => {
    oldDatabase(join(directory, "wallet.db"));
    using store = open(directory);
    assert.equal(store.creditAccount("p")?.paid, 73n);
    assert.equal(store.creditAccount("p")?.movedMs, 101);
    assert.equal(store.creditAccount("q"), undefined);
    assert.equal(store.creditAccount("local"), undefined);
    const payment = store.incoming("q", "3")!;
    store.transact((tx) => tx.putIncoming({ ...payment, state: "redeemed", version: 2 }));
    assert.equal(store.creditAccount("q")?.paid, 50n);
    assert.deepEqual(store.audit(), []);
  }),
);

Deno.test(
  "SqliteWalletStore takes over credit, sales and prices with a backup, an older one's payments too",
  withDirectory((directory) => {
    const copy = join(directory, "copy.db");
    {
      using store = open(join(directory, "from"));
      store.transact((tx) => {
        tx.putIncoming({
          paymentId: "1",
          payer: "p",
          tokenHash: hex("1"),
          mint: MINT_A,
          amount: 64n,
          credit: 64n,
          state: "redeemed",
          version: 1,
          createdMs: 1,
        });
        tx.drawCredit("p", { units: UNITS_PER_SAT, priceMsatPerMiB: 10 });
        tx.addSale({ day: 1, payer: "p", kind: "content", root: "r", bytes: 9, units: 7n });
        tx.putService({ id: "default", enabled: true, priceMsatPerMiB: 10, updatedMs: 1 });
      });
      store.copyTo(copy);
    }
    using store = open(join(directory, "to"));
    store.importFrom(copy);
    assert.equal(store.creditAccount("p")?.used, 7n);
    assert.equal(store.creditAccount("p")?.drawn, UNITS_PER_SAT);
    assert.equal(store.sales().length, 1);
    assert.equal(store.services().length, 1);
    assert.deepEqual(store.audit(), []);
    const older = join(directory, "older.db");
    oldDatabase(older);
    store.importFrom(older, { replace: true });
    assert.equal(store.creditAccount("p")?.paid, 73n);
    assert.deepEqual(store.sales(), []);
    assert.deepEqual(store.audit(), []);
  }),
);

Deno.test(
  "audit() finds credit that is not what was paid, sold, or could be owed",
  withDirectory((directory) => {
    oldDatabase(join(directory, "wallet.db"));
    const auditAfter = (sql: string): string[] => {
      {
        using database = new DatabaseSync(join(directory, "wallet.db"));
        database.exec(sql);
      }
      using store = open(directory);
      return store.audit();
    };
    open(directory)[Symbol.dispose]();
    const good =
      "UPDATE credit_accounts SET paid = 73, used_sat = 0, used_units = 0, drawn_sat = 0";
    assert.deepEqual(auditAfter(good), []);
    assert.match(
      auditAfter("UPDATE credit_accounts SET paid = 74").join(),
      /payer p says that 74 sat were paid, and its payments that count are 73 sat/,
    );
    assert.match(
      auditAfter(`${good}; UPDATE credit_accounts SET used_units = 5`).join(),
      /payer p is 5 units .* off what was sold/,
    );
    // Dead payments were credit once: 173 sat in all.
    assert.deepEqual(auditAfter(`${good}; UPDATE credit_accounts SET drawn_sat = 173`), []);
    assert.match(
      auditAfter(`${good}; UPDATE credit_accounts SET drawn_sat = 174`).join(),
      /served for more than it ever paid and one chunk group/,
    );
    assert.match(
      auditAfter(`${good}; DELETE FROM credit_accounts`).join(),
      /p has payments or sales, and no account/,
    );
  }),
);
