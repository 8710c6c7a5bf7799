/** Files of clients in memory: what a plan reads, and what it makes of them. */
import type { ClientFiles, FileChange } from "../../../src/app/clients/files.ts";
import type { Plan, PlanOptions } from "../../../src/app/clients/plan.ts";

/** By path. */
export class MemoryFiles implements ClientFiles {
  readonly texts: Map<string, string>;

  constructor(texts: Readonly<Record<string, string>> = {}) {
    this.texts = new Map(Object.entries(texts));
  }

  read(path: string): Promise<string | undefined> {
    return Promise.resolve(this.texts.get(path));
  }

  list(path: string): Promise<readonly string[]> {
    const names = [...this.texts.keys()].filter((one) => one.startsWith(`${path}/`))
      .map((one) => one.slice(path.length + 1).split("/")[0]!);
    return Promise.resolve([...new Set(names)].sort());
  }

  apply(changes: readonly FileChange[]): void {
    for (const { path, after } of changes) {
      if (after === undefined) this.texts.delete(path);
      else this.texts.set(path, after);
    }
  }

  /** Everything, for comparing. */
  snapshot(): Record<string, string> {
    return Object.fromEntries(this.texts);
  }
}

/** Plans, carries it out in memory, and gives the plan back. */
export async function carryOut(
  planner: (options: PlanOptions) => Promise<Plan>,
  files: MemoryFiles,
  options: Partial<PlanOptions> = {},
): Promise<Plan> {
  const plan = await planner({
    files,
    mirror: "127.0.0.1:5055",
    registries: [
      { registry: "docker.io", url: "https://registry-1.docker.io" },
      { registry: "registry.lan:5000", url: "http://registry.lan:5000" },
    ],
    isRemoval: false,
    ...options,
  });
  files.apply(plan.changes);
  return plan;
}
