import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { ManualClock } from "../../support/manual_clock.ts";
import { SqliteWalletStore, type WalletTransaction } from "../../../wallet/store/mod.ts";
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
} from "./fixture.ts";

const FUND = operation("fund", { kind: "fund", status: "done" });
const SEND = operation("send");
const OTHER = operation("other");
const INPUTS = [proof("in 1", 8n), proof("in 2", 8n)];
const OUTPUTS = [output("out 1", 4n, { counter: 0 }), output("out 2", 8n, { counter: 1 })];

const ledger = (operationId: string, delta: bigint, kind: "fund" | "fee" = "fund") => ({
  operationId,
  mint: MINT_A,
  kind,
  delta,
  atMs: 1,
});

/** Twenty sat, sixteen of which a swap is spending. */
function underWay(tx: WalletTransaction): void {
  tx.insertOperation(FUND);
  tx.insertOperation(SEND);
  tx.insertOperation(OTHER);
  tx.insertProofs([...INPUTS, proof("rest", 4n)], { mint: MINT_A, state: "free" });
  tx.addLedger([ledger(FUND.id, 20n)]);
  tx.reserveProofs(SEND.id, INPUTS.map(({ y }) => y));
  tx.takeCounters(KEYSET, OUTPUTS.length);
  tx.insertOutputs(SEND.id, "swap", { mint: MINT_A, outputs: OUTPUTS });
  tx.freezeRequest(swapRequest(SEND.id, { inputs: INPUTS, outputs: OUTPUTS }));
  tx.countSend(SEND.id, "swap");
}

/** The swap was answered. */
function signed(tx: WalletTransaction): void {
  tx.moveProofs(INPUTS.map(({ y }) => y), "spent");
  tx.insertProofs(
    OUTPUTS.map((planned) => ({
      ...proof(planned.secret, planned.amount),
      secret: planned.secret,
    })),
    { mint: MINT_A, state: "free" },
  );
  tx.markOutputs(OUTPUTS.map(({ blinded }) => blinded), "signed");
  tx.addLedger([ledger(SEND.id, -4n, "fee")]);
  tx.updateOperation(SEND, { state: "done", status: "done", fee: 4n });
}

/** What the audit says after `change`, and after `break_` was done to the file behind the store's back. */
function auditAfter(
  change: (tx: WalletTransaction) => void,
  break_: string | ((tx: WalletTransaction) => void) = "",
): string[] {
  const directory = Deno.makeTempDirSync({ prefix: "seedmint-audit-" });
  try {
    using store = SqliteWalletStore.open({
      directory,
      clock: new ManualClock(),
      seedFingerprint: FINGERPRINT,
      lock: false,
    });
    store.transact(change);
    if (typeof break_ === "function") store.transact(break_);
    else if (break_ !== "") {
      const database = new DatabaseSync(join(directory, "wallet.db"), {
        enableForeignKeyConstraints: false,
      });
      database.exec(break_);
      database.close();
    }
    return store.audit();
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

function assertFinds(problems: readonly string[], ...patterns: readonly RegExp[]): void {
  assert.equal(problems.length, patterns.length, problems.join("\n"));
  for (const [index, pattern] of patterns.entries()) assert.match(problems[index]!, pattern);
}

Deno.test("audit() finds nothing wrong with sound books", () => {
  assertFinds(auditAfter(() => {}));
  assertFinds(auditAfter(underWay));
  assertFinds(auditAfter(underWay, signed));
  assertFinds(auditAfter(underWay, (tx) => {
    tx.markOutputs(OUTPUTS.map(({ blinded }) => blinded), "void");
    tx.releaseProofs(SEND.id);
    tx.reserveProofs(OTHER.id, [INPUTS[0]!.y]);
  }));
});

Deno.test("audit() finds a ledger that is not what is held, mint by mint", () => {
  assertFinds(
    auditAfter(underWay, (tx) => tx.addLedger([ledger(FUND.id, 1n)])),
    /At https:\/\/a\.example the ledger says 21 sat, and the proofs.* are 20 sat/,
  );
  assertFinds(
    auditAfter(
      underWay,
      (tx) => tx.insertProofs([proof("b", 3n)], { mint: MINT_B, state: "free" }),
    ),
    /At https:\/\/b\.example the ledger says 0 sat, .* 3 sat/,
  );
  assertFinds(auditAfter(underWay, (tx) => {
    tx.insertProofs([proof("out", 3n)], { mint: MINT_B, state: "outgoing" });
  }));
  assertFinds(
    auditAfter(underWay, (tx) => tx.addLedger([ledger(hex("?").slice(0, 32), 0n)])),
    /The ledger names operation [0-9a-f]{32}, which is not in the journal/,
  );
});

Deno.test("audit() finds payments to us whose proofs are not there", () => {
  const take = (amount: bigint) => (tx: WalletTransaction) => {
    tx.insertProofs([proof("in", 3n)], {
      mint: MINT_B,
      state: "incoming",
      operationId: OTHER.id,
    });
    tx.putIncoming({
      paymentId: "p",
      payer: "peer",
      tokenHash: hex("token"),
      mint: MINT_B,
      amount,
      credit: 3n,
      state: "credited",
      operationId: OTHER.id,
      version: 1,
      createdMs: 1,
    });
  };
  assertFinds(auditAfter(underWay, take(3n)));
  assertFinds(
    auditAfter(underWay, take(4n)),
    /redeems payments of 4 sat, and its incoming proofs are 3 sat/,
  );
});

Deno.test("audit() finds proofs that an ended operation left reserved", () => {
  assertFinds(
    auditAfter(underWay, (tx) => tx.updateOperation(SEND, { status: "failed" })),
    /2 proofs are reserved for operation [0-9a-f]{32}, which is failed/,
  );
  assertFinds(auditAfter(underWay, (tx) => tx.updateOperation(SEND, { status: "attention" })));
});

Deno.test("audit() finds sums of proofs that are wrong", () => {
  assertFinds(
    auditAfter(underWay, "UPDATE coins SET count = 5 WHERE state = 'free'"),
    /sums of free proofs of keyset .* are wrong by 4 proofs/,
  );
});

Deno.test("audit() finds signed outputs without a proof, and unsigned ones of what is done", () => {
  assertFinds(
    auditAfter(underWay, (tx) => tx.markOutputs([OUTPUTS[0]!.blinded], "signed")),
    /1 signed outputs of swap of operation .* have no proof/,
  );
  assertFinds(
    auditAfter((tx) => {
      underWay(tx);
      signed(tx);
    }, "UPDATE outputs SET state = 'planned' WHERE place = 1"),
    /is done, and 1 outputs of its swap are neither signed nor void/,
  );
});

Deno.test("audit() finds counters that are behind what was used", () => {
  assertFinds(
    auditAfter(underWay, "UPDATE counters SET next = 1"),
    /Counter 1 of keyset .* is used, and the next to be taken is 1/,
  );
});

Deno.test("audit() finds outputs and requests that do not belong together", () => {
  assertFinds(
    auditAfter(
      underWay,
      (tx) => tx.insertOutputs(SEND.id, "swap", { mint: MINT_A, outputs: [output("stray", 2n)] }),
    ),
    /There are 2 outputs in the request swap of .*, and 3 are planned/,
    /Output 2 of the request swap of .* was planned in another way/,
  );
  assertFinds(
    auditAfter(
      underWay,
      (tx) => tx.insertOutputs(SEND.id, "later", { mint: MINT_A, outputs: [output("stray", 2n)] }),
    ),
    /1 outputs of later of operation .* are in no frozen request/,
  );
  assertFinds(
    auditAfter(underWay, (tx) => {
      tx.freezeRequest({
        ...swapRequest(OTHER.id, { inputs: [], outputs: [OUTPUTS[0]!] }),
        legacyBody: "{}",
      });
    }),
    /There are 1 outputs in the request swap of .*, and 0 are planned/,
    /Both forms of the request swap of .* are not about the same outputs/,
    /One blinded message is in the request swap of .* and in the request swap of/,
  );
  assertFinds(
    auditAfter(
      underWay,
      (tx) => tx.freezeRequest({ operationId: OTHER.id, phase: "x", path: "/v1/swap", body: "no" }),
    ),
    /What is frozen as the request x of operation .* is no request/,
  );
});

Deno.test("audit() finds a proof in two requests, and one that is free while it is spent", () => {
  assertFinds(
    auditAfter(underWay, (tx) => {
      const outputs = [output("thief", 8n)];
      tx.insertOutputs(OTHER.id, "swap", { mint: MINT_A, outputs });
      tx.freezeRequest(swapRequest(OTHER.id, { inputs: [INPUTS[0]!], outputs }));
    }),
    /One proof is spent by operation .* and by the request swap of/,
    /is reserved for operation/,
  );
  assertFinds(
    auditAfter(underWay, (tx) => tx.releaseProofs(SEND.id, [INPUTS[0]!.y])),
    /A proof that the request swap of .* spends is free although the request was sent/,
  );
  assertFinds(
    auditAfter((tx) => {
      tx.insertOperation(OTHER);
      tx.freezeRequest(swapRequest(OTHER.id, { inputs: [proof("ghost", 1n)], outputs: [] }));
    }),
    /A proof that the request swap of .* spends is not in the wallet/,
  );
});

Deno.test("audit() finds rows of operations that are not in the journal, and tells no secret", () => {
  const problems = auditAfter(
    underWay,
    `DELETE FROM operations WHERE id = '${SEND.id}'; UPDATE counters SET next = 0;
     INSERT INTO ledger VALUES (99, 'x', 'y', 'fee', 5, 1)`,
  );
  assert.ok(problems.some((problem) => /rows of outputs belong to operations/.test(problem)));
  assert.ok(problems.length >= 5, problems.join("\n"));
  const text = problems.join("\n");
  for (const { secret } of [...INPUTS, ...OUTPUTS]) assert.ok(!text.includes(secret));
});
