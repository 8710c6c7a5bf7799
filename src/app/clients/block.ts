/**
 * The block: what setup writes into a file that others write, too, between two comments, so that it is
 * found again. Lines that it stands in for are kept inside it as comments.
 */
import { OWN_FILE_MARK } from "./files.ts";

const BEGIN = `${OWN_FILE_MARK} (written by setup; setup --remove takes it out)`;
const END = "# END seedmint";
const REPLACED = "#was:";
const BLOCK = /^# BEGIN seedmint\b[^\n]*\n([\s\S]*?)^# END seedmint[^\n]*(?:\n|$)/gm;

/** A block of these lines, instead of `replaced`. */
export function blockOf(lines: readonly string[], replaced: readonly string[] = []): string {
  return [BEGIN, ...replaced.map((line) => `${REPLACED}${line}`), ...lines, END, ""].join("\n");
}

/** `text` without our blocks, and with the lines again that they stood in for. */
export function withoutBlocks(text: string): string {
  return text.replace(
    BLOCK,
    (_all, inside: string) =>
      inside.split("\n").filter((line) => line.startsWith(REPLACED))
        .map((line) => `${line.slice(REPLACED.length)}\n`).join(""),
  );
}

/** Whether there is a block of ours. */
export function hasBlock(text: string): boolean {
  return withoutBlocks(text) !== text;
}

/** `text` with `block` before line `index`. */
export function insertBlock(text: string, index: number, block: string): string {
  const lines = text.split("\n");
  const before = lines.slice(0, index).join("\n");
  const after = lines.slice(index).join("\n");
  const lead = before === "" && index === 0 ? "" : `${before}\n`;
  return `${lead}${block}${after}`;
}

/** `text` with `block` at its end. */
export function appendBlock(text: string, block: string): string {
  return text === "" || text.endsWith("\n") ? `${text}${block}` : `${text}\n${block}`;
}
