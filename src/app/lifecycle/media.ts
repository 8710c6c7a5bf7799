/** Films that are watched on this machine while they come from the swarm. */
import type { Hash } from "../../core/hash.ts";
import type { Clock } from "../../core/ports.ts";
import type { MediaFetch } from "../../../swarm/gateway/mod.ts";
import type { Discovery, ProviderHint } from "../../../swarm/ports.ts";
import type { FreeRequest } from "./transfers.ts";

/** How long is looked for who has a collection before the first of its parts is fetched. */
const FIND_MS = 1_500;

/** How long who was found is believed to be there: a player asks for parts all the time. */
const FOUND_MS = 60_000;

/** Those that are found for one collection; more make a film no faster. */
const HINTS_MAX = 16;

/** Collections whose holders are remembered. */
const COLLECTIONS_MAX = 32;

interface Found {
  readonly hints: Promise<readonly ProviderHint[]>;
  readonly untilMs: number;
}

/** Fetches parts of collections from those who have the collection, and pays nobody. */
export function mediaFetch(
  options: {
    readonly transfers: { fetchFree(request: FreeRequest): Promise<unknown> };
    readonly discovery: Discovery;
    readonly clock: Clock;
  },
): MediaFetch {
  const { transfers, discovery, clock } = options;
  const found = new Map<Hash, Found>();
  const holdersOf = (collection: Hash): Promise<readonly ProviderHint[]> => {
    const known = found.get(collection);
    if (known !== undefined && clock.monotonicMs() < known.untilMs) return known.hints;
    const hints = find(discovery, collection, clock);
    found.delete(collection);
    found.set(collection, { hints, untilMs: clock.monotonicMs() + FOUND_MS });
    if (found.size > COLLECTIONS_MAX) found.delete(found.keys().next().value!);
    // Whoever comes when nobody was there looks again.
    void hints.then((list) => {
      if (list.length === 0 && found.get(collection)?.hints === hints) found.delete(collection);
    });
    return hints;
  };
  return async ({ hash, size, collection, attributes, position, signal }) => {
    const hints = collection === undefined ? [] : await holdersOf(collection);
    signal.throwIfAborted();
    await transfers.fetchFree({
      hash,
      ...(size > 0 ? { size } : {}),
      hints,
      attributes,
      position,
      signal,
    });
  };
}

/** Never fails: who cannot be looked for is not found. */
async function find(
  discovery: Discovery,
  hash: Hash,
  clock: Clock,
): Promise<readonly ProviderHint[]> {
  const enough = new AbortController();
  const cancel = clock.timer(FIND_MS, () => enough.abort());
  const hints: ProviderHint[] = [];
  try {
    for await (const hint of discovery.find({ hash }, { signal: enough.signal })) {
      hints.push(hint);
      if (hints.length >= HINTS_MAX) break;
    }
  } catch {
    // A relay that broke, or the end of the time: what was found is good.
  } finally {
    cancel();
    enough.abort();
  }
  return hints;
}
