/** Starting, stopping, and what must not stay open. */
import assert from "node:assert/strict";
import { FakeLightning } from "../../../devnet/lightning/fake_lightning.ts";
import { DevMint } from "../../../devnet/mint/dev_mint.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { get, MintWorld, post, wireProofs } from "./support.ts";

async function withDirectory(use: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "seedmint-devmint-" });
  try {
    await use(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("start() refuses what is not loopback, a folder in use, and a port in use", async () => {
  await withDirectory(async (directory) => {
    using lightning = FakeLightning.open({ clock: systemClock, random: systemRandom });
    const options = { name: "A", lightning };
    await assert.rejects(DevMint.start({ ...options, hostname: "0.0.0.0" }), RangeError);
    await using first = await DevMint.start({ ...options, directory });
    await assert.rejects(DevMint.start({ ...options, directory }), { code: "locked" });
    const port = Number(new URL(first.url).port);
    const other = `${directory}/other`;
    await assert.rejects(
      DevMint.start({ ...options, directory: other, port }),
      Deno.errors.AddrInUse,
    );
    await using second = await DevMint.start({ ...options, directory: other });
    assert.notEqual(second.url, first.url, "the failed start let go of the folder");
  });
});

Deno.test("the mint says everywhere that it is for development only", async () => {
  await using world = await MintWorld.start();
  const { name, description, motd } = await get(`${world.mint.url}/v1/info`);
  assert.match(String(name), /development only/);
  for (const text of [description, motd]) {
    assert.match(String(text), /DEVELOPMENT ONLY, NO CUSTODY/);
  }
});

Deno.test("a mint that stops while Lightning is silent ends the melt when it is back", async () => {
  await withDirectory(async (directory) => {
    using lightning = FakeLightning.open({ clock: systemClock, random: systemRandom });
    const options = { name: "A", lightning, directory };
    let quote = "";
    {
      await using world = await MintWorld.start(options);
      const wallet = await world.wallet();
      const funding = await wallet.createMintQuoteBolt11(64);
      await lightning.pay({ bolt11: funding.request, from: "user", maxFeeMsat: 1_000_000n });
      const proofs = await wallet.mintProofsBolt11(64, funding.quote);
      const { bolt11 } = await lightning.createInvoice({ payee: "shop", amountMsat: 20_000n });
      lightning.script({ action: "silent", match: { from: "A" } });
      quote = (await wallet.createMeltQuoteBolt11(bolt11)).quote;
      const body = { quote, inputs: wireProofs(proofs), prefer_async: true };
      assert.equal((await post(`${world.mint.url}/v1/melt/bolt11`, body)).body.state, "PENDING");
    }
    await using mint = await DevMint.start(options);
    const { state } = await get(`${mint.url}/v1/melt/quote/bolt11/${quote}`);
    assert.equal(state, "PAID");
    assert.equal(lightning.books().nodes.find(({ node }) => node === "A")!.outMsat, 20_000n);
  });
});

Deno.test("going offline closes the sockets that are open", async () => {
  await using world = await MintWorld.start();
  const socket = new WebSocket(`${world.mint.url.replace(/^http/, "ws")}/v1/ws`);
  await new Promise((resolve) => socket.onopen = resolve);
  const closed = new Promise<number>((resolve) => socket.onclose = ({ code }) => resolve(code));
  await world.mint.admin.offline(true);
  assert.equal(await closed, 1001);
});
