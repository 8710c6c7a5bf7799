import assert from "node:assert/strict";
import { buildOffer, KIND_OFFER, readOffer } from "../../../provisioning/wire/mod.ts";
import { AT_S, CONTENTS, KEYS } from "./fixtures.ts";

const NOW = { nowS: AT_S + 400 };

/** As offers of Paygress carry it. */
const STAKE = {
  utxo_outpoint: `${"b".repeat(64)}:0`,
  locktime_unix: 1_893_456_000,
  sats: 100_000,
  provider_pubkey_hex: KEYS.provider,
  signature_hex: "c".repeat(128),
  version: 1,
};

/** An offer whose `stake_proof` is `raw`, its signature checked already. */
function offerWith(raw: unknown) {
  return readOffer({
    id: "0".repeat(64),
    sig: "0".repeat(128),
    pubkey: KEYS.provider,
    kind: KIND_OFFER,
    tags: [["t", "paygress"], ["d", `paygress:offer:v1:${KEYS.provider}`], ["v", "1"]],
    content: JSON.stringify({ ...JSON.parse(CONTENTS.offer), stake_proof: raw }),
    created_at: AT_S,
  }, NOW);
}

Deno.test("an offer's stake_proof is read, and written as it came", () => {
  const offer = offerWith(STAKE)!;
  assert.deepEqual(offer.stakeProof, {
    outpoint: STAKE.utxo_outpoint,
    locktimeS: 1_893_456_000,
    sats: 100_000,
    key: KEYS.provider,
    signature: STAKE.signature_hex,
    version: 1,
  });
  const again = buildOffer(offer, { createdAtS: AT_S });
  assert.deepEqual(JSON.parse(again.content).stake_proof, STAKE);
});

Deno.test("an offer whose stake_proof cannot be read is none, as for Paygress; null is none claimed", () => {
  const none = offerWith(null)!;
  assert.equal(none.name, "SwiftGoldenOwl");
  assert.equal(none.stakeProof, undefined);
  assert.ok(!("stake_proof" in JSON.parse(buildOffer(none, { createdAtS: AT_S }).content)));
  const odd = [
    7,
    "x",
    [],
    {},
    { ...STAKE, sats: -1 },
    { ...STAKE, sats: "100000" },
    {
      ...STAKE,
      locktime_unix: 1e300,
    },
    { ...STAKE, signature_hex: "c".repeat(600) },
    { ...STAKE, version: undefined },
  ];
  for (const raw of odd) {
    assert.equal(offerWith(raw), undefined, JSON.stringify(raw).slice(0, 80));
  }
});
