/** Doing many things a few at a time. */

/** Operations resumed or restored at a time. */
const CONCURRENCY = 8;

/** Runs `task` for each item, a few at a time; the results are in the order of the items. */
export async function inLanes<T, R>(
  items: readonly T[],
  task: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const lane = async () => {
    for (let index = next++; index < items.length; index = next++) {
      results[index] = await task(items[index]!);
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, items.length) }, lane));
  return results;
}
