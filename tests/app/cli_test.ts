import assert from "node:assert/strict";
import { helpOf, helpOfAll } from "../../src/app/cli/help.ts";
import { main } from "../../src/app/cli/main.ts";
import { VERB_GROUPS, VERBS, WORDS } from "../../src/app/cli/node_commands.ts";
import { nearest, parseLine } from "../../src/app/cli/parse.ts";
import { COMMON_FLAGS, COMMON_SETTINGS, isFamily } from "../../src/app/cli/verb.ts";
import { settingsMarkdown } from "../../src/app/cli/verbs/config.ts";
import { keyOf } from "../../src/app/config/settings.ts";
import { VERSION } from "../../src/app/version.ts";

// Signals and the listeners of interrupted verbs are the process's own business.
const verb = (name: string) => VERBS.find((candidate) => candidate.name === name)!;

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = "";
  let err = "";
  const code = await main(args, {
    writeOut: (bytes) => out += new TextDecoder().decode(bytes),
    writeErr: (bytes) => err += new TextDecoder().decode(bytes),
    isErrTerminal: false,
    columns: 80,
    isColored: false,
  });
  return { code, out, err };
}

Deno.test("help of all verbs is as it was", async (t) => {
  await t.assertSnapshot(helpOfAll(VERB_GROUPS));
});

for (const spec of [...VERBS, ...WORDS.filter(isFamily)]) {
  Deno.test(`help of ${spec.name} is as it was`, async (t) => {
    await t.assertSnapshot(helpOf(spec));
  });
}

Deno.test("the table of settings is as it was", async (t) => {
  await t.assertSnapshot(settingsMarkdown());
});

Deno.test("no line of help is wider than a terminal of 100 columns", () => {
  for (const text of [helpOfAll(VERB_GROUPS), ...[...VERBS, ...WORDS].map(helpOf)]) {
    for (const line of text.split("\n")) assert.ok(line.length <= 100, line);
  }
});

Deno.test("no verb has two flags of one name or letter", () => {
  for (const spec of VERBS) {
    const flags = { ...COMMON_FLAGS, ...spec.flags };
    const settings = [...COMMON_SETTINGS, ...spec.settings].map(keyOf);
    const names = [...Object.keys(spec.flags), ...Object.keys(COMMON_FLAGS), ...settings];
    const letters = Object.values(flags).flatMap((flag) => flag.short ?? []);
    assert.equal(new Set(names).size, names.length, spec.name);
    assert.equal(new Set(letters).size, letters.length, spec.name);
  }
});

Deno.test("parseLine() takes flags anywhere, values after = or a blank, and stops at --", () => {
  const line = parseLine(verb("get"), [
    "-o",
    "out",
    "HASH",
    "--force",
    "--quota=1GiB",
    "--no-mdns",
  ]);
  assert.deepEqual(line.operands, ["HASH"]);
  assert.deepEqual(Object.fromEntries(line.flags), { output: ["out"], force: [] });
  assert.deepEqual(line.settings, { quota: "1GiB", mdns: false });
  const after = parseLine(verb("add"), ["--link", "--", "--data", "-"]);
  assert.deepEqual(after.operands, ["--data", "-"]);
  assert.deepEqual(parseLine(verb("add"), ["-"]).operands, ["-"]);
});

Deno.test("parseLine() gathers lists: repeated, or one after the other where no operand can stand", () => {
  const repeated = parseLine(verb("start"), ["--relay", "a", "--relay=b", "--mdns"]);
  assert.deepEqual(repeated.settings, { relay: ["a", "b"], mdns: true });
  const following = parseLine(verb("start"), ["--relay", "a", "b", "--listen", "c", "d"]);
  assert.deepEqual(following.settings, { relay: ["a", "b"], listen: ["c", "d"] });
  assert.deepEqual(parseLine(verb("get"), ["--relay", "a", "HASH"]).operands, ["HASH"]);
});

Deno.test("parseLine() says what is wrong with a line", () => {
  const why = (name: string, ...args: string[]) => {
    try {
      parseLine(verb(name), args);
    } catch (error) {
      return (error as Error).message;
    }
    assert.fail("a usage error was expected");
  };
  assert.match(why("add", "--in-pace", "x"), /no flag --in-pace; did you mean --in-place\?/);
  assert.match(why("add", "--frobnicate", "x"), /no flag --frobnicate \(see add --help\)/);
  assert.match(why("ls", "-x"), /no flag -x/);
  assert.match(why("get"), /HASH\|TICKET is missing/);
  assert.match(why("get", "a", "b"), /"b" is one word too many/);
  assert.match(why("get", "a", "--origin"), /--origin needs a value/);
  assert.match(why("get", "a", "-o"), /-o needs a value/);
  assert.match(why("get", "a", "--force=yes"), /--force takes no value/);
  assert.match(why("ls", "--no-json"), /no flag --no-json/);
});

Deno.test("nearest() forgives two letters and no more", () => {
  const names = VERBS.map((spec) => spec.name);
  assert.equal(nearest("stauts", names), "status");
  assert.equal(nearest("tickets", names), "ticket");
  assert.equal(nearest("frobnicate", names), undefined);
  assert.equal(nearest("x", names), undefined);
});

Deno.test("main() answers help, version and mistakes with the right code and stream", async () => {
  assert.equal((await run("--help")).out, `${helpOfAll(VERB_GROUPS)}\n`);
  assert.equal((await run("help")).out, `${helpOfAll(VERB_GROUPS)}\n`);
  assert.equal((await run("help", "get")).out, `${helpOf(verb("get"))}\n`);
  assert.equal((await run("get", "-h")).out, `${helpOf(verb("get"))}\n`);
  assert.match((await run("version")).out, new RegExp(`^seedmint ${VERSION} \\(Deno \\d`));
  assert.equal(JSON.parse((await run("version", "--json")).out).version, VERSION);
  const wrong = await run("gte");
  assert.deepEqual([wrong.code, wrong.out], [2, ""]);
  assert.match(wrong.err, /^error: There is no verb gte; did you mean get\?/);
  const json = await run("gte", "--json");
  assert.deepEqual(JSON.parse(json.out), {
    event: "error",
    code: "usage",
    message: "There is no verb gte; did you mean get? (see --help)",
  });
  assert.deepEqual([json.code, json.err], [2, ""]);
  assert.match((await run("--data", "x", "status")).err, /The verb comes first: status/);
  const shell = await run("completions", "tcsh");
  assert.equal(
    (await run("wallet", "--help")).out,
    `${helpOf(WORDS.find((word) => word.name === "wallet")!)}\n`,
  );
  assert.equal((await run("help", "wallet", "send")).out, `${helpOf(verb("wallet send"))}\n`);
  assert.equal((await run("wallet", "send", "-h")).out, `${helpOf(verb("wallet send"))}\n`);
  assert.match((await run("wallet", "swp")).err, /no verb wallet swp; did you mean wallet swap\?/);
  assert.match((await run("wallet")).err, /what to do is missing: balance, mints/);
  assert.equal((await run("wallet")).code, 2);
  assert.match(shell.err, /one of bash, zsh, fish wanted/);
});

Deno.test("a message repeats no long word of a command line, for it may be a token", async () => {
  const token = `cashuB${"x".repeat(200)}`;
  for (
    const line of [[token], ["wallet", token], ["wallet", "receive", "a", token], [
      "wallet",
      "balance",
      `--json=${token}`,
    ]]
  ) {
    const { code, err, out } = await run(...line);
    assert.equal(code, 2);
    assert.ok(!(err + out).includes(token.slice(0, 40)), line.join(" ").slice(0, 30));
  }
});

Deno.test("main() hands devnet its own words, help among them", async () => {
  const seen: (readonly string[])[] = [];
  let out = "";
  const code = await main(["devnet", "pay", "--help", "--json"], {
    writeOut: (bytes) => out += new TextDecoder().decode(bytes),
    writeErr: () => {},
    isErrTerminal: false,
    columns: 80,
    isColored: false,
  }, {
    devnet: (args, io) => {
      seen.push(args);
      io.object({ json: io.json });
      return Promise.resolve(7);
    },
  });
  assert.deepEqual([code, seen, out], [7, [["pay", "--help", "--json"]], '{"json":true}\n']);
  assert.equal((await run("devnet")).code, 2);
});

Deno.test("completions name every verb and every flag", async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const { out, code } = await run("completions", shell);
    assert.equal(code, 0);
    for (const spec of VERBS) {
      assert.ok(out.includes(spec.name.split(" ").at(-1)!), `${shell} ${spec.name}`);
    }
    assert.ok(out.includes("in-place"));
  }
});

Deno.test("VERSION is that of deno.json", async () => {
  const text = await Deno.readTextFile(new URL("../../deno.json", import.meta.url));
  assert.equal(JSON.parse(text).version, VERSION);
});
