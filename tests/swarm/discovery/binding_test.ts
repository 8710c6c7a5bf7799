import assert from "node:assert/strict";
import { type BindingClaim, signBinding, verifyBinding } from "../../../swarm/discovery/binding.ts";
import { identity } from "./support.ts";

const ann = await identity(1);
const bob = await identity(2);
const P2PK = `02${"a".repeat(64)}`;
const claim: BindingClaim = { nostrKey: ann.nostrKey, peerId: ann.peerId, p2pk: P2PK };
const options = { nowS: 99 };
const binding = await signBinding(claim, { secretKey: ann.libp2pSecretKey, expiresS: 100 });

Deno.test("verifyBinding accepts what the peer's own key signed, until it expires", async () => {
  assert.equal(await verifyBinding(binding, claim, options), true);
  assert.equal(await verifyBinding(binding, claim, { nowS: 100 }), false);
});

Deno.test("verifyBinding refuses every other claim", async () => {
  for (
    const other of [
      { ...claim, nostrKey: bob.nostrKey },
      { ...claim, peerId: bob.peerId },
      { ...claim, p2pk: undefined },
      { ...claim, p2pk: `03${"a".repeat(64)}` },
      { ...claim, nostrKey: "short" },
      { ...claim, peerId: "nonsense" },
      { ...claim, p2pk: "nonsense" },
    ]
  ) assert.equal(await verifyBinding(binding, other, options), false, JSON.stringify(other));
});

Deno.test("verifyBinding refuses another expiry, another signer and nonsense", async () => {
  const by = await signBinding(claim, { secretKey: bob.libp2pSecretKey, expiresS: 100 });
  for (
    const other of [
      by,
      { ...binding, expiresS: 101 },
      { ...binding, signature: "0".repeat(128) },
      { ...binding, signature: "" },
      { ...binding, signature: binding.signature.toUpperCase() },
    ]
  ) assert.equal(await verifyBinding(other, claim, options), false);
});

Deno.test("signBinding gives the same signature for the same claim, as docs/protocols shows it", async () => {
  const again = await signBinding(claim, { secretKey: ann.libp2pSecretKey, expiresS: 100 });
  assert.deepEqual(again, binding);
  assert.equal(binding.signature.length, 128);
});
