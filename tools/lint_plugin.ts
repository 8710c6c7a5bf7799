/**
 * The house rules that `deno lint` can see: which layer may import which, what the pure core may
 * not touch, and how long a function may be.
 */

/** The layer of a path below the project's root, or undefined for tests, tools and benches. */
export function layerOf(path: string): string | undefined {
  const found =
    /^(src\/core|src\/host|src\/sqlite|src\/nostr|src\/app|swarm|wallet|trust|provisioning|devnet)\//
      .exec(
        path,
      );
  if (found) return found[1];
  return path === "node.ts" ? "node.ts" : path === "mod.ts" ? "mod.ts" : undefined;
}

const PROTOCOLS = ["swarm", "wallet", "trust", "provisioning"];

const COMMON = ["src/core", "src/sqlite", "src/nostr"];

/** The machine itself: only what starts programs hands it down. */
const HOST = "src/host";

/**
 * What each layer may import besides itself. `core <- sqlite <- nostr <- protocols <- app <- node.ts`, and
 * `core <- host <- {app, devnet}`.
 */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "src/core": [],
  "src/host": ["src/core"],
  "src/sqlite": ["src/core"],
  "src/nostr": ["src/core", "src/sqlite"],
  ...Object.fromEntries(PROTOCOLS.map((layer) => [layer, COMMON])),
  "src/app": [...COMMON, HOST, ...PROTOCOLS],
  "devnet": [...COMMON, HOST, ...PROTOCOLS],
  "node.ts": ["src/app", "devnet"],
  "mod.ts": [...COMMON, HOST, "src/app", ...PROTOCOLS],
};

/**
 * Why `importer` may not import `imported` (both relative to the root), or undefined if it may.
 * What one of the entry points `node.ts` and `mod.ts` exports is for users, not for us.
 */
export function layerViolation(importer: string, imported: string): string | undefined {
  const from = layerOf(importer);
  const to = layerOf(imported);
  if (from === undefined) return undefined;
  if (to === undefined) return `${from} may not import ${imported}, which is outside every layer`;
  if (from === to || MAY_IMPORT[from]!.includes(to)) return undefined;
  return `${from} may not import ${to}: only ${[from, ...MAY_IMPORT[from]!].join(", ")}`;
}

/** The longest function, in lines. */
export const FUNCTION_LINES_MAX = 70;

const AMBIENT = ["Deno", "setTimeout", "setInterval", "fetch", "WebSocket", "Worker"];

function pathBelowRoot(filename: string): string {
  const root = new URL("../", import.meta.url).pathname;
  return filename.startsWith(root) ? filename.slice(root.length) : filename;
}

function resolveBelowRoot(importer: string, specifier: string): string {
  return new URL(specifier, `file:///${importer}`).pathname.slice(1);
}

function checkFunctionLines(
  context: Deno.lint.RuleContext,
  node: Deno.lint.Node,
  body: Deno.lint.Node | null | undefined,
): void {
  if (body?.type !== "BlockStatement") return;
  const lineCount = context.sourceCode.text.slice(node.range[0], node.range[1]).split("\n").length;
  if (lineCount <= FUNCTION_LINES_MAX) return;
  context.report({
    node,
    message: `This function has ${lineCount} lines, at most ${FUNCTION_LINES_MAX} fit one screen`,
  });
}

const plugin: Deno.lint.Plugin = {
  name: "seedmint",
  rules: {
    layers: {
      create(context) {
        const importer = pathBelowRoot(context.filename);
        const check = (node: Deno.lint.Node, specifier: unknown) => {
          if (typeof specifier !== "string" || !specifier.startsWith(".")) return;
          const message = layerViolation(importer, resolveBelowRoot(importer, specifier));
          if (message !== undefined) context.report({ node, message });
        };
        return {
          ImportDeclaration: (node) => check(node, node.source.value),
          ExportAllDeclaration: (node) => check(node, node.source.value),
          ExportNamedDeclaration: (node) => check(node, node.source?.value),
          ImportExpression: (node) => {
            if (node.source.type === "Literal") check(node, node.source.value);
          },
        };
      },
    },
    "pure-core": {
      create(context) {
        if (layerOf(pathBelowRoot(context.filename)) !== "src/core") return {};
        return {
          Identifier(node) {
            const isName = node.parent?.type === "MemberExpression" &&
              node.parent.property === node;
            if (!AMBIENT.includes(node.name) || isName) return;
            context.report({ node, message: `The core is pure: ${node.name} belongs to a port` });
          },
          MemberExpression(node) {
            const text = context.sourceCode.getText(node);
            if (!/^(Date\.now|Math\.random|performance\.now|crypto\.getRandomValues)$/.test(text)) {
              return;
            }
            context.report({ node, message: `The core is pure: ${text} belongs to a port` });
          },
        };
      },
    },
    "function-lines": {
      create(context) {
        if (layerOf(pathBelowRoot(context.filename)) === undefined) return {};
        return {
          FunctionDeclaration: (node) => checkFunctionLines(context, node, node.body),
          FunctionExpression: (node) => checkFunctionLines(context, node, node.body),
          ArrowFunctionExpression: (node) => checkFunctionLines(context, node, node.body),
        };
      },
    },
  },
};

export default plugin;
