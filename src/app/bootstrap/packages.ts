/**
 * The packages that a version needs: what the program's files import, and what that depends on, by the
 * lock file. What only tests and tools use is left out of both files, so that a host runs with nothing
 * but what was brought, and fetches nothing.
 */
import { SeedmintError } from "../../core/errors.ts";

/** One package. */
export interface NeededPackage {
  readonly name: string;
  readonly version: string;
}

/** `deno.json` and `deno.lock` of a version, and its packages. */
export interface TrimmedManifest {
  readonly config: string;
  readonly lock: string;
  readonly packages: readonly NeededPackage[];
}

interface LockedPackage {
  readonly dependencies?: readonly string[];
  readonly optionalDependencies?: readonly string[];
}

interface Lock {
  readonly version: string;
  readonly specifiers: Readonly<Record<string, string>>;
  readonly npm: Readonly<Record<string, LockedPackage>>;
  readonly workspace: { readonly dependencies: readonly string[] };
}

/** What a node reads of `deno.json`: tasks, lint and tests are a developer's. */
const KEPT_OF_CONFIG = [
  "name",
  "version",
  "license",
  "exports",
  "nodeModulesDir",
  "compilerOptions",
];

const LOCK_VERSION = "5";

/** The packages that a file imports, by their bare names. */
export function importedPackages(source: string): readonly string[] {
  const found = source.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"([^".][^"]*)"/g);
  return [...found].map(([, specifier]) => specifier!).filter((name) => !name.includes(":"))
    .map((name) => name.split("/").slice(0, name.startsWith("@") ? 2 : 1).join("/"));
}

/**
 * Leaves out of both files what is not `used`.
 *
 * @throws {SeedmintError} `unavailable` if the lock file has another form than Deno writes now.
 */
export function trimManifest(
  configText: string,
  lockText: string,
  used: ReadonlySet<string>,
): TrimmedManifest {
  const config = JSON.parse(configText) as Record<string, unknown>;
  const lock = JSON.parse(lockText) as Lock;
  if (lock.version !== LOCK_VERSION) throw unreadable(`its version is ${lock.version}`);
  const imports = Object.fromEntries(
    Object.entries(config.imports as Record<string, string>).filter(([name]) => used.has(name)),
  );
  const specifiers = new Set(Object.values(imports));
  const kept = closure(lock, [...specifiers].map((specifier) => specifier.slice("npm:".length)));
  return {
    config: textOf({
      ...Object.fromEntries(KEPT_OF_CONFIG.map((key) => [key, config[key]])),
      imports,
    }),
    lock: textOf({
      version: lock.version,
      specifiers: pick(lock.specifiers, (key) => specifiers.has(key)),
      npm: pick(lock.npm, (key) => kept.has(key)),
      workspace: {
        dependencies: lock.workspace.dependencies.filter((one) => specifiers.has(one)),
      },
    }),
    packages: [...kept].map(packageOf),
  };
}

/** All that these packages need, as the lock file names them. */
function closure({ npm }: Lock, wanted: string[]): ReadonlySet<string> {
  const names = Object.keys(npm);
  const kept = new Set<string>();
  for (let next = wanted.pop(); next !== undefined; next = wanted.pop()) {
    const key = Object.hasOwn(npm, next)
      ? next
      : names.find((name) => name.startsWith(`${next}@`) || name.startsWith(`${next}_`));
    if (key === undefined) throw unreadable(`it lacks ${next}`);
    if (kept.has(key)) continue;
    kept.add(key);
    const { dependencies = [], optionalDependencies = [] } = npm[key]!;
    wanted.push(...dependencies, ...optionalDependencies);
  }
  return kept;
}

/** `@a/b@1.2.3_c@4.5.6` is version 1.2.3 of `@a/b`, for a certain c beside it. */
function packageOf(key: string): NeededPackage {
  const [, name, version] = /^(@?[^@]+)@([^_]+)/.exec(key) ?? [];
  if (name === undefined) throw unreadable(`it has a package ${key}`);
  return { name, version: version! };
}

function pick<T>(
  record: Readonly<Record<string, T>>,
  isKept: (key: string) => boolean,
): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter(([key]) => isKept(key)));
}

function textOf(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function unreadable(why: string): SeedmintError {
  return new SeedmintError(
    "unavailable",
    `Cannot tell from deno.lock which packages to bring: ${why}; run deno install in the checkout`,
  );
}
