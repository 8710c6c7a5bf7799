// Both ends of iroh-blobs 0.35 for bench/fetch.ts, each in a process of its own. Runs in the
// throwaway project that tests/interop/bao sets up.
//   iroh_peer.mjs provide STORE FILE   prints a ticket and serves until its stdin ends
//   iroh_peer.mjs fetch STORE FILE     starts a provider of FILE; a download for each line of stdin
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { BlobTicket, Iroh, SetTagOption } from "@number0/iroh";

const [role, store, file] = process.argv.slice(2);
const node = await Iroh.persistent(store, {
  ipv4Addr: "127.0.0.1:0",
  ipv6Addr: "[::1]:0",
  nodeDiscovery: "None",
});

function whenAllDone(begin) {
  return new Promise((resolve, reject) => {
    begin((error, progress) => {
      if (error) reject(error);
      else if (progress.abort) reject(new Error(progress.abort.error));
      else if (progress.allDone) resolve(progress.allDone);
    }).catch(reject);
  });
}

async function provide() {
  const { hash } = await whenAllDone((hear) =>
    node.blobs.addFromPath(file, true, SetTagOption.auto(), { wrap: false }, hear)
  );
  console.log(new BlobTicket(await node.net.nodeAddr(), hash, "Raw").toString());
  process.stdin.resume();
  await once(process.stdin, "end");
}

async function fetch() {
  const args = ["run", "-A", "--node-modules-dir=manual", process.argv[1], "provide"];
  const provider = spawn(process.execPath, [...args, `${store}-provider`, file], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [line] = await once(createInterface({ input: provider.stdout }), "line");
  const ticket = BlobTicket.fromString(line);
  console.log(JSON.stringify({ ready: true }));
  for await (const _ of createInterface({ input: process.stdin })) {
    const startMs = performance.now();
    await whenAllDone((hear) => node.blobs.download(ticket.hash, ticket.asDownloadOptions(), hear));
    console.log(JSON.stringify({ ms: performance.now() - startMs }));
    await node.blobs.deleteBlob(ticket.hash);
  }
  provider.stdin.end();
}

await (role === "provide" ? provide() : fetch());
process.exit(0);
