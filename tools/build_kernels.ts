/**
 * Builds `swarm/bao/kernel/kernel.wasm` from `assembly/kernel.ts` beside it. The built file is committed; `--check` builds again
 * and compares byte for byte, so that nobody has to trust it.
 *
 * Usage: `deno task build:kernel [--check]`
 */
import asc from "assemblyscript/asc";
import { equalBytes } from "../src/core/bytes.ts";

const SOURCE = new URL("../swarm/bao/kernel/assembly/kernel.ts", import.meta.url);
const BUILT = new URL("../swarm/bao/kernel/kernel.wasm", import.meta.url);

/** The line of the source that stands for the seven rounds. */
const ROUNDS_LINE = /^ *\/\/ ROUNDS: .*\n/m;

/** BLAKE3's permutation of the message words between rounds. */
const PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];

/** The state words that the eight mixes of a round work on: four columns, four diagonals. */
const MIXES = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
] as const;

/** BLAKE3's seven rounds in AssemblyScript, straight on, so that the state stays in registers. */
function unrolledRounds(): string {
  let words = [...PERMUTATION.keys()];
  let code = "";
  for (let round = 0; round < 7; round++) {
    for (const [index, [a, b, c, d]] of MIXES.entries()) {
      const x = words[2 * index];
      const y = words[2 * index + 1];
      code += `v${a} = i32x4.add(i32x4.add(v${a}, m${x}), v${b});
        v${d} = rotate16(v128.xor(v${d}, v${a}));
        v${c} = i32x4.add(v${c}, v${d});
        v${b} = rotate12(v128.xor(v${b}, v${c}));
        v${a} = i32x4.add(i32x4.add(v${a}, m${y}), v${b});
        v${d} = rotate8(v128.xor(v${d}, v${a}));
        v${c} = i32x4.add(v${c}, v${d});
        v${b} = rotate7(v128.xor(v${b}, v${c}));\n`;
    }
    words = PERMUTATION.map((place) => words[place]!);
  }
  return code;
}

/** Compiles the kernel. */
async function build(): Promise<Uint8Array> {
  const template = await Deno.readTextFile(SOURCE);
  const source = template.replace(ROUNDS_LINE, unrolledRounds());
  if (source === template) throw new Error(`Cannot build the kernel: no ROUNDS line in ${SOURCE}`);
  let binary: Uint8Array | undefined;
  const options = [
    ...["kernel.ts", "--outFile", "kernel.wasm", "--runtime", "stub", "--use", "abort="],
    ...["-O3", "--noAssert", "--enable", "simd", "--enable", "relaxed-simd"],
    ...["--initialMemory", "18", "--maximumMemory", "18", "--memoryBase", "2048"],
  ];
  const { error, stderr } = await asc.main(options, {
    readFile: (name) => name === "kernel.ts" ? source : null,
    writeFile: (name, contents) => {
      if (name === "kernel.wasm") binary = contents as Uint8Array;
    },
    listFiles: () => [],
  });
  if (error !== null || binary === undefined) {
    throw new Error(`Cannot build the kernel:\n${stderr.toString()}`, { cause: error });
  }
  return binary;
}

if (import.meta.main) {
  const built = await build();
  if (Deno.args.includes("--check")) {
    if (!equalBytes(built, await Deno.readFile(BUILT))) {
      console.error(
        "kernel.wasm differs from what its source builds to: run deno task build:kernel",
      );
      Deno.exit(1);
    }
    console.error(`kernel.wasm is what its source builds to: ${built.length} bytes`);
  } else {
    await Deno.writeFile(BUILT, built);
    console.error(`Built kernel.wasm: ${built.length} bytes`);
  }
  // The compiler keeps the process alive otherwise.
  Deno.exit(0);
}
