import { deepEqual, equal } from "node:assert/strict";
import type { PaymentTerms, ProviderHint } from "../../../swarm/ports.ts";
import {
  sameTerms,
  takesPaymentsOf,
  termsOfHint,
  topUpBytes,
} from "../../../swarm/requester/terms.ts";
import { SEEDER } from "../provider/support.ts";

const TERMS: PaymentTerms = {
  priceMsatPerMiB: 1000,
  minTopUpSat: 64,
  mints: ["https://a.example", "https://b.example"],
  p2pk: `02${"55".repeat(32)}`,
  locktimeMin: 90,
};

const HINT: ProviderHint = { peerId: SEEDER, addrs: [], via: "advert", bound: true, ...TERMS };

Deno.test("termsOfHint takes the terms of a bound advert, and what ours ask where it is silent", () => {
  deepEqual(termsOfHint(HINT), TERMS);
  const { minTopUpSat: _least, locktimeMin: _locktime, ...silent } = HINT;
  deepEqual(termsOfHint(silent), TERMS);
  deepEqual(termsOfHint({ ...silent, priceMsatPerMiB: 100_001 }), {
    ...TERMS,
    priceMsatPerMiB: 100_001,
    minTopUpSat: 3201,
  });
});

Deno.test("termsOfHint pays nobody ahead who is not bound, or does not say what and how", () => {
  const hints: Partial<ProviderHint>[] = [
    { ...HINT, bound: false },
    { ...HINT, mints: [] },
    { ...HINT, priceMsatPerMiB: 0 },
    { ...HINT, priceMsatPerMiB: NaN },
    { peerId: SEEDER, addrs: [], via: "ticket", bound: true },
    { peerId: SEEDER },
  ];
  for (const hint of hints) equal(termsOfHint(hint), undefined);
});

Deno.test("sameTerms minds every field, and not the order of mints", () => {
  equal(sameTerms(TERMS, { ...TERMS, mints: TERMS.mints.toReversed() }), true);
  const others: PaymentTerms[] = [
    { ...TERMS, priceMsatPerMiB: 1001 },
    { ...TERMS, minTopUpSat: 65 },
    { ...TERMS, locktimeMin: 91 },
    { ...TERMS, p2pk: `03${"55".repeat(32)}` },
    { ...TERMS, mints: ["https://a.example"] },
    { ...TERMS, mints: [...TERMS.mints, "https://c.example"] },
  ];
  for (const other of others) {
    equal(sameTerms(TERMS, other), false);
    equal(sameTerms(other, TERMS), false);
  }
});

Deno.test("takesPaymentsOf keeps a payment that is one on other terms, too", () => {
  equal(takesPaymentsOf({ ...TERMS, priceMsatPerMiB: 2000 }, TERMS), true);
  equal(takesPaymentsOf({ ...TERMS, minTopUpSat: 60, locktimeMin: 80 }, TERMS), true);
  equal(takesPaymentsOf({ ...TERMS, mints: [...TERMS.mints, "https://c.example"] }, TERMS), true);
  equal(takesPaymentsOf({ ...TERMS, minTopUpSat: 65 }, TERMS), false);
  equal(takesPaymentsOf({ ...TERMS, locktimeMin: 100 }, TERMS), false);
  equal(takesPaymentsOf({ ...TERMS, mints: ["https://a.example"] }, TERMS), false);
  equal(takesPaymentsOf({ ...TERMS, p2pk: `03${"55".repeat(32)}` }, TERMS), false);
});

Deno.test("topUpBytes says what a least payment buys", () => {
  equal(topUpBytes(TERMS), 64 * 1024 * 1024);
  equal(topUpBytes({ ...TERMS, priceMsatPerMiB: Number.MAX_SAFE_INTEGER }), 1);
});
