/** Processes of the development network, for benches. */

/** One that runs, and the address that it says it listens on. */
export interface RunningService extends AsyncDisposable {
  readonly url: string;
}

/** Starts `devnet/NAME/main.ts`. */
export async function service(name: string, args: readonly string[]): Promise<RunningService> {
  const script = new URL(`../../devnet/${name}/main.ts`, import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", script, ...args, "--json"],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let line = "";
  while (!line.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`${name} ended before it was ready`);
    line += value;
  }
  return {
    url: JSON.parse(line).url,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
      await reader.cancel();
    },
  };
}
