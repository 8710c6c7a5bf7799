import assert from "node:assert/strict";
import { systemClock, systemRandom } from "../../../../src/host/system.ts";
import { RegistryIndex } from "../../../../swarm/registry/index/mod.ts";
import { LocalRegistry } from "../../../../swarm/registry/local/mod.ts";
import { isDigest, sha256Of } from "../../../../swarm/registry/names.ts";
import { openStore, TemporaryDirectory } from "../../store/fixture.ts";
import { digestOfBytes } from "../../../../swarm/registry/manifest/mod.ts";
import { chunkOf, named, NEVER, pullBlob } from "./kit.ts";

const CHILD = new URL("./crash_child.ts", import.meta.url).pathname;
const KILL_COUNT = 12;

/** What one life of the pushing process acknowledged. */
async function killOne(directory: string, seed: number): Promise<readonly string[]> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", CHILD, directory, String(seed)],
    stdout: "piped",
  }).spawn();
  let text = "";
  // A slow machine says as much before it is killed as a fast one, which gets somewhat further.
  const lineCount = 1 + (seed * 7) % 27;
  let killing: ReturnType<typeof setTimeout> | undefined;
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text.split("\n").length <= lineCount) continue;
    killing ??= setTimeout(() => child.kill("SIGKILL"), (seed * 61) % 40);
  }
  const { signal } = await child.status;
  assert.equal(signal, "SIGKILL", "the child must not end by itself");
  // The last line may be cut.
  return text.split("\n").slice(0, -1);
}

interface Acknowledged {
  readonly blobs: Set<string>;
  readonly tags: Map<string, string | undefined>;
  readonly uploads: Map<string, number>;
}

function note(all: Acknowledged, lines: readonly string[]): void {
  for (const line of lines) {
    const [what, first, second] = line.split(" ");
    if (what === "blob") all.blobs.add(first!);
    if (what === "manifest") all.tags.set(first!, second!);
    // Whether it went is not known until it is acknowledged.
    if (what === "deleting") all.tags.delete(first!);
    if (what === "deleted") all.tags.set(first!, undefined);
    if (what === "upload") all.uploads.set(first!, Number(second));
    if (what === "finishing") all.uploads.delete(first!);
  }
}

async function check(directory: string, all: Acknowledged): Promise<number> {
  await using store = await openStore(`${directory}/store`);
  using index = RegistryIndex.open({ path: `${directory}/registry.sqlite`, clock: systemClock });
  await using registry = await LocalRegistry.open({
    store,
    index,
    directory: `${directory}/uploads`,
    clock: systemClock,
    random: systemRandom,
  });
  for (const digest of all.blobs) {
    assert.ok(isDigest(digest));
    const bytes = await pullBlob(registry, "app", digest);
    assert.ok(bytes !== undefined, `the acknowledged blob ${digest} is gone`);
    assert.equal(digestOfBytes(bytes), digest);
    assert.ok(store.findBySha256(sha256Of(digest))?.pinned, "what was pushed is pinned");
  }
  const ask = { signal: NEVER, accept: [], isHead: false };
  for (const [tag, digest] of all.tags) {
    assert.equal((await registry.manifest(named("app"), { tag }, ask))?.digest, digest, tag);
  }
  // Whatever is visible is as its digest says, acknowledged or not.
  for (const { digest } of index.members.of(named("app"), "blob")) {
    const bytes = await pullBlob(registry, "app", digest);
    assert.equal(bytes && digestOfBytes(bytes), digest);
  }
  let resumedCount = 0;
  for (const [id, offset] of all.uploads) {
    const status = registry.uploadStatus("app", id);
    assert.ok(status !== undefined && status.offset >= offset, `upload ${id} lost bytes`);
    const next = await registry.append("app", id, chunkOf(new Uint8Array(10)), {
      start: status.offset,
      signal: NEVER,
    });
    assert.equal(next?.offset, status.offset + 10);
    await registry.cancelUpload("app", id);
    resumedCount++;
  }
  all.uploads.clear();
  const files = await Array.fromAsync(Deno.readDir(`${directory}/uploads`), ({ name }) => name);
  assert.ok(files.every((id) => registry.uploadStatus("app", id) !== undefined));
  for (const id of files) await registry.cancelUpload("app", id);
  return resumedCount;
}

Deno.test(`A push registry that is killed ${KILL_COUNT} times and more loses nothing that it acknowledged`, async () => {
  using directory = new TemporaryDirectory();
  const all: Acknowledged = { blobs: new Set(), tags: new Map(), uploads: new Map() };
  let resumedCount = 0;
  const isEnough = () => all.blobs.size > 10 && all.tags.size > 3 && resumedCount > 0;
  // On a busy machine most children are killed before they did anything.
  for (let seed = 1; seed <= KILL_COUNT || (!isEnough() && seed <= 5 * KILL_COUNT); seed++) {
    note(all, await killOne(directory.path, seed));
    resumedCount += await check(directory.path, all);
  }
  assert.ok(isEnough());
});
