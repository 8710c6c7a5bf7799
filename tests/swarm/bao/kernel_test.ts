import { strict as assert } from "node:assert";
import fc from "fast-check";
import { GROUP_BYTES } from "../../../swarm/bao/geometry.ts";
import { CV_BYTES, kernel, WINDOW_BYTES } from "../../../swarm/bao/kernel/mod.ts";
import { plainKernel } from "../../../swarm/bao/kernel/plain_kernel.ts";
import { noiseBytes, oracleHash, patternBytes } from "./support.ts";

/** Indexes whose chunk counters are small, cross 2^32, and are as large as a blob allows. */
const INDEXES = [0, 1, 2 ** 28 - 2, 2 ** 28 - 1, 2 ** 28, 2 ** 34 - 64];

function cvOf(run: (target: Uint8Array) => void, count = 1): string {
  const target = new Uint8Array((count + 2) * CV_BYTES).fill(0xaa);
  run(target);
  const outside = [...target.subarray(0, CV_BYTES), ...target.subarray((count + 1) * CV_BYTES)];
  assert(outside.every((byte) => byte === 0xaa), "nothing is written outside the target");
  return target.subarray(CV_BYTES, (count + 1) * CV_BYTES).toHex();
}

Deno.test("The kernel in use is the one with SIMD", () => {
  assert.equal(kernel.name, "simd");
});

Deno.test("The plain kernel hashes as blake3-wasm does", () => {
  for (const size of [0, 1, 64, 65, 1024, 1025, 3073, 8192, 8193, GROUP_BYTES - 1, GROUP_BYTES]) {
    const bytes = patternBytes(size);
    const found = cvOf((target) => plainKernel.groupCv(bytes, 0, true, target, CV_BYTES));
    assert.equal(found, oracleHash(bytes));
  }
});

Deno.test("Both kernels give the same value for a group of any size at any index", () => {
  const sizes = fc.oneof(
    fc.integer({ min: 1, max: GROUP_BYTES }),
    fc.integer({ min: 1, max: 256 }).map((blocks) => blocks * 64),
    fc.integer({ min: 1, max: 16 }).map((chunks) => chunks * 1024),
  );
  fc.assert(
    fc.property(sizes, fc.constantFrom(...INDEXES), fc.boolean(), (size, index, isRoot) => {
      const bytes = noiseBytes(size);
      const [fast, plain] = [kernel, plainKernel].map((each) =>
        cvOf((target) => each.groupCv(bytes, index, isRoot && index === 0, target, CV_BYTES))
      );
      assert.equal(fast, plain);
    }),
    { numRuns: 400 },
  );
});

Deno.test("Both kernels give the same values for runs of full groups, copied or in the window", () => {
  for (const count of [1, 2, 3, 4, 5, 8, 9, 13]) {
    for (const index of INDEXES) {
      const bytes = noiseBytes(count * GROUP_BYTES, count);
      const plain = cvOf((target) => plainKernel.groupCvs(bytes, index, target, CV_BYTES), count);
      const fast = cvOf((target) => kernel.groupCvs(bytes, index, target, CV_BYTES), count);
      assert.equal(fast, plain);
      for (const offset of [0, 64, WINDOW_BYTES - bytes.length]) {
        const view = kernel.window.subarray(offset, offset + bytes.length);
        view.set(bytes);
        const placed = cvOf((target) => kernel.groupCvs(view, index, target, CV_BYTES), count);
        assert.equal(placed, plain);
      }
    }
  }
});

Deno.test("A short group at the very end of the window hashes like its copy", () => {
  for (const size of [1, 64, 1000, 1025, GROUP_BYTES - 1]) {
    const bytes = noiseBytes(size);
    const wanted = cvOf((target) => plainKernel.groupCv(bytes, 7, false, target, CV_BYTES));
    const view = kernel.window.subarray(WINDOW_BYTES - size);
    view.set(bytes);
    assert.equal(cvOf((target) => kernel.groupCv(view, 7, false, target, CV_BYTES)), wanted);
  }
});

Deno.test("A whole window of 64 groups gives the values of its groups one by one", () => {
  kernel.window.set(noiseBytes(WINDOW_BYTES));
  const groups = kernel.window.slice();
  const all = cvOf((target) => kernel.groupCvs(kernel.window, 5, target, CV_BYTES), 64);
  for (let index = 0; index < 64; index++) {
    const group = groups.subarray(index * GROUP_BYTES, (index + 1) * GROUP_BYTES);
    const one = cvOf((target) => kernel.groupCv(group, 5 + index, false, target, CV_BYTES));
    assert.equal(all.slice(index * 64, (index + 1) * 64), one);
  }
});

Deno.test("Both kernels give the same values for parents, many and one, root and not, in place", () => {
  for (const count of [1, 2, 3, 4, 5, 63, 1023, 1024, 1025, 2500]) {
    const pairs = noiseBytes(count * 64, count);
    const plain = cvOf((target) => plainKernel.parentCvs(pairs, target, CV_BYTES), count);
    assert.equal(cvOf((target) => kernel.parentCvs(pairs, target, CV_BYTES), count), plain);
    const inPlace = pairs.slice();
    kernel.parentCvs(inPlace, inPlace, 0);
    assert.equal(inPlace.subarray(0, count * CV_BYTES).toHex(), plain);
  }
  const pair = noiseBytes(64);
  const values = [true, false].map((isRoot) => {
    const plain = cvOf((target) => plainKernel.parentCv(pair, isRoot, target, CV_BYTES));
    assert.equal(cvOf((target) => kernel.parentCv(pair, isRoot, target, CV_BYTES)), plain);
    return plain;
  });
  assert.notEqual(values[0], values[1]);
});
