/** How digests and hashes stand in the tables. */
import { type Hash, hashFromBytes, hashToBytes, sha256FromBytes } from "../../../src/core/hash.ts";
import type { SqlRow } from "../../../src/sqlite/mod.ts";
import { type Digest, digestOf, type RepositoryName, sha256Of } from "../names.ts";

/** The bytes of a digest. */
export function keyOf(digest: Digest): Uint8Array<ArrayBuffer> {
  return hashToBytes(sha256Of(digest));
}

/** The digest in a column. */
export function digestIn(row: SqlRow, column: string): Digest {
  return digestOf(sha256FromBytes(row[column] as Uint8Array));
}

/** The hash in a column. */
export function hashIn(row: SqlRow, column: string): Hash {
  return hashFromBytes(row[column] as Uint8Array);
}

/** A repository as one text, for maps in memory. */
export function repositoryKey({ registry, repository }: RepositoryName): string {
  return `${registry}/${repository}`;
}
