import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { isLibp2pInternal } from "../../../swarm/net/error_guard.ts";

function errorWith(name: string, frames: readonly string[]): Error {
  const error = new Error("x");
  error.name = name;
  error.stack = [`${name}: x`, ...frames.map((frame) => `    at ${frame}`)].join("\n");
  return error;
}

const LIBP2P =
  "YamuxMuxer.onData (file:///c/npm/registry.example/@libp2p/yamux/8.0.3/dist/x.js:1:2)";
const MODULES = "send (/app/node_modules/@libp2p/utils/dist/src/abstract-stream.js:1:2)";
const OURS = "decode (file:///app/swarm/protocol/codec.ts:10:3)";
const RUNTIME = "EventTarget.dispatchEvent (ext:deno_web/02_event.js:1:2)";

Deno.test("isLibp2pInternal looks at the innermost frame that is not the runtime's", () => {
  assert.equal(isLibp2pInternal(errorWith("Error", [LIBP2P, OURS])), true);
  assert.equal(isLibp2pInternal(errorWith("Error", [MODULES])), true);
  assert.equal(isLibp2pInternal(errorWith("Error", [RUNTIME, LIBP2P])), true);
  assert.equal(isLibp2pInternal(errorWith("Error", [OURS, LIBP2P])), false);
  assert.equal(isLibp2pInternal(errorWith("Error", [LIBP2P, `async ${OURS}`])), false);
  assert.equal(isLibp2pInternal(errorWith("Error", [LIBP2P, `async ${MODULES}`])), true);
  assert.equal(isLibp2pInternal(errorWith("StreamResetError", [OURS])), false);
  assert.equal(isLibp2pInternal(errorWith("TypeError", [])), false);
  assert.equal(isLibp2pInternal(errorWith("StreamStateError", [])), true);
  assert.equal(isLibp2pInternal("StreamStateError"), false);
});

/** Runs a program in a process of its own and tells how it ended. */
async function runProgram(body: string) {
  const root = new URL("../../../", import.meta.url);
  const program = `
    import { guardLibp2pErrors } from "${new URL("swarm/net/error_guard.ts", root)}";
    import { multiaddr } from "@multiformats/multiaddr";
    const unguard = guardLibp2pErrors((message, error) => console.log("guarded", error.message));
    ${body}
    await new Promise((resolve) => setTimeout(resolve, 50));
    console.log("alive");
  `;
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--config", fileURLToPath(new URL("deno.json", root)), program],
    stdout: "piped",
    stderr: "null",
  }).output();
  return { code, text: new TextDecoder().decode(stdout) };
}

Deno.test("guardLibp2pErrors swallows what a libp2p package throws or rejects uncaught", async () => {
  const thrown = await runProgram(`setTimeout(() => multiaddr("nonsense"), 0);`);
  assert.equal(thrown.code, 0);
  assert.match(thrown.text, /guarded .*\nalive/);
  const rejected = await runProgram(`Promise.resolve("nonsense").then(multiaddr);`);
  assert.equal(rejected.code, 0);
  assert.match(rejected.text, /guarded .*\nalive/);
});

Deno.test("guardLibp2pErrors leaves every other error as fatal as it was", async () => {
  const bodies = [
    `setTimeout(() => { throw new Error("ours"); }, 0);`,
    `Promise.reject(new TypeError("ours"));`,
    `unguard(); setTimeout(() => multiaddr("nonsense"), 0);`,
  ];
  for (const body of bodies) {
    const { code, text } = await runProgram(body);
    assert.equal(code, 1, body);
    assert.equal(text, "");
  }
});
