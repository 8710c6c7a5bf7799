/** The mint and Lightning as processes: what is killed goes on where it was. */
import assert from "node:assert/strict";
import { Mint, type Proof, Wallet } from "@cashu/cashu-ts";
import { HttpLightning } from "../../../devnet/lightning/client.ts";
import { hashToCurveHex } from "../../../devnet/mint/crypto.ts";
import { get, outputOf, post, splitOf, sumOf, wireProofs } from "./support.ts";

const ROOT = new URL("../../../", import.meta.url).pathname;

/** A development process that says where it listens. */
class Process implements AsyncDisposable {
  readonly url: string;
  readonly adminUrl: string;
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess, ready: { url: string; adminUrl?: string }) {
    this.#child = child;
    this.url = ready.url;
    this.adminUrl = ready.adminUrl ?? ready.url;
  }

  static async start(script: string, args: string[]): Promise<Process> {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", `${ROOT}${script}`, "--json", ...args],
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value = "" } = await reader.read();
    await reader.cancel();
    return new Process(child, JSON.parse(value));
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // it has ended already
    }
    await this.#child.status;
  }
}

async function walletOf(url: string): Promise<Wallet> {
  const wallet = new Wallet(new Mint(url), { unit: "sat", requireSigDleq: true });
  await wallet.loadMint();
  return wallet;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("It did not come to hold in 10 s");
}

interface World extends AsyncDisposable {
  readonly lightning: Process;
  readonly client: HttpLightning;
  startMint(port?: number): Promise<Process>;
}

async function startWorld(): Promise<World> {
  const resources = new AsyncDisposableStack();
  const directory = await Deno.makeTempDir({ prefix: "seedmint-devmint-" });
  resources.defer(() => Deno.remove(directory, { recursive: true }));
  const lightning = resources.use(
    await Process.start("devnet/lightning/main.ts", ["--data", `${directory}/ln`]),
  );
  const args = ["--data", `${directory}/mint`, "--lightning", lightning.url, "--name", "A"];
  return {
    lightning,
    client: new HttpLightning(lightning.url),
    startMint: async (port = 0) =>
      resources.use(
        await Process.start("devnet/mint/main.ts", [...args, "--port", String(port)]),
      ),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

async function fund(world: World, wallet: Wallet, amount: number): Promise<Proof[]> {
  const quote = await wallet.createMintQuoteBolt11(amount);
  await world.client.pay({ bolt11: quote.request, from: "user", maxFeeMsat: 1_000_000n });
  return await wallet.mintProofsBolt11(amount, quote.quote);
}

Deno.test("a mint that is killed keeps its keys, its quotes, what was spent, and its books", async () => {
  await using world = await startWorld();
  const first = await world.startMint();
  const wallet = await walletOf(first.url);
  const proofs = await fund(world, wallet, 64);
  const quote = await wallet.createMintQuoteBolt11(8);
  const outputs = [outputOf(wallet.getKeyset().id, 64)];
  const swap = { inputs: wireProofs(proofs), outputs };
  assert.equal((await post(`${first.url}/v1/swap`, swap)).status, 200);
  await post(`${first.adminUrl}/admin/jump-clock`, [100]);
  const { result: before } = await get(`${first.adminUrl}/admin/books`);
  await first.kill();
  await world.client.pay({ bolt11: quote.request, from: "user", maxFeeMsat: 1_000_000n });
  const second = await world.startMint(Number(new URL(first.url).port));
  assert.deepEqual((await get(`${second.adminUrl}/admin/books`)).result, before);
  const { time } = await get(`${second.url}/v1/info`);
  assert.ok(Number(time) > Date.now() / 1000 + 90, "its clock is as far off as it was");
  assert.equal((await post(`${second.url}/v1/swap`, swap)).body.code, 11001);
  const restored = await post(`${second.url}/v1/restore`, { outputs });
  assert.equal((restored.body.signatures as unknown[]).length, 1);
  assert.equal(sumOf(await wallet.mintProofsBolt11(8, quote.quote)), 8);
});

Deno.test("a melt whose mint is killed while it is being paid is paid once, with change", async () => {
  await using world = await startWorld();
  const first = await world.startMint();
  const wallet = await walletOf(first.url);
  const proofs = await fund(world, wallet, 64);
  const { bolt11, paymentHash } = await world.client.createInvoice({
    payee: "shop",
    amountMsat: 20_000n,
  });
  await post(`${world.lightning.url}/script`, { match: { from: "A" }, action: "hold", count: 1 });
  const { quote } = await wallet.createMeltQuoteBolt11(bolt11);
  const outputs = Array.from({ length: 6 }, () => outputOf(wallet.getKeyset().id, 1));
  const body = { quote, inputs: wireProofs(proofs), outputs, prefer_async: true };
  assert.equal((await post(`${first.url}/v1/melt/bolt11`, body)).body.state, "PENDING");
  await until(async () => (await world.client.payment(paymentHash, "A"))?.state === "pending");
  await first.kill();
  await post(`${world.lightning.url}/settle`, { paymentHash });
  const second = await world.startMint(Number(new URL(first.url).port));
  const read = () => get(`${second.url}/v1/melt/quote/bolt11/${quote}`);
  await until(async () => (await read()).state === "PAID");
  const { change, payment_preimage } = await read();
  assert.match(String(payment_preimage), /^[0-9a-f]{64}$/);
  const returned = (change as { amount: number }[]).reduce((sum, { amount }) => sum + amount, 0);
  const { result } = await get(`${second.adminUrl}/admin/books`);
  const books = result as Record<string, number | boolean>;
  assert.equal(books.isBalanced, true);
  assert.equal(books.outstanding, returned);
  assert.equal(books.lightningOutMsat, 64_000 - returned * 1000 - Number(books.marginMsat));
});

Deno.test("a swap under a SIGKILL has happened as a whole or not at all", async () => {
  await using world = await startWorld();
  let mint = await world.startMint();
  const wallet = await walletOf(mint.url);
  const { id } = wallet.getKeyset();
  const swaps: { inputs: ReturnType<typeof wireProofs>; outputs: unknown[] }[] = [];
  for (let i = 0; i < 12; i++) {
    const proofs = await fund(world, wallet, 31);
    swaps.push({
      inputs: wireProofs(proofs),
      outputs: splitOf(31).map((amount) => outputOf(id, amount)),
    });
  }
  const sent = swaps.map((swap) => post(`${mint.url}/v1/swap`, swap).catch(() => undefined));
  await Promise.race(sent);
  await mint.kill();
  const answered = (await Promise.all(sent)).map((answer) => answer?.status === 200);
  assert.ok(answered.includes(true), "the kill came after the first answer");
  mint = await world.startMint(Number(new URL(mint.url).port));
  for (const [index, { inputs, outputs }] of swaps.entries()) {
    const Ys = inputs.map(({ secret }) => hashToCurveHex(secret));
    const { body: checked } = await post(`${mint.url}/v1/checkstate`, { Ys });
    const { body: restored } = await post(`${mint.url}/v1/restore`, { outputs });
    const states = new Set((checked.states as { state: string }[]).map(({ state }) => state));
    const hasHappened = states.has("SPENT");
    assert.deepEqual([...states], [hasHappened ? "SPENT" : "UNSPENT"]);
    assert.equal((restored.signatures as unknown[]).length, hasHappened ? outputs.length : 0);
    if (answered[index]) assert.equal(hasHappened, true, "what was answered is on disk");
  }
});
