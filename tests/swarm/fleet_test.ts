import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import fc from "fast-check";
import { encodeCbor } from "../../src/core/cbor.ts";
import { ed25519PublicKey } from "../../src/core/ed25519.ts";
import { Fleet, issueCertificate, verifyCertificate } from "../../swarm/fleet.ts";

const SECRET = new Uint8Array(32).fill(9);
const KEY = await ed25519PublicKey(SECRET);
const ALICE = "12D3KooWAlice";
const NOW_MS = 1_700_000_000_000;
const clock = { nowMs: () => NOW_MS };

const certificate = await issueCertificate({
  fleetSecret: SECRET,
  peerId: ALICE,
  expiresMs: NOW_MS + 60_999,
});

Deno.test("issueCertificate gives these bytes", () => {
  equal(certificate.toHex().startsWith("a4" + "6176" + "01" + "63736967" + "5840"), true);
  equal(
    certificate.toHex().endsWith(
      "6470656572" + "6d" + "313244334b6f6f57416c696365" + // "peer"
        "686578706972657353" + "1a6553f13c", // "expiresS": 1,700,000,060
    ),
    true,
  );
});

Deno.test("verifyCertificate reads what issueCertificate signed, in whole seconds", async () => {
  deepEqual(await verifyCertificate(certificate, KEY), {
    peerId: ALICE,
    expiresMs: NOW_MS + 60_000,
  });
});

Deno.test("verifyCertificate takes no changed bit and no other key", async () => {
  for (let at = 0; at < certificate.length; at++) {
    const changed = Uint8Array.from(certificate);
    changed[at]! ^= 1;
    equal(await verifyCertificate(changed, KEY), undefined, `byte ${at}`);
  }
  const other = await ed25519PublicKey(new Uint8Array(32).fill(8));
  equal(await verifyCertificate(certificate, other), undefined);
});

Deno.test("verifyCertificate throws at nothing", async () => {
  const odd = [
    encodeCbor({ v: 2 }),
    encodeCbor({ v: 1, peer: ALICE, expiresS: 5, sig: new Uint8Array(63) }),
    encodeCbor({ v: 1, peer: ALICE, expiresS: -5, sig: new Uint8Array(64) }),
    encodeCbor({ v: 1, peer: "", expiresS: 5, sig: new Uint8Array(64) }),
    encodeCbor({ v: 1, peer: ALICE, expiresS: 5, sig: new Uint8Array(64), more: 1 }),
    encodeCbor(null),
    encodeCbor([]),
  ];
  for (const bytes of odd) equal(await verifyCertificate(bytes, KEY), undefined);
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 600 }), async (bytes) => {
    equal(await verifyCertificate(bytes, KEY), undefined);
  }));
});

Deno.test("issueCertificate refuses a peer id or an expiry that is none", async () => {
  const base = { fleetSecret: SECRET, peerId: ALICE, expiresMs: NOW_MS };
  await rejects(issueCertificate({ ...base, peerId: "" }), RangeError);
  await rejects(issueCertificate({ ...base, peerId: "x".repeat(200) }), RangeError);
  await rejects(issueCertificate({ ...base, expiresMs: NaN }), RangeError);
});

Deno.test("Fleet.viewerOf counts configured peers and certified ones as members, nobody else", async () => {
  const fleet = new Fleet({ peerIds: ["configured"], key: KEY, clock });
  deepEqual(await fleet.viewerOf("configured"), { peerId: "configured", fleet: true });
  deepEqual(await fleet.viewerOf(ALICE, certificate), { peerId: ALICE, fleet: true });
  deepEqual(await fleet.viewerOf(ALICE), { peerId: ALICE, fleet: false });
  deepEqual(await fleet.viewerOf("mallory", certificate), { peerId: "mallory", fleet: false });
  deepEqual(await fleet.viewerOf("mallory", new Uint8Array(9)), {
    peerId: "mallory",
    fleet: false,
  });
});

Deno.test("Fleet.viewerOf stops counting a member when its certificate expires", async () => {
  let nowMs = NOW_MS;
  const fleet = new Fleet({ key: KEY, clock: { nowMs: () => nowMs } });
  equal((await fleet.viewerOf(ALICE, certificate)).fleet, true);
  nowMs += 60_000;
  equal((await fleet.viewerOf(ALICE, certificate)).fleet, false);
});

Deno.test("Fleet.viewerOf takes no certificate without a fleet key", async () => {
  equal((await new Fleet({ clock }).viewerOf(ALICE, certificate)).fleet, false);
  throws(() => new Fleet({ key: new Uint8Array(31), clock }), RangeError);
});

Deno.test("Fleet.viewerOf checks no more certificates of a peer that sent eight bad ones", async () => {
  const fleet = new Fleet({ key: KEY, clock });
  const forgedSecret = new Uint8Array(32).fill(7);
  for (let count = 0; count < 8; count++) {
    const expiresMs = NOW_MS + 10_000 + count * 1000;
    const forged = await issueCertificate({ fleetSecret: forgedSecret, peerId: ALICE, expiresMs });
    equal((await fleet.viewerOf(ALICE, forged)).fleet, false);
  }
  equal((await fleet.viewerOf(ALICE, certificate)).fleet, false);
});
