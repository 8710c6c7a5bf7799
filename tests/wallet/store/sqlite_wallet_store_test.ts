import assert from "node:assert/strict";
import { join } from "node:path";
import { testWalletStore } from "../../conformance/wallet_store.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { MemoryWalletStore, SqliteWalletStore } from "../../../wallet/store/mod.ts";
import { FINGERPRINT, KEYSET, MINT_A, operation, proof } from "./fixture.ts";

const clock = () => new ManualClock();

testWalletStore("MemoryWalletStore", () => {
  const manual = clock();
  return {
    store: MemoryWalletStore.open({ clock: manual, seedFingerprint: FINGERPRINT }),
    clock: manual,
  };
});

const directories: string[] = [];

testWalletStore("SqliteWalletStore", () => {
  const directory = Deno.makeTempDirSync({ prefix: "seedmint-wallet-" });
  directories.push(directory);
  const manual = clock();
  return {
    store: SqliteWalletStore.open({ directory, clock: manual, seedFingerprint: FINGERPRINT }),
    clock: manual,
  };
});

Deno.test.afterAll(() => {
  for (const directory of directories) Deno.removeSync(directory, { recursive: true });
});

function withDirectory(test: (directory: string) => void): () => void {
  return () => {
    const directory = Deno.makeTempDirSync({ prefix: "seedmint-wallet-" });
    directories.push(directory);
    test(directory);
  };
}

function open(directory: string, options: { lock?: boolean; seedFingerprint?: string } = {}) {
  return SqliteWalletStore.open({
    directory,
    clock: clock(),
    seedFingerprint: FINGERPRINT,
    ...options,
  });
}

Deno.test(
  "SqliteWalletStore keeps what was committed when it is opened again",
  withDirectory((directory) => {
    {
      using store = open(join(directory, "deep", "er"));
      store.transact((tx) => {
        tx.insertOperation(operation("kept"));
        tx.insertProofs([proof("kept", 8n)], { mint: MINT_A, state: "free" });
        tx.takeCounters(KEYSET, 7);
      });
    }
    using store = open(join(directory, "deep", "er"));
    assert.equal(store.operations().length, 1);
    assert.equal(store.balances()[0]?.free, 8n);
    assert.equal(store.counter(KEYSET), 7);
  }),
);

Deno.test(
  "SqliteWalletStore files are for their owner alone",
  withDirectory((directory) => {
    Deno.writeFileSync(join(directory, "wallet.db"), new Uint8Array(), { mode: 0o644 });
    using store = open(directory);
    store.transact((tx) => tx.takeCounters(KEYSET, 1));
    for (const { name } of Deno.readDirSync(directory)) {
      assert.equal(Deno.statSync(join(directory, name)).mode! & 0o777, 0o600, name);
    }
  }),
);

Deno.test(
  "SqliteWalletStore is held by one opener at a time, who is named",
  withDirectory((directory) => {
    using _store = open(directory);
    assert.throws(() => open(directory), {
      code: "locked",
      message: new RegExp(`the wallet in ${directory}: this process \\(${Deno.pid}\\)`),
    });
  }),
);

Deno.test(
  "SqliteWalletStore refuses another seed unless its counters are kept apart",
  withDirectory((directory) => {
    {
      using store = open(directory);
      store.transact((tx) => tx.takeCounters(KEYSET, 7));
    }
    const other = "fedcba9876543210";
    assert.throws(() => open(directory, { seedFingerprint: other }), {
      code: "denied",
      message: /belongs to the seed 0123456789abcdef.*give the words/,
    });
    {
      using store = SqliteWalletStore.open({
        directory,
        clock: clock(),
        seedFingerprint: other,
        otherSeed: "keep-apart",
      });
      assert.equal(store.counter(KEYSET), 0);
      store.transact((tx) => tx.takeCounters(KEYSET, 2));
    }
    using store = open(directory);
    assert.equal(store.counter(KEYSET), 7);
  }),
);

Deno.test(
  "SqliteWalletStore refuses a database that a newer program made",
  withDirectory((directory) => {
    open(directory)[Symbol.dispose]();
    const bytes = Deno.readFileSync(join(directory, "wallet.db"));
    new DataView(bytes.buffer).setUint32(60, 99); // user_version in the header of SQLite
    Deno.writeFileSync(join(directory, "wallet.db"), bytes);
    assert.throws(() => open(directory), { code: "storage", message: /version 99.*newer/ });
    Deno.writeTextFileSync(join(directory, "wallet.db"), "no database".repeat(1000));
    assert.throws(() => open(directory), { code: "storage", message: /not a database/ });
  }),
);

Deno.test(
  "SqliteWalletStore lets one of two connections win, and the other sees it",
  withDirectory((directory) => {
    using one = open(directory, { lock: false });
    using two = open(directory, { lock: false });
    const begun = operation("shared");
    one.transact((tx) => {
      tx.insertOperation(begun);
      tx.insertProofs([proof("shared", 8n)], { mint: MINT_A, state: "free" });
    });
    two.transact((tx) => tx.updateOperation(begun, { state: "second" }));
    assert.throws(
      () => one.transact((tx) => tx.updateOperation(begun, { state: "first" })),
      { name: "StaleOperationError" },
    );
    assert.equal(one.operation(begun.id)?.state, "second");
    assert.equal(one.transact((tx) => tx.takeCounters(KEYSET, 2)), 0);
    assert.equal(two.transact((tx) => tx.takeCounters(KEYSET, 2)), 2);
  }),
);

Deno.test("SqliteWalletStore reads balances and coins of 10,000 proofs in under 5 ms", () => {
  using store = MemoryWalletStore.open({ clock: clock(), seedFingerprint: FINGERPRINT });
  store.transact((tx) => {
    const proofs = Array.from(
      { length: 10_000 },
      (_, index) => proof(`many ${index}`, 1n << BigInt(index % 20)),
    );
    tx.insertProofs(proofs, { mint: MINT_A, state: "free" });
  });
  const took = Array.from({ length: 20 }, () => {
    const startMs = performance.now();
    store.balances();
    store.proofsOf(MINT_A, store.coins(MINT_A)[3]!);
    return performance.now() - startMs;
  });
  assert.ok(Math.min(...took) < 5, `${took}`);
});
