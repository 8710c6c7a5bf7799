import assert from "node:assert/strict";
import { publicKeyOf } from "../../../wallet/cashu.ts";
import { offlineAnswer, type OfflineFacts } from "../../../wallet/payments/offline.ts";
import { INTAKE_POLICY } from "../../../wallet/payments/policy.ts";
import type { Keyset, MintUrl, Proof } from "../../../wallet/types.ts";

const NOW_MS = 1_800_000_000_000;
const NOW_S = NOW_MS / 1000;
const HOUR_S = 3600;
const KEY = publicKeyOf(new Uint8Array(32).fill(1));
const OTHER = publicKeyOf(new Uint8Array(32).fill(2));
const KEYSET: Keyset = { id: "00", unit: "sat", active: true, inputFeePpk: 0, keys: {} };

function locked(tags: readonly unknown[] = [], more: Record<string, unknown> = {}): Proof {
  const secret = JSON.stringify(["P2PK", { nonce: "0123456789abcdef", data: KEY, tags, ...more }]);
  return { keysetId: "00", amount: 64n, secret, C: KEY };
}

function facts(more: Partial<OfflineFacts> = {}): OfflineFacts {
  return {
    mint: { url: "https://a.example" as MintUrl, trust: "trusted", addedMs: 0 },
    info: {
      info: { name: "", version: "", nuts: new Set([7, 9, 10, 11, 12]), cachedPaths: [] },
      atMs: NOW_MS,
    },
    keysetOf: () => KEYSET,
    proofs: [locked()],
    publicKey: KEY,
    credit: 64n,
    price: 64n,
    unredeemedOfMint: 0n,
    unredeemedOfPayer: 0n,
    policy: INTAKE_POLICY,
    nowMs: NOW_MS,
    ...more,
  };
}

function whyNot(more: Partial<OfflineFacts>): string {
  const answer = offlineAnswer(facts(more));
  return answer.offline ? assert.fail("the mint is asked") : answer.why;
}

Deno.test("offlineAnswer takes a token that is locked to us, with a deadline from its locktime", () => {
  assert.deepEqual(offlineAnswer(facts()), { offline: true });
  const locktimes = [NOW_S + 3 * HOUR_S, NOW_S + 2 * HOUR_S];
  const proofs = locktimes.map((locktime) =>
    locked([["locktime", String(locktime)], ["refund", OTHER]])
  );
  assert.deepEqual(offlineAnswer(facts({ proofs })), {
    offline: true,
    redeemByMs: NOW_MS + 2 * HOUR_S * 1000 - 600_000,
  });
});

Deno.test("offlineAnswer compares keys by x alone, as signatures do", () => {
  const flipped = (KEY.startsWith("02") ? "03" : "02") + KEY.slice(2);
  assert.deepEqual(offlineAnswer(facts({ publicKey: flipped })), { offline: true });
});

Deno.test("offlineAnswer has every mint asked that is not trusted, known and able", () => {
  const { mint, info } = facts();
  assert.match(whyNot({ mint: { ...mint, trust: "accepted" } }), /not trusted/);
  assert.match(whyNot({ mint: { ...mint, blockedReason: "bad DLEQ" } }), /blocked/);
  assert.match(whyNot({ info: undefined }), /not heard of/);
  assert.match(
    whyNot({ info: { ...info!, atMs: NOW_MS - 24 * HOUR_S * 1000 - 1 } }),
    /not heard of/,
  );
  for (const nut of [7, 9, 10, 11, 12]) {
    const nuts = new Set([7, 9, 10, 11, 12].filter((one) => one !== nut));
    const lacking = { info: { ...info!.info, nuts }, atMs: NOW_MS };
    assert.match(whyNot({ info: lacking }), new RegExp(`NUT ${nut}`));
  }
});

Deno.test("offlineAnswer has the mint asked about keysets that are unknown, foreign or about to end", () => {
  assert.match(whyNot({ keysetOf: () => undefined }), /not known/);
  assert.match(whyNot({ keysetOf: () => ({ ...KEYSET, unit: "usd" }) }), /not in sat/);
  const finalExpiry = NOW_S + HOUR_S;
  assert.match(whyNot({ keysetOf: () => ({ ...KEYSET, finalExpiry }) }), /expire/);
});

Deno.test("offlineAnswer has the mint asked about every secret that is not plainly ours alone", () => {
  const proofs: readonly Proof[] = [
    { ...locked(), secret: "0123456789abcdef" },
    locked([], { data: OTHER }),
    locked([["pubkeys", OTHER]]),
    locked([["n_sigs", "2"]]),
    locked([["n_sigs", "1"], ["n_sigs", "1"]]),
    locked([["sigflag", "SIG_ALL"]]),
    locked([["sigflag", "sig_inputs"]]),
    locked([["unknown", "1"]]),
    locked([["locktime", "soon"]]),
    locked([["locktime", String(NOW_S + HOUR_S)]]),
    locked([["locktime", "1"]]),
    locked([], { nonce: "0123456789abcdef".repeat(32) }),
    { ...locked(), secret: locked().secret.replace("P2PK", "HTLC") },
  ];
  for (const proof of proofs) {
    assert.ok(whyNot({ proofs: [locked(), proof] }).length > 0, proof.secret);
  }
});

Deno.test("offlineAnswer has the mint asked about too many proofs, too little, and too much at risk", () => {
  const proofs = Array.from({ length: 17 }, () => locked());
  assert.match(whyNot({ proofs }), /16 proofs/);
  assert.match(whyNot({ credit: 63n }), /63 sat after fees/);
  assert.match(whyNot({ credit: 0n, price: 0n }), /0 sat/);
  const { unredeemedPerMintMaxSat, unredeemedPerPayerMaxSat } = INTAKE_POLICY;
  assert.match(whyNot({ unredeemedOfMint: unredeemedPerMintMaxSat - 63n }), /of this mint/);
  assert.match(whyNot({ unredeemedOfPayer: unredeemedPerPayerMaxSat - 63n }), /of this payer/);
  assert.match(whyNot({ policy: { ...INTAKE_POLICY, offline: false } }), /redeemed before/);
  const atLimit = facts({ unredeemedOfPayer: unredeemedPerPayerMaxSat - 64n });
  assert.equal(offlineAnswer(atLimit).offline, true);
});
