/** A process that is ready, says something, and dies. */
console.log(JSON.stringify({ event: "ready", url: "http://127.0.0.1:1" }));
console.error("my time has come");
Deno.exit(7);
