import assert from "node:assert/strict";
import { isSeedmintError } from "../../src/core/errors.ts";
import { loadConfig } from "../../src/app/config/load.ts";
import { keyOf, SETTING_NAMES, settingOf, variableOf } from "../../src/app/config/settings.ts";
import { bytesSchema, durationSchema, type Schema } from "../../src/app/config/values.ts";
import { v } from "../../src/app/schema.ts";

interface Given {
  readonly flags?: Parameters<typeof loadConfig>[0]["flags"];
  readonly variables?: Record<string, string>;
  readonly files?: Record<string, string>;
}

function load({ flags = {}, variables = {}, files = {} }: Given) {
  return loadConfig({
    flags,
    variable: (name) => ({ HOME: "/home/ann", ...variables })[name],
    readFile: (path) => Promise.resolve(files[path]),
  });
}

async function usageOf(given: Given): Promise<string> {
  try {
    await load(given);
  } catch (error) {
    assert.ok(isSeedmintError(error, "usage"), String(error));
    return error.message;
  }
  assert.fail("a usage error was expected");
}

Deno.test("loadConfig() takes the flag before the variable, the file and the default", async () => {
  const files = { "/home/ann/.local/share/seedmint/seedmint.toml": 'quota = "3GiB"\n' };
  const variables = { SEEDMINT_QUOTA: "2GiB" };
  const all = await load({ flags: { quota: "1GiB" }, variables, files });
  assert.deepEqual([all.values.quota, all.sources.quota], [2 ** 30, "--quota"]);
  const variable = await load({ variables, files });
  assert.deepEqual([variable.values.quota, variable.sources.quota], [2 ** 31, "SEEDMINT_QUOTA"]);
  const file = await load({ files });
  assert.equal(file.values.quota, 3 * 2 ** 30);
  assert.equal(file.sources.quota, "/home/ann/.local/share/seedmint/seedmint.toml:1");
  const none = await load({});
  assert.deepEqual([none.values.quota, none.sources.quota], [50 * 2 ** 30, "default"]);
});

Deno.test("loadConfig() finds the data directory by XDG, by home, and without either", async () => {
  assert.equal((await load({})).values.data, "/home/ann/.local/share/seedmint");
  assert.equal((await load({ variables: { XDG_DATA_HOME: "/x" } })).values.data, "/x/seedmint");
  assert.match((await load({ variables: { HOME: "" } })).values.data, /\/\.seedmint$/);
  assert.equal((await load({ flags: { data: "/d" } })).values.data, "/d");
});

Deno.test("loadConfig() names the flag, the variable, or the file and line of a bad value", async () => {
  assert.match(
    await usageOf({ flags: { quota: "5 gigs" } }),
    /^Cannot use --quota "5 gigs": a size/,
  );
  assert.match(
    await usageOf({ variables: { SEEDMINT_POLICY: "fastest" } }),
    /^Cannot use SEEDMINT_POLICY "fastest": one of swarm-first, race/,
  );
  const files = { "/d/seedmint.toml": '# mine\n\nmdns = true\norigin-delay = "soon"\n' };
  assert.match(
    await usageOf({ flags: { data: "/d" }, files }),
    /^Cannot use origin-delay at \/d\/seedmint\.toml:4 "soon": a time such as 2s/,
  );
});

Deno.test("loadConfig() refuses a broken file, an unknown key, and a file that is not there", async () => {
  const at = (text: string) =>
    usageOf({ flags: { data: "/d" }, files: { "/d/seedmint.toml": text } });
  assert.match(await at('listen = ["/ip4'), /\/d\/seedmint\.toml:1:\d+: /);
  assert.match(
    await at("\ncolour = 1"),
    /"colour" at \/d\/seedmint\.toml:2: there is no such setting/,
  );
  assert.match(await at('data = "/e"'), /lies in the data directory already/);
  assert.match(await at('seed = "abandon"'), /a seed belongs into the file seed/);
  assert.match(await usageOf({ flags: { config: "/nowhere" } }), /there is no such file/);
});

Deno.test("loadConfig() lets a file named by --config say where the data is", async () => {
  const { values, sources } = await load({
    flags: { config: "/etc/seedmint.toml" },
    files: { "/etc/seedmint.toml": 'data = "/var/lib/seedmint"\n' },
  });
  assert.equal(values.data, "/var/lib/seedmint");
  assert.equal(sources.data, "/etc/seedmint.toml:1");
});

Deno.test("loadConfig() reads lists from repeated flags, commas, blanks and TOML", async () => {
  const wanted = ["ws://a.example/", "ws://b.example/"];
  const [a, b] = wanted;
  assert.deepEqual((await load({ flags: { relay: [a!, b!] } })).values.relay, wanted);
  assert.deepEqual((await load({ flags: { relay: [`${a},${b}`] } })).values.relay, wanted);
  assert.deepEqual(
    (await load({ variables: { SEEDMINT_RELAY: `${a} ${b}` } })).values.relay,
    wanted,
  );
  const files = { "/d/seedmint.toml": `relay = ["${a}", "${b}"]` };
  assert.deepEqual((await load({ flags: { data: "/d" }, files })).values.relay, wanted);
  assert.match(
    await usageOf({ flags: { relay: ["http://a.example"] } }),
    /"http:\/\/a\.example" found/,
  );
});

Deno.test("loadConfig() shows no secret, not even a wrong one", async () => {
  const words = "abandon abandon";
  const { texts } = await load({ variables: { SEEDMINT_SEED: words } });
  assert.ok(!JSON.stringify(texts).includes(words));
});

Deno.test("every default of the table is a value that its own schema takes", async () => {
  const { values } = await load({});
  for (const name of SETTING_NAMES) {
    const setting = settingOf(name);
    if (setting.default !== undefined) {
      assert.deepEqual(v.parse(setting.schema, setting.default), values[name], name);
    }
    assert.match(keyOf(name), /^[a-z]+(-[a-z]+)*$/);
    assert.equal(variableOf(name), `SEEDMINT_${keyOf(name).toUpperCase().replaceAll("-", "_")}`);
  }
});

Deno.test("sizes and times are read with their units", () => {
  const read = (schema: Schema<number>, text: string) => v.safeParse(schema, text).output;
  for (const [text, bytes] of [["4096", 4096], ["1.5 kB", 1500], ["2GiB", 2 ** 31]] as const) {
    assert.equal(read(bytesSchema, text), bytes);
  }
  for (const [text, ms] of [["2", 2000], ["500ms", 500], ["1.5h", 5_400_000]] as const) {
    assert.equal(read(durationSchema, text), ms);
  }
  for (const text of ["", "-1", "1e3", "2 parsecs", "NaN", "9".repeat(40)]) {
    assert.equal(v.safeParse(bytesSchema, text).success, false, text);
    assert.equal(v.safeParse(durationSchema, text).success, false, text);
  }
});
