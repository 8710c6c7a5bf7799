import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { ManualClock } from "../../support/manual_clock.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { restoreBackup, seal, unseal, writeBackup } from "../../../wallet/backup/mod.ts";
import { MemoryWalletStore, SqliteWalletStore } from "../../../wallet/store/mod.ts";
import { COUNTER_MARGIN_AFTER_RESTORE } from "../../../wallet/store/limits.ts";
import {
  FINGERPRINT,
  hex,
  KEYSET,
  MINT_A,
  MINT_B,
  operation,
  output,
  proof,
  swapRequest,
} from "../store/fixture.ts";

const KEYS = { backupKey: Uint8Array.fromHex(hex("backup key")), fingerprint: FINGERPRINT };
const CREATED_MS = 1_800_000_000_000;

function tools() {
  return { clock: new ManualClock(CREATED_MS), random: seededRandom(7), keys: KEYS };
}

function openAt(directory: string, seedFingerprint = FINGERPRINT): SqliteWalletStore {
  return SqliteWalletStore.open({ directory, clock: new ManualClock(), seedFingerprint });
}

async function withDirectory(test: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "seedmint-backup-" });
  try {
    await test(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function namesIn(directory: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(directory)) names.push(name);
  return names.sort();
}

const OPEN = operation("open", { nextAtMs: 10 });
const OUTPUTS = [output("open", 8n, { counter: 0 })];

/** A swap under way, a spent proof, papers of every kind. */
function fill(store: SqliteWalletStore): void {
  store.transact((tx) => {
    tx.insertOperation(OPEN);
    tx.insertOperation(operation("done", { status: "done", kind: "fund" }));
    tx.insertProofs([proof("a", 8n), proof("b", 4n), proof("c", 2n)], {
      mint: MINT_A,
      state: "free",
    });
    tx.insertProofs([proof("out", 1n)], { mint: MINT_A, state: "outgoing" });
    tx.addLedger([{ operationId: OPEN.id, mint: MINT_A, kind: "fund", delta: 12n, atMs: 1 }]);
    tx.reserveProofs(OPEN.id, [proof("a", 8n).y]);
    tx.moveProofs([proof("c", 2n).y], "spent", OPEN.id);
    tx.takeCounters(KEYSET, 1);
    tx.takeQuoteKeyIndex();
    tx.insertOutputs(OPEN.id, "swap", { mint: MINT_A, outputs: OUTPUTS });
    tx.freezeRequest(swapRequest(OPEN.id, { inputs: [proof("a", 8n)], outputs: OUTPUTS }));
    tx.countSend(OPEN.id, "swap");
    tx.putQuote({
      mint: MINT_A,
      kind: "mint",
      quoteId: "q",
      operationId: OPEN.id,
      amount: 1n,
      feeReserve: 0n,
      request: "lnbc1",
      state: "PAID",
    });
    tx.putMint({ url: MINT_A, trust: "trusted", addedMs: 1 });
  });
}

Deno.test("restoreBackup() brings back all that writeBackup() saved", () =>
  withDirectory(async (directory) => {
    const path = join(directory, "wallet.backup");
    {
      using store = openAt(join(directory, "old"));
      fill(store);
      const written = await writeBackup({ ...tools(), store, path });
      assert.deepEqual(written, { path, bytes: (await Deno.stat(path)).size });
      assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
    }
    using store = openAt(join(directory, "new"));
    store.transact((tx) => {
      tx.putMint({ url: MINT_B, trust: "accepted", addedMs: 2 });
      tx.takeCounters("fresh", 3);
    });
    const report = await restoreBackup({ ...tools(), store, path });
    assert.deepEqual(report, {
      createdMs: CREATED_MS,
      operationCount: 2,
      openCount: 1,
      proofCount: 3,
    });
    assert.deepEqual(store.operation(OPEN.id), OPEN);
    assert.equal(store.nextDueMs(), 10);
    assert.equal(store.request(OPEN.id, "swap")?.sendCount, 1);
    assert.deepEqual(store.outputs(OPEN.id).map(({ blinded }) => blinded), [OUTPUTS[0]!.blinded]);
    assert.equal(store.proof(proof("c", 2n).y)?.state, "spent");
    assert.equal(store.quotes(OPEN.id)[0]?.state, "PAID");
    assert.deepEqual(store.mints().map(({ url }) => url), [MINT_A, MINT_B]);
    assert.deepEqual(store.balances(), [
      { mint: MINT_A, free: 4n, reserved: 8n, outgoing: 1n, incoming: 0n },
    ]);
    assert.deepEqual(store.audit(), []);
    assert.deepEqual(await namesIn(join(directory, "new")), [
      "wallet.db",
      "wallet.db-shm",
      "wallet.db-wal",
      "wallet.lock",
    ]);
  }));

Deno.test("restoreBackup() moves counters on, and lets no proof be spent before its mint was asked", () =>
  withDirectory(async (directory) => {
    const path = join(directory, "wallet.backup");
    using old = MemoryWalletStore.open({ clock: new ManualClock(), seedFingerprint: FINGERPRINT });
    fill(old);
    await writeBackup({ ...tools(), store: old, path });
    using store = openAt(join(directory, "new"));
    store.transact((tx) => tx.takeCounters("ahead", 40));
    await restoreBackup({ ...tools(), store, path });
    assert.equal(store.counter(KEYSET), 1 + COUNTER_MARGIN_AFTER_RESTORE);
    assert.equal(store.counter("ahead"), 40 + COUNTER_MARGIN_AFTER_RESTORE);
    assert.equal(
      store.transact((tx) => tx.takeQuoteKeyIndex()),
      1 + COUNTER_MARGIN_AFTER_RESTORE,
    );
    const { y } = proof("b", 4n);
    assert.equal(store.proof(y)?.needsRecheck, true);
    assert.deepEqual(store.coins(MINT_A), []);
    assert.throws(
      () => store.transact((tx) => tx.reserveProofs(OPEN.id, [y])),
      /must be checked with its mint/,
    );
    assert.equal(store.proofs({ needsRecheck: true }).length, 3);
    store.transact((tx) => tx.markChecked([y]));
    assert.deepEqual(store.coins(MINT_A), [{ keysetId: KEYSET, amount: 4n, count: 1 }]);
    assert.equal(store.proofs({ needsRecheck: true, mint: MINT_A }).length, 2);
    store.transact((tx) => tx.reserveProofs(OPEN.id, [y]));
    assert.deepEqual(store.audit(), []);
  }));

Deno.test("restoreBackup() overwrites no wallet that has something unless it is told to", () =>
  withDirectory(async (directory) => {
    const path = join(directory, "wallet.backup");
    using store = openAt(join(directory, "wallet"));
    fill(store);
    await writeBackup({ ...tools(), store, path });
    const later = operation("later");
    store.transact((tx) => tx.insertOperation(later));
    await assert.rejects(restoreBackup({ ...tools(), store, path }), {
      code: "denied",
      message: /it has 3 operations and 4 proofs, which would be lost/,
    });
    assert.ok(store.operation(later.id) !== undefined);
    const { replacedPath } = await restoreBackup({ ...tools(), store, path, replace: true });
    assert.equal((await Deno.stat(replacedPath!)).mode! & 0o777, 0o600);
    using replaced = SqliteWalletStore.open({
      path: replacedPath!,
      clock: new ManualClock(),
      seedFingerprint: FINGERPRINT,
      lock: false,
    });
    assert.ok(replaced.operation(later.id) !== undefined);
    assert.deepEqual(replaced.audit(), []);
    assert.equal(store.operation(later.id), undefined);
    assert.equal(store.operations().length, 2);
    assert.deepEqual(store.audit(), []);
  }));

Deno.test("restoreBackup() refuses another seed, damage, a cut, a newer format, and other files", () =>
  withDirectory(async (directory) => {
    const path = join(directory, "wallet.backup");
    using store = openAt(join(directory, "wallet"));
    await writeBackup({ ...tools(), store, path });
    const sound = await Deno.readFile(path);
    const attempt = async (bytes: Uint8Array, keys = KEYS) => {
      await Deno.writeFile(path, bytes);
      await restoreBackup({ ...tools(), keys, store, path });
    };
    const stranger = { backupKey: new Uint8Array(32), fingerprint: "f".repeat(16) };
    await assert.rejects(attempt(sound, stranger), {
      code: "denied",
      message: /made with the seed 0123456789abcdef.*give the twelve words/,
    });
    for (const offset of [18, 30, 40, sound.length - 1]) {
      const damaged = sound.slice();
      damaged[offset]! ^= 1;
      await assert.rejects(attempt(damaged), { code: "corrupt", message: /damaged/ });
    }
    for (const length of [9, 20, 40, sound.length - 1]) {
      await assert.rejects(attempt(sound.slice(0, length)), { name: "SeedmintError" });
    }
    const newer = sound.slice();
    newer[8] = 2;
    await assert.rejects(attempt(newer), { code: "storage", message: /format 2.*newer Seedmint/ });
    await assert.rejects(attempt(new Uint8Array(100)), { code: "corrupt", message: /no backup/ });
    await assert.rejects(attempt(new Uint8Array()), { code: "corrupt", message: /no backup/ });
    await Deno.remove(path);
    await assert.rejects(restoreBackup({ ...tools(), store, path }), { code: "not-found" });
    await attempt(sound);
  }));

Deno.test("restoreBackup() refuses a database of a newer program, and one that is damaged", () =>
  withDirectory(async (directory) => {
    const path = join(directory, "wallet.backup");
    const copy = join(directory, "copy.db");
    using store = openAt(join(directory, "wallet"));
    store.copyTo(copy);
    const database = await Deno.readFile(copy);
    const attempt = async (change: (database: Uint8Array<ArrayBuffer>) => void) => {
      const changed = database.slice();
      change(changed);
      await Deno.writeFile(path, await seal(changed, { ...tools(), createdMs: CREATED_MS }));
      await restoreBackup({ ...tools(), store, path });
    };
    await assert.rejects(attempt((bytes) => new DataView(bytes.buffer).setUint32(60, 9)), {
      code: "storage",
      message: /version 9.*newer Seedmint/,
    });
    await assert.rejects(attempt((bytes) => bytes.fill(7, 4096)), { name: "SeedmintError" });
    await attempt(() => {});
  }));

Deno.test("writeBackup() replaces an older backup and nothing else, whole or not at all", () =>
  withDirectory(async (directory) => {
    using store = openAt(join(directory, "wallet"));
    const path = join(directory, "wallet.backup");
    const random = seededRandom(1);
    const write = (to: string) => writeBackup({ ...tools(), random, store, path: to });
    await write(path);
    const first = await Deno.readFile(path);
    await write(path);
    assert.notDeepEqual(await Deno.readFile(path), first, "a nonce is used once");
    const diary = join(directory, "diary.txt");
    await Deno.writeTextFile(diary, "dear diary");
    await assert.rejects(write(diary), { code: "denied", message: /choose another name/ });
    await assert.rejects(write(join(directory, "none", "x")), { code: "not-found" });
    assert.equal(await Deno.readTextFile(diary), "dear diary");
    assert.deepEqual(await namesIn(directory), [
      "diary.txt",
      "wallet",
      "wallet.backup",
    ]);
  }));

Deno.test("SqliteWalletStore removes the plain copy that a killed backup left", () =>
  withDirectory(async (directory) => {
    openAt(directory)[Symbol.dispose]();
    await Deno.writeTextFile(join(directory, ".wallet-copy-0011"), "secret");
    using _store = openAt(directory);
    await assert.rejects(Deno.stat(join(directory, ".wallet-copy-0011")), Deno.errors.NotFound);
  }));

Deno.test("unseal() refuses whatever is no backup with an error that says so", async () => {
  const sound = await seal(new Uint8Array(200), { ...tools(), createdMs: CREATED_MS });
  await fc.assert(
    fc.asyncProperty(
      fc.nat({ max: sound.length }),
      fc.uint8Array({ maxLength: 120 }),
      async (kept, rest) => {
        const file = new Uint8Array([...sound.subarray(0, kept), ...rest]);
        if (file.toHex() === sound.toHex()) return;
        await assert.rejects(unseal(file, { keys: KEYS, name: "x" }), { name: "SeedmintError" });
      },
    ),
  );
});

Deno.test("seal() shows nothing of what is inside", async () => {
  const secret = new TextEncoder().encode("cashuB and a secret".repeat(100));
  const file = await seal(secret, { ...tools(), createdMs: CREATED_MS });
  assert.ok(file.length < 300, "compressed");
  assert.ok(!new TextDecoder("latin1").decode(file).includes("secret"));
  const opened = await unseal(file, { keys: KEYS, name: "x" });
  assert.deepEqual(opened, { database: secret, createdMs: CREATED_MS });
});
