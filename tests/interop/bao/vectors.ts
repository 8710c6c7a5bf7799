/** The official BLAKE3 test vectors, where their file lies beside the project. */
import { hashBytes, Hasher } from "../../../swarm/bao/mod.ts";
import { type PartReport, ROOT } from "./suite.ts";

const FILE = new URL("../shared/vectors/blake3.json", ROOT);

interface VectorFile {
  readonly cases: readonly { readonly input_len: number; readonly hash: string }[];
}

/** Compares the first 32 bytes of every vector's hash, in one piece and in pieces of 1000 bytes. */
export async function compareVectors(): Promise<PartReport> {
  const name = "official BLAKE3 vectors";
  let file: VectorFile;
  try {
    file = JSON.parse(await Deno.readTextFile(FILE));
  } catch {
    return { name, compared: 0, mismatches: [], skipped: `there is no ${FILE.pathname}` };
  }
  const mismatches: string[] = [];
  for (const { input_len: size, hash } of file.cases) {
    const bytes = Uint8Array.from({ length: size }, (_, index) => index % 251);
    const hasher = new Hasher();
    for (let at = 0; at < size; at += 1000) hasher.update(bytes.subarray(at, at + 1000));
    const wanted = hash.slice(0, 64);
    if (hashBytes(bytes) !== wanted || hasher.digest() !== wanted) mismatches.push(`${size} bytes`);
  }
  return { name, compared: file.cases.length, mismatches };
}
