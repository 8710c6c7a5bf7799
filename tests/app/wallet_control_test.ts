import assert from "node:assert/strict";
import fc from "fast-check";
import { join } from "node:path";
import { isSeedmintError, SeedmintError } from "../../src/core/errors.ts";
import { LocalNode } from "../../src/app/api/local.ts";
import type { NodeParts } from "../../src/app/api/parts.ts";
import { RemoteNode } from "../../src/app/api/remote.ts";
import {
  WALLET_HANDLERS,
  type WalletMethodName,
  walletOver,
} from "../../src/app/api/wallet_methods.ts";
import { listenOnSocket } from "../../src/app/control/listen.ts";
import { ControlServer } from "../../src/app/control/server.ts";
import { WALLET_SCHEMAS } from "../../src/app/control/wallet_schemas.ts";
import { v } from "../../src/app/schema.ts";
import { callsOf } from "../../src/app/wallet_policy.ts";
import type { WalletApi } from "../../wallet/wallet_api.ts";
import { type Asked, ID, INVOICE, MINT_A, MINT_B, TOKEN, walletDouble } from "./wallet_double.ts";

const POLICY = { paymentFeeMax: { baseSat: 10, ppm: 20_000 } };

/** A control server over a wallet double, and the raw way to it. */
async function withNode(
  answers: Partial<WalletApi>,
  use: (remote: {
    readonly wallet: WalletApi;
    readonly asked: readonly Asked[];
    readonly post: (
      method: string,
      body: string,
      headers?: Record<string, string>,
    ) => Promise<{ readonly status: number; readonly text: string }>;
    readonly errors: readonly unknown[];
  }) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "seedmint-wallet-" });
  const { wallet, asked } = walletDouble(answers);
  const errors: unknown[] = [];
  const parts = {
    startedMs: 1,
    wallet: { call: callsOf(wallet, POLICY), opened: () => wallet },
  } as unknown as NodeParts;
  const server = new ControlServer({
    node: new LocalNode(parts),
    identify: () => Promise.resolve({ version: "0", peerId: "p" }),
    metrics: () => Promise.resolve(""),
    onError: (error) => errors.push(error),
  });
  try {
    const path = join(directory, "s");
    await using _ = await listenOnSocket(server, path);
    await using node = await RemoteNode.connect(path);
    using client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
    const post = async (method: string, body: string, headers: Record<string, string> = {}) => {
      const response = await fetch(`http://seedmint/v1/${method}`, {
        method: "POST",
        body,
        headers: { "content-type": "application/json", ...headers },
        client,
      });
      return { status: response.status, text: await response.text() };
    };
    const remote = walletOver((method, params, options) => node!.call(method, params, options));
    await use({ wallet: remote, asked, post, errors });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("every method of the wallet answers through control as it does directly", async () => {
  const calls: readonly ((wallet: WalletApi) => Promise<unknown>)[] = [
    (wallet) => wallet.balance(),
    (wallet) => wallet.mints(),
    (wallet) => wallet.addMint({ url: MINT_A, trust: "accepted", exposureMaxSat: 5 }),
    (wallet) => wallet.removeMint({ url: MINT_A, force: true }),
    (wallet) => wallet.fund({ amountSat: 21 }),
    (wallet) => wallet.receive({ token: TOKEN }),
    (wallet) => wallet.prepareSend({ amountSat: 21, mint: MINT_A }),
    (wallet) => wallet.prepareSwap({ from: MINT_A, to: MINT_B, amountSat: 5, maxFeeSat: 1 }),
    (wallet) => wallet.prepareWithdraw({ to: "a@b.example", amountSat: 5, maxFeeSat: 0 }),
    (wallet) => wallet.preparePay({ invoice: INVOICE, maxFeeSat: 2 }),
    (wallet) => wallet.confirm(ID),
    (wallet) => wallet.cancel(ID),
    (wallet) => wallet.operation(ID),
    (wallet) => wallet.token(ID),
    (wallet) => wallet.preimage(ID),
    (wallet) => wallet.reclaim(ID),
    (wallet) => wallet.wait(ID),
    (wallet) => wallet.plan({ acceptedMints: [MINT_A], amountSat: 5 }),
    (wallet) => wallet.preparePayment({ acceptedMints: [MINT_A], priceSat: 5, maxFeeSat: 1 }),
    (wallet) => wallet.history({ limit: 5, before: ID }),
    (wallet) => wallet.pending(),
    (wallet) => wallet.resume({ id: ID }),
    (wallet) => wallet.backup("/tmp/file"),
    (wallet) => wallet.restore({ path: "/tmp/file", mints: [MINT_A], replace: true }),
    (wallet) => wallet.credits(),
    (wallet) => wallet.takeRefund({ peerId: "12D3KooWSeller", token: TOKEN }),
    (wallet) => wallet.audit(),
  ];
  assert.equal(calls.length, Object.keys(WALLET_HANDLERS).length);
  await withNode({}, async ({ wallet, asked }) => {
    const direct = walletDouble();
    for (const call of calls) assert.deepEqual(await call(wallet), await call(direct.wallet));
    const named = (all: readonly Asked[]) => all.map(([method]) => method);
    assert.deepEqual(named(asked), named(direct.asked));
    assert.deepEqual(
      asked.slice(2),
      direct.asked.slice(2).map(([method, request]) => [
        method,
        request,
      ]),
    );
  });
});

Deno.test("no request with an Origin header reaches a method of the wallet", async () => {
  await withNode({}, async ({ post, asked }) => {
    for (const method of Object.keys(WALLET_HANDLERS)) {
      for (const origin of ["null", "http://localhost", "https://evil.example"]) {
        const { status, text } = await post(method, "{}", { origin });
        assert.equal(status, 403, method);
        assert.match(text, /Origin/);
      }
      assert.equal((await post(method, "{}", { "content-type": "text/plain" })).status, 415);
    }
    assert.deepEqual(asked, []);
  });
});

Deno.test("parameters that are wrong, unknown, too long or no whole number are refused, unquoted", async () => {
  const key = `02${"ab".repeat(32)}`;
  const wrong: readonly (readonly [WalletMethodName, object])[] = [
    ["wallet.fund", {}],
    ["wallet.fund", { amountSat: 0 }],
    ["wallet.fund", { amountSat: -1 }],
    ["wallet.fund", { amountSat: 1.5 }],
    ["wallet.fund", { amountSat: 2 ** 53 }],
    ["wallet.fund", { amountSat: "21" }],
    ["wallet.fund", { amountSat: 21, mint: "" }],
    ["wallet.fund", { amountSat: 21, extra: 1 }],
    ["wallet.receive", { token: "x".repeat(200_001) }],
    ["wallet.prepareSend", { amountSat: 5, lockTo: "02ab" }],
    ["wallet.prepareSend", { amountSat: 5, lockTo: key, locktimeS: 2 ** 33 }],
    ["wallet.preparePay", { invoice: INVOICE, maxFeeSat: -1 }],
    ["wallet.confirm", { id: ID.toUpperCase() }],
    ["wallet.confirm", { id: "../../etc" }],
    ["wallet.plan", { acceptedMints: Array(65).fill(MINT_A), amountSat: 5 }],
    ["wallet.backup", { path: "relative" }],
    ["wallet.backup", { path: "/a\0b" }],
    ["wallet.history", { limit: 1001 }],
    ["wallet.balance", { __proto__: null, constructor: 1 }],
    ["wallet.preparePayment", { acceptedMints: [MINT_A], priceSat: 5, subject: "x".repeat(65) }],
    ["wallet.addMint", { url: MINT_A, trust: "blindly" }],
  ];
  await withNode({}, async ({ post, asked }) => {
    for (const [method, params] of wrong) {
      const { status, text } = await post(method, JSON.stringify(params));
      assert.equal(status, 400, `${method} ${JSON.stringify(params).slice(0, 60)}`);
      assert.ok(text.length < 500);
    }
    const secret = await post("wallet.receive", JSON.stringify({ token: [TOKEN] }));
    assert.equal(secret.status, 400);
    assert.ok(!secret.text.includes(TOKEN));
    assert.equal((await post("wallet.seed", "{}")).status, 404);
    assert.equal((await post("wallet.words", "{}")).status, 404);
    assert.deepEqual(asked, []);
  });
});

Deno.test("whatever JSON comes, a schema gives parameters of its method or refuses, and never throws", () => {
  const names = Object.keys(WALLET_SCHEMAS) as WalletMethodName[];
  fc.assert(fc.property(fc.constantFrom(...names), fc.jsonValue(), (name, value) => {
    const result = v.safeParse(WALLET_SCHEMAS[name], value);
    if (!result.success) return;
    for (const [key, part] of Object.entries(result.output as object)) {
      assert.deepEqual(part, (value as Record<string, unknown>)[key]);
    }
  }));
});

Deno.test("a refusal of the wallet arrives with its code; a mistake is logged in the node", async () => {
  let error: Error = new SeedmintError("denied", "Cannot send: 5 sat are free");
  const answers = { prepareSend: () => Promise.reject(error) };
  await withNode(answers, async ({ wallet, errors }) => {
    await assert.rejects(
      wallet.prepareSend({ amountSat: 21 }),
      (found) => isSeedmintError(found, "denied") && /5 sat are free/.test(found.message),
    );
    assert.equal(errors.length, 0);
    error = new TypeError("x is undefined");
    await assert.rejects(wallet.prepareSend({ amountSat: 21 }), /A mistake of the node/);
    assert.equal(errors.length, 1);
  });
});

Deno.test("waiting ends for who waits when they go away, and the wallet hears of it", async () => {
  const cancelled = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const answers: Partial<WalletApi> = {
    wait: (_id, options) => {
      begun.resolve();
      return new Promise((_, reject) =>
        options!.signal!.addEventListener("abort", () => {
          cancelled.resolve();
          reject(options!.signal!.reason);
        })
      );
    },
  };
  await withNode(answers, async ({ wallet }) => {
    const abort = new AbortController();
    const waiting = wallet.wait(ID, { signal: abort.signal });
    await begun.promise;
    abort.abort(new SeedmintError("aborted", "Enough"));
    await assert.rejects(waiting, /Enough/);
    await cancelled.promise;
  });
});

Deno.test("where a request says nothing of fees, the settings do", async () => {
  const { wallet, asked } = walletDouble();
  const api = walletOver(callsOf(wallet, POLICY));
  await api.prepareSwap({ from: MINT_A, to: MINT_B, amountSat: 1000 });
  await api.prepareWithdraw({ to: "a@b.example", amountSat: 50 });
  await api.preparePayment({ acceptedMints: [MINT_A], priceSat: 400 });
  await api.prepareSwap({ from: MINT_A, to: MINT_B, amountSat: 1000, maxFeeSat: 0 });
  assert.deepEqual(asked.map(([, request]) => (request as { maxFeeSat: number }).maxFeeSat), [
    30,
    11,
    18,
    0,
  ]);
  await assert.rejects(api.preparePay({ invoice: INVOICE }), SyntaxError);
  await api.prepareSend({ amountSat: 5 });
  assert.deepEqual(asked.at(-1), ["prepareSend", { amountSat: 5 }]);
});
