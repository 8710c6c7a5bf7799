/** Locks: NUT-11 and NUT-14 as cashu-ts makes and signs them, judged by the mint's clock. */
import assert from "node:assert/strict";
import {
  createHTLCHash,
  createP2PKsecret,
  getPubKeyFromPrivKey,
  P2PKBuilder,
  type Proof,
  schnorrSignMessage,
  type Wallet,
} from "@cashu/cashu-ts";
import { signedWith } from "./signed.ts";
import { MintWorld, sumOf } from "./support.ts";

const [ALICE, BOB, CAROL] = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte).toHex()) as [
  string,
  string,
  string,
];

function publicKey(secret: string): string {
  return getPubKeyFromPrivKey(Uint8Array.fromHex(secret)).toHex();
}

async function locked(world: MintWorld, wallet: Wallet, lock: P2PKBuilder): Promise<Proof[]> {
  const funded = await world.fund(wallet, 24);
  const { send } = await wallet.ops.send(24, funded).asP2PK(lock.toOptions()).run();
  assert.equal(sumOf(send), 24);
  return send;
}

function receive(
  world: MintWorld,
  wallet: Wallet,
  { proofs, keys }: { readonly proofs: Proof[]; readonly keys?: string[] },
): Promise<Proof[]> {
  const token = { mint: world.mint.url, proofs, unit: "sat" };
  const builder = wallet.ops.receive(token);
  return (keys ? builder.privkey(keys) : builder).run();
}

function lockTo(secret: string): P2PKBuilder {
  return new P2PKBuilder().addLockPubkey(publicKey(secret));
}

Deno.test("locked proofs take the signature of their key and no other", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  for (const lock of [lockTo(ALICE), lockTo(ALICE).sigAll()]) {
    const proofs = await locked(world, wallet, lock);
    await assert.rejects(receive(world, wallet, { proofs }), { code: 10001 });
    const forged = proofs.map((proof) => ({
      ...proof,
      witness: JSON.stringify({ signatures: ["00".repeat(64)] }),
    }));
    await assert.rejects(receive(world, wallet, { proofs: forged }), { code: 10001 });
    assert.equal(sumOf(await receive(world, wallet, { proofs, keys: [ALICE] })), 24);
  }
});

Deno.test("two of three sign, and one does not do", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  for (const isSigAll of [false, true]) {
    const lock = lockTo(ALICE).addLockPubkey([publicKey(BOB), publicKey(CAROL)])
      .requireLockSignatures(2);
    const proofs = await locked(world, wallet, isSigAll ? lock.sigAll() : lock);
    await assert.rejects(receive(world, wallet, { proofs, keys: [BOB] }), { code: 10001 });
    assert.equal(sumOf(await receive(world, wallet, { proofs, keys: [ALICE, CAROL] })), 24);
  }
});

Deno.test("a refund key signs once the mint's clock has passed the locktime, not before", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  // In the past of the wallet, which would not sign with the refund key otherwise.
  const locktime = Math.floor(Date.now() / 1000) - 600;
  world.mint.admin.jumpClock(-1200);
  const lock = lockTo(ALICE).lockUntil(locktime).addRefundPubkey(publicKey(BOB));
  const proofs = await locked(world, wallet, lock);
  await assert.rejects(receive(world, wallet, { proofs, keys: [BOB] }), { code: 10001 });
  world.mint.admin.jumpClock(1200);
  assert.equal(sumOf(await receive(world, wallet, { proofs, keys: [BOB] })), 24);
  const late = await locked(world, wallet, lock);
  assert.equal(sumOf(await receive(world, wallet, { proofs: late, keys: [ALICE] })), 24);
  const open = await locked(world, wallet, lockTo(ALICE).lockUntil(locktime));
  assert.equal(sumOf(await receive(world, wallet, { proofs: open })), 24, "nobody's after that");
});

Deno.test("a hash lock takes the preimage together with the signature", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  const { hash, preimage } = createHTLCHash();
  const proofs = await locked(world, wallet, lockTo(ALICE).addHashlock(hash));
  const with_ = (preimage: string) =>
    proofs.map((proof) => ({ ...proof, witness: JSON.stringify({ preimage, signatures: [] }) }));
  const keys = [ALICE];
  await assert.rejects(receive(world, wallet, { proofs, keys }), { code: 10001 });
  await assert.rejects(receive(world, wallet, { proofs: with_(preimage) }), { code: 10001 });
  const wrong = with_("ab".repeat(32));
  await assert.rejects(receive(world, wallet, { proofs: wrong, keys }), { code: 10001 });
  assert.equal(sumOf(await receive(world, wallet, { proofs: with_(preimage), keys })), 24);
});

Deno.test("a melt signed with SIG_ALL covers quote and blanks", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  const proofs = await locked(world, wallet, lockTo(ALICE).sigAll());
  const quote = await wallet.createMeltQuoteBolt11(await world.invoice(20));
  const preview = await wallet.prepareMelt("bolt11", quote, proofs);
  const other = await wallet.createMeltQuoteBolt11(await world.invoice(20));
  const misused = { ...preview, quote: other };
  const signed = wallet.signP2PKProofs(proofs, ALICE, preview.outputData, quote.quote);
  await assert.rejects(wallet.completeMelt({ ...misused, inputs: signed }), { code: 10001 });
  const melted = await wallet.completeMelt({ ...preview, inputs: signed });
  assert.equal(melted.quote.state, "PAID");
  const states = await wallet.checkProofsStates(proofs);
  assert.match(String(states[0]?.witness), /signatures/, "NUT-07 shows the witness");
});

Deno.test("a malformed lock is nobody's to spend, whoever signs", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  const key = publicKey(ALICE);
  const spend = async (tags: string[][]) => {
    const [kind, data] = JSON.parse(createP2PKsecret(key));
    const secret = JSON.stringify([kind, { ...data, tags }]);
    const proof = await signedWith(world, wallet, secret);
    const witness = JSON.stringify({ signatures: [schnorrSignMessage(secret, ALICE)] });
    return receive(world, wallet, { proofs: [{ ...proof, witness }] });
  };
  assert.equal(sumOf(await spend([["n_sigs", "1"], ["sigflag", "SIG_INPUTS"]])), 1);
  for (
    const tags of [
      [["n_sigs", "2"]],
      [["n_sigs", "0"]],
      [["pubkeys", `${key.startsWith("02") ? "03" : "02"}${key.slice(2)}`]],
      [["sigflag", "SIG_SOME"]],
      [["locktime", "1"], ["locktime", "2"]],
    ]
  ) await assert.rejects(spend(tags), { code: 10001 }, JSON.stringify(tags));
});

Deno.test("a mint without NUT-11 lets anyone spend what is locked", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  const proofs = await locked(world, wallet, lockTo(ALICE));
  world.mint.admin.disableNuts([11]);
  assert.equal(sumOf(await receive(world, wallet, { proofs })), 24);
});
