import assert from "node:assert/strict";
import fc from "fast-check";
import { loadConfig } from "../../src/app/config/load.ts";
import {
  feeLimitSchema,
  feeMaxOf,
  mintUrlSchema,
  payeeSchema,
  satOf,
  satSchema,
} from "../../src/app/config/money_values.ts";
import { isSeedmintError } from "../../src/core/errors.ts";
import { v } from "../../src/app/schema.ts";

const load = (flags: Parameters<typeof loadConfig>[0]["flags"], toml?: string) =>
  loadConfig({
    flags,
    variable: () => undefined,
    readFile: () => Promise.resolve(toml),
  });

Deno.test("settings of money have sensible defaults: no mint, small budgets, nothing is swept", async () => {
  const { values } = await load({});
  const { mint, mintAccepted, homeMint, mintPrivate, sweepAbove, sweepTo } = values;
  assert.deepEqual(
    { mint, mintAccepted, homeMint, mintPrivate, sweepAbove, sweepTo },
    {
      mint: [],
      mintAccepted: [],
      homeMint: undefined,
      mintPrivate: false,
      sweepAbove: undefined,
      sweepTo: undefined,
    },
  );
  assert.ok(values.budgetBlob <= values.budgetPeer && values.budgetPeer <= values.budgetDay);
  assert.deepEqual(values.paymentFeeMax, { baseSat: 10, ppm: 20_000 });
});

Deno.test("mints come in the form that the wallet compares, from flags and files", async () => {
  const { values } = await load(
    { mint: ["https://A.example/", "http://127.0.0.1:3338"] },
    'mint-accepted = ["https://b.example/path/"]\nbudget-day = 21\npayment-fee-max = "3sat"',
  );
  assert.deepEqual(values.mint, ["https://a.example", "http://127.0.0.1:3338"]);
  assert.deepEqual(values.mintAccepted, ["https://b.example/path"]);
  assert.deepEqual([values.budgetDay, values.paymentFeeMax], [21, { baseSat: 3, ppm: 0 }]);
});

Deno.test("a setting of money that cannot be used is named with what was wanted", async () => {
  for (
    const [flags, message] of [
      [{ mint: ["http://mint.example"] }, /--mint .*neither https, nor http on this machine/],
      [{ mint: ["https://user:pw@mint.example"] }, /user or a password/],
      [{ budgetDay: "much" }, /--budget-day .*a whole number wanted/],
      [{ budgetDay: "1500msat" }, /whole number of sat/],
      [{ paymentFeeMax: "2%" }, /10sat, 20000ppm or 10sat\+20000ppm/],
      [{ sweepTo: "https://example.org" }, /Lightning address/],
    ] as const
  ) {
    await assert.rejects(load(flags), (error) => {
      assert.ok(isSeedmintError(error, "usage"));
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("satOf() reads whole sat and nothing else", () => {
  for (
    const [text, sat] of [["21", 21], ["21sat", 21], [" 21 sats ", 21], ["3000msat", 3]] as const
  ) {
    assert.equal(satOf(text), sat);
  }
  for (const text of ["", "21 btc", "0.5", "-1", "1e3", "3001 msat", "9007199254740992"]) {
    assert.throws(() => satOf(text), SyntaxError, text);
  }
  assert.equal(v.parse(satSchema, 5), 5);
});

Deno.test("fees of a payment are bounded by a base and a share, rounded down", () => {
  const limit = (text: string) => v.parse(feeLimitSchema, text);
  assert.deepEqual(limit("20000ppm"), { baseSat: 0, ppm: 20_000 });
  assert.deepEqual(limit("2 sat + 500 ppm"), { baseSat: 2, ppm: 500 });
  for (const text of ["", "1sat+1sat", "1ppm+1ppm", "1000001ppm", "1sat+1ppm+1sat", "-1sat"]) {
    assert.ok(!v.safeParse(feeLimitSchema, text).success, text);
  }
  fc.assert(fc.property(
    fc.record({ baseSat: fc.nat(1000), ppm: fc.nat(1_000_000) }),
    fc.nat(2_000_000_000),
    (one, amountSat) => {
      const max = feeMaxOf(one, amountSat);
      assert.ok(Number.isSafeInteger(max) && max >= one.baseSat && max <= one.baseSat + amountSat);
    },
  ));
});

Deno.test("who is paid out to is a Lightning address or an LNURL", () => {
  for (const text of ["anna@example.org", "lightning:a.b+c@x.example", `lnurl1${"q".repeat(40)}`]) {
    assert.ok(v.safeParse(payeeSchema, text).success, text);
  }
  for (
    const text of ["anna", "@example.org", "a b@example.org", "lnbc1qqqq", "https://x.example"]
  ) {
    assert.ok(!v.safeParse(payeeSchema, text).success, text);
  }
  assert.ok(v.safeParse(mintUrlSchema, "https://10.0.0.7").success, "decided when it is opened");
});
