/** What each fault looks like to the wallet: only what is certain may be taken for certain. */
import assert from "node:assert/strict";
import { FaultProxy, type FaultRule } from "../../../devnet/fault_proxy/mod.ts";
import { systemClock } from "../../../src/host/system.ts";
import type { PostOutcome } from "../../../wallet/mint/mint_api.ts";
import { HttpMint } from "../../../wallet/mint/http_mint.ts";
import { parseMintUrl } from "../../../wallet/mint/mint_url.ts";

const FAULTS: readonly (readonly [FaultRule, PostOutcome["kind"], forwardCount: number])[] = [
  [{ action: "pass" }, "answered", 1],
  [{ action: "drop-request" }, "unknown", 0],
  [{ action: "drop-response" }, "unknown", 1],
  [{ action: "hang-request" }, "unknown", 0],
  [{ action: "hang-response" }, "unknown", 1],
  [{ action: "delay-request", ms: 900 }, "unknown", 1],
  [{ action: "delay-response", ms: 900 }, "unknown", 1],
  [{ action: "delay-response", ms: 10 }, "answered", 1],
  [{ action: "duplicate" }, "answered", 2],
  [{ action: "reset" }, "unknown", 1],
  [{ action: "reset", forward: false }, "unknown", 0],
  [{ action: "truncate" }, "unknown", 1],
  [{ action: "reorder", ms: 10 }, "answered", 1],
  [{ action: "permute" }, "answered", 1],
  [{ action: "status", status: 500 }, "unknown", 0],
  [{ action: "status", status: 502, forward: true, body: "<h1>Bad gateway</h1>" }, "unknown", 1],
  [{ action: "status", status: 400, body: '{"code":11001,"detail":"spent"}' }, "refused", 0],
  [{ action: "status", status: 400, body: "{}" }, "unknown", 0],
  [{ action: "status", status: 301 }, "unknown", 0],
  [{ action: "status", status: 429 }, "limited", 0],
  [{ action: "status", status: 429, retryAfterS: 3 }, "limited", 0],
  [{ action: "html" }, "unknown", 1],
  [{ action: "empty" }, "unknown", 1],
  [{ action: "stale" }, "answered", 1],
  [{ action: "merge", fields: { signatures: [] } }, "answered", 1],
];

Deno.test("HttpMint takes no fault of the proxy for an answer, nor for a refusal", async () => {
  await using upstream = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => Response.json({ signatures: [{ amount: 1 }, { amount: 2 }] }),
  );
  const target = `http://127.0.0.1:${upstream.addr.port}`;
  for (const [rule, kind, forwardCount] of FAULTS) {
    await using proxy = await FaultProxy.start({ target, clock: systemClock });
    const mint = new HttpMint({
      url: parseMintUrl(proxy.url),
      clock: systemClock,
      deadlines: { postMs: 400 },
    });
    proxy.fault(rule);
    const outcome = await mint.post("/v1/swap", '{"inputs":[],"outputs":[]}');
    assert.equal(outcome.kind, kind, JSON.stringify(rule));
    if (rule.action === "status" && rule.retryAfterS !== undefined) {
      assert.ok(outcome.kind === "limited" && outcome.retryAfterMs === 3000);
    }
    for (let turn = 0; turn < 200 && proxy.log[0]!.forwardCount < forwardCount; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(proxy.log[0]!.forwardCount, forwardCount, JSON.stringify(rule));
  }
});
