/**
 * The traps of cashu-ts 4.8.0 (A to I): each is shown on its own `Wallet`, then shown avoided by ours.
 * When a newer cashu-ts fails the first half of one of these, the workaround may go.
 */
import assert from "node:assert/strict";
import * as cashu from "@cashu/cashu-ts";
import {
  getDecodedTokenBinary,
  getEncodedTokenBinary,
  isP2PKSpendAuthorised,
  MintQuoteState,
  OutputData,
  type Proof as CashuProof,
  signP2PKProof,
  Wallet,
} from "@cashu/cashu-ts";
import { hashToCurveHex, hasValidDleq, publicKeyOf, signP2pkProofs } from "../../wallet/cashu.ts";
import { unblindChange } from "../../wallet/outputs/change.ts";
import { parseSpendingCondition } from "../../wallet/outputs/p2pk_secret.ts";
import { outputCountOf, planLocked, planOutputs } from "../../wallet/outputs/planning.ts";
import { swapBody } from "../../wallet/outputs/requests.ts";
import { decodeToken, encodeToken } from "../../wallet/token.ts";
import type { PlannedOutput, Proof } from "../../wallet/types.ts";
import { startKit, type TestWallet, type WalletKit } from "../support/wallet_kit.ts";
import {
  answerInstead,
  assertSigned,
  FaultyFetch,
  frozenIssue,
  frozenSwap,
  tryExchange,
} from "./outputs/exchange_fixture.ts";

const SECRET_KEY = "7".padStart(64, "0");
const PUBLIC_KEY = publicKeyOf(Uint8Array.fromHex(SECRET_KEY));

/** A wallet of cashu-ts, as its own documentation makes one. */
async function theirWallet(kit: WalletKit): Promise<Wallet> {
  const wallet = new Wallet(kit.mints[0]!.url, {
    unit: "sat",
    bip39seed: new Uint8Array(64).fill(9),
  });
  await wallet.loadMint();
  return wallet;
}

/** Ecash in their hands. */
async function theirProofs(kit: WalletKit, wallet: Wallet, amount = 32): Promise<CashuProof[]> {
  const quote = await wallet.createMintQuoteBolt11(amount);
  await kit.pay(quote.request);
  for (;;) {
    const { state } = await wallet.checkMintQuoteBolt11(quote.quote);
    if (state === MintQuoteState.PAID) break;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return await wallet.mintProofsBolt11(amount, quote.quote);
}

function mintOf(wallet: TestWallet) {
  return wallet.context.mints.of(wallet.kit.url());
}

/** Swaps `inputs` into as much of the active keyset, as a saga does after a refusal. */
async function swapAll(wallet: TestWallet, inputs: readonly Proof[], firstCounter: number) {
  const keyset = await mintOf(wallet).activeKeyset({ fresh: true });
  const amount = inputs.reduce((sum, proof) => sum + proof.amount, 0n);
  const outputs = planOutputs({ amount, role: "receive", keyset, keys: wallet.keys, firstCounter });
  assert.equal(outputs.length, outputCountOf(amount, keyset));
  const body = swapBody({ inputs, outputs });
  return { body, outcome: await mintOf(wallet).post("/v1/swap", body) };
}

Deno.test("trap A: a token of a keyset that was rotated out", async () => {
  await using kit = await startKit();
  const sender = await theirWallet(kit);
  const proofs = await theirProofs(kit, sender);
  kit.mints[0]!.admin.rotateKeyset();
  const token = cashu.getEncodedToken({ mint: kit.url(), unit: "sat", proofs });
  const receiver = await theirWallet(kit);
  await assert.rejects(receiver.receive(token, { requireDleq: true }), /Undefined key for amount/);

  const ours = kit.wallet();
  const keysets = await mintOf(ours).keysets();
  const read = decodeToken(token, keysets.map(({ id }) => id));
  for (const proof of read.proofs) {
    assert.ok(hasValidDleq(proof, await mintOf(ours).keyset(proof.keysetId)));
  }
  assert.equal((await swapAll(ours, read.proofs, 0)).outcome.kind, "answered");
});

Deno.test("trap B: a wallet that lives on after its keyset was rotated out", async () => {
  await using kit = await startKit();
  const theirs = await theirWallet(kit);
  const proofs = await theirProofs(kit, theirs);
  kit.mints[0]!.admin.rotateKeyset();
  await assert.rejects(theirs.send(8, proofs), /inactive|12002/i);
  await theirs.loadMint(true);
  await assert.rejects(theirs.send(8, proofs), "a fresh load does not help it");

  const ours = kit.wallet();
  await ours.fund(32n);
  const { operation, inputs } = await frozenSwap(ours);
  kit.mints[0]!.admin.rotateKeyset();
  const refused = await tryExchange(ours, operation, "swap");
  assert.ok(refused.kind === "refused" && refused.code === 12002);
  assert.equal((await swapAll(ours, inputs, 500)).outcome.kind, "answered");
});

Deno.test("trap C: a quote that was paid in time and expired since", async () => {
  await using kit = await startKit();
  const theirs = await theirWallet(kit);
  const quote = await theirs.createMintQuoteBolt11(8);
  const late = { ...quote, state: MintQuoteState.PAID, expiry: Math.floor(Date.now() / 1000) - 60 };
  await assert.rejects(theirs.mintProofsBolt11(8, late), /expired/);

  const ours = kit.wallet();
  const { operation, outputs } = await frozenIssue(ours);
  kit.mints[0]!.admin.jumpClock(7 * 24 * 3600);
  await assertSigned(ours, await tryExchange(ours, operation, "mint"), outputs);
});

Deno.test("trap D: change of another keyset, and signatures over nothing", async () => {
  await using kit = await startKit();
  const theirs = await theirWallet(kit);
  const blank = OutputData.createSingleRandomData(0, theirs.keysetId);
  const ours = kit.wallet();
  await ours.fund(2n);
  const [old] = ours.store.proofs({ state: "free" });
  kit.mints[0]!.admin.rotateKeyset();
  const { admin } = kit.mints[0]!;
  // A signature of the new keyset over a blank that was planned for the old one.
  const keyset = await mintOf(ours).activeKeyset({ fresh: true });
  assert.notEqual(keyset.id, theirs.keysetId);
  const body = swapBody({
    inputs: [old!],
    outputs: [{
      role: "change",
      keysetId: keyset.id,
      amount: 2n,
      secret: new TextDecoder().decode(blank.secret),
      blinded: blank.blindedMessage.B_,
      blindingFactor: blank.blindingFactor.toString(),
    }],
  });
  const answer = await mintOf(ours).post("/v1/swap", body);
  assert.ok(answer.kind === "answered", JSON.stringify(answer));
  const [signature] = (answer.body as { signatures: { id: string; C_: string; dleq: never }[] })
    .signatures;
  const changeSig = { ...signature!, amount: cashu.Amount.from(2) };
  assert.throws(() => theirs.createMeltChangeProofs([blank], [changeSig as never]));
  const nothing = { ...signature!, id: theirs.keysetId, amount: cashu.Amount.from(0) };
  assert.throws(() => theirs.createMeltChangeProofs([blank], [nothing as never]));

  const planned: PlannedOutput = {
    role: "change",
    keysetId: theirs.keysetId,
    amount: 0n,
    secret: new TextDecoder().decode(blank.secret),
    blinded: blank.blindedMessage.B_,
    blindingFactor: blank.blindingFactor.toString(),
  };
  const { C_, dleq, id } = signature!;
  const outcome = await unblindChange(mintOf(ours), [planned, planned], [
    { keysetId: id, amount: 2n, C_, dleq },
    { keysetId: theirs.keysetId, amount: 0n, C_ },
  ]);
  assert.ok(outcome.kind === "claimed" && outcome.proofs.length === 1);
  assert.equal((await swapAll(ours, outcome.proofs, 700)).outcome.kind, "answered");
  assert.ok(admin.books().isBalanced);
});

Deno.test("trap E: an answer that was cut off", async () => {
  await using kit = await startKit();
  const theirs = await theirWallet(kit);
  const proofs = await theirProofs(kit, theirs);
  const realFetch = globalThis.fetch;
  let swapCount = 0;
  globalThis.fetch = async (input, init) => {
    const response = await realFetch(input, init);
    if (!String(input).endsWith("/v1/swap")) return response;
    swapCount++;
    return new Response((await response.text()).slice(0, 100), { status: 200 });
  };
  try {
    const sending = theirs.send(8, proofs);
    await assert.rejects(sending, (error) => (error as { status?: number }).status === 200);
  } finally {
    globalThis.fetch = realFetch;
  }
  assert.equal(swapCount, 1, "it is not tried again");
  const [state] = await theirs.checkProofsStates(proofs.slice(0, 1));
  assert.equal(state!.state, "SPENT", "and the money is gone");

  const net = new FaultyFetch();
  const ours = kit.wallet("ours", { fetch: net.fetch });
  await ours.fund(32n);
  const { operation, outputs } = await frozenSwap(ours);
  net.next("/v1/swap", answerInstead('{"signatures":[{"id":"01'));
  assert.equal((await tryExchange(ours, operation, "swap")).kind, "wait");
  await assertSigned(ours, await tryExchange(ours, operation, "swap"), outputs);
});

Deno.test("trap F: a replay that signs again is another request", async () => {
  await using kit = await startKit();
  const theirs = await theirWallet(kit);
  const proofs = await theirProofs(kit, theirs);
  const locked = await theirs.ops.send(16, proofs).asP2PK({ pubkey: PUBLIC_KEY }).run();
  const preview = await theirs.prepareSwapToReceive({
    mint: kit.url(),
    unit: "sat",
    proofs: locked.send,
  });
  // What was stored before the first try, as a resume after a crash reads it.
  const stored = () => ({ ...preview, inputs: preview.inputs.map((input) => ({ ...input })) });
  kit.mints[0]!.admin.clearRequests();
  await theirs.completeSwap(stored(), SECRET_KEY);
  await assert.rejects(theirs.completeSwap(stored(), SECRET_KEY), /spent/i);
  assert.equal(bodiesOf(kit).size, 2, "two requests for one thing");

  const ours = kit.wallet();
  await ours.fund(16n);
  const keyset = await mintOf(ours).activeKeyset();
  const outputs = planLocked({
    amount: 16n,
    role: "send",
    keyset,
    lock: { publicKey: PUBLIC_KEY },
  });
  const lockBody = swapBody({ inputs: ours.store.proofs({ state: "free" }), outputs });
  const answer = await mintOf(ours).post("/v1/swap", lockBody);
  assert.ok(answer.kind === "answered");
  const restored = await mintOf(ours).restore(outputs);
  const claimed = await unblindChange(mintOf(ours), outputs, [
    ...outputs.map(({ blinded }) => restored.get(blinded)!),
  ]);
  const signed = signP2pkProofs(claimed.proofs, SECRET_KEY);
  kit.mints[0]!.admin.clearRequests();
  const first = await swapAll(ours, signed, 800);
  const again = await mintOf(ours).post("/v1/swap", first.body);
  assert.deepEqual(again, first.outcome, "the frozen bytes hold the witness");
  assert.equal(bodiesOf(kit).size, 1);
});

Deno.test("trap G: short keyset ids in binary tokens", () => {
  const id = "01" + "ab".repeat(32);
  const proof = { id, amount: cashu.Amount.from(4), secret: "s", C: hashToCurveHex("s") };
  const text = encodeToken({
    mint: "https://mint.example",
    unit: "sat",
    proofs: [{ keysetId: id, amount: 4n, secret: "s", C: proof.C }],
  });
  const short = { ...proof, id: id.slice(0, 16) };
  const binary = getEncodedTokenBinary({
    mint: "https://mint.example",
    unit: "sat",
    proofs: [short as CashuProof],
  });
  assert.equal(getDecodedTokenBinary(binary).proofs[0]!.id, id.slice(0, 16), "left as it was");

  assert.equal(decodeToken(text, [id]).proofs[0]!.keysetId, id);
  assert.throws(() => decodeToken(text, []), /not known to be of/);
});

Deno.test("trap H: what was prepared cannot be written down", async () => {
  await using kit = await startKit();
  const theirs = await theirWallet(kit);
  const preview = await theirs.prepareSwapToSend(8, await theirProofs(kit, theirs));
  assert.ok(!("serializeSwapPreview" in cashu));
  assert.throws(() => JSON.stringify(preview), /BigInt/);

  const ours = kit.wallet();
  await ours.fund(32n);
  const { operation, outputs } = await frozenSwap(ours);
  const reopened = await ours.reopen();
  await assertSigned(reopened, await tryExchange(reopened, operation, "swap"), outputs);
});

Deno.test("trap I: malformed tags are read as absent", () => {
  const secret = JSON.stringify(["P2PK", {
    nonce: "ab".repeat(32),
    data: PUBLIC_KEY,
    tags: [["n_sigs", "0x2"], ["pubkeys", publicKeyOf(new Uint8Array(32).fill(3))]],
  }]);
  const proof = { id: "00", amount: cashu.Amount.from(1), secret, C: PUBLIC_KEY } as CashuProof;
  assert.ok(
    isP2PKSpendAuthorised(signP2PKProof(proof, SECRET_KEY)),
    "one signature of two is enough",
  );

  assert.equal(parseSpendingCondition(secret), undefined);
  const other = JSON.stringify(["P2PK", {
    nonce: "ab".repeat(32),
    data: PUBLIC_KEY,
    tags: [["n_sigs", "0x2"]],
  }]);
  assert.equal(parseSpendingCondition(other), undefined);
});

/** Hashes of the bodies of the swaps that the mint saw. */
function bodiesOf(kit: WalletKit): Set<string> {
  return new Set(kit.mints[0]!.admin.requests("/v1/swap").map((request) => request.bodySha256));
}
