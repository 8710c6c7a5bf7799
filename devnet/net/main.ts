/** The verb `devnet` on its own: `deno run -A devnet/net/main.ts [ARGS]`. */
import { devnet } from "./command.ts";

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => stop.abort());
}
const json = Deno.args.includes("--json");
const io = {
  json,
  line: (text: string) => console.log(text),
  object: (value: object) => console.log(JSON.stringify(value)),
  error: (text: string) => console.error(text),
};
Deno.exit(await devnet(Deno.args, io, stop.signal));
