import assert from "node:assert/strict";
import { inspect } from "node:util";
import { getEncodedToken } from "@cashu/cashu-ts";
import { encode } from "cborg";
import fc from "fast-check";
import { isSeedmintError, SeedmintError } from "../../src/core/errors.ts";
import { hashToCurveHex } from "../../wallet/cashu.ts";
import {
  decodeToken,
  encodeToken,
  readTokenAt,
  resolverOf,
  tokenMetadata,
} from "../../wallet/token.ts";
import { HttpMint } from "../../wallet/mint/http_mint.ts";
import type { Proof } from "../../wallet/types.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { newKeyset, ScriptedMint } from "./mint/scripted_mint.ts";

/** Vectors of NUT-00. */
const TOKEN_A =
  "cashuAeyJ0b2tlbiI6W3sibWludCI6Imh0dHBzOi8vODMzMy5zcGFjZTozMzM4IiwicHJvb2ZzIjpbeyJhbW91bnQiOjIsImlkIjoiMDA5YTFmMjkzMjUzZTQxZSIsInNlY3JldCI6IjQwNzkxNWJjMjEyYmU2MWE3N2UzZTZkMmFlYjRjNzI3OTgwYmRhNTFjZDA2YTZhZmMyOWUyODYxNzY4YTc4MzciLCJDIjoiMDJiYzkwOTc5OTdkODFhZmIyY2M3MzQ2YjVlNDM0NWE5MzQ2YmQyYTUwNmViNzk1ODU5OGE3MmYwY2Y4NTE2M2VhIn0seyJhbW91bnQiOjgsImlkIjoiMDA5YTFmMjkzMjUzZTQxZSIsInNlY3JldCI6ImZlMTUxMDkzMTRlNjFkNzc1NmIwZjhlZTBmMjNhNjI0YWNhYTNmNGUwNDJmNjE0MzNjNzI4YzcwNTdiOTMxYmUiLCJDIjoiMDI5ZThlNTA1MGI4OTBhN2Q2YzA5NjhkYjE2YmMxZDVkNWZhMDQwZWExZGUyODRmNmVjNjlkNjEyOTlmNjcxMDU5In1dfV0sInVuaXQiOiJzYXQiLCJtZW1vIjoiVGhhbmsgeW91LiJ9";
const TOKEN_B =
  "cashuBo2F0gqJhaUgA_9SLj17PgGFwgaNhYQFhc3hAYWNjMTI0MzVlN2I4NDg0YzNjZjE4NTAxNDkyMThhZjkwZjcxNmE1MmJmNGE1ZWQzNDdlNDhlY2MxM2Y3NzM4OGFjWCECRFODGd5IXVW-07KaZCvuWHk3WrnnpiDhHki6SCQh88-iYWlIAK0mjE0fWCZhcIKjYWECYXN4QDEzMjNkM2Q0NzA3YTU4YWQyZTIzYWRhNGU5ZjFmNDlmNWE1YjRhYzdiNzA4ZWIwZDYxZjczOGY0ODMwN2U4ZWVhY1ghAjRWqhENhLSsdHrr2Cw7AFrKUL9Ffr1XN6RBT6w659lNo2FhAWFzeEA1NmJjYmNiYjdjYzY0MDZiM2ZhNWQ1N2QyMTc0ZjRlZmY4YjQ0MDJiMTc2OTI2ZDNhNTdkM2MzZGNiYjU5ZDU3YWNYIQJzEpxXGeWZN5qXSmJjY8MzxWyvwObQGr5G1YCCgHicY2FtdWh0dHA6Ly9sb2NhbGhvc3Q6MzMzOGF1Y3NhdA==";

const LONG = "01" + "ab".repeat(32);
const MINT = "https://mint.example/path";

function proof(secret: string, fields: Partial<Proof> = {}): Proof {
  return { keysetId: LONG, amount: 8n, secret, C: hashToCurveHex(secret), ...fields };
}

function isProtocol(error: unknown): boolean {
  return isSeedmintError(error, "protocol") && error.cause === undefined;
}

Deno.test("decodeToken reads the vectors of NUT-00", () => {
  const a = decodeToken(TOKEN_A, []);
  assert.equal(a.mint, "https://8333.space:3338");
  assert.equal(a.memo, "Thank you.");
  assert.deepEqual(a.proofs.map(({ amount }) => amount), [2n, 8n]);
  const b = decodeToken(TOKEN_B, []);
  assert.equal(b.mint, "http://localhost:3338");
  assert.deepEqual(b.proofs.map(({ keysetId }) => keysetId), [
    "00ffd48b8f5ecf80",
    "00ad268c4d1f5826",
    "00ad268c4d1f5826",
  ]);
  assert.equal(tokenMetadata(TOKEN_B).amount, 4n);
  assert.throws(() => decodeToken(`casshu${TOKEN_A.slice(5)}`, []), isProtocol);
  assert.throws(() => decodeToken(TOKEN_A.slice(6), []), isProtocol);
});

Deno.test("decodeToken takes the prefixes of links", () => {
  for (const prefix of ["cashu:", "cashu://", "web+cashu://", " \n"]) {
    assert.equal(decodeToken(prefix + TOKEN_A, []).proofs.length, 2);
  }
});

Deno.test("encodeToken keeps DLEQ, memo and witness, and decodeToken gives them back", () => {
  const dleq = { e: "aa".repeat(32), s: "bb".repeat(32), r: "0c".repeat(32) };
  const proofs = [
    proof("one", { dleq }),
    proof("two", { amount: 1n << 40n, witness: '{"signatures":["ab"]}' }),
    proof("three", { keysetId: "00ad268c4d1f5826" }),
  ];
  const text = encodeToken({ mint: MINT, unit: "sat", memo: "for the blob", proofs });
  const token = decodeToken(text, [LONG]);
  assert.equal(token.mint, MINT);
  assert.equal(token.memo, "for the blob");
  assert.deepEqual([...token.proofs].sort(bySecret), [...proofs].sort(bySecret));
  const half = proof("four", { dleq: { e: dleq.e, s: dleq.s } });
  const bare = decodeToken(encodeToken({ mint: MINT, unit: "sat", proofs: [half] }), [LONG]);
  assert.equal(bare.proofs[0]!.dleq, undefined, "without r it proves nothing");
});

Deno.test("tokenMetadata tells the mint and the amount before any keyset is known", () => {
  const text = encodeToken({ mint: MINT, unit: "sat", proofs: [proof("a"), proof("b")] });
  assert.deepEqual(tokenMetadata(text), {
    mint: MINT,
    unit: "sat",
    amount: 16n,
    proofCount: 2,
    keysetIds: [LONG.slice(0, 16)],
  });
});

Deno.test("decodeToken resolves a short keyset id only when exactly one keyset fits", () => {
  const text = encodeToken({ mint: MINT, unit: "sat", proofs: [proof("a")] });
  const twin = LONG.slice(0, 20) + "0".repeat(46);
  const isNotFound = (error: unknown) => isSeedmintError(error, "not-found");
  assert.throws(() => decodeToken(text, []), isNotFound);
  assert.throws(() => decodeToken(text, ["01" + "cd".repeat(32)]), isNotFound);
  assert.throws(() => decodeToken(text, [LONG, twin]), isNotFound);
  assert.equal(decodeToken(text, [LONG, LONG]).proofs[0]!.keysetId, LONG);
  assert.equal(decodeToken(text, resolverOf([LONG])).proofs[0]!.keysetId, LONG);
});

Deno.test("readTokenAt finds keysets that were rotated in or out, and refuses what cannot be", async () => {
  const [old, next] = [newKeyset(), newKeyset()];
  await using server = new ScriptedMint([old]);
  const clock = new ManualClock();
  const mint = new HttpMint({ url: server.url, clock });
  const tokenOf = (keysetId: string, amount = 8n) =>
    encodeToken({ mint: server.url, unit: "sat", proofs: [proof("a", { keysetId, amount })] });
  assert.equal((await readTokenAt(tokenOf(old.id), mint)).keysets.get(old.id)?.id, old.id);
  server.keysets([{ ...old, active: false }, next]);
  await clock.advance(6000);
  const read = await readTokenAt(tokenOf(next.id), mint);
  assert.equal(
    read.token.proofs[0]!.keysetId,
    next.id,
    "its short id was not known an instant before",
  );
  assert.equal((await readTokenAt(tokenOf(old.id), mint)).keysets.get(old.id)?.active, false);
  const stranger = readTokenAt(tokenOf(newKeyset().id), mint);
  await assert.rejects(stranger, (error) => isSeedmintError(error, "not-found"));
  await assert.rejects(readTokenAt(tokenOf(old.id, 3n), mint), isProtocol, "no key for 3 sat");
});

Deno.test("decodeToken refuses what is no token, or not one that can be meant", () => {
  const make = (change: Record<string, unknown>, proofChange: Record<string, unknown> = {}) => {
    const one = { id: LONG, amount: 8, secret: "s", C: hashToCurveHex("s"), ...proofChange };
    const token = { token: [{ mint: MINT, proofs: [one] }], unit: "sat", ...change };
    return `cashuA${btoa(JSON.stringify(token)).replace(/=+$/, "")}`;
  };
  assert.equal(decodeToken(make({}), []).proofs.length, 1);
  const wrong = [
    "",
    "cashuA",
    "cashuB",
    "cashuC" + TOKEN_B.slice(6),
    "cashuA!!!!",
    make({ token: [] }),
    make({ token: [{ mint: MINT, proofs: [] }] }),
    make({ token: [{ mint: "http://mint.example", proofs: [] }] }),
    make({ memo: "m".repeat(2000) }),
    make({ unit: 7 }),
    make({}, { amount: 0 }),
    make({}, { amount: -1 }),
    make({}, { amount: 1.5 }),
    make({}, { amount: 2 ** 53 }),
    make({}, { amount: [8] }),
    make({}, { id: "I2yN+iRYfkzT" }),
    make({}, { id: "01abab" }),
    make({}, { C: "02" }),
    make({}, { C: `02${"f".repeat(64)}` }),
    make({}, { secret: "" }),
    make({}, { secret: "s".repeat(1025) }),
    make({}, { p2pk_e: "02" }),
    make({}, { witness: "w".repeat(2000) }),
    `cashuA${btoa("x".repeat(300_000))}`,
    TOKEN_B.slice(0, -40),
  ];
  for (const text of wrong) {
    assert.throws(() => decodeToken(text, []), isProtocol, text.slice(0, 60));
  }
  const twice = encodeToken({ mint: MINT, unit: "sat", proofs: [proof("a"), proof("a")] });
  assert.throws(() => decodeToken(twice, [LONG]), isProtocol, "the same ecash twice");
});

Deno.test("decodeToken fails on damaged tokens only as documented, and tells nothing of them", () => {
  const secret = "f00dcafe".repeat(8);
  const good = encodeToken({ mint: MINT, unit: "sat", proofs: [proof(secret)] });
  fc.assert(
    fc.property(
      fc.nat(good.length - 1),
      fc.constantFrom(..."ABCxyz019-_=+ {\0"),
      fc.boolean(),
      (place, character, cut) => {
        const text = cut
          ? good.slice(0, place)
          : good.slice(0, place) + character + good.slice(place + 1);
        try {
          decodeToken(text, [LONG]);
        } catch (error) {
          assert.ok(error instanceof SeedmintError);
          assert.doesNotMatch(inspect(error), /f00dcafe/);
        }
      },
    ),
    { numRuns: 300 },
  );
  fc.assert(fc.property(fc.anything(), (value) => {
    let cbor: Uint8Array;
    try {
      cbor = encode(value);
    } catch {
      return;
    }
    const text = `cashuB${cbor.toBase64({ alphabet: "base64url", omitPadding: true })}`;
    assert.throws(() => tokenMetadata(text), isProtocol);
  }));
});

Deno.test("decodeToken reads what cashu-ts writes", () => {
  const text = getEncodedToken({
    mint: MINT,
    unit: "sat",
    proofs: [{ id: LONG, amount: 4n, secret: "x", C: hashToCurveHex("x") } as never],
  });
  assert.equal(decodeToken(text, [LONG]).proofs[0]!.amount, 4n);
});

function bySecret(a: Proof, b: Proof): number {
  return a.secret < b.secret ? -1 : 1;
}
