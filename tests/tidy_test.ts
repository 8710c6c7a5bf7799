/** Properties of the source itself that the linter cannot see. */
import assert from "node:assert/strict";
import { layerOf, layerViolation } from "../tools/lint_plugin.ts";

const ROOT = new URL("../", import.meta.url);
const FILE_LINES_MAX = 500;

/** Packages whose parts make one thing; each family has one door. */
const FAMILY: Readonly<Record<string, string>> = {
  "@multiformats/multiaddr": "libp2p",
  "uint8arraylist": "libp2p",
};

/** Where a package may be met in more than its door, each with the reason. */
const OWN_GROUND: readonly RegExp[] = [
  /^(tests|bench|tools|devnet)\//, // not part of what runs for money
  /\/assembly\//, // AssemblyScript has its own standard library
];

interface SourceFile {
  readonly path: string;
  readonly text: string;
}

async function sourceFiles(folder = ""): Promise<SourceFile[]> {
  const found: SourceFile[] = [];
  for await (const entry of Deno.readDir(new URL(folder || ".", ROOT))) {
    const path = `${folder}${entry.name}`;
    if (entry.isDirectory) {
      if (/^\.|^node_modules$|^target$|^coverage$/.test(entry.name)) continue;
      found.push(...await sourceFiles(`${path}/`));
    } else if (/\.tsx?$/.test(entry.name)) {
      found.push({ path, text: await Deno.readTextFile(new URL(path, ROOT)) });
    }
  }
  return found.sort((a, b) => a.path < b.path ? -1 : 1);
}

const files = await sourceFiles();
const product = files.filter((file) => layerOf(file.path) !== undefined);

function importsOf(file: SourceFile): string[] {
  // A statement with `from`, one without, or a call: prose in a string is none of them.
  const pattern =
    /^\s*(?:import|export)\b[^"'`;]*?\bfrom\s*"([^"]+)"|^\s*import\s*"([^"]+)"|\bimport\(\s*"([^"]+)"/gm;
  return [...withoutComments(file.text).matchAll(pattern)]
    .map((match) => (match[1] ?? match[2] ?? match[3])!);
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "");
}

function packageOf(specifier: string): string {
  const name = specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
  if (name.startsWith("@libp2p/")) return "libp2p";
  return FAMILY[name] ?? name;
}

/** The problems, one per line, so that a failure shows all of them. */
function assertNone(problems: readonly string[]): void {
  assert.equal(problems.length, 0, `\n${problems.join("\n")}`);
}

Deno.test("every import points down the layers", () => {
  assertNone(
    product.flatMap((file) =>
      importsOf(file).filter((specifier) => specifier.startsWith(".")).flatMap((specifier) => {
        const imported = new URL(specifier, `file:///${file.path}`).pathname.slice(1);
        const violation = layerViolation(file.path, imported);
        return violation === undefined ? [] : [`${file.path}: ${violation}`];
      })
    ),
  );
});

Deno.test("layerViolation() refuses the arrows that must never exist", () => {
  const forbidden = [
    ["src/core/hash.ts", "src/nostr/nostr.ts"],
    ["src/sqlite/connection.ts", "src/nostr/nostr.ts"],
    ["swarm/ports.ts", "wallet/mod.ts"],
    ["wallet/mod.ts", "swarm/ports.ts"],
    ["swarm/ports.ts", "src/app/metrics.ts"],
    ["swarm/ports.ts", "src/host/system.ts"],
    ["src/host/system.ts", "src/sqlite/connection.ts"],
    ["devnet/demo.ts", "src/app/metrics.ts"],
    ["node.ts", "swarm/ports.ts"],
    ["src/app/metrics.ts", "devnet/demo.ts"],
    ["swarm/ports.ts", "tests/support/x.ts"],
  ] as const;
  for (const [from, to] of forbidden) assert.ok(layerViolation(from, to), `${from} -> ${to}`);
  assert.equal(layerViolation("src/app/metrics.ts", "swarm/ports.ts"), undefined);
  assert.equal(layerViolation("devnet/demo.ts", "src/host/system.ts"), undefined);
  assert.equal(layerViolation("tests/x_test.ts", "src/app/metrics.ts"), undefined);
});

Deno.test("each third-party package enters through one file", () => {
  const doors = new Map<string, Set<string>>();
  for (const file of product) {
    if (OWN_GROUND.some((pattern) => pattern.test(file.path))) continue;
    for (const specifier of importsOf(file)) {
      if (/^(\.|node:)/.test(specifier)) continue;
      const name = packageOf(specifier);
      doors.set(name, (doors.get(name) ?? new Set()).add(file.path));
    }
  }
  assertNone(
    [...doors].filter(([, paths]) => paths.size > 1)
      .map(([name, paths]) => `${name} is imported by ${[...paths].join(", ")}`),
  );
});

Deno.test("every dependency has an exact version and is used", async () => {
  const config = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const used = new Set(
    files.flatMap(importsOf).map((specifier) =>
      specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/")
    ),
  );
  assertNone(
    Object.entries(config.imports as Record<string, string>).flatMap(([name, target]) => {
      const problems = /^npm:(@[\w.-]+\/)?[\w.-]+@\d+\.\d+\.\d+$/.test(target)
        ? []
        : [`${name} is not pinned to an exact npm version: ${target}`];
      return used.has(name) ? problems : [...problems, `${name} is imported by no file`];
    }),
  );
});

Deno.test("every dependency has its sentence in docs/dependencies.md", async () => {
  const config = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const text = await Deno.readTextFile(new URL("docs/dependencies.md", ROOT));
  assertNone(
    Object.values(config.imports as Record<string, string>)
      .map((target) => target.replace(/^npm:/, "").replace(/@(?=[^@]*$)/, " "))
      .filter((name) => !text.includes(`\`${name}\``))
      .map((name) => `docs/dependencies.md does not name \`${name}\``),
  );
});

Deno.test("no source file is longer than one concept needs", () => {
  assertNone(
    files.map((file) => ({ path: file.path, lineCount: file.text.split("\n").length - 1 }))
      .filter(({ lineCount }) => lineCount > FILE_LINES_MAX)
      .map(({ path, lineCount }) => `${path} has ${lineCount} lines, split past ${FILE_LINES_MAX}`),
  );
});

Deno.test("no task is left without an owner and no debug output is left behind", () => {
  const banned: readonly (readonly [RegExp, string])[] = [
    [/\b(TODO|FIXME|XXX|HACK)\b/, "an open task belongs into an issue"],
    [/\bdebugger\b/, "a breakpoint"],
    [/\bDeno\.inspect\(/, "debug output"],
  ];
  const console = [
    /\bconsole\.\w+\(/,
    "only src/app, devnet, bench and tools talk to people",
  ] as const;
  assertNone(
    files.filter((file) => file.path !== "tests/tidy_test.ts").flatMap((file) => {
      const talks = /^(src\/app|devnet|bench|tools|tests)\//.test(file.path) ||
        file.path === "node.ts";
      return (talks ? banned : [...banned, console])
        .filter(([pattern]) => pattern.test(file.text))
        .map(([pattern, why]) => `${file.path} matches ${pattern}: ${why}`);
    }),
  );
});

Deno.test("no skipped, narrowed or empty test is left behind", () => {
  const pattern = /Deno\.test\.(only|ignore)\b|\bonly:\s*true|assert(\.ok)?\(true\)/;
  assertNone(
    files.filter((file) => file.path.startsWith("tests/") && file.path !== "tests/tidy_test.ts")
      .filter((file) => pattern.test(file.text))
      .map((file) => `${file.path} matches ${pattern}`),
  );
});

Deno.test("each folder of the product says its purpose in its mod.ts", () => {
  const folders = new Set(
    product.filter((file) => file.path.includes("/") && !file.path.includes("/assembly/"))
      .map((file) => file.path.slice(0, file.path.lastIndexOf("/"))),
  );
  assertNone([...folders].flatMap((folder) => {
    const mod = files.find((file) => file.path === `${folder}/mod.ts`);
    if (mod === undefined) return [`${folder} has no mod.ts`];
    return mod.text.startsWith("/**") ? [] : [`${folder}/mod.ts has no module comment`];
  }));
});
