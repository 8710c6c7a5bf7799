import assert from "node:assert/strict";
import fc from "fast-check";
import {
  bech32Of,
  bytesOfBech32,
  decodeInvoice,
  encodeInvoice,
  expiresAtS,
  INVOICE_CHARS_MAX,
  type LightningNetwork,
} from "../../../wallet/lightning/bolt11.ts";

/*
 * The examples of BOLT #11, "Examples" and "Examples of Invalid Invoices":
 * https://github.com/lightning/bolts/blob/master/11-payment-encoding.md
 */
const PAYEE = "03e7156ae33b0a208d0744199163177e909e80176e55d97a2f221ede0f934dd9ad";
const SECRET_KEY = Uint8Array.fromHex(
  "e126f68f7eafcc8b74f54d269fe206be715000f94dac067d1c04a8ca3b2db734",
);
const PAYMENT_HASH = "0001020304050607080900010203040506070809000102030405060708090102";
const START = "1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypq";
const DONATION =
  `lnbc${START}dpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaq8rkx3yf5tcsyz3d73gafnh3cax9rn449d9p5uxz9ezhhypd0elx87sjle52x86fux2ypatgddc6k63n7erqz25le42c4u4ecky03ylcqca784w`;
const COFFEE =
  `lnbc2500u${START}dq5xysxxatsyp3k7enxv4jsxqzpuaztrnwngzn3kdzw5hydlzf03qdgm2hdq27cqv3agm2awhz5se903vruatfhq77w3ls4evs3ch9zw97j25emudupq63nyw24cg27h2rspfj9srp`;
const NONSENSE =
  `lnbc2500u${START}dpquwpc4curk03c9wlrswe78q4eyqc7d8d0xqzpuyk0sg5g70me25alkluzd2x62aysf2pyy8edtjeevuv4p2d5p76r4zkmneet7uvyakky2zr4cusd45tftc9c5fh0nnqpnl2jfll544esqchsrny`;
const TESTNET =
  "lntb20m1pvjluezhp58yjmdan79s6qqdhdzgynm4zwqd5d7xmw5fk98klysy043l2ahrqspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqfpp3x9et2e20v6pu37c5d9vax37wxq72un98kmzzhznpurw9sgl2v0nklu2g4d0keph5t7tj9tcqd8rexnd07ux4uv2cjvcqwaxgj7v4uwn5wmypjd5n69z2xm3xgksg28nwht7f6zspwp3f9t";
const PICO =
  "lnbc9678785340p1pwmna7lpp5gc3xfm08u9qy06djf8dfflhugl6p7lgza6dsjxq454gxhj9t7a0sd8dgfkx7cmtwd68yetpd5s9xar0wfjn5gpc8qhrsdfq24f5ggrxdaezqsnvda3kkum5wfjkzmfqf3jkgem9wgsyuctwdus9xgrcyqcjcgpzgfskx6eqf9hzqnteypzxz7fzypfhg6trddjhygrcyqezcgpzfysywmm5ypxxjemgw3hxjmn8yptk7untd9hxwg3q2d6xjcmtv4ezq7pqxgsxzmnyyqcjqmt0wfjjq6t5v4khxxqyjw5qcqp2rzjq0gxwkzc8w6323m55m4jyxcjwmy7stt9hwkwe2qxmy8zpsgg7jcuwz87fcqqeuqqqyqqqqlgqqqqn3qq9qn07ytgrxxzad9hc4xt3mawjjt8znfv8xzscs7007v9gh9j569lencxa8xeujzkxs0uamak9aln6ez02uunw6rd2ht2sqe4hz8thcdagpleym0j";
const BEANS_START = `lnbc25m${START}dq5vdhkven9v5sxyetpdeessp5${"zyg3".repeat(12)}zygs9q5s`;
const BEANS = `${BEANS_START}${"q".repeat(15)}pqsq` +
  "67gye39hfg3zd8rgc80k32tvy9xk2xunwm5lzexnvpx6fd77en8qaq424dxgt56cag2dpt359k3ssyhetktkpqh24jqnjyw6uqd08sgptq44qu";
const zeros = (count: number) => "q".repeat(count);
const BEANS_WITH_IGNORED = `${BEANS_START}${zeros(15)}pqsq2qrqqqfppn${zeros(32)}` +
  `pp${"n"}${zeros(51)}pp4${zeros(53)}hpn${zeros(51)}hp4${zeros(53)}spn${zeros(51)}sp4${
    zeros(53)
  }np5${zeros(52)}npk${zeros(54)}` +
  "2jxxfsnucm4jf4zwtznpaxphce606fvhvje5x7d4gw7n73994hgs7nteqvenq8a4ml8aqtchv5d9pf7l558889hp4yyrqv6a7zpq9fgpskqhza";

Deno.test("decodeInvoice() reads the examples of BOLT #11", () => {
  const common = { network: "mainnet", paymentHash: PAYMENT_HASH, payee: PAYEE } as const;
  const old = { ...common, timestampS: 1496314658 };
  assert.deepEqual(decodeInvoice(DONATION), {
    ...old,
    expiryS: 3600,
    description: "Please consider supporting this project",
  });
  const coffee = { ...old, amountMsat: 250_000_000n, expiryS: 60 };
  assert.deepEqual(decodeInvoice(COFFEE), { ...coffee, description: "1 cup coffee" });
  assert.deepEqual(decodeInvoice(NONSENSE), { ...coffee, description: "ナンセンス 1杯" });
  assert.deepEqual(decodeInvoice(TESTNET), {
    ...old,
    network: "testnet",
    amountMsat: 2_000_000_000n,
    expiryS: 3600,
    descriptionHash: "3925b6f67e2c340036ed12093dd44e0368df1b6ea26c53dbe4811f58fd5db8c1",
  });
  const pico = decodeInvoice(PICO);
  assert.equal(pico.amountMsat, 967_878_534n);
  assert.equal(pico.expiryS, 604_800);
  assert.equal(pico.payee, PAYEE);
});

Deno.test("decodeInvoice() reads upper case, a scheme before it, and skips what it need not know", () => {
  const beans = decodeInvoice(BEANS);
  assert.equal(beans.description, "coffee beans");
  assert.equal(beans.paymentSecret, "11".repeat(32));
  assert.equal(beans.amountMsat, 2_500_000_000n);
  assert.deepEqual(decodeInvoice(BEANS.toUpperCase()), beans);
  assert.deepEqual(decodeInvoice(` lightning:${BEANS}\n`), beans);
  assert.deepEqual(decodeInvoice(BEANS_WITH_IGNORED), beans);
});

Deno.test("decodeInvoice() refuses the invalid examples of BOLT #11", () => {
  const invalid: readonly (readonly [RegExp, string])[] = [
    [
      /unknown feature 100/,
      BEANS_START.slice(0, -"q5s".length) +
      "q4psqqqqqqqqqqqqqqqpqsqq40wa3khl49yue3zsgm26jrepqr2eghqlx86rttutve3ugd05em86nsefzh4pfurpd9ek9w2vp95zxqnfe2u7ckudyahsa52q66tgzcp6t2dyk",
    ],
    [/checksum/, NONSENSE.slice(0, -1) + "t"],
    [/bech32/, NONSENSE.slice("lnbc2500u1".length)],
    [/bech32/, NONSENSE.replace("lnbc", "LNBC")],
    [
      /signature/,
      `lnbc2500u${START}dq5xysxxatsyp3k7enxv4jsxqzpuaxtrnwngzn3kdzw5hydlzf03qdgm2hdq27cqv3agm2awhz5se903vruatfhq77w3ls4evs3ch9zw97j25emudupq63nyw24cg27h2rspk28uwq`,
    ],
    [/too short/, `lnbc${START}dpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6na6hlh`],
    [
      /amount is wrong/,
      `lnbc2500x${START}dq5xysxxatsyp3k7enxv4jsxqzpujr6jxr9gq9pv6g46y7d20jfkegkg4gljz2ea2a3m9lmvvr95tq2s0kvu70u3axgelz3kyvtp2ywwt0y8hkx2869zq5dll9nelr83zzqqpgl2zg`,
    ],
    [
      /fraction/,
      `lnbc2500000001p${START}dq5xysxxatsyp3k7enxv4jsxqzpu7hqtk93pkf7sw55rdv4k9z2vj050rxdr6za9ekfs3nlt5lr89jqpdmxsmlj9urqumg0h9wzpqecw7th56tdms40p2ny9q4ddvjsedzcplva53s`,
    ],
    [/characters/, "lnbc1" + "q".repeat(INVOICE_CHARS_MAX)],
    [/bech32/, ""],
  ];
  for (const [why, text] of invalid) {
    assert.throws(() => decodeInvoice(text), (error: Error) => {
      assert.equal(error.name, "SyntaxError");
      assert.match(error.message, why);
      return true;
    });
  }
});

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => bytes.toHex());
const secretKey = fc.uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Uint8Array.from([1, ...bytes.slice(1)]));
const newInvoice = fc.record({
  network: fc.constantFrom<LightningNetwork>("mainnet", "testnet", "signet", "regtest"),
  amountMsat: fc.bigInt(1n, 21_000_000n * 100_000_000_000n),
  paymentHash: hash,
  timestampS: fc.nat({ max: 2 ** 35 - 1 }),
  expiryS: fc.nat({ max: 2 ** 49 }),
  description: fc.string({ unit: "grapheme", maxLength: 40 }),
  paymentSecret: hash,
}, { requiredKeys: ["network", "paymentHash", "timestampS", "description"] });

Deno.test("encodeInvoice() writes what decodeInvoice() reads, signed by the key it was given", () => {
  fc.assert(
    fc.property(newInvoice, secretKey, (invoice, key) => {
      const { payee, ...read } = decodeInvoice(encodeInvoice(invoice, key));
      assert.deepEqual(read, { expiryS: 3600, ...invoice });
      const other = decodeInvoice(encodeInvoice({ ...invoice, timestampS: 7 }, key));
      assert.equal(other.payee, payee);
    }),
    { numRuns: 60 },
  );
});

Deno.test("encodeInvoice() writes each amount in its shortest form", () => {
  const invoice = { network: "regtest", paymentHash: PAYMENT_HASH, timestampS: 1 } as const;
  const cases: readonly (readonly [bigint, string])[] = [
    [1n, "lnbcrt10p1"],
    [100n, "lnbcrt1n1"],
    [1_000n, "lnbcrt10n1"],
    [21_000n, "lnbcrt210n1"],
    [100_000n, "lnbcrt1u1"],
    [100_000_000n, "lnbcrt1m1"],
    [100_000_000_000n, "lnbcrt11"],
    [1_234n, "lnbcrt12340p1"],
  ];
  for (const [amountMsat, prefix] of cases) {
    const text = encodeInvoice({ ...invoice, amountMsat }, SECRET_KEY);
    assert.ok(text.startsWith(prefix), `${text} of ${amountMsat}`);
    const read = decodeInvoice(text);
    assert.equal(read.amountMsat, amountMsat);
    assert.equal(read.payee, PAYEE);
    assert.equal(expiresAtS(read), 3601);
  }
});

Deno.test("encodeInvoice() refuses what does not fit", () => {
  const invoice = { network: "regtest", paymentHash: PAYMENT_HASH, timestampS: 1 } as const;
  const wrong = [
    { amountMsat: 0n },
    { amountMsat: -1n },
    { amountMsat: 21_000_000n * 100_000_000_000n + 1n },
    { paymentHash: "00" },
    { timestampS: 2 ** 35 },
    { expiryS: 0.5 },
    { description: "x".repeat(640) },
  ];
  for (const part of wrong) {
    assert.throws(() => encodeInvoice({ ...invoice, ...part }, SECRET_KEY), RangeError);
  }
  const long = encodeInvoice({ ...invoice, description: "x".repeat(639) }, SECRET_KEY);
  assert.equal(decodeInvoice(long).description?.length, 639);
});

Deno.test("decodeInvoice() throws nothing but SyntaxError, and never takes a changed invoice for the same", () => {
  const original = encodeInvoice({
    network: "regtest",
    paymentHash: PAYMENT_HASH,
    timestampS: 1_700_000_000,
    amountMsat: 21_000n,
    description: "one",
    paymentSecret: "22".repeat(32),
  }, SECRET_KEY);
  fc.assert(
    fc.property(fc.nat({ max: original.length - 1 }), fc.string({ maxLength: 3 }), (at, part) => {
      const changed = original.slice(0, at) + part + original.slice(at + 1);
      if (changed.toLowerCase().trim() === original) return;
      assert.throws(() => decodeInvoice(changed), SyntaxError);
    }),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      // The checksum is right, so that what lies behind it is reached.
      assert.throws(() => decodeInvoice(bech32Of(bytes, "lnbcrt1u")), SyntaxError);
    }),
    { numRuns: 100 },
  );
});

Deno.test("bytesOfBech32() reads what bech32Of() wrote, and refuses another prefix", () => {
  const text = bech32Of(new TextEncoder().encode("https://pay.example/lnurl"), "lnurl");
  assert.equal(
    new TextDecoder().decode(bytesOfBech32(text.toUpperCase(), "lnurl")),
    "https://pay.example/lnurl",
  );
  assert.throws(() => bytesOfBech32(text, "lnbc"), SyntaxError);
  assert.throws(() => bytesOfBech32("lnurl1qqqq", "lnurl"), SyntaxError);
});
