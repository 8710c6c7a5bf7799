import assert from "node:assert/strict";
import fc from "fast-check";
import { newSeedWords } from "../../../src/core/keys.ts";
import { publicKeyOf, splitAmount } from "../../../wallet/cashu.ts";
import { decodeChannelMessage, encodeChannelMessage } from "../../../wallet/channel/message.ts";
import { channelNetOf } from "../../../wallet/channel/purse.ts";
import {
  ChannelEnd,
  channelIdOf,
  type ChannelTerms,
  creditOf,
  fundingSecret,
  sumsOf,
} from "../../../wallet/channel/terms.ts";
import { walletKeysOf } from "../../../wallet/keys.ts";
import { parseSpendingCondition } from "../../../wallet/outputs/p2pk_secret.ts";
import { inputFee } from "../../../wallet/selection/fees.ts";
import type { Keyset, MintUrl } from "../../../wallet/types.ts";

const BUYER = walletKeysOf(newSeedWords()).payment;
const SELLER = walletKeysOf(newSeedWords()).payment;
const POINT = publicKeyOf(new Uint8Array(32).fill(7));

/** A keyset of powers of two; nobody checks its keys here. */
function keysetOf(inputFeePpk: number, base = 2): Keyset {
  const keys: Record<string, string> = {};
  for (let value = 1; value <= 2 ** 20; value *= base) keys[value] = POINT;
  return { id: `00${"ab".repeat(7)}`, unit: "sat", active: true, inputFeePpk, keys };
}

function termsOf(capacity: bigint, keyset: Keyset): ChannelTerms {
  return {
    mint: "https://mint.example" as MintUrl,
    keysetId: keyset.id,
    buyer: BUYER.publicKey,
    seller: SELLER.publicKey,
    expiryS: 2_000_000_000,
    proofs: splitAmount(capacity, keyset).map((amount, index) => ({
      amount,
      nonce: index.toString(16).padStart(64, "0"),
      C: POINT,
      dleq: { e: "11".repeat(32), s: "22".repeat(32), r: "33".repeat(32) },
    })),
  };
}

Deno.test("sumsOf leaves every balance worth its credit, whatever the fees and denominations", () => {
  fc.assert(fc.property(
    fc.integer({ min: 0, max: 999 }),
    fc.bigInt({ min: 30n, max: 40_000n }),
    fc.array(fc.bigInt({ min: 1n, max: 40_000n }), { minLength: 2, maxLength: 20 }),
    fc.constantFrom(2, 4),
    (feePpk, capacity, balances, base) => {
      const keyset = keysetOf(feePpk, base);
      const proofCount = splitAmount(capacity, keyset).length;
      const sums = sumsOf(capacity, proofCount, keyset);
      assert.equal(sums.closeFee + sums.balanceMax, capacity);
      let last = 0n;
      for (
        const balance of balances.filter((one) => one <= sums.balanceMax).sort((a, b) =>
          a < b ? -1 : 1
        )
      ) {
        const credit = creditOf(balance, sums);
        assert.ok(credit >= last, "credit only grows");
        last = credit;
        const parts = splitAmount(balance, keyset);
        const fee = inputFee(parts.map(() => ({ keysetId: keyset.id })), () => feePpk);
        assert.ok(credit === 0n || balance - fee >= credit, "what is credited can be redeemed");
      }
    },
  ));
});

Deno.test("both ends of a channel make the same outputs, and only the buyer's signature is one", () => {
  const keyset = keysetOf(100);
  fc.assert(
    fc.property(
      fc.bigInt({ min: 64n, max: 20_000n }),
      fc.bigInt({ min: 1n, max: 64n }),
      (capacity, share) => {
        const terms = termsOf(capacity, keyset);
        const buyer = new ChannelEnd(terms, { keyset, key: BUYER });
        const seller = new ChannelEnd(terms, { keyset, key: SELLER });
        const balance = buyer.sums.balanceMax * share / 64n || 1n;
        const [ours, theirs] = [buyer.outputs(balance, keyset), seller.outputs(balance, keyset)];
        assert.deepEqual(ours.map(({ blinded }) => blinded), theirs.map(({ blinded }) => blinded));
        const sum = (role: string) =>
          theirs.reduce((total, one) => one.role === role ? total + one.amount : total, 0n);
        assert.equal(sum("receive"), balance);
        assert.equal(sum("change"), buyer.sums.balanceMax - balance);
        for (const output of theirs) {
          const condition = parseSpendingCondition(output.secret);
          const owner = output.role === "receive" ? SELLER : BUYER;
          assert.ok(condition?.kind === "P2PK" && condition.data === owner.publicKey);
          assert.equal(condition.locktimeS, undefined);
        }
        const signed = buyer.sign(balance, keyset);
        assert.ok(seller.isSigned(signed, keyset));
        assert.ok(!seller.isSigned(seller.sign(balance, keyset), keyset));
        if (balance > 1n) assert.ok(!seller.isSigned({ ...signed, balance: balance - 1n }, keyset));
      },
    ),
    { numRuns: 20 },
  );
});

Deno.test("the outputs of 300 balances are few, and never the same for two amounts or owners", () => {
  const keyset = keysetOf(0);
  const end = new ChannelEnd(termsOf(1_024n, keyset), { keyset, key: BUYER });
  const all = new Set<string>();
  for (let balance = 1n; balance <= 300n; balance++) {
    for (const { blinded } of end.outputs(balance, keyset)) all.add(blinded);
  }
  assert.ok(all.size <= 22, `${all.size} outputs`);
});

Deno.test("channelIdOf depends on all that is in the terms", () => {
  const keyset = keysetOf(0);
  const terms = termsOf(100n, keyset);
  const [first, ...others] = terms.proofs;
  const ids = [
    terms,
    { ...terms, mint: "https://other.example" as MintUrl },
    { ...terms, keysetId: `00${"cd".repeat(7)}` },
    { ...terms, buyer: SELLER.publicKey },
    { ...terms, seller: BUYER.publicKey },
    { ...terms, expiryS: terms.expiryS + 1 },
    { ...terms, proofs: others },
    { ...terms, proofs: [{ ...first!, amount: first!.amount + 1n }, ...others] },
    { ...terms, proofs: [{ ...first!, nonce: "ff".repeat(32) }, ...others] },
  ].map(channelIdOf);
  assert.equal(new Set(ids).size, ids.length);
});

Deno.test("a channel message comes back as it was, is short enough, and has one form only", () => {
  const keyset = keysetOf(0);
  const open = termsOf(65_535n, keyset);
  const message = {
    channelId: channelIdOf(open),
    open,
    balance: 64n,
    keysetId: keyset.id,
    signature: "ab".repeat(64),
  };
  const text = encodeChannelMessage(message);
  assert.ok(text.length < 16_384, `${text.length} characters`);
  assert.deepEqual(decodeChannelMessage(text), message);
  const { open: _, ...update } = message;
  assert.ok(encodeChannelMessage(update).length < 600);
  assert.deepEqual(decodeChannelMessage(encodeChannelMessage(update)), update);
  assert.equal(decodeChannelMessage(`${text}A`), undefined);
  assert.equal(decodeChannelMessage(text.replace("channel1:", "channel2:")), undefined);
  const json = new TextDecoder().decode(
    Uint8Array.fromBase64(text.slice(9), { alphabet: "base64url" }),
  );
  const spaced = new TextEncoder().encode(` ${json}`)
    .toBase64({ alphabet: "base64url", omitPadding: true });
  assert.equal(decodeChannelMessage(`channel1:${spaced}`), undefined);
});

Deno.test("decodeChannelMessage throws nothing, whatever the bytes", () => {
  fc.assert(fc.property(fc.json(), (json) => {
    const text = new TextEncoder().encode(json).toBase64({
      alphabet: "base64url",
      omitPadding: true,
    });
    assert.equal(decodeChannelMessage(`channel1:${text}`), undefined);
  }));
  fc.assert(fc.property(fc.string(), (text) => {
    assert.equal(decodeChannelMessage(`channel1:${text}`), undefined);
  }));
});

Deno.test("fundingSecret needs both keys until the expiry, then the buyer's alone", () => {
  const secret = JSON.parse(fundingSecret("00".repeat(32), termsOf(1n, keysetOf(0))));
  assert.deepEqual(secret, ["P2PK", {
    nonce: "00".repeat(32),
    data: BUYER.publicKey,
    tags: [
      ["pubkeys", SELLER.publicKey],
      ["n_sigs", "2"],
      ["sigflag", "SIG_ALL"],
      ["locktime", "2000000000"],
      ["refund", BUYER.publicKey],
    ],
  }]);
});

Deno.test("channelNetOf wants a channel for more than a strip, within what its seller lets it hold", () => {
  assert.equal(channelNetOf(30, { minTopUpSat: 64, channelSat: 20_000 }), undefined);
  assert.equal(channelNetOf(31, { minTopUpSat: 64, channelSat: 20_000 }), 32n * 64n + 20n);
  assert.equal(channelNetOf(31, { minTopUpSat: 64 }), undefined);
  assert.equal(channelNetOf(100, { minTopUpSat: 64, channelSat: 1_000 }), undefined);
  const terms = { minTopUpSat: 64, channelSat: 5_000 };
  assert.equal(channelNetOf(40, terms, 2_000n), 41n * 64n + 20n);
  assert.equal(channelNetOf(40, terms, 4_000n), undefined, "what is open counts");
  assert.equal(channelNetOf(1_000, { minTopUpSat: 64, channelSat: 1_000_000 }), 311n * 64n + 20n);
});
