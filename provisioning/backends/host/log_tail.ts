/** The last lines of a log that a stranger writes. */
import { LOG_TAIL_BYTES } from "./limits.ts";

/** At most `lineCount` lines from the end; empty if there is no log. */
export async function tailOf(path: string, lineCount: number): Promise<string> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
  using log = file;
  const { size } = await log.stat();
  const bytes = new Uint8Array(Math.min(size, LOG_TAIL_BYTES));
  await log.seek(-bytes.length, Deno.SeekMode.End);
  let count = 0;
  while (count < bytes.length) {
    const read = await log.read(bytes.subarray(count));
    if (read === null) break;
    count += read;
  }
  const lines = new TextDecoder().decode(bytes.subarray(0, count)).split("\n");
  if (lines[lines.length - 1] === "") lines.pop();
  // The first may be cut in the middle.
  if (size > bytes.length && lines.length > 1) lines.shift();
  return lines.slice(Math.max(0, lines.length - lineCount)).map((line) => `${line}\n`).join("");
}
