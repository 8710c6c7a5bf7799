/**
 * Crash on our own mistakes. Never call this on something that a peer, a relay, a file or a user
 * sent: those get a {@link SeedmintError} from `errors.ts`.
 *
 * @throws {Error} If `condition` is false.
 */
export function assert(condition: boolean, why: string): asserts condition {
  if (!condition) throw new Error(`Assertion failed: ${why}`);
}

/** Marks a `switch` as total: the compiler refuses a call that can be reached. */
export function unreachable(value: never): never {
  throw new Error(`Unreachable value: ${JSON.stringify(value)}`);
}
