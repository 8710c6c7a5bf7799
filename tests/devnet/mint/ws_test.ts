/** NUT-17: the present state first, then each change; with cashu-ts as a client, and by hand. */
import assert from "node:assert/strict";
import { hashToCurveHex } from "../../../devnet/mint/crypto.ts";
import { MintWorld, outputOf, post, wireProofs } from "./support.ts";

type Message = Record<string, unknown>;

/** A socket whose messages are read one by one. */
class Client implements AsyncDisposable {
  readonly #socket: WebSocket;
  readonly #messages: Message[] = [];
  #onMessage: () => void = () => {};

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      this.#messages.push(JSON.parse(data));
      this.#onMessage();
    };
  }

  static async open(url: string): Promise<Client> {
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}/v1/ws`);
    const client = new Client(socket);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error("The socket did not open"));
    });
    return client;
  }

  send(message: unknown): void {
    this.#socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  async next(): Promise<Message> {
    if (this.#messages.length === 0) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const id = setTimeout(() => reject(new Error("No message came in 5 s")), 5000);
      this.#onMessage = resolve;
      await promise.finally(() => clearTimeout(id));
    }
    return this.#messages.shift()!;
  }

  async state(): Promise<unknown> {
    const { params } = await this.next() as { params?: { payload?: Message } };
    return params?.payload?.state;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    const closed = new Promise((resolve) => this.#socket.onclose = resolve);
    this.#socket.close();
    await closed;
  }
}

function subscribe(kind: string, filters: string[], id = 1) {
  return { jsonrpc: "2.0", method: "subscribe", params: { kind, subId: `sub${id}`, filters }, id };
}

Deno.test("a mint quote is told as UNPAID, PAID and ISSUED", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  const quote = await wallet.createMintQuoteBolt11(8);
  await using client = await Client.open(world.mint.url);
  client.send(subscribe("bolt11_mint_quote", [quote.quote]));
  assert.deepEqual((await client.next()).result, { status: "OK", subId: "sub1" });
  assert.equal(await client.state(), "UNPAID");
  await world.pay(quote.request);
  assert.equal(await client.state(), "PAID", "without anybody asking for the quote");
  await wallet.mintProofsBolt11(8, quote.quote);
  assert.equal(await client.state(), "ISSUED");
});

Deno.test("a melt is told by its quote and by its proofs", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  const proofs = await world.fund(wallet, 32);
  const quote = await wallet.createMeltQuoteBolt11(await world.invoice(20));
  await using client = await Client.open(world.mint.url);
  client.send(subscribe("proof_state", [hashToCurveHex(proofs[0]!.secret)]));
  await client.next();
  assert.equal(await client.state(), "UNSPENT");
  world.mint.admin.pendingForever();
  const body = { quote: quote.quote, inputs: wireProofs(proofs) };
  await post(`${world.mint.url}/v1/melt/bolt11`, body);
  assert.equal(await client.state(), "PENDING");
  client.send(subscribe("bolt11_melt_quote", [quote.quote], 2));
  await client.next();
  assert.equal(await client.state(), "PENDING");
  await world.mint.admin.releasePending();
  assert.deepEqual([await client.state(), await client.state()], ["SPENT", "PAID"]);
});

Deno.test("who has unsubscribed hears no more, and what is wrong gets an error", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  const proofs = await world.fund(wallet, 8);
  await using client = await Client.open(world.mint.url);
  const y = hashToCurveHex(proofs[0]!.secret);
  client.send(subscribe("proof_state", [y]));
  await client.next();
  await client.next();
  client.send({ jsonrpc: "2.0", method: "unsubscribe", params: { subId: "sub1" }, id: 2 });
  assert.deepEqual((await client.next()).result, { status: "OK", subId: "sub1" });
  await post(`${world.mint.url}/v1/swap`, {
    inputs: wireProofs(proofs),
    outputs: [outputOf(wallet.getKeyset().id, 8)],
  });
  const wrong = ["{", subscribe("weather", ["x"]), { ...subscribe("proof_state", []), params: {} }];
  for (const message of wrong) {
    client.send(message);
    assert.ok((await client.next()).error, "the next message is the error, not a state");
  }
});

Deno.test("cashu-ts hears of a paid quote", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  const quote = await wallet.createMintQuoteBolt11(8);
  const paid = wallet.on.onceMintPaid(quote.quote, { timeoutMs: 5000 });
  await world.pay(quote.request);
  assert.equal((await paid).state, "PAID");
  wallet.mint.disconnectWebSocket();
});

Deno.test("a mint without NUT-17 has no socket", async () => {
  await using world = await MintWorld.start();
  world.mint.admin.disableNuts([17]);
  const response = await fetch(`${world.mint.url}/v1/ws`);
  assert.equal(response.status, 404);
  await response.body?.cancel();
});
