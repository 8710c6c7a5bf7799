import assert from "node:assert/strict";
import fc from "fast-check";
import type { Payment } from "../../trust/mod.ts";
import { evidenceOf } from "../../trust/evidence.ts";
import { EVIDENCE_IDS_MAX, EVIDENCE_MINTS_MAX, EVIDENCE_YS_MAX } from "../../trust/limits.ts";
import { idOf, MINT, paymentOf, yOf } from "./support.ts";

const none = () => false;

Deno.test("evidenceOf() names proofs while there is room, then payments, and counts the rest", () => {
  const ysCount = 8;
  const count = EVIDENCE_YS_MAX / ysCount + EVIDENCE_IDS_MAX + 5;
  const payments = Array.from({ length: count }, (_, index) => paymentOf(index + 1, ysCount));
  const { payments: [only, ...others], unlisted } = evidenceOf(payments, none);
  assert.deepEqual(others, []);
  assert.deepEqual([only!.ys.length, only!.ids.length, unlisted], [
    ...[EVIDENCE_YS_MAX, EVIDENCE_IDS_MAX, 5],
  ]);
});

Deno.test("evidenceOf() leaves out what was counted before, and what is there twice", () => {
  const counted = new Set([yOf(1001), idOf(2)]);
  const payments = [paymentOf(1), paymentOf(2), paymentOf(3), paymentOf(3)];
  assert.deepEqual(evidenceOf(payments, (key) => counted.has(key)), {
    payments: [{ mint: MINT, ys: [...paymentOf(3).ys], ids: [] }],
    unlisted: 0,
  });
  const shared = [paymentOf(4), { ...paymentOf(5), ys: paymentOf(4).ys }];
  assert.deepEqual(evidenceOf(shared, none).payments[0]!.ys, paymentOf(4).ys);
  const doubled = { ...paymentOf(6), ys: [yOf(6), yOf(6)] };
  assert.deepEqual(evidenceOf([doubled], none), { payments: [], unlisted: 0 });
});

Deno.test("evidenceOf() names channel payments by their ids, and only counts what cannot be named", () => {
  const channel = { mint: MINT, id: idOf(1), ys: [] };
  const odd = { mint: "not a mint", id: idOf(2), ys: [yOf(2)] };
  const strange = { mint: MINT, id: "strange", ys: ["no point"] };
  assert.deepEqual(evidenceOf([channel, odd, strange], none), {
    payments: [{ mint: MINT, ys: [], ids: [idOf(1)] }],
    unlisted: 2,
  });
  const many = Array.from({ length: EVIDENCE_MINTS_MAX + 2 }, (_, index) => ({
    ...paymentOf(index + 1),
    mint: `https://${index}.example`,
  }));
  const named = evidenceOf(many, none);
  assert.deepEqual([named.payments.length, named.unlisted], [EVIDENCE_MINTS_MAX, 2]);
});

Deno.test("evidenceOf() gives the same for payments in any order", () => {
  const payments = fc.uniqueArray(fc.integer({ min: 1, max: 400 }), { maxLength: 60 })
    .map((numbers) => numbers.map((number): Payment => paymentOf(number, number % 5)));
  fc.assert(fc.property(payments, (given) => {
    assert.deepEqual(evidenceOf(given, none), evidenceOf([...given].reverse(), none));
  }));
});
