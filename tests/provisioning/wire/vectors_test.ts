import assert from "node:assert/strict";
import fc from "fast-check";
import { schnorrSign } from "../../../src/core/secp256k1.ts";
import {
  canonicalLeaseName,
  canonicalMint,
  formatLeaseId,
  formatTime,
  hasMint,
  isStakeSigned,
  leaseNameOf,
  leaseNumberOf,
  parseLeaseId,
  parseTime,
  readVolumeKey,
  stakeDigest,
  volumeEncryptionOf,
  volumeKeyOf,
} from "../../../provisioning/wire/mod.ts";
import { KEYS, REQUESTS, SECRETS } from "./fixtures.ts";

Deno.test("volumeKeyOf() derives the key of Paygress' vector", () => {
  const key = volumeKeyOf({
    secretKey: new Uint8Array(32).fill(0x42),
    workloadId: "workload-abc",
  });
  assert.equal(key.toHex(), "e86644a9d32636c1d9c9a976f5eddda0f3ffe379d7eeb75c55478493109a42f2");
  const encryption = volumeEncryptionOf(key);
  const { version, algorithm, key_b64: keyB64 } =
    JSON.parse(REQUESTS.warmStandby).volume_encryption;
  assert.deepEqual(encryption, { version, algorithm, keyB64 });
  assert.deepEqual(readVolumeKey(encryption), key);
});

Deno.test("readVolumeKey() takes no other version, cipher or length", () => {
  const good = volumeEncryptionOf(new Uint8Array(32).fill(7));
  assert.ok(readVolumeKey(good));
  for (
    const change of [{ version: 2 }, { algorithm: "rot13" }, { keyB64: good.keyB64.slice(1) }, {
      keyB64: `${good.keyB64}=`,
    }, { keyB64: good.keyB64.replace(/^./, "+") }]
  ) assert.equal(readVolumeKey({ ...good, ...change }), undefined);
});

const STAKE = {
  provider: "a".repeat(64),
  outpoint: `${"b".repeat(64)}:0`,
  locktimeS: 1_893_456_000,
  sats: 100_000,
};

Deno.test("stakeDigest() is that of Paygress' vector", () => {
  assert.equal(
    stakeDigest(STAKE).toHex(),
    "5619091bb6717e8c81e7738c13c46001c54d4e143cd5d41eac877647fbd94f69",
  );
});

Deno.test("isStakeSigned() holds for the provider's own signature alone", () => {
  const stake = { ...STAKE, provider: KEYS.provider };
  const signature = schnorrSign(stakeDigest(stake), SECRETS.provider).toHex();
  const proof = { ...stake, key: KEYS.provider, signature, version: 1 };
  assert.equal(isStakeSigned(proof, KEYS.provider), true);
  assert.equal(isStakeSigned({ ...proof, sats: 100_001 }, KEYS.provider), false);
  assert.equal(isStakeSigned({ ...proof, signature: "00" }, KEYS.provider), false);
  assert.equal(isStakeSigned(proof, KEYS.stranger), false);
  const foreign = schnorrSign(stakeDigest(stake), SECRETS.stranger).toHex();
  assert.equal(isStakeSigned({ ...proof, signature: foreign }, KEYS.provider), false);
});

Deno.test("names and ids of leases read as they are written, and nothing else does", () => {
  fc.assert(fc.property(fc.nat({ max: 2 ** 32 - 1 }), fc.integer({ min: 1 }), (number, second) => {
    const lease = leaseNameOf(number);
    assert.equal(leaseNumberOf(lease), number);
    assert.equal(canonicalLeaseName(String(number)), lease);
    const id = { provider: KEYS.provider, lease, createdAtS: second };
    assert.deepEqual(parseLeaseId(formatLeaseId(id)), id);
  }));
  for (const odd of ["", "container", "container-01", "container--1", "1e3", "4294967296", " 1"]) {
    assert.equal(canonicalLeaseName(odd), undefined, odd);
    assert.equal(parseLeaseId(`${KEYS.provider}:${odd}:1`), undefined, odd);
  }
  assert.equal(parseLeaseId(`${KEYS.provider.toUpperCase()}:container-1:1`), undefined);
  assert.throws(() => leaseNameOf(2 ** 32), RangeError);
  assert.throws(() => leaseNameOf(-1), RangeError);
});

Deno.test("times read as they are written, in any zone, and nothing else does", () => {
  const noon = Date.UTC(2026, 6, 30, 12);
  assert.equal(formatTime(noon), "2026-07-30T12:00:00+00:00");
  assert.equal(formatTime(noon + 250), "2026-07-30T12:00:00.250+00:00");
  for (
    const text of [
      "2026-07-30T12:00:00+00:00",
      "2026-07-30T14:00:00+02:00",
      "2026-07-30T12:00:00Z",
      "2026-07-30t12:00:00.000000001z",
      "2026-07-30 12:00:00+00:00",
    ]
  ) assert.equal(parseTime(text), noon, text);
  for (
    const text of [
      "2026-07-30",
      "2026-13-30T12:00:00Z",
      "2026-07-30T12:00:00",
      "30 July 2026",
      "",
      5,
      null,
      "2026-07-30T25:00:00Z",
    ]
  ) assert.equal(parseTime(text), undefined, String(text));
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 41 }), (ms) => assert.equal(parseTime(formatTime(ms)), ms)),
  );
});

Deno.test("mints are the same however scheme, host and end are written", () => {
  const mints = ["https://Mint.Example/Path/", "http://127.0.0.1:3338"];
  assert.ok(hasMint(mints, "HTTPS://mint.example/Path"));
  assert.ok(hasMint(mints, "http://127.0.0.1:3338/"));
  for (
    const other of [
      "http://mint.example/Path",
      "https://mint.example/path",
      "https://mint.example.evil/Path",
      "https://x@mint.example/Path",
      "https://mint.example/Path?x",
      "ftp://mint.example/Path",
      "",
      "https://",
    ]
  ) assert.equal(hasMint(mints, other), false, other);
  assert.equal(canonicalMint("https://mint.example:443/"), "https://mint.example");
});
