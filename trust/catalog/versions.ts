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

function comparePieces(a: readonly string[], b: readonly string[]): number {
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const [left, right] = [a[index], b[index]];
    if (left === undefined) return right === undefined || isZero(right) ? 0 : -1;
    if (right === undefined) return isZero(left) ? 0 : 1;
    const difference = comparePiece(left, right);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** `1.0` and `1.0.0` are one version. */
function isZero(piece: string): boolean {
  return /^0+$/.test(piece);
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
