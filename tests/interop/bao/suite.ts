/** What the parts of this suite share: blobs, folders, commands, and how they report. */
import { concatBytes } from "../../../src/core/bytes.ts";
import type { RangeSet } from "../../../src/core/range_set.ts";
import {
  encodedItems,
  GROUP_BYTES,
  type Outboard,
  OutboardBuilder,
  PARENT_BYTES,
} from "../../../swarm/bao/mod.ts";

/** What one part of the suite did. A part that cannot run says why and compares nothing. */
export interface PartReport {
  readonly name: string;
  readonly compared: number;
  readonly mismatches: readonly string[];
  readonly skipped?: string;
}

/** The project's root, with a slash at the end. */
export const ROOT = new URL("../../../", import.meta.url);

/** Where throwaway projects and builds go; not under version control. */
export const WORK = new URL("target/interop/bao/", ROOT);

/** Sizes that the issue names, and those where outboards grow past what iroh keeps in its database. */
export const SIZES = [
  ...[0, 1, 1023, 1024, 1025, 16_383, 16_384, 16_385, 32_767, 32_768, 32_769],
  ...[49_152, 65_535, 65_537, 2 ** 20 - 1, 2 ** 20, 2 ** 20 + 1],
  ...[4 * 2 ** 20 + 1, 5 * 2 ** 20, 8 * 2 ** 20 - 1, 10 * 2 ** 20 + 7, 16 * 2 ** 20 + 16_385],
];

/** Bytes that look random and depend on `size` alone. */
export function bytesOf(size: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(size / 4));
  let word = (size * 2_654_435_761) | 1;
  for (let index = 0; index < words.length; index++) {
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    words[index] = word;
  }
  return new Uint8Array(words.buffer, 0, size);
}

/** Our hash and outboard of `bytes`. */
export function outboardOf(bytes: Uint8Array): Outboard {
  const builder = new OutboardBuilder();
  builder.update(bytes);
  return builder.finish();
}

/** Our response for `ranges`. */
export function encode(
  bytes: Uint8Array,
  { parents }: Outboard,
  ranges: RangeSet,
): Uint8Array<ArrayBuffer> {
  const parts = [...encodedItems(bytes.length, ranges)].map((item) =>
    item.kind === "parent"
      ? parents.subarray(item.offset, item.offset + PARENT_BYTES)
      : bytes.subarray(item.index * GROUP_BYTES, item.index * GROUP_BYTES + item.size)
  );
  return concatBytes(...parts);
}

/** Runs a program to its end and gives its output; its errors are shown. */
export async function run(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: URL; readonly env?: Record<string, string>; readonly input?: string } =
    {},
): Promise<{ readonly success: boolean; readonly output: string }> {
  const child = new Deno.Command(program, {
    args: [...args],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  const written = writer.write(new TextEncoder().encode(options.input ?? ""))
    .then(() => writer.close())
    .catch(() => {}); // It ended early: its status or its missing output tells.
  const [{ success, stdout }] = await Promise.all([child.output(), written]);
  return { success, output: new TextDecoder().decode(stdout) };
}

/** Whether `program` can be started. */
export async function isInstalled(program: string, ...args: string[]): Promise<boolean> {
  try {
    const command = new Deno.Command(program, { args, stdout: "null", stderr: "null" });
    return (await command.output()).success;
  } catch {
    return false;
  }
}
