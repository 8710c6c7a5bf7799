import assert from "node:assert/strict";
import { ManualClock } from "../support/manual_clock.ts";
import { RefusedPayments } from "../../src/app/lifecycle/refused_payments.ts";

Deno.test("refused payments are one line a minute however many come, and none names a peer", async () => {
  const clock = new ManualClock();
  const lines: unknown[] = [];
  let debugCount = 0;
  const refused = new RefusedPayments({
    clock,
    log: (level, message, properties) => {
      if (level === "info") lines.push([message, properties]);
      else debugCount++;
    },
  });
  refused.note("peer", "spent");
  assert.deepEqual(lines.splice(0), [["payments were refused", { count: 1, spent: 1 }]]);
  for (let index = 0; index < 1000; index++) {
    refused.note(`peer${index}`, index < 900 ? "spent" : "mint");
  }
  await clock.advance(59_999);
  assert.deepEqual(lines, []);
  await clock.advance(1);
  const summary = ["payments were refused", { count: 1000, spent: 900, mint: 100 }];
  assert.deepEqual(lines.splice(0), [summary]);
  // A quiet minute later there is nothing to tell, and the next one is told at once.
  await clock.advance(60_000);
  assert.deepEqual([lines, clock.timerCount], [[], 0]);
  refused.note("peer", "busy");
  assert.equal(lines.splice(0).length, 1);
  refused.note("peer", "busy");
  refused[Symbol.dispose]();
  assert.deepEqual([lines.length, clock.timerCount, debugCount], [1, 0, 1003]);
});
