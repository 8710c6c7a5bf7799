/** The acts of the demo: each sets its stage, does one thing, and tells what it saw. */
import { basename, join } from "node:path";
import type { JsonLine, VerbResult } from "./processes.ts";
import { image } from "./image_act.ts";
import { lease } from "./lease_act.ts";
import { paid } from "./paid_act.ts";
import { release } from "./release_act.ts";
import { wallet } from "./wallet_act.ts";
import type { World } from "./world.ts";

/** One row of the table. */
export interface SourceRow {
  readonly source: string;
  readonly bytes: number;
}

/** What an act showed. */
export interface ActResult {
  readonly ok: boolean;
  /** One sentence. */
  readonly text: string;
  /** What arrived, of an act that fetches. */
  readonly fetch?: FetchFigures;
  /** Lines below the sentence, of an act that does not. */
  readonly lines?: readonly string[];
  /** For `--json`, besides the above. */
  readonly figures: Readonly<Record<string, unknown>>;
}

/** What a fetch brought. */
export interface FetchFigures {
  readonly sources: readonly SourceRow[];
  /** Bytes of content, and the milliseconds that the fetch took. */
  readonly bytes: number;
  readonly fetchMs: number;
  readonly verified: boolean;
}

/** Below this, one peer has sent everything before another is asked: there is nothing to see. */
export const FILE_BYTES_MIN = 8 * 2 ** 20;

/** Does one thing in `world`. */
export type Act = (world: World) => Promise<ActResult>;

/** All acts by name, in the order of the play. */
export const ACTS: Readonly<Record<string, Act>> = {
  ...{ swarm, liar, origin, resume, wallet, paid, image, release, lease },
};

/** A third node fetches the file from both seeders at once. */
async function swarm(world: World): Promise<ActResult> {
  await Promise.all([world.relay(), world.origin()]);
  await Promise.all([
    world.seeder("seeder-1"),
    world.seeder("seeder-2"),
    world.node("fetcher-1"),
    world.node("fetcher-2"),
  ]);
  let done = await fetchTo(world, "fetcher-1", ["--data", join(world.directory, "fetcher-1")]);
  if (peersOf(done) < 2) {
    // The first seeder was done before the second was reached: a busy machine; once more.
    const args = ["--data", join(world.directory, "alone-3"), "--no-mdns"];
    done = await fetchTo(world, "alone-3", [...args, "--relay", await world.relay()]);
  }
  const peerCount = peersOf(done);
  return {
    fetch: done.fetch,
    ok: done.ok && peerCount >= 2,
    text: `a third node fetched ${basename(world.file)} from ${peerCount} seeders at once`,
    figures: { peers: peerCount },
  };
}

function peersOf(done: Fetched): number {
  return done.sources.filter((source) => source.kind === "peer" && source.bytes > 0).length;
}

/** One seeder is replaced by a liar; the fourth node gets the file and names the liar. */
async function liar(world: World): Promise<ActResult> {
  await Promise.all([world.seeder("seeder-1"), world.node("fetcher-2")]);
  // Only an honest seeder and the liar are left to choose from.
  await Promise.all([world.stopNode("seeder-2"), world.stopNode("fetcher-1")]);
  await using stack = new AsyncDisposableStack();
  const { peerId, process } = await world.liar();
  stack.use(process);
  const data = join(world.directory, "fetcher-2");
  const done = await fetchTo(world, "fetcher-2", ["--data", data]);
  const isNamed = done.failures.some((failure) =>
    failure.id === peerId && failure.code === "corrupt"
  );
  const liarBytes = done.sources.find((source) => source.id === peerId)?.bytes ?? 0;
  return {
    fetch: done.fetch,
    ok: done.ok && isNamed && liarBytes === 0,
    text: isNamed
      ? `the fourth node got it all the same, and named the liar: ${peerId}`
      : `the liar ${peerId} was not named`,
    figures: { liar: peerId, named: isNamed, bytesFromLiar: liarBytes },
  };
}

/** Relay and seeders are gone; the origin serves, and the reason is told. */
async function origin(world: World): Promise<ActResult> {
  const url = await world.origin();
  if (world.nodes.size === 0) await world.seeder("seeder-1");
  const deadRelay = await world.relay();
  await Promise.all([...world.nodes.keys()].map((name) => world.stopNode(name)));
  await world.stopRelay();
  const data = join(world.directory, "alone-1");
  const args = ["--data", data, "--no-mdns", "--relay", deadRelay, "--origin", url];
  const done = await fetchTo(world, "alone-1", args);
  const originBytes = done.sources.find((source) => source.kind === "origin")?.bytes ?? 0;
  return {
    fetch: done.fetch,
    ok: done.ok && originBytes === world.size,
    text: `with the swarm stopped, the origin served it (${done.originReason ?? "no reason told"})`,
    figures: { originReason: done.originReason },
  };
}

/** A fetch is killed in the middle; the next one begins where it was. */
async function resume(world: World): Promise<ActResult> {
  await world.stopNode("seeder-1");
  // Slow enough to be killed in the middle, whatever the machine.
  const rate = Math.max(1 << 20, Math.round(world.size / 3));
  await world.seeder("seeder-1", "--upload-rate", String(rate));
  const data = join(world.directory, "alone-2");
  const args = ["--data", data, "--no-mdns", "--relay", await world.relay()];
  const killed = world.start("get", world.hash, ...args);
  await killed.waitFor((line) =>
    line.event === "progress" && Number(line.bytes) > world.size * 0.3
  );
  await killed.kill();
  const done = await fetchTo(world, "alone-2", args);
  const keptBytes = done.sources.find((source) => source.kind === "store")?.bytes ?? 0;
  return {
    fetch: done.fetch,
    ok: done.ok && keptBytes > world.size * 0.2,
    text: `a fetch was killed at ${
      percent(keptBytes, world.size)
    }, and the next one fetched the rest`,
    figures: { keptBytes },
  };
}

interface Source {
  readonly kind: string;
  readonly id: string;
  readonly bytes: number;
}

interface Fetched {
  readonly ok: boolean;
  readonly fetch: FetchFigures;
  readonly sources: readonly Source[];
  readonly failures: readonly { readonly id: string; readonly code: string }[];
  readonly originReason: string | undefined;
}

/** Runs `get` into a file and compares what arrived with what was seeded. */
async function fetchTo(world: World, name: string, args: readonly string[]): Promise<Fetched> {
  const path = join(world.directory, `${name}.out`);
  const result = await world.verb("get", world.hash, "-o", path, ...args);
  const done = doneLine(result);
  const isVerified = await world.isSame(path);
  await Deno.remove(path);
  const sources = done.sources as Source[];
  return {
    ok: isVerified && Number(done.size) === world.size,
    fetch: {
      sources: sources.map((source) => ({ source: nameOf(world, source), bytes: source.bytes })),
      bytes: Number(done.size),
      fetchMs: Number(done.ms),
      verified: isVerified,
    },
    sources,
    failures: done.failures as Fetched["failures"],
    originReason: done.originReason === null ? undefined : String(done.originReason),
  };
}

function doneLine({ code, lines, stderr }: VerbResult): JsonLine {
  const last = lines.at(-1);
  if (code === 0 && last?.event === "done") return last;
  throw new Error(`get failed: ${String(last?.message ?? stderr)}`);
}

/** A word for people: the name of a node of this world, or what kind of source it was. */
function nameOf(world: World, source: Source): string {
  const node = [...world.nodes.values()].find((candidate) => candidate.peerId === source.id);
  if (node !== undefined) return node.name;
  return source.kind === "store" ? "kept from before" : `${source.kind} ${source.id}`;
}

function percent(part: number, whole: number): string {
  return `${Math.round((part / whole) * 100)} %`;
}
