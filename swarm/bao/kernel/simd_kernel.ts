/** The WebAssembly kernel, `assembly/kernel.ts`, behind the {@link Kernel} interface. */
import { GROUP_BYTES, PARENT_BYTES } from "../geometry.ts";
import { CV_BYTES, type Kernel, WINDOW_BYTES } from "./kernel.ts";

/** What `kernel.wasm` exports. */
export interface KernelExports {
  readonly memory: WebAssembly.Memory;
  hashGroups(input: number, count: number, firstGroup: number): void;
  hashGroup(input: number, bytes: number, group: number, isRoot: number): void;
  hashPairs(count: number, isRoot: number): void;
}

/** Where the kernel's memory begins for input, as its source says. */
const INPUT = 65536;

/** Where it writes chaining values. */
const OUTPUT = 32768;

/** Bytes copied in at a time: small enough to stay in the core's cache until they are hashed. */
const COPY_BYTES = 8 * GROUP_BYTES;

/** Parents copied in at a time; as many chaining values as fit between OUTPUT and INPUT. */
const PAIRS_MAX = (INPUT - OUTPUT) / CV_BYTES;

/** Wraps an instance. Its memory never grows, so views of it stay valid. */
export function simdKernelOf(exports: KernelExports): Kernel {
  const memory = new Uint8Array(exports.memory.buffer as ArrayBuffer);
  const window = memory.subarray(INPUT, INPUT + WINDOW_BYTES);
  const firstCv = memory.subarray(OUTPUT, OUTPUT + CV_BYTES);

  /** Where `bytes` lie in the window if the caller put them there, else undefined. */
  function placeOf(bytes: Uint8Array): number | undefined {
    const isInside = bytes.buffer === memory.buffer && bytes.byteOffset >= INPUT &&
      bytes.byteOffset + bytes.length <= INPUT + WINDOW_BYTES;
    return isInside ? bytes.byteOffset : undefined;
  }

  function takeCvs(count: number, target: Uint8Array, offset: number): void {
    target.set(memory.subarray(OUTPUT, OUTPUT + count * CV_BYTES), offset);
  }

  return {
    name: "simd",
    window,
    groupCv(bytes, index, isRoot, target, offset) {
      const place = placeOf(bytes);
      if (place === undefined) memory.set(bytes, INPUT);
      if (bytes.length === GROUP_BYTES && !isRoot) exports.hashGroups(place ?? INPUT, 1, index);
      else exports.hashGroup(place ?? INPUT, bytes.length, index, isRoot ? 1 : 0);
      target.set(firstCv, offset);
    },
    groupCvs(bytes, firstIndex, target, offset) {
      const place = placeOf(bytes);
      if (place !== undefined) {
        const count = bytes.length / GROUP_BYTES;
        exports.hashGroups(place, count, firstIndex);
        takeCvs(count, target, offset);
        return;
      }
      for (let at = 0; at < bytes.length; at += COPY_BYTES) {
        const part = bytes.subarray(at, at + COPY_BYTES);
        const index = at / GROUP_BYTES;
        const count = part.length / GROUP_BYTES;
        memory.set(part, INPUT);
        exports.hashGroups(INPUT, count, firstIndex + index);
        takeCvs(count, target, offset + index * CV_BYTES);
      }
    },
    parentCv(pair, isRoot, target, offset) {
      memory.set(pair, INPUT);
      exports.hashPairs(1, isRoot ? 1 : 0);
      target.set(firstCv, offset);
    },
    parentCvs(pairs, target, offset) {
      const count = pairs.length / PARENT_BYTES;
      for (let at = 0; at < count; at += PAIRS_MAX) {
        const part = pairs.subarray(at * PARENT_BYTES, (at + PAIRS_MAX) * PARENT_BYTES);
        memory.set(part, INPUT);
        exports.hashPairs(part.length / PARENT_BYTES, 0);
        takeCvs(part.length / PARENT_BYTES, target, offset + at * CV_BYTES);
      }
    },
  };
}
