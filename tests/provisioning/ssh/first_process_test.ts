import assert from "node:assert/strict";
import fc from "fast-check";
import { systemRandom } from "../../../src/host/system.ts";
import { firstProcess, makeHostKey } from "../../../provisioning/ssh/mod.ts";

const key = (await makeHostKey(systemRandom)).publicKey;
const options = {
  serverAt: "/s",
  hostKeyAt: "/k",
  port: 22,
  ssh: { user: "dev", authorizedKeys: [key] },
  command: undefined,
  commandUser: "",
  random: systemRandom,
};

/** What a shell says to `script`. */
async function shell(args: readonly string[], input: string): Promise<string> {
  const child = new Deno.Command("sh", {
    args: [...args],
    ...{ stdin: "piped", stdout: "piped", stderr: "piped" },
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { stdout, stderr } = await child.output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

Deno.test("firstProcess() is a script that a shell can read, whatever the command says", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ unit: "binary" }), { minLength: 1 }), async (command) => {
      const script = firstProcess({ ...options, command, commandUser: "33:33" });
      assert.equal(await shell(["-n"], script), "");
    }),
    { numRuns: 15 },
  );
});

Deno.test("firstProcess() runs the command with the words that it has, and no others", async () => {
  const command = ["printf", "%s\\n", "it's", "$(id)", "`id`", 'a "b"', "\\n", "; rm -rf /x"];
  const script = firstProcess({ ...options, command });
  const line = script.split("\n").find((it) => it.startsWith("  'printf'"))!;
  assert.equal(await shell([], line), command.slice(2).map((word) => `${word}\n`).join(""));
});

Deno.test("firstProcess() starts its server without what a loader and an allocator heed", async () => {
  const script = firstProcess(options);
  const [, head] = /serve\(\) \{\n([^]*?) {2}while/.exec(script)!;
  const heeded = {
    LD_PRELOAD: "/evil.so",
    LD_TRACE_LOADED_OBJECTS: "1",
    GLIBC_TUNABLES: "x",
    MALLOC_TOP_PAD_: "1",
  };
  const kept = { LD_LIBRARY_PATH: "/lib", MALLOC_CONF: "y", LINES_: "a\nLD_=b" };
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", `b() { "$@"; }\n${head}\nexec env`],
    env: { ...kept, GLIBC_TUNABLES: "x", MALLOC_TOP_PAD_: "1", LD_PRELOAD: "" },
  }).output();
  const text = new TextDecoder().decode(stdout);
  for (const name of Object.keys(kept)) assert.match(text, new RegExp(`^${name}=`, "m"));
  for (const name of Object.keys(heeded)) assert.doesNotMatch(text, new RegExp(`^${name}=`, "m"));
});

Deno.test("firstProcess() refuses users that a shell would read as more than a name", () => {
  for (const user of ["$(id)", "a b", "a;b", "-x", "", "a:b:c"]) {
    assert.throws(() => firstProcess({ ...options, ssh: { ...options.ssh, user } }), SyntaxError);
    if (user === "") continue;
    const more = { command: ["x"], commandUser: user };
    assert.throws(() => firstProcess({ ...options, ...more }), SyntaxError, user);
  }
});

Deno.test("firstProcess() takes passwords only when one is set, and keeps its hash alone", () => {
  assert.match(firstProcess(options), /'-s'/);
  const script = firstProcess({ ...options, ssh: { ...options.ssh, password: "p4ssword" } });
  assert.doesNotMatch(script, /'-s'/);
  assert.doesNotMatch(script, /p4ssword/);
  assert.match(script, /\$6\$/);
});
