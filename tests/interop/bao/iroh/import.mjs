// Imports every file of a folder into an iroh 0.35 store and prints, one line each, its name and
// its hash as hex. Runs in the throwaway project that `../iroh.ts` sets up.
import { readdir } from "node:fs/promises";
import process from "node:process";
import { Hash, Iroh, SetTagOption } from "@number0/iroh";

const [store, folder] = process.argv.slice(2);
const node = await Iroh.persistent(store, {
  ipv4Addr: "127.0.0.1:0",
  ipv6Addr: "[::1]:0",
  nodeDiscovery: "None",
});

function add(path) {
  return new Promise((resolve, reject) => {
    const hear = (error, progress) => {
      if (error) reject(error);
      else if (progress.allDone) resolve(progress.allDone.hash);
    };
    node.blobs.addFromPath(path, false, SetTagOption.auto(), { wrap: false }, hear).catch(reject);
  });
}

for (const name of (await readdir(folder)).sort()) {
  const hash = await add(`${folder}/${name}`);
  const hex = Uint8Array.from(Hash.fromString(hash).toBytes()).toHex();
  console.log(JSON.stringify({ name, hash: hex }));
}
await node.node.shutdown();
process.exit(0);
