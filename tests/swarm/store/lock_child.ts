/** Opens the store named by the first argument, says so, and waits to be killed. */
import { openStore } from "./fixture.ts";

const store = await openStore(Deno.args[0]!);
console.log("open");
await Deno.stdin.read(new Uint8Array(1));
await store[Symbol.asyncDispose]();
