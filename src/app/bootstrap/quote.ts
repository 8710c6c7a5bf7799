/** Words for a shell on another host: `ssh` joins what it is given, and a shell there takes it apart. */

/**
 * One word, quoted so that any shell takes it for just that: nothing in single quotes means anything,
 * and a single quote is written outside of them.
 *
 * @throws {RangeError} If it has a zero byte, which no argument can have.
 */
export function quoteWord(word: string): string {
  if (word.includes("\0")) throw new RangeError("Cannot pass on a word with a zero byte in it");
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A command line of these words. */
export function quoteWords(words: readonly string[]): string {
  return words.map(quoteWord).join(" ");
}
