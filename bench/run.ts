/**
 * Measures the figures of docs/performance.md anew: `deno task bench` runs every file of this
 * folder in turn, `deno task bench hash fetch` only those named. Figures are quoted as ratios
 * within one run, because machines differ and are noisy.
 */

const FOLDER = new URL("./", import.meta.url);

async function names(): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(FOLDER)) {
    if (entry.isFile && entry.name.endsWith(".ts") && entry.name !== "run.ts") {
      found.push(entry.name.slice(0, -".ts".length));
    }
  }
  return found.sort();
}

const known = await names();
const wanted = Deno.args.length > 0 ? Deno.args : known;
const unknown = wanted.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`No bench is called ${unknown.join(", ")}: there are ${known.join(", ")}`);
  Deno.exit(2);
}

const failed: string[] = [];
for (const name of wanted) {
  console.log(`\n== bench/${name}.ts`);
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL(`${name}.ts`, FOLDER).pathname],
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  if (!success) failed.push(name);
}
if (failed.length > 0) console.error(`\nFailed: ${failed.join(", ")}`);
Deno.exit(failed.length === 0 ? 0 : 1);
