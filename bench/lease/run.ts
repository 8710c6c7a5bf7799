/** Programs of the machine, run with as little around them as can be: they are what is compared with. */

/** Runs a program to its end. @throws {Error} With what it said, if it failed. */
export async function run(argv: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(argv[0]!, {
    args: argv.slice(1),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`${argv[0]} failed: ${new TextDecoder().decode(stderr)}`);
}
