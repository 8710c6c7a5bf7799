import assert from "node:assert/strict";
import { type ErrorCode, isSeedmintError } from "../../../src/core/errors.ts";
import { FakeLightning, LightningService } from "../../../devnet/lightning/mod.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { bech32Of, decodeInvoice } from "../../../wallet/lightning/bolt11.ts";
import {
  isLnurl,
  type LnurlOptions,
  requestInvoice,
  resolveLnurl,
} from "../../../wallet/lightning/lnurl.ts";

const options: LnurlOptions = { clock: systemClock };

function startService(): LightningService {
  return LightningService.start({
    lightning: FakeLightning.open({ clock: systemClock, random: systemRandom }),
  });
}

async function failsWith(promise: Promise<unknown>, code: ErrorCode, why: RegExp): Promise<void> {
  await assert.rejects(promise, (error: Error) => {
    assert.ok(isSeedmintError(error, code), String(error));
    assert.match(error.message, why);
    return true;
  });
}

/** Options whose requests are answered by `answer`, and the addresses that were asked. */
function scripted(
  answer: (url: URL) => Response | object,
  addresses: readonly string[] = ["93.184.216.34"],
): LnurlOptions & { readonly asked: string[] } {
  const asked: string[] = [];
  const fake = (input: string | URL | Request) => {
    const url = new URL(String(input));
    asked.push(url.href);
    const result = answer(url);
    return Promise.resolve(result instanceof Response ? result : Response.json(result));
  };
  return {
    ...options,
    asked,
    fetch: fake as typeof fetch,
    resolve: () => Promise.resolve(addresses),
  };
}

const PAY = {
  tag: "payRequest",
  callback: "https://pay.example/cb?id=7",
  minSendable: 1000,
  maxSendable: 5000,
  metadata: '[["text/plain","tips \\u001b[31m for Ann"]]',
};

Deno.test("resolveLnurl() and requestInvoice() get an invoice from a Lightning address", async () => {
  await using service = startService();
  const { host } = new URL(service.url);
  const pay = await resolveLnurl(`ann@${host}`, options);
  assert.equal(pay.payee, `ann@${host}`);
  assert.equal(pay.description, "Paying ann of the development network");
  assert.equal(pay.minMsat, 1000n);
  const { invoice, paymentHash } = await requestInvoice(pay, { amountMsat: 21_000n }, options);
  assert.equal(decodeInvoice(invoice).amountMsat, 21_000n);
  const paid = await service.lightning.pay({ bolt11: invoice, from: "A", maxFeeMsat: 10_000n });
  assert.equal(paid.state, "succeeded");
  assert.equal((await service.lightning.invoice(paymentHash)).payee, "ann");
});

Deno.test("resolveLnurl() reads LNURLs of LUD-01 in either case, and the scheme of LUD-17", async () => {
  // The example of LUD-01: https://github.com/lnurl/luds/blob/luds/01.md
  const example =
    "LNURL1DP68GURN8GHJ7UM9WFMXJCM99E3K7MF0V9CXJ0M385EKVCENXC6R2C35XVUKXEFCV5MKVV34X5EKZD3EV56NYD3HXQURZEPEXEJXXEPNXSCRVWFNV9NXZCN9XQ6XYEFHVGCXXCMYXYMNSERXFQ5FNS";
  const lud01 = scripted(() => PAY);
  await resolveLnurl(example, lud01);
  assert.deepEqual(lud01.asked, [
    "https://service.com/api?q=3fc3645b439ce8e7f2553a69e5267081d96dcd340693afabe04be7b0ccd178df",
  ]);
  const others = scripted(() => PAY);
  await resolveLnurl(`lightning:${example.toLowerCase()}`, others);
  await resolveLnurl("lnurlp://pay.example/ann?x=1", others);
  const pay = await resolveLnurl("Ann+tag@Pay.Example", others);
  assert.equal(pay.payee, "ann+tag@pay.example");
  assert.equal(pay.description, "tips [31m for Ann", "control characters are gone");
  assert.deepEqual(others.asked.slice(1), [
    "https://pay.example/ann?x=1",
    "https://pay.example/.well-known/lnurlp/ann+tag",
  ]);
});

Deno.test("isLnurl() tells addresses from invoices", () => {
  for (
    const text of ["ann@pay.example", "LNURL1DP68", "lightning:lnurl1dp", "lnurlp://pay.example"]
  ) {
    assert.ok(isLnurl(text), text);
  }
  for (const text of ["lnbcrt210n1pvj", "lightning:lnbc1", "https://pay.example", "", "21"]) {
    assert.ok(!isLnurl(text), text);
  }
});

Deno.test("requestInvoice() adds to the callback's query and keeps to the payee's limits", async () => {
  const service = scripted(() => ({ ...PAY, commentAllowed: 5 }));
  const pay = await resolveLnurl("ann@pay.example", service);
  assert.deepEqual([pay.minMsat, pay.maxMsat, pay.commentCharsMax], [1000n, 5000n, 5]);
  const ask = (amountMsat: bigint, comment?: string) =>
    requestInvoice(pay, { amountMsat, ...(comment ? { comment } : {}) }, service);
  await assert.rejects(ask(999n), RangeError);
  await assert.rejects(ask(5001n), RangeError);
  await assert.rejects(ask(2000n, "too long"), RangeError);
  assert.equal(service.asked.length, 1, "nobody was asked");
  await failsWith(ask(2000n, "hi"), "protocol", /no invoice/);
  assert.equal(service.asked[1], "https://pay.example/cb?id=7&amount=2000&comment=hi");
});

Deno.test("requestInvoice() refuses an invoice that is not what was asked for", async () => {
  await using service = startService();
  const { host } = new URL(service.url);
  const ask = async (name: string, extra: Partial<LnurlOptions> = {}) => {
    const pay = await resolveLnurl(`${name}@${host}`, options);
    return await requestInvoice(pay, { amountMsat: 21_000n }, { ...options, ...extra });
  };
  await failsWith(ask("wrong-amount-1"), "protocol", /22000 msat, asked for were 21000/);
  await failsWith(ask("wrong-description-1"), "protocol", /something else/);
  await failsWith(ask("wrong-network-1"), "protocol", /for mainnet, wanted is regtest/);
  await failsWith(ask("ann", { network: "signet" }), "protocol", /wanted is signet/);
  const later = { ...systemClock, nowMs: () => Date.now() + 7_200_000 };
  await failsWith(ask("ann", { clock: later }), "protocol", /expired/);
});

Deno.test("resolveLnurl() gives up on refusals, redirects, floods and nonsense", async () => {
  await using service = startService();
  const { host } = new URL(service.url);
  const ask = (name: string) => resolveLnurl(`${name}@${host}`, options);
  await failsWith(ask("refuses-1"), "denied", /nobody is at home/);
  await failsWith(ask("redirects-1"), "protocol", /not followed/);
  await failsWith(ask("huge-1"), "protocol", /larger/);
  const nonsense: readonly (readonly [Response | object, RegExp])[] = [
    [new Response("<p>hello</p>"), /no JSON object/],
    [[], /no JSON object/],
    [{ ...PAY, tag: "withdrawRequest" }, /something else/],
    [{ ...PAY, callback: "nowhere" }, /callback is missing/],
    [{ ...PAY, minSendable: 1.5 }, /no whole numbers/],
    [{ ...PAY, maxSendable: "5000" }, /no whole numbers/],
    [{ ...PAY, minSendable: 6000 }, /contradict/],
    [{ ...PAY, minSendable: 0 }, /contradict/],
    [{ ...PAY, metadata: '[["text/long-desc","x"]]' }, /describes nothing/],
    [{ ...PAY, metadata: "{" }, /describes nothing/],
    [Response.json(PAY, { status: 500 }), /status is 500/],
  ];
  for (const [answer, why] of nonsense) {
    await failsWith(resolveLnurl("ann@pay.example", scripted(() => answer)), "protocol", why);
  }
});

Deno.test("resolveLnurl() goes to no place where a stranger must not send it", async () => {
  const private_ = scripted(() => PAY);
  for (
    const text of ["ann@192.168.1.7", "ann@router", "ann@10.0.0.1:8080", "lnurlp://[fd00::1]/x"]
  ) {
    await failsWith(resolveLnurl(text, private_), "denied", /private network/);
  }
  for (const url of ["http://pay.example/x", "ftp://pay.example/", "https://a:b@pay.example/"]) {
    const lnurl = bech32Of(new TextEncoder().encode(url), "lnurl");
    await failsWith(resolveLnurl(lnurl, private_), "denied", /neither https/);
  }
  assert.deepEqual(private_.asked, []);
  const rebound = scripted(() => PAY, ["93.184.216.34", "10.0.0.1"]);
  await failsWith(resolveLnurl("ann@pay.example", rebound), "denied", /private network/);
  const hostile = ["http://127.0.0.1:8080/x", "https://192.168.1.1/x", "http://pay.example/x"];
  for (const callback of hostile) {
    const service = scripted(() => ({ ...PAY, callback }));
    await failsWith(resolveLnurl("ann@pay.example", service), "denied", /Cannot ask/);
  }
  const allowed = { ...scripted(() => PAY), allowPrivate: true };
  assert.equal((await resolveLnurl("ann@192.168.1.7", allowed)).payee, "ann@192.168.1.7");
});

Deno.test("resolveLnurl() refuses what is no address, and says that nobody answers when nobody does", async () => {
  const texts = [
    "",
    "lnurl1qqqq",
    "ann@",
    "ann@pay example",
    "https://pay.example",
    "a".repeat(3000),
  ];
  for (const text of texts) {
    await assert.rejects(resolveLnurl(text, scripted(() => PAY)), SyntaxError);
  }
  await failsWith(resolveLnurl("ann@127.0.0.1:1", options), "unavailable", /does not answer/);
  const giveUp = new AbortController();
  giveUp.abort(new Error("enough"));
  const aborted = resolveLnurl("ann@127.0.0.1:1", { ...options, signal: giveUp.signal });
  await assert.rejects(aborted, /enough/);
});
