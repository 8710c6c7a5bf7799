import assert from "node:assert/strict";
import fc from "fast-check";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { GROUP_BYTES, groupCountOf, PARENT_BYTES } from "../../../swarm/bao/geometry.ts";
import { encodedItems, hashBytes, HashPool } from "../../../swarm/bao/mod.ts";
import type { FileBlobStore, Ingest } from "../../../swarm/store/mod.ts";
import { encodeBytes, sampleBytes } from "../../conformance/blob_store.ts";
import { filesBelow, openStore, TemporaryDirectory } from "./fixture.ts";

const BLOBS = [10, GROUP_BYTES + 1, 5 * GROUP_BYTES, 20 * GROUP_BYTES + 3].map((size, seed) =>
  sampleBytes(size, seed + 100)
);
const HASHES = BLOBS.map(hashBytes);

/** What a simple store would know of one blob. */
interface Model {
  readonly groups: RangeSet;
  readonly tags: ReadonlySet<string>;
  readonly pinned: boolean;
}

const ABSENT: Model = { groups: RangeSet.EMPTY, tags: new Set(), pinned: false };

type Operation =
  | { readonly kind: "import"; readonly blob: number; readonly tag: boolean }
  | {
    readonly kind: "ingest";
    readonly blob: number;
    readonly start: number;
    readonly count: number;
    readonly last: boolean;
    /** Part of the response that arrives before it ends or lies. */
    readonly part: number;
    readonly end: "finish" | "dispose" | "lie";
  }
  | { readonly kind: "plain"; readonly blob: number; readonly lie: boolean }
  | { readonly kind: "remove" | "tag" | "untag" | "pin" | "unpin"; readonly blob: number }
  | { readonly kind: "collect" }
  | { readonly kind: "reopen" };

const blob = fc.nat({ max: BLOBS.length - 1 });

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ kind: fc.constant("import" as const), blob, tag: fc.boolean() }),
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("ingest" as const),
      blob,
      start: fc.nat({ max: 20 }),
      count: fc.nat({ max: 21 }),
      last: fc.boolean(),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
      end: fc.constantFrom("finish", "finish", "dispose", "lie"),
    }),
  },
  fc.record({ kind: fc.constant("plain" as const), blob, lie: fc.boolean() }),
  fc.record({ kind: fc.constantFrom("remove", "tag", "untag", "pin", "unpin"), blob }),
  fc.constantFrom({ kind: "collect" as const }, { kind: "reopen" as const }),
);

/** Thrown at the fault point: the process is dead from here on. */
class Crash extends Error {}

/** Lets `left` changes to the disk happen, then none any more. */
class FaultPoint {
  left = Infinity;
  readonly check = (): void => {
    if (this.left <= 0) throw new Crash("crashed");
    this.left--;
  };
}

/** The store, and what it should know. */
class System {
  readonly directory: string;
  readonly hashPool: HashPool;
  readonly fault = new FaultPoint();
  models: Model[] = BLOBS.map(() => ABSENT);
  store!: FileBlobStore;

  constructor(directory: string, hashPool: HashPool) {
    this.directory = directory;
    this.hashPool = hashPool;
  }

  async open(): Promise<void> {
    this.fault.left = Infinity;
    this.store = await openStore(this.directory, {
      fault: this.fault.check,
      hashPool: this.hashPool,
    });
    assert.equal(this.store.recovery.damagedCount, 0);
  }

  async close(): Promise<void> {
    await this.store[Symbol.asyncDispose]().catch(() => {});
  }

  /** What the store tells of each blob, in the model's terms. */
  observe(): Model[] {
    return HASHES.map((hash) => {
      const record = this.store.status(hash);
      if (record === undefined) return ABSENT;
      return { groups: record.groups, tags: new Set(record.tags), pinned: record.pinned };
    });
  }

  /** Every held group is true, sums are right, and no file belongs to nobody. */
  async checkTruth(): Promise<void> {
    let bytes = 0;
    let ownedCount = 0;
    for (const [index, hash] of HASHES.entries()) {
      const record = this.store.status(hash);
      if (record === undefined) continue;
      await using reader = await this.store.openReader(hash);
      const expected = encodeBytes(BLOBS[index]!, record.groups);
      let at = 0;
      for await (const piece of reader.encode(record.groups)) {
        assert.deepEqual(piece, expected.subarray(at, at + piece.length));
        at += piece.length;
      }
      assert.equal(at, expected.length);
      for (const { start, end } of record.groups) {
        bytes += Math.min(end * GROUP_BYTES, record.size) - start * GROUP_BYTES;
      }
      if (record.storage === "owned") ownedCount++;
    }
    assert.equal(this.store.usage().bytes, bytes);
    assert.equal(filesBelow(`${this.directory}/blobs`).length, 2 * ownedCount);
    assert.equal(this.store.figures().reservedBytes, 0);
  }
}

/** The groups whose bytes lie wholly in the first `bytes` of the response. */
function groupsIn(size: number, ranges: RangeSet, bytes: number): RangeSet {
  let at = 0;
  let groups = RangeSet.EMPTY;
  for (const item of encodedItems(size, ranges)) {
    at += item.kind === "parent" ? PARENT_BYTES : item.size;
    if (at > bytes) break;
    if (item.kind === "group") groups = groups.union(RangeSet.of(item.index, item.index + 1));
  }
  return groups;
}

async function runIngest(
  system: System,
  op: Extract<Operation, { kind: "ingest" }>,
): Promise<void> {
  const bytes = BLOBS[op.blob]!;
  const encoded = encodeBytes(bytes, rangesOf(op));
  const length = op.end === "finish" ? encoded.length : Math.floor(encoded.length * op.part);
  await using ingest = await system.store.ingestEncoded(HASHES[op.blob]!, rangesOf(op), {
    size: bytes.length,
  });
  if (op.end === "lie" && length < encoded.length) encoded[length]! ^= 0x40;
  const end = op.end === "lie" ? encoded.length : length;
  await pushAll(ingest, encoded.subarray(0, end));
  if (op.end !== "dispose") await ingest.finish();
}

async function pushAll(ingest: Ingest, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; at += 70_001) {
    await ingest.push(bytes.subarray(at, at + 70_001));
  }
}

function rangesOf(op: Extract<Operation, { kind: "ingest" }>): RangeSet {
  const ranges = RangeSet.of(op.start, op.start + op.count);
  return op.last ? ranges.union(RangeSet.of(1000)) : ranges;
}

async function perform(system: System, op: Operation): Promise<void> {
  const { store } = system;
  switch (op.kind) {
    case "import":
      return void await store.importBytes(BLOBS[op.blob]!, op.tag ? { tag: "i" } : {});
    case "ingest":
      return await runIngest(system, op);
    case "plain": {
      const bytes = Uint8Array.from(BLOBS[op.blob]!);
      if (op.lie) bytes[bytes.length - 1]! ^= 1;
      await using ingest = await store.ingestPlain(HASHES[op.blob]!, 0, { size: bytes.length });
      await pushAll(ingest, bytes);
      return await ingest.finish();
    }
    case "remove":
      return await store.remove(HASHES[op.blob]!);
    case "tag":
      return store.tag(HASHES[op.blob]!, "t");
    case "untag":
      return store.untag(HASHES[op.blob]!, "t");
    case "pin":
      return store.pin(HASHES[op.blob]!);
    case "unpin":
      return store.unpin(HASHES[op.blob]!);
    case "collect":
      return void await store.collectGarbage();
    case "reopen":
      await system.close();
      return await system.open();
  }
}

/** What a blob is after `op` is done. A lie in plain bytes may cost part of what was sent. */
function predict(models: readonly Model[], op: Operation): Model[] {
  const after = [...models];
  if (op.kind === "collect") {
    return after.map((model) => model.pinned || model.tags.size > 0 ? model : ABSENT);
  }
  if (op.kind === "reopen") return after;
  const model = models[op.blob]!;
  const count = groupCountOf(BLOBS[op.blob]!.length);
  const isPresent = !model.groups.isEmpty;
  const change = (next: Partial<Model>) => {
    after[op.blob] = { ...model, ...next };
    return after;
  };
  switch (op.kind) {
    case "import":
      return change({
        groups: RangeSet.of(0, count),
        tags: op.tag ? new Set([...model.tags, "i"]) : model.tags,
      });
    case "ingest": {
      const fresh = freshGroups(op);
      const isProven = isPresent || fresh.has(count - 1);
      return isProven ? change({ groups: model.groups.union(fresh) }) : after;
    }
    case "plain":
      return op.lie ? after : change({ groups: RangeSet.of(0, count) });
    case "remove":
      return change(ABSENT);
    case "tag":
      return isPresent ? change({ tags: new Set([...model.tags, "t"]) }) : after;
    case "untag":
      return change({ tags: new Set([...model.tags].filter((tag) => tag !== "t")) });
    case "pin":
      return isPresent ? change({ pinned: true }) : after;
    case "unpin":
      return change({ pinned: false });
  }
}

function freshGroups(op: Extract<Operation, { kind: "ingest" }>): RangeSet {
  const { length: size } = BLOBS[op.blob]!;
  const encodedBytes = encodeBytes(BLOBS[op.blob]!, rangesOf(op)).length;
  const bytes = op.end === "finish" ? encodedBytes : Math.floor(encodedBytes * op.part);
  const whole = groupsIn(size, rangesOf(op), bytes);
  return op.end === "lie" && bytes === encodedBytes
    ? groupsIn(size, rangesOf(op), Infinity)
    : whole;
}

/** Runs one operation on both and compares. Returns false once the fault point struck. */
async function step(system: System, op: Operation): Promise<boolean> {
  const expected = predict(system.models, op);
  try {
    await perform(system, op);
  } catch (error) {
    // Lies, absent blobs and responses cut short are answered with these.
    if (!isSeedmintError(error) || system.fault.left <= 0) {
      assert.ok(system.fault.left <= 0, `${op.kind} failed: ${error}`);
      return false;
    }
  }
  if (system.fault.left <= 0) return false;
  const found = system.observe();
  for (const [index, model] of expected.entries()) {
    const isGuess = op.kind === "plain" && op.lie && op.blob === index;
    if (isGuess) {
      assert.ok(found[index]!.groups.includes(model.groups), "a lie must not cost what was held");
    } else assert.deepEqual(found[index], model, `blob ${index} after ${JSON.stringify(op)}`);
  }
  system.models = found;
  return true;
}

/** After a crash during `op` a blob is as before, as after, or holds groups in between. */
function checkBetween(before: Model, after: Model, found: Model, op: Operation): void {
  const isSame = (a: Model, b: Model) => {
    try {
      assert.deepEqual(a, b);
      return true;
    } catch {
      return false;
    }
  };
  if (isSame(found, before) || isSame(found, after)) return;
  const isGrowing = op.kind === "ingest" || op.kind === "import" || op.kind === "plain";
  assert.ok(isGrowing, `${op.kind} must be done or not, found ${JSON.stringify(found)}`);
  const most = op.kind === "plain" ? RangeSet.of(0, 1000) : after.groups;
  assert.ok(found.groups.includes(before.groups), `${op.kind} lost groups in a crash`);
  assert.ok(most.includes(found.groups), `${op.kind} made up groups in a crash`);
}

const run = fc.record({
  operations: fc.array(operation, { minLength: 1, maxLength: 12 }),
  /** Changes to the disk before the crash, counted from the last operations on. */
  crashAfter: fc.option(fc.nat({ max: 30 })),
  quietCount: fc.nat({ max: 8 }),
});

Deno.test("FileBlobStore agrees with a simple model, over crashes between any two writes", async () => {
  await using hashPool = new HashPool();
  let crashCount = 0;
  await fc.assert(
    fc.asyncProperty(run, async ({ operations, crashAfter, quietCount }) => {
      using directory = new TemporaryDirectory();
      const system = new System(directory.path, hashPool);
      await system.open();
      try {
        for (const [index, op] of operations.entries()) {
          if (crashAfter !== null && index === Math.min(quietCount, operations.length - 1)) {
            system.fault.left = crashAfter;
          }
          const before = system.models;
          if (await step(system, op)) continue;
          crashCount++;
          await system.close();
          await system.open();
          const after = predict(before, op);
          const found = system.observe();
          for (const [blob, model] of found.entries()) {
            checkBetween(before[blob]!, after[blob]!, model, op);
          }
          system.models = found;
          await system.checkTruth();
        }
        system.fault.left = Infinity;
        await system.checkTruth();
      } finally {
        await system.close();
      }
    }),
    { numRuns: 250 },
  );
  assert.ok(crashCount > 50, `only ${crashCount} crashes were injected`);
});
