/**
 * The wallet against a development mint on loopback, each a process of its own: payments made and
 * redeemed a second, what each step of the cryptography takes, ten thousand proofs in the database,
 * and a thousand open operations that a new start finds. Rounds take turns and the best of each counts.
 *
 *     deno run -A bench/wallet.ts [--payments 100] [--operations 1000] [--rounds 3] [--json]
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createBlindSignature, createDLEQProof, pointFromHex } from "@cashu/cashu-ts";
import { HttpLightning } from "../devnet/lightning/client.ts";
import { systemClock, systemRandom } from "../src/host/system.ts";
import { newSeedWords } from "../src/core/keys.ts";
import {
  blindingFactorOf,
  blindSecret,
  hashToCurveHex,
  hasValidBlindDleq,
  hasValidDleq,
  publicKeyOf,
  schnorrSign,
  secretDeriver,
  unblind,
} from "../wallet/cashu.ts";
import { selectFrom } from "../wallet/selection/from_store.ts";
import { SqliteWalletStore } from "../wallet/store/mod.ts";
import type { BlindSignature, MintUrl, PlannedOutput } from "../wallet/types.ts";
import { Wallet } from "../wallet/wallet.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    "payments": { type: "string", default: "100" },
    "operations": { type: "string", default: "1000" },
    "rounds": { type: "string", default: "3" },
    "json": { type: "boolean", default: false },
  },
});
const paymentCount = Number(values.payments);
const operationCount = Number(values.operations);
const roundCount = Number(values.rounds);

const PROOF_COUNT = 10_000;
const PAYMENT_SAT = 64;
const CONCURRENCY = 8;
const KEYSET = `01${"5e".repeat(32)}`;

interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
}

const figures: Figure[] = [];

function tell(what: string, value: number, unit: string): void {
  figures.push({ what, value, unit });
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
  console.log(
    values.json
      ? JSON.stringify({ what, value, unit })
      : `${what.padEnd(58)} ${value.toFixed(digits).padStart(9)} ${unit}`,
  );
}

async function timed(task: () => unknown): Promise<number> {
  const startMs = performance.now();
  await task();
  return performance.now() - startMs;
}

/** The best time of one call in milliseconds, of `count` calls in each round. */
function bestMs(count: number, call: () => unknown): number {
  let best = Infinity;
  for (let round = 0; round < roundCount + 1; round++) {
    const startMs = performance.now();
    for (let index = 0; index < count; index++) call();
    // The first round warms up.
    if (round > 0) best = Math.min(best, (performance.now() - startMs) / count);
  }
  return best;
}

/** A process of the development network, and the address that it says it listens on. */
async function service(args: readonly string[]): Promise<{ url: string } & AsyncDisposable> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", ...args, "--json"],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let line = "";
  while (!line.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`${args[0]} ended before it was ready`);
    line += value;
  }
  return {
    url: JSON.parse(line).url,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
      await reader.cancel();
    },
  };
}

function path(name: string): string {
  return new URL(`../devnet/${name}/main.ts`, import.meta.url).pathname;
}

function cryptography(): void {
  const seed = crypto.getRandomValues(new Uint8Array(64));
  const secretKey = crypto.getRandomValues(new Uint8Array(32));
  secretKey[0] = 1;
  const keys = { "64": publicKeyOf(secretKey) };
  const derive = secretDeriver(seed, KEYSET);
  let counter = 0;
  tell("derive secret, factor and B_ (NUT-13)", bestMs(50, () => derive(counter++)), "ms");
  const secret = derive(1).secret;
  const factor = blindingFactorOf(crypto.getRandomValues(new Uint8Array(32)));
  tell("hash to curve", bestMs(200, () => hashToCurveHex(`${counter++}`)), "ms");
  tell("blind", bestMs(50, () => blindSecret(`${counter++}`, factor)), "ms");
  const output: PlannedOutput = {
    role: "keep",
    keysetId: KEYSET,
    amount: 64n,
    ...blindSecret(secret, factor),
    secret,
  };
  const B_ = pointFromHex(output.blinded);
  const { e, s } = createDLEQProof(B_, secretKey);
  const signature: BlindSignature = {
    keysetId: KEYSET,
    amount: 64n,
    C_: createBlindSignature(B_, secretKey, KEYSET).C_.toHex(true),
    dleq: { e: e.toHex(), s: s.toHex() },
  };
  tell(
    "verify DLEQ of a signature",
    bestMs(30, () => hasValidBlindDleq(signature, output, { keys })),
    "ms",
  );
  tell("unblind", bestMs(50, () => unblind(signature, output, { keys })), "ms");
  const proof = unblind(signature, output, { keys });
  tell(
    "verify DLEQ of a proof, in a payment to us",
    bestMs(30, () => hasValidDleq(proof, { keys })),
    "ms",
  );
  const digest = crypto.getRandomValues(new Uint8Array(32));
  const hex = secretKey.toHex();
  tell("sign P2PK (BIP-340)", bestMs(50, () => schnorrSign(digest, hex)), "ms");
  if (!hasValidBlindDleq(signature, output, { keys }) || !hasValidDleq(proof, { keys })) {
    throw new Error("The proofs of this bench do not check out");
  }
}

function database(directory: string): void {
  const mint = "https://mint.example" as MintUrl;
  using store = SqliteWalletStore.open({
    directory: join(directory, "proofs"),
    clock: systemClock,
    seedFingerprint: "0123456789abcdef",
  });
  const hex = (index: number) => index.toString(16).padStart(64, "0");
  const proofs = Array.from({ length: PROOF_COUNT }, (_, index) => ({
    y: `02${hex(index)}`,
    keysetId: KEYSET,
    amount: 2n ** BigInt(index % 14),
    secret: hex(index),
    C: `03${hex(index)}`,
  }));
  const startMs = performance.now();
  store.transact((tx) => tx.insertProofs(proofs, { mint, state: "free" }));
  const proofsAre = `${PROOF_COUNT} proofs: `;
  tell(`${proofsAre}insert in one transaction`, performance.now() - startMs, "ms");
  tell(`${proofsAre}balances`, bestMs(50, () => store.balances()), "ms");
  const terms = { feePpkOf: () => 100 };
  for (const amount of [1n, 12_345n, 1_000_000n, 1_500_000n]) {
    const select = () => {
      if (selectFrom(store, { mint, amount, ...terms }) === undefined) {
        throw new Error("too little");
      }
    };
    tell(`${proofsAre}select ${amount} sat`, bestMs(10, select), "ms");
  }
}

async function wallet(directory: string, url: string, resumes = true): Promise<Wallet> {
  const words = `${directory}.words`;
  const known = await Deno.readTextFile(words).catch(() => undefined);
  const seedWords = known ?? newSeedWords();
  if (known === undefined) await Deno.writeTextFile(words, seedWords, { mode: 0o600 });
  const opened = await Wallet.open({
    directory,
    seedWords,
    clock: systemClock,
    random: systemRandom,
    resumes,
    budgets: {},
    intake: {
      unredeemedPerMintMaxSat: 1_000_000n,
      unredeemedPerPayerMaxSat: 1_000_000n,
      batch: { proofsMin: 100, idleMs: 200, lingerMs: 1_000 },
    },
  });
  if (known === undefined) await opened.addMint({ url, trust: "trusted" });
  return opened;
}

async function payments(directory: string, url: string, lightning: HttpLightning): Promise<void> {
  await using alice = await wallet(join(directory, "alice"), url);
  await using bob = await wallet(join(directory, "bob"), url);
  // What is in one coin can be in one payment at a time: several make several payments.
  for (let coin = 0; coin < 2 * CONCURRENCY; coin++) {
    const { invoice, operation } = await alice.fund({ amountSat: 65_536 });
    await lightning.pay({ bolt11: invoice, from: "outside", maxFeeMsat: 10_000_000n });
    await alice.wait(operation.id);
  }
  let number = 0;
  const pay = async () => {
    const outcome = await alice.preparePayment({
      paymentId: `bench ${number++}`,
      acceptedMints: [url],
      priceSat: PAYMENT_SAT,
      lockTo: bob.paymentKey,
      confirmed: true,
    });
    if (outcome.status !== "ready") throw new Error(outcome.reason);
    return outcome.token;
  };
  await pay();
  const tokens: string[] = [];
  const oneMs = await timed(async () => {
    for (let index = 0; index < paymentCount; index++) tokens.push(await pay());
  });
  tell("locked payments of 64 sat, one after the other", paymentCount / oneMs * 1000, "/s");
  const manyMs = await timed(async () => {
    for (let index = 0; index < paymentCount; index += CONCURRENCY) {
      tokens.push(...await Promise.all(Array.from({ length: CONCURRENCY }, pay)));
    }
  });
  const manyCount = tokens.length - paymentCount;
  tell(`locked payments of 64 sat, ${CONCURRENCY} at a time`, manyCount / manyMs * 1000, "/s");
  const singles = tokens.splice(0, Math.ceil(paymentCount / 2));
  const receiveMs = await timed(async () => {
    for (const token of singles) await bob.receive({ token });
  });
  tell("tokens redeemed, one swap each", singles.length / receiveMs * 1000, "/s");
  const takeMs = await timed(async () => {
    for (const [index, token] of tokens.entries()) {
      const taken = await bob.takePayment({ payer: "alice", paymentId: `${index}`, token });
      if (taken.status !== "taken" || taken.receipt.state === "queued") {
        throw new Error(`a payment is ${taken.status}`);
      }
    }
  });
  tell("payments accepted offline, DLEQ verified", tokens.length / takeMs * 1000, "/s");
  const redeemMs = await timed(async () => {
    for (const { id } of await bob.pending()) await bob.wait(id);
  });
  tell(
    "payments redeemed after that, in batches",
    tokens.length / (takeMs + redeemMs) * 1000,
    "/s",
  );
}

/** Invoices that were paid while the wallet was closed. */
async function resume(directory: string, url: string, lightning: HttpLightning): Promise<void> {
  const place = join(directory, "many");
  {
    await using many = await wallet(place, url, false);
    for (let index = 0; index < operationCount; index++) {
      const { invoice } = await many.fund({ amountSat: 8 });
      await lightning.pay({ bolt11: invoice, from: "outside", maxFeeMsat: 10_000n });
    }
  }
  const startMs = performance.now();
  await using again = await wallet(place, url);
  tell(`${operationCount} open operations: open the wallet`, performance.now() - startMs, "ms");
  while ((await again.pending()).length > 0) await new Promise((done) => setTimeout(done, 20));
  const seconds = (performance.now() - startMs) / 1000;
  tell(`${operationCount} open operations: all resumed and done`, seconds, "s");
  tell(`${operationCount} open operations: resumed`, operationCount / seconds, "/s");
  const { totalSat } = await again.balance();
  if (totalSat !== operationCount * 8) throw new Error(`${totalSat} sat are there`);
}

const directory = await Deno.makeTempDir({ prefix: "bench-wallet-" });
try {
  cryptography();
  database(directory);
  await using lightning = await service([path("lightning"), "--data", join(directory, "ln")]);
  await using mint = await service(
    [path("mint"), "--data", join(directory, "mint"), "--lightning", lightning.url, "--name", "A"],
  );
  const client = new HttpLightning(lightning.url);
  await payments(directory, mint.url, client);
  await resume(directory, mint.url, client);
} finally {
  await Deno.remove(directory, { recursive: true });
}
