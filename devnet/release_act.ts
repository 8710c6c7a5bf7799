/**
 * The act about releases: a publisher signs one with keys that never touch the network, a node that
 * pinned the root follows it and fetches it from peers, and refuses what a forger shows instead.
 */
import { join } from "node:path";
import type { ActResult } from "./acts.ts";
import type { JsonLine } from "./processes.ts";
import { sha256OfFile, type World } from "./world.ts";
import { RelayPool, signEvent } from "../src/nostr/mod.ts";
import { systemClock, systemRandom } from "../src/host/system.ts";
import { parseSeal, type Seal } from "../trust/catalog/mod.ts";
import { publicationEvents } from "../trust/follow/mod.ts";
import { parseRootChain } from "../trust/root/mod.ts";

const TOOL_BYTES = 4 * 2 ** 20;
/** Random bytes come in pieces of so many at most. */
const BLOCK_BYTES = 65_536;
const CATALOG = "tools";

/** Where the publisher keeps things. */
interface Desk {
  readonly folder: string;
  readonly tool: string;
  readonly root: string;
  readonly catalog: string;
}

/** Signs, publishes, follows, fetches; then forges. */
export async function release(world: World): Promise<ActResult> {
  const desk = await makeDesk(world);
  const ceremony = await signFirst(world, desk);
  const [publisher, host] = await Promise.all([
    world.node("publisher"),
    world.node("fleet-host", "--release-root", desk.root, "--catalog", CATALOG),
  ]);
  const published = await publish(world, desk, publisher.data);
  const followed = await lookUntilNew(world, host.data, 1);
  const fetched = await fetchRelease(world, desk, host.data);
  const forged = await forge(world, desk, host.data);
  await signAgain(world, desk, publisher.data);
  const newest = await lookUntilNew(world, host.data, 2);
  const isRight = followed.sequence === 1 && newest.sequence === 2 && fetched.same;
  const isRefused = forged.refused.length > 0 && forged.sequence === 1 && forged.offline;
  return {
    ok: isRight && isRefused && followed.role === "ci",
    text: "a release signed offline was followed and fetched from a peer, both hashes checked; " +
      "a forged catalog was refused",
    lines: [
      `root     ${ceremony.id}, version ${ceremony.version}: the role ci may sign ${CATALOG}`,
      `signed   ${CATALOG} 1, blake3 ${String(published.hash).slice(0, 16)}…, told to a relay`,
      `fetched  tool 1.0.0, ${fetched.size} bytes from ${fetched.from}`,
      `forged   ${forged.refused[0] ?? "NOT REFUSED"}`,
      `again    ${CATALOG} 2 is signed, published and followed`,
    ],
    figures: {
      rootVersion: ceremony.version,
      role: followed.role,
      sequence: followed.sequence,
      newest: newest.sequence,
      verified: fetched.same,
      from: fetched.from,
      refused: forged.refused,
      refusedOffline: forged.offline,
    },
  };
}

async function makeDesk(world: World): Promise<Desk> {
  const folder = join(world.directory, "publisher-desk");
  await Deno.mkdir(folder);
  const tool = join(folder, "tool.bin");
  const bytes = Array.from(
    { length: TOOL_BYTES / BLOCK_BYTES },
    () => systemRandom.bytes(BLOCK_BYTES),
  );
  await Deno.writeFile(tool, new Uint8Array(await new Blob(bytes).arrayBuffer()));
  return { folder, tool, root: join(folder, "root.json"), catalog: join(folder, "tools.json") };
}

/** The ceremony, and the first catalog: nothing of it needs a node. */
async function signFirst(world: World, desk: Desk): Promise<JsonLine> {
  const { folder, root, catalog, tool } = desk;
  const [seed, ci] = [join(folder, "root.seed"), join(folder, "ci.seed")];
  const own = ["--data", join(folder, "none")];
  const last = async (...args: string[]) => (await world.verb(...args, ...own)).lines.at(-1) ?? {};
  await last("root", "new", "demo", "--seed", seed, "-o", root);
  const { key } = await last("root", "pubkey", "--new", "--seed", ci, "--label", "ci");
  const version = await last(
    ...["root", "delegate", root, "ci", "--key", String(key)],
    ...["--catalog", CATALOG, "--seed", seed, "--yes"],
  );
  await last("catalog", "init", CATALOG, "--root", root, "-o", catalog);
  await last("catalog", "add", catalog, tool, "--release", "tool", "--version", "1.0.0");
  await last("catalog", "sign", catalog, "--seed", ci, "--yes");
  return version;
}

async function publish(world: World, desk: Desk, data: string): Promise<JsonLine> {
  const { lines } = await world.verb("catalog", "publish", desk.catalog, desk.tool, "--data", data);
  return lines.at(-1) ?? {};
}

/** The next version: the same tool under another number. */
async function signAgain(world: World, desk: Desk, data: string): Promise<void> {
  const { folder, catalog, tool } = desk;
  const own = ["--data", join(folder, "none")];
  await world.verb(
    ...["catalog", "add", catalog, tool, "--release", "tool", "--version", "1.0.1", ...own],
  );
  await world.verb(
    ...["catalog", "sign", catalog, "--seed", join(folder, "ci.seed"), "--yes", ...own],
  );
  await publish(world, desk, data);
}

/** Looks for the catalog until one with `sequence` counts. */
async function lookUntilNew(world: World, data: string, sequence: number): Promise<JsonLine> {
  const deadline = AbortSignal.timeout(20_000);
  for (;;) {
    const seen = await look(world, data);
    if (Number(seen.sequence ?? 0) >= sequence) return seen;
    if (deadline.aborted) throw new Error(`${CATALOG} ${sequence} is not found: ${seen.message}`);
  }
}

async function look(world: World, data: string): Promise<JsonLine> {
  // It fails while nothing counts.
  const { lines } = await world.start("catalog", "follow", CATALOG, "--data", data).result();
  return lines.at(-1) ?? {};
}

async function fetchRelease(
  world: World,
  desk: Desk,
  data: string,
): Promise<{ readonly same: boolean; readonly size: number; readonly from: string }> {
  const output = join(world.directory, "installed", "tool.bin");
  const { lines } = await world.verb(
    ...["release", "get", "tool", "--file", "tool.bin", "-o", output, "--data", data],
  );
  const [file] = lines.at(-1)?.files as readonly {
    readonly size: number;
    readonly sources: readonly { readonly kind: string }[];
  }[];
  const same = await sha256OfFile(output) === await sha256OfFile(desk.tool);
  const from = [...new Set(file!.sources.map(({ kind }) => kind))].join(" and ");
  return { same, size: file!.size, from };
}

/** A forger shows a catalog with a higher sequence and the true signatures, under a key of its own. */
async function forge(
  world: World,
  desk: Desk,
  data: string,
): Promise<{
  readonly refused: readonly string[];
  readonly sequence: unknown;
  readonly offline: boolean;
}> {
  const seal = parseSeal(await Deno.readTextFile(`${desk.catalog}.seal`));
  const forged: Seal = { ...seal, signed: { ...seal.signed, sequence: 99 } };
  const roots = parseRootChain(await Deno.readTextFile(desk.root));
  await using pool = new RelayPool({
    relays: [await world.relay()],
    clock: systemClock,
    random: systemRandom,
  });
  const nowS = Math.floor(systemClock.nowMs() / 1000);
  for (const template of publicationEvents({ seal: forged, roots, urls: [] }, nowS)) {
    await pool.publish(signEvent(template, systemRandom.bytes(32)));
  }
  const seen = await look(world, data);
  const refused = (seen.refused ?? []) as readonly { readonly message: string }[];
  return {
    refused: refused.map(({ message }) => message),
    sequence: seen.sequence,
    offline: await isRefusedOffline(world, desk),
  };
}

/** Whether a copy of the catalog with one changed letter is refused by who looks at it. */
async function isRefusedOffline(world: World, desk: Desk): Promise<boolean> {
  const copy = join(desk.folder, "copy.json");
  const text = await Deno.readTextFile(desk.catalog);
  await Deno.writeTextFile(copy, text.replace("tool.bin", "evil.bin"));
  await Deno.copyFile(`${desk.catalog}.seal`, `${copy}.seal`);
  const { code } = await world.start(
    ...["catalog", "verify", copy, "--root", desk.root, "--data", join(desk.folder, "none")],
  ).result();
  return code === 1;
}
