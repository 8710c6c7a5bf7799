/** Takes the lock named by the first argument, says so, and waits to be killed. */
import { ProcessLock } from "../../src/sqlite/mod.ts";

using _lock = ProcessLock.take(Deno.args[0]!, "the till");
console.log("held");
await Deno.stdin.read(new Uint8Array(1));
