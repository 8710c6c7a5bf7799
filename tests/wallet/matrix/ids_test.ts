import assert from "node:assert/strict";

/** The rows of the failure matrix. */
const IDS = [
  ...Array.from({ length: 32 }, (_, index) => `K${index + 1}`),
  ...["T1", "T2", "T3", "T4", "T5"],
  ...["P1", "P2", "P3", "P4", "P5", "P6", "P7"],
  ...["Q1", "Q2", "Q3", "D1", "D2", "O1", "O2", "C1", "C2", "C3", "R1", "R2", "S1"],
];

Deno.test("every row of the failure matrix is a test of its name", () => {
  const folder = new URL("./", import.meta.url);
  const sources = [...Deno.readDirSync(folder)]
    .filter(({ name }) => name.endsWith("_test.ts") || name === "kill_rows.ts")
    .map(({ name }) => Deno.readTextFileSync(new URL(name, folder)));
  const text = sources.join("\n");
  const found = [
    ...[...text.matchAll(/Deno\.test\(\s*"([A-Z]\d+) /g)].map(([, id]) => id!),
    // The kills are tests by their table.
    ...[...text.matchAll(/^ *\{?\s*id: "(K\d+)",/gm)].map(([, id]) => id!),
  ];
  assert.deepEqual([...found].sort(), [...IDS].sort());
});
