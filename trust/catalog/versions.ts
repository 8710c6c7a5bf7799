/** Which of two versions is the later one. */

/**
 * Orders versions as people count them: numbers by their value, a pre-release (`1.0-rc1`) before what it
 * leads to, what stands behind `+` not at all, unless nothing else differs. A `v` in front does not
 * count.
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)];
  return comparePieces(left.core, right.core) ||
    Number(right.isPre) - Number(left.isPre) ||
    comparePieces(left.pre, right.pre) ||
    (a < b ? -1 : a > b ? 1 : 0);
}

interface Parts {
  readonly core: readonly string[];
  readonly pre: readonly string[];
  readonly isPre: boolean;
}

function partsOf(version: string): Parts {
  const plain = version.replace(/^[vV](?=\d)/, "").split("+", 1)[0]!;
  const [, core, pre] = /^([^-~]*)(?:[-~](.*))?$/s.exec(plain)!;
  return { core: piecesOf(core!), pre: piecesOf(pre ?? ""), isPre: pre !== undefined };
}

/** Runs of digits and of letters. */
function piecesOf(text: string): readonly string[] {
  return text.match(/\d+|[A-Za-z]+/g) ?? [];
}

/** What is missing at an end counts as 0, so that `1.0` and `1.0.0` differ in their text alone. */
function comparePieces(a: readonly string[], b: readonly string[]): number {
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const difference = comparePiece(a[index] ?? "0", b[index] ?? "0");
    if (difference !== 0) return difference;
  }
  return 0;
}

function comparePiece(a: string, b: string): number {
  const [isNumberA, isNumberB] = [/^\d/.test(a), /^\d/.test(b)];
  if (isNumberA !== isNumberB) return isNumberA ? -1 : 1;
  if (!isNumberA) return a < b ? -1 : a > b ? 1 : 0;
  const [left, right] = [BigInt(a), BigInt(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Whether `version` is one to be tried before it is done: `1.0-rc1`. */
export function isPreRelease(version: string): boolean {
  return partsOf(version).isPre;
}
