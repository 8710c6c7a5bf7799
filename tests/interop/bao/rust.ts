/**
 * The Rust crate bao-tree 0.16.0 through the small program in `rust/`: outboards and responses byte
 * for byte, and our responses decoded there.
 */
import { RangeSet } from "../../../src/core/range_set.ts";
import { groupCountOf, truncateRanges } from "../../../swarm/bao/mod.ts";
import {
  bytesOf,
  encode,
  isInstalled,
  outboardOf,
  type PartReport,
  run,
  SIZES,
  WORK,
} from "./suite.ts";

const NAME = "bao-tree 0.16.0";
const PROJECT = new URL("rust/", import.meta.url);
const TARGET = new URL("rust/", WORK);
const FILES = new URL("rust-files/", WORK);

/** Random range sets for every size. */
const RANGES_PER_SIZE = 24;

interface Question {
  readonly fields: readonly string[];
  /** What is wrong with the answer, if anything. */
  readonly judge: (answer: string) => Promise<string | undefined> | string | undefined;
}

/** Builds the program, asks it everything at once, and judges its answers. */
export async function compareRust(): Promise<PartReport> {
  if (!await isInstalled("cargo", "--version")) {
    return { name: NAME, compared: 0, mismatches: [], skipped: "cargo is not installed" };
  }
  const built = await run("cargo", ["build", "--release", "--quiet"], {
    cwd: PROJECT,
    env: { CARGO_TARGET_DIR: TARGET.pathname },
  });
  if (!built.success) return { name: NAME, compared: 0, mismatches: ["it does not build"] };
  await Deno.remove(FILES, { recursive: true }).catch(() => {});
  await Deno.mkdir(FILES, { recursive: true });
  const questions = (await Promise.all(SIZES.map(questionsAbout))).flat();
  const program = new URL("release/seedmint-bao-reference", TARGET).pathname;
  const input = questions.map((question) => `${question.fields.join("\t")}\n`).join("");
  const { output } = await run(program, [], { input });
  const answers = output.trimEnd().split("\n");
  const mismatches: string[] = [];
  for (const [index, question] of questions.entries()) {
    const wrong = await question.judge(answers[index] ?? "no answer");
    if (wrong !== undefined) mismatches.push(`${question.fields.join(" ")}: ${wrong}`);
  }
  await Deno.remove(FILES, { recursive: true });
  return { name: NAME, compared: questions.length, mismatches };
}

async function questionsAbout(size: number): Promise<Question[]> {
  const bytes = bytesOf(size);
  const ours = outboardOf(bytes);
  const data = pathOf(`${size}`);
  await Deno.writeFile(data, bytes);
  const outboardPath = pathOf(`${size}.obao4`);
  const questions: Question[] = [{
    fields: ["outboard", data, outboardPath],
    judge: async (answer) =>
      answer === ours.hash ? await difference(outboardPath, ours.parents) : `ours is ${ours.hash}`,
  }];
  for (const [index, ranges] of rangesFor(groupCountOf(size)).entries()) {
    const encoded = encode(bytes, ours, ranges);
    const ourPath = pathOf(`${size}.${index}.ours`);
    const theirPath = pathOf(`${size}.${index}.theirs`);
    await Deno.writeFile(ourPath, encoded);
    const asked = askable(ranges, size).boundaries.join(",");
    const payload = truncateRanges(ranges, size);
    questions.push({
      fields: ["encode", data, asked, theirPath],
      judge: async (answer) =>
        answer === `${encoded.length}`
          ? await difference(theirPath, encoded)
          : `ours has ${encoded.length} bytes, theirs ${answer}`,
    });
    // bao-tree's decoder asserts that something is wanted.
    if (ranges.isEmpty) continue;
    questions.push({
      fields: ["decode", ours.hash, `${size}`, asked, ourPath, data],
      judge: (answer) => {
        const wanted = `ok ${payloadBytes(payload, size)}`;
        return answer === wanted ? undefined : `wanted ${wanted}, found ${answer}`;
      },
    });
  }
  return questions;
}

/**
 * What to ask bao-tree for. It thinks in chunks of 1 KiB and answers a wish that begins past the end
 * with the last chunk alone, which is no chunk group: there we ask for the last group by its index.
 */
function askable(ranges: RangeSet, size: number): RangeSet {
  const count = groupCountOf(size);
  const beginsPastEnd = [...ranges].some((range) => range.start >= count);
  return beginsPastEnd ? truncateRanges(ranges, size) : ranges;
}

/** All, each end, nothing, past the end, and random sets (the same at every run). */
function rangesFor(groupCount: number): RangeSet[] {
  const chosen = [
    RangeSet.ALL,
    RangeSet.EMPTY,
    RangeSet.of(0, 1),
    RangeSet.of(0, groupCount),
    RangeSet.of(groupCount - 1),
    RangeSet.of(groupCount - 1, groupCount),
    RangeSet.of(groupCount),
    RangeSet.of(groupCount + 9, groupCount + 10),
  ];
  let state = groupCount + 1;
  const below = (limit: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor(state / 2 ** 31 * limit);
  };
  for (let index = 0; index < RANGES_PER_SIZE; index++) {
    const boundaries = new Set<number>();
    const count = 1 + below(8);
    while (boundaries.size < count) boundaries.add(below(groupCount + 12));
    chosen.push(RangeSet.fromBoundaries([...boundaries].sort((a, b) => a - b)));
  }
  return chosen;
}

function payloadBytes(ranges: RangeSet, size: number): number {
  let bytes = 0;
  for (const range of ranges) {
    bytes += Math.min(size, range.end * 16_384) - Math.min(size, range.start * 16_384);
  }
  return bytes;
}

async function difference(path: string, ours: Uint8Array): Promise<string | undefined> {
  const theirs = await Deno.readFile(path);
  const at = theirs.findIndex((byte, index) => byte !== ours[index]);
  if (theirs.length === ours.length && at < 0) return undefined;
  return `ours has ${ours.length} bytes, theirs ${theirs.length}; they differ from byte ${at} on`;
}

function pathOf(name: string): string {
  return new URL(name, FILES).pathname;
}
