/**
 * State on disk that several folders keep in the same way: a SQLite database with migrations, and a
 * lock that one process at a time holds.
 *
 * May import: `src/core`.
 */
export * from "./connection.ts";
export * from "./damaged.ts";
export * from "./process_lock.ts";
