/** Having credit paid back, as the node's method and verb do it. */
import assert from "node:assert/strict";
import { LocalNode } from "../../src/app/api/local.ts";
import type { NodeParts } from "../../src/app/api/parts.ts";
import { main } from "../../src/app/cli/main.ts";
import { PARAM_SCHEMAS } from "../../src/app/control/schemas.ts";
import { v } from "../../src/app/schema.ts";
import { systemClock } from "../../src/host/system.ts";
import type { Gate } from "../../swarm/ports.ts";
import { Market } from "../swarm/paid/market.ts";

/** A node whose wallet notes what it is asked, beside a seller. */
function nodeBeside(market: Market, credits: readonly unknown[]) {
  const calls: (readonly [string, unknown])[] = [];
  const addrs: string[] = [];
  const parts = {
    network: market.tap.network,
    clock: systemClock,
    config: { peer: [] },
    hintsOf: (texts: readonly string[]) => {
      addrs.push(...texts);
      return [{ peerId: market.seller.peerId, addrs: market.seller.addresses() }];
    },
    wallet: {
      call: (method: string, params: unknown) => {
        calls.push([method, params]);
        return Promise.resolve(
          method === "wallet.credits"
            ? { credits }
            : { operation: { status: "done" }, receivedSat: 40 },
        );
      },
    },
  };
  return { node: new LocalNode(parts as unknown as NodeParts), calls, addrs };
}

Deno.test("credits.refund dials the seller, asks, and has the wallet take what it gives", async () => {
  await using market = await Market.start();
  (market.gate as Gate).refund = () =>
    Promise.resolve({ status: "refunded", token: "cashuBxyz", amountSat: 41 });
  const { peerId } = market.seller;
  const { node, calls, addrs } = nodeBeside(market, [{ peerId, paidSat: 64, leftMsat: 41_000 }]);
  const report = await node.call("credits.refund", { peerId, peers: ["/memory/x"] });
  assert.deepEqual([report.peerId, report.amountSat, report.receivedSat], [peerId, 41, 40]);
  assert.deepEqual(calls.at(-1), ["wallet.takeRefund", { peerId, token: "cashuBxyz" }]);
  assert.deepEqual(addrs, ["/memory/x"]);
});

Deno.test("credits.refund asks nobody who was never paid, and takes nothing of who declines", async () => {
  await using market = await Market.start();
  const { peerId } = market.seller;
  const stranger = nodeBeside(market, []);
  await assert.rejects(stranger.node.call("credits.refund", { peerId }), /has nothing of us/);
  const { node, calls } = nodeBeside(market, [{ peerId, paidSat: 64, leftMsat: 1 }]);
  await assert.rejects(node.call("credits.refund", { peerId }), /pays nothing back/);
  assert.deepEqual(calls.map(([method]) => method), ["wallet.credits"]);
});

Deno.test("control refuses refunds of nobody, and the verb names what is no peer", async () => {
  const schema = PARAM_SCHEMAS["credits.refund"];
  for (
    const params of [{}, { peerId: "" }, { peerId: "x".repeat(129) }, { peerId: "x", token: "y" }]
  ) {
    assert.ok(!v.is(schema, params));
  }
  const data = await Deno.makeTempDir({ prefix: "seedmint-credits-" });
  try {
    let err = "";
    const code = await main(["wallet", "credits", "--refund", "the shop", "--data", data], {
      writeOut: () => {},
      writeErr: (bytes) => err += new TextDecoder().decode(bytes),
      isErrTerminal: false,
      columns: 80,
      isColored: false,
    });
    assert.equal(code, 2);
    assert.match(err, /a peer id, an address that ends with one, or all wanted/);
  } finally {
    await Deno.remove(data, { recursive: true });
  }
});
