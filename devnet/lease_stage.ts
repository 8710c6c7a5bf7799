/**
 * The stage of the act `lease`, a process in network and mounts of its own (`lease_act.ts` starts it):
 * two mints, a relay, a node that has an image, a provider on runc, a lessee. Prints one line of JSON.
 */
import { join } from "node:path";
import type { ActResult } from "./acts.ts";
import { BUSYBOX } from "./lease_act.ts";
import { type LayerEntry, writeImage } from "./oci_layout.ts";
import type { JsonLine, VerbResult } from "./processes.ts";
import { fund, walletThatTrusts } from "./wallet_act.ts";
import { type Devnet, World, type WorldNode } from "./world.ts";

const FUNDED_SAT = 1000;
/** A sat a second. */
const TIER = "small=100m/64MiB/64MiB/1000msat";
const RENTED = "2m";
const TOPPED_UP = "1m";
/** Where leases live, a file system in memory that is gone with the mounts. */
const STATE = "/mnt";
const NAME = "demo/box";
const WAIT_MS_MAX = 20_000;
/** What the container is asked over SSH, and what it must say. */
const COMMAND = ["echo", "hello", "from", "a", "lease"];

const APPLETS = ["sh", "echo", "sleep", "cat", "ls", "id"];

/** Plays. */
async function play(world: World): Promise<ActResult> {
  await run("mount", "-t", "tmpfs", "-o", "size=512m,mode=0711", "none", STATE);
  const [net, shelf] = await Promise.all([
    world.devnet(),
    world.node("shelf", "--push-listen", "127.0.0.1:0"),
  ]);
  const [a, b] = net.mints as unknown as [Devnet["mints"][0], Devnet["mints"][0]];
  const lessee = await walletThatTrusts(join(world.directory, "lessee"), [a.url, b.url]);
  const [image, provider] = await Promise.all([
    announcedImage(world, shelf),
    startProvider(world, b.url),
    fund(world, net, FUNDED_SAT, [...lessee, "--mint", a.url]),
  ]);
  const at = ["--relay", await world.relay(), ...lessee];
  try {
    await offered(world, at);
    const story = await rent(world, { at, image });
    const receipts = await bothReceipts(world, { lessee, provider, id: String(story.leaseId) });
    const books = await booksOf(world, { net, lessee, provider });
    return told({ story, receipts, books });
  } finally {
    await endWatchdog(world, provider);
  }
}

interface Story {
  readonly leaseId: string;
  readonly startMs: number;
  readonly said: string;
  readonly extendedS: number;
  readonly paidSat: number;
  readonly refundSat: number;
}

/** Rents, logs in, tops up, ends. */
async function rent(
  world: World,
  { at, image }: { readonly at: readonly string[]; readonly image: string },
): Promise<Story> {
  const beganMs = performance.now();
  const spawned = last(await world.verb("market", "spawn", image, "--for", RENTED, ...at));
  const startMs = Math.round(performance.now() - beganMs);
  const id = String(spawned.id);
  const { lines } = await world.program("ssh", id, ...at, "--", ...COMMAND);
  const topUp = last(await world.verb("topup", id, "--for", TOPPED_UP, ...at));
  const stopped = last(await world.verb("stop", id, ...at));
  const ended = stopped.lease as JsonLine;
  return {
    leaseId: String(ended.leaseId),
    startMs,
    said: lines.map(({ text }) => String(text)).join("\n"),
    extendedS: Number(topUp.extendedS),
    paidSat: Number(ended.paidSat),
    refundSat: Number(stopped.refundSat),
  };
}

function told(
  { story, receipts, books }: {
    readonly story: Story;
    readonly receipts: Receipts;
    readonly books: Books;
  },
): ActResult {
  const { startMs, said, extendedS, paidSat, refundSat } = story;
  const isHeard = said === COMMAND.slice(1).join(" ");
  const usedSat = paidSat - refundSat;
  return {
    ok: isHeard && extendedS === 60 && refundSat > 0 && usedSat > 0 && receipts.agree &&
      books.agree,
    text:
      `a container was rented with ecash of another mint, from an image that only the swarm has; ` +
      `SSH answered after ${(startMs / 1000).toFixed(1)} s, and ending it early brought ` +
      `${refundSat} of ${paidSat} sat back`,
    lines: [
      `ssh       ${said}`,
      `topped up ${extendedS} s more`,
      `receipt   ${receipts.agree ? "both hold the same one, signed by both" : receipts.problem}`,
      ...books.lines,
    ],
    figures: { ...story, usedSat, receipts: receipts.agree, ...books.figures },
  };
}

/** Pushes an image to the shelf and announces it. @returns Its name with its digest. */
async function announcedImage(world: World, shelf: WorldNode): Promise<string> {
  const layout = join(world.directory, "box");
  const made = await writeImage(layout, {
    layers: [await boxLayer()],
    config: { Entrypoint: ["/bin/sh", "-c"], Cmd: ["echo started; sleep 3600"] },
  });
  const push = new URL(String(shelf.ready.push)).host;
  const builder = ["--data", join(world.directory, "builder")];
  await world.verb("image", "push", layout, `${push}/${NAME}:1`, ...builder);
  const announced = await world.verb(
    ...["image", "announce", `seedmint.local/${NAME}:1`, "--visibility", "public"],
    ...["--data", shelf.data],
  );
  await world.waitUntilFound(String(last(announced).hash), shelf.peerId);
  return `seedmint.local/${NAME}@${made.digest}`;
}

/** The smallest file system with a shell. */
async function boxLayer(): Promise<readonly LayerEntry[]> {
  const file = (name: string, text: string) => ({
    name,
    mode: 0o644,
    bytes: new TextEncoder().encode(text),
  });
  return [
    ...["bin", "etc", "root", "tmp", "proc", "sys", "dev", "var"].map((name) => ({
      name: `${name}/`,
      mode: name === "tmp" ? 0o1777 : 0o755,
    })),
    { name: "bin/busybox", mode: 0o755, bytes: await Deno.readFile(BUSYBOX) },
    ...APPLETS.map((name) => ({ name: `bin/${name}`, mode: 0o777, link: "busybox" })),
    file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
    file("etc/group", "root:x:0:\n"),
  ];
}

async function startProvider(world: World, mint: string): Promise<WorldNode> {
  return await world.lender(
    "provider",
    ...["--provider", "--mint", mint, "--provider-tier", TIER, "--provider-duration-min", "1s"],
    ...["--provider-state", STATE, "--provider-public-host", "127.0.0.1"],
    ...["--provider-ports", "31500-31599"],
  );
}

/** Waits until somebody offers something. */
async function offered(world: World, at: readonly string[]): Promise<void> {
  const deadline = AbortSignal.timeout(WAIT_MS_MAX);
  while (!deadline.aborted) {
    if ((await world.verb("market", "list", ...at)).lines.length > 0) return;
  }
  throw new Error("Nobody offers anything");
}

interface Receipts {
  readonly agree: boolean;
  readonly problem: string;
}

/** Whether both sides hold the same receipt, signed by both. */
async function bothReceipts(
  world: World,
  { lessee, provider, id }: {
    readonly lessee: readonly string[];
    readonly provider: WorldNode;
    readonly id: string;
  },
): Promise<Receipts> {
  const sides = [lessee, ["--data", provider.data]];
  const deadline = AbortSignal.timeout(WAIT_MS_MAX);
  let problem = "there is none";
  while (!deadline.aborted) {
    const held = await Promise.all(sides.map(async (data) => {
      const { lines } = await world.verb("receipts", "ls", ...data);
      const listed = lines.find((line) => line.type === "lease" && line.lease === id);
      return listed === undefined
        ? undefined
        : last(await world.verb("receipts", "show", String(listed.id), ...data));
    }));
    const [one, other] = held;
    if (one !== undefined && other !== undefined) {
      const isSame = one.text === other.text;
      if (isSame && one.state === "agreed" && other.state === "agreed") {
        return { agree: true, problem: "" };
      }
      problem = `${one.state} here, ${other.state} there, ${isSame ? "the same" : "not the same"}`;
    }
  }
  return { agree: false, problem };
}

interface Books {
  readonly agree: boolean;
  readonly lines: readonly string[];
  readonly figures: Readonly<Record<string, unknown>>;
}

/** What both mints owe, and what both wallets hold. */
async function booksOf(
  world: World,
  { net, lessee, provider }: {
    readonly net: Devnet;
    readonly lessee: readonly string[];
    readonly provider: WorldNode;
  },
): Promise<Books> {
  const parties = [lessee, ["--data", provider.data]];
  for (const data of parties) await world.verb("wallet", "resume", ...data);
  const held = await Promise.all(parties.map(async (data) => {
    const { mints } = last(await world.verb("wallet", "balance", ...data));
    return (url: string) => {
      const line = (mints as JsonLine[]).find((mint) => mint.mint === url) ?? {};
      return ["freeSat", "reservedSat", "outgoingSat", "incomingSat"]
        .reduce((sum, name) => sum + Number(line[name] ?? 0), 0);
    };
  }));
  const audits = await Promise.all(
    parties.map(async (data) => last(await world.verb("wallet", "audit", ...data)).ok === true),
  );
  const rows = await Promise.all(
    net.mints.slice(0, 2).map(async ({ url, adminUrl }, index) => {
      const { result } = await (await fetch(`${adminUrl}/admin/books`)).json();
      const [lesseeSat, providerSat] = held.map((sat) => sat(url)) as [number, number];
      const owedSat = Number(result.outstanding);
      const agree = owedSat === lesseeSat + providerSat && result.isBalanced === true;
      return { mint: "AB"[index]!, owedSat, lesseeSat, providerSat, agree };
    }),
  );
  const cell = (value: unknown) => `${value} sat`.padStart(14);
  return {
    agree: rows.every(({ agree }) => agree) && audits.every(Boolean),
    figures: { books: rows },
    lines: [
      `BOOKS     ${["OWES", "LESSEE HAS", "PROVIDER HAS"].map((t) => t.padStart(14)).join("")}`,
      ...rows.map(({ mint, owedSat, lesseeSat, providerSat, agree }) =>
        `mint ${mint}    ${[owedSat, lesseeSat, providerSat].map(cell).join("")}  ${
          agree ? "agrees to the sat" : "DOES NOT AGREE"
        }`
      ),
    ],
  };
}

/** The watchdog watches for a while longer than its provider lives: here nothing is left to watch. */
async function endWatchdog(world: World, provider: WorldNode): Promise<void> {
  await world.stopNode(provider.name);
  const pid = Number(await Deno.readTextFile(join(STATE, "watchdog.pid")).catch(() => ""));
  if (Number.isSafeInteger(pid) && pid > 1) Deno.kill(pid, "SIGTERM");
}

function last({ lines }: Pick<VerbResult, "lines">): JsonLine {
  return lines.at(-1) ?? {};
}

async function run(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args, stderr: "piped" }).output();
  if (!success) throw new Error(`${program} failed: ${new TextDecoder().decode(stderr)}`);
}

/** Resolves when whoever started this is gone. */
async function inputEnded(): Promise<never> {
  for await (const _ of Deno.stdin.readable) { /* nothing is said there */ }
  throw new Error("nobody waits for it any more");
}

if (import.meta.main) {
  const world = await World.create(new URL(import.meta.url).pathname);
  let code = 0;
  try {
    console.log(JSON.stringify(await Promise.race([play(world), inputEnded()])));
  } catch (error) {
    console.error(error instanceof Error ? error.stack : String(error));
    code = 1;
  }
  await world[Symbol.asyncDispose]();
  Deno.exit(code);
}
