/** Changing a settings file while everything else in it stays. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { editToml, type SettingValue } from "../../src/app/config/edit_toml.ts";
import { parseTable } from "../../src/app/config/toml.ts";

const edit = (text: string, values: Readonly<Record<string, SettingValue>>) =>
  editToml(text, values, { path: "f.toml", heading: "Added" });

Deno.test("editToml() replaces a key where it stands and leaves comments alone", () => {
  const text =
    '# mine\nquota = "1GiB" # small\n\nrelay = [\n  "wss://a",\n  # old\n]\npay = false\n';
  const result = edit(text, { relay: ["wss://b"], quota: "2GiB" });
  assert.equal(result, '# mine\nquota = "2GiB"\n\nrelay = ["wss://b"]\npay = false\n');
});

Deno.test("editToml() adds before the first table, under one heading", () => {
  const text = 'pay = false\n\n[[provider-tier]]\nid = "a"\n';
  const once = edit(text, { mint: ["https://m"] });
  assert.equal(
    once,
    'pay = false\n\n# Added\nmint = ["https://m"]\n\n[[provider-tier]]\nid = "a"\n',
  );
  const twice = edit(once, { provider: true });
  assert.equal(twice.split("# Added").length, 2);
  assert.equal(parseTable(twice, "").provider, true);
});

Deno.test("editToml() replaces tables by a list of tables", () => {
  const text = '[[provider-tier]]\nid = "a"\n\n[[provider-tier]]\nid = "b"\n';
  const tier = { id: "c", rate: 5 };
  const table = parseTable(edit(text, { "provider-tier": [tier] }), "");
  assert.equal(JSON.stringify(table), JSON.stringify({ "provider-tier": [tier] }));
});

Deno.test("editToml() gives the text back when nothing differs", () => {
  const text = 'relay   =   ["wss://a"]';
  assert.equal(edit(text, { relay: ["wss://a"] }), text);
});

Deno.test("editToml() refuses what it could not change alone", () => {
  assert.throws(() => edit("a.b = 1\n", { a: "x" }), { code: "usage" });
  assert.throws(() => edit("broken = [\n", { a: "x" }), { code: "usage" });
});

Deno.test("editToml() sets exactly the keys it is told, whatever they hold", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 20 });
  const value = fc.oneof(text, fc.integer(), fc.boolean(), fc.array(text, { maxLength: 3 }));
  const key = fc.constantFrom("a", "b-c", "relay", "mint", "x1");
  fc.assert(fc.property(
    fc.array(fc.tuple(key, value), { maxLength: 4 }),
    fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 4 }),
    (first, second) => {
      const before = Object.fromEntries(first);
      const values = Object.fromEntries(second);
      const result = edit(edit("", before), values);
      assert.deepEqual({ ...parseTable(result, "") }, { ...before, ...values });
      assert.equal(edit(result, values), result);
    },
  ));
});
