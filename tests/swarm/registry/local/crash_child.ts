/**
 * Pushes to the registry in the directory named by the first argument until it is killed, and prints a
 * line for each thing that was acknowledged. The second argument is the seed.
 */
import { systemClock, systemRandom } from "../../../../src/host/system.ts";
import { RegistryIndex } from "../../../../swarm/registry/index/mod.ts";
import { LocalRegistry } from "../../../../swarm/registry/local/mod.ts";
import { openStore } from "../../store/fixture.ts";
import { imageOf, layerOf } from "../manifest/fixture.ts";
import { chunkOf, NEVER, pushBlob } from "./kit.ts";

const [directory, seed] = Deno.args;

function say(line: string): void {
  const bytes = new TextEncoder().encode(`${line}\n`);
  for (let done = 0; done < bytes.length;) done += Deno.stdout.writeSync(bytes.subarray(done));
}

const store = await openStore(`${directory}/store`);
const index = RegistryIndex.open({ path: `${directory}/registry.sqlite`, clock: systemClock });
const registry = await LocalRegistry.open({
  store,
  index,
  directory: `${directory}/uploads`,
  clock: systemClock,
  random: systemRandom,
});
say("open");
for (let round = 0;; round++) {
  const text = `${seed} ${round}`;
  const image = imageOf([layerOf("shared", 50_000), layerOf(text, 40_000 + round)]);
  for (const part of [image.config, image.layers[0]!]) {
    await pushBlob(registry, "app", part);
    say(`blob ${part.digest}`);
  }
  const layer = image.layers[1]!;
  const { id } = await registry.beginUpload("app");
  say(`upload ${id} 0`);
  for (let at = 0; at < layer.bytes.length; at += 15_000) {
    const chunk = layer.bytes.slice(at, at + 15_000);
    const status = await registry.append("app", id, chunkOf(chunk), { signal: NEVER });
    say(`upload ${id} ${status!.offset}`);
  }
  say(`finishing ${id}`);
  await registry.finishUpload("app", id, layer.digest);
  say(`blob ${layer.digest}`);
  await registry.putManifest("app", { tag: `t${seed}-${round}` }, image.manifest);
  say(`manifest t${seed}-${round} ${image.manifest.digest}`);
  if (round % 3 !== 2) continue;
  const gone = `t${seed}-${round - 1}`;
  say(`deleting ${gone}`);
  await registry.deleteManifest("app", { tag: gone });
  say(`deleted ${gone}`);
}
