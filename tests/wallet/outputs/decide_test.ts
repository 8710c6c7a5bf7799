import assert from "node:assert/strict";
import {
  decide,
  type Decision,
  type Endpoint,
  type PostFailure,
} from "../../../wallet/outputs/decide.ts";

const refused = (code: number): PostFailure => ({ kind: "refused", code, detail: "" });
const UNKNOWN: PostFailure = { kind: "unknown", why: "no answer" };
const LIMITED: PostFailure = { kind: "limited", retryAfterMs: 1000 };

/** `[endpoint, failure, never sent before, sent before]`: every row of the error table. */
const TABLE: readonly (readonly [Endpoint, PostFailure, string, string])[] = [
  ["swap", UNKNOWN, "replay", "restore, else replay"],
  ["swap", LIMITED, "replay", "replay"],
  ["swap", refused(10001), "refused", "restore, else refused"],
  ["swap", refused(10002), "see-whose-outputs", "see-whose-outputs"],
  ["swap", refused(10003), "refused", "restore, else refused"],
  ["swap", refused(11001), "restore, else spent-elsewhere", "restore, else spent-elsewhere"],
  ["swap", refused(11002), "wait", "wait"],
  ["swap", refused(11003), "see-whose-outputs", "see-whose-outputs"],
  ["swap", refused(11004), "wait", "wait"],
  ["swap", refused(11005), "restore, else refused", "restore, else refused"],
  ["swap", refused(11014), "restore, else refused", "restore, else refused"],
  ["swap", refused(11015), "restore, else refused", "restore, else refused"],
  ["swap", refused(12001), "restore, else refused", "restore, else refused"],
  ["swap", refused(12002), "restore, else refused", "restore, else refused"],
  ["swap", refused(12003), "restore, else refused", "restore, else refused"],
  ["swap", refused(0), "restore, else refused", "restore, else replay"],
  ["swap", refused(50000), "restore, else refused", "restore, else replay"],
  ["mint", UNKNOWN, "replay", "restore, else replay"],
  ["mint", LIMITED, "replay", "replay"],
  ["mint", refused(11003), "see-whose-outputs", "see-whose-outputs"],
  ["mint", refused(11004), "wait", "wait"],
  ["mint", refused(11005), "restore, else refused", "restore, else refused"],
  ["mint", refused(12001), "restore, else refused", "restore, else refused"],
  ["mint", refused(12002), "restore, else refused", "restore, else refused"],
  ["mint", refused(20001), "wait", "wait"],
  ["mint", refused(20002), "restore, else spent-elsewhere", "restore, else spent-elsewhere"],
  ["mint", refused(20005), "wait", "wait"],
  ["mint", refused(20007), "ask-quote", "ask-quote"],
  ["mint", refused(20008), "refused", "restore, else refused"],
  ["mint", refused(20009), "refused", "restore, else refused"],
  ["mint", refused(0), "restore, else refused", "restore, else replay"],
];

function inWords(decision: Decision): string {
  if (decision.action === "restore") return `restore, else ${decision.ifNone}`;
  return decision.action;
}

for (const [endpoint, failure, first, again] of TABLE) {
  const name = failure.kind === "refused" ? `code ${failure.code}` : failure.kind;
  Deno.test(`decide answers ${name} of a ${endpoint} with ${first}; sent before, with ${again}`, () => {
    assert.equal(inWords(decide({ endpoint, failure, sentBefore: false })), first);
    assert.equal(inWords(decide({ endpoint, failure, sentBefore: true })), again);
  });
}

Deno.test("decide tries the older signature of NUT-20 wherever there is one", () => {
  for (const sentBefore of [false, true]) {
    const decision = decide({
      endpoint: "mint",
      failure: refused(20008),
      sentBefore,
      hasLegacy: true,
    });
    assert.equal(decision.action, "try-legacy");
  }
});

Deno.test("decide takes nothing for conclusive that may have been done before", () => {
  for (let code = 0; code < 60_000; code += code < 10_000 ? 997 : 1) {
    for (const endpoint of ["swap", "mint"] as const) {
      const { action } = decide({ endpoint, failure: refused(code), sentBefore: true });
      assert.notEqual(action, "refused", `code ${code} of a ${endpoint}`);
    }
  }
});
