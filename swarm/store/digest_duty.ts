/**
 * Who computes a blob's SHA-256, so that it is not computed twice at the same time: a mirror that must
 * check it anyway takes the duty before the blob is whole, and the {@link DigestFiller} waits for that.
 */
import type { Hash } from "../../src/core/hash.ts";
import type { BlobStore } from "./blob_store.ts";

interface Duty {
  count: number;
  readonly over: PromiseWithResolvers<void>;
}

const duties = new WeakMap<BlobStore, Map<Hash, Duty>>();

/** Takes the duty until the result is disposed of; several may have it. */
export function takeDigestDuty(store: BlobStore, hash: Hash): Disposable {
  let ofStore = duties.get(store);
  if (ofStore === undefined) duties.set(store, ofStore = new Map());
  const duty: Duty = ofStore.get(hash) ?? { count: 0, over: Promise.withResolvers() };
  ofStore.set(hash, duty);
  duty.count++;
  let isOver = false;
  return {
    [Symbol.dispose](): void {
      if (isOver) return;
      isOver = true;
      if (--duty.count > 0) return;
      ofStore.delete(hash);
      duty.over.resolve();
    },
  };
}

/** Resolves when nobody has the duty any more; undefined if nobody has. */
export function digestDutyOf(store: BlobStore, hash: Hash): Promise<void> | undefined {
  return duties.get(store)?.get(hash)?.over.promise;
}
