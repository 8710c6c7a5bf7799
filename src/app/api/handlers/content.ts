/** Methods that only look at the store, or change what it keeps. */
import { GROUP_BYTES } from "../../../../swarm/bao/geometry.ts";
import type { BlobRecord } from "../../../../swarm/store/blob_store.ts";
import type { BlobSummary } from "../methods.ts";
import type { Handler, NodeParts } from "../parts.ts";
import { blobPath, checkFree, placeBlob, placeCollection } from "../place.ts";
import { heldBlob, wholeBlob } from "../targets.ts";

/** Every blob, in order of hash. */
export const list: Handler<"list"> = (parts, params, context) => {
  let blobCount = 0;
  let bytes = 0;
  for (const record of parts.store.list()) {
    if (params.kind !== undefined && record.kind !== params.kind) continue;
    const blob = summaryOf(record, parts.selling?.priceOf(record.hash));
    blobCount++;
    bytes += blob.heldBytes;
    context.emit({ event: "blob", blob });
  }
  return Promise.resolve({ blobCount, bytes });
};

/** Pins each target. */
export const pin: Handler<"pin"> = (parts, { targets }) =>
  changeEach(parts, targets, (record) => parts.store.pin(record.hash));

/** Unpins each target. */
export const unpin: Handler<"unpin"> = (parts, { targets }) =>
  changeEach(parts, targets, (record) => parts.store.unpin(record.hash));

/** Forgets each target and withdraws its advert. */
export const remove: Handler<"remove"> = (parts, { targets }) =>
  changeEach(parts, targets, async (record) => {
    await parts.store.remove(record.hash);
    parts.announcer?.withdraw(record.hash);
  });

/** Removes what nothing keeps. */
export const gc: Handler<"gc"> = async (parts, { dryRun }, context) => {
  const report = await parts.store.collectGarbage({ dryRun });
  for (const { hash, size } of report.removed) {
    context.emit({ event: "removed", hash, size });
    if (!dryRun) parts.announcer?.withdraw(hash);
  }
  return { blobCount: report.removed.length, bytes: report.bytes };
};

/** Reads the targets, or everything, again. */
export const verify: Handler<"verify"> = async (parts, { targets }, context) => {
  const { store } = parts;
  const records = targets.length > 0
    ? targets.map((target) => heldBlob(target, store))
    : [...store.list()];
  const size = records.reduce((sum, record) => sum + heldBytesOf(record), 0);
  let doneBytes = 0;
  let badCount = 0;
  for (const record of records) {
    context.signal.throwIfAborted();
    const label = record.name ?? record.hash;
    const report = await store.verify(record.hash, {
      signal: context.signal,
      onProgress: (bytes) =>
        context.emit({ event: "progress", label, bytes: doneBytes + bytes, size }),
    });
    doneBytes += heldBytesOf(record);
    const badBytes = bytesOf(report.bad, record.size);
    if (badBytes > 0 || !report.bad.isEmpty) badCount++;
    context.emit({
      event: "verified",
      hash: record.hash,
      size: record.size,
      ok: report.bad.isEmpty,
      goodBytes: bytesOf(report.good, record.size),
      badBytes,
    });
  }
  return { blobCount: records.length, badCount };
};

/** Writes a blob, or the tree of a collection, to disk. */
export const exportContent: Handler<"export"> = async (parts, params, context) => {
  const { store } = parts;
  const { signal } = context;
  const record = wholeBlob(params.target, store);
  const { hash, size } = record;
  const options = { overwrite: params.overwrite, signal };
  if (record.kind === "collection") {
    const placed = await placeCollection(store, record, params.output, {
      ...options,
      onProgress: (bytes) => context.emit({ event: "progress", label: record.name ?? hash, bytes }),
    });
    return { hash, ...placed };
  }
  const path = await blobPath(params.output, [record.name, hash]);
  await checkFree(path, { ...options, hash });
  await placeBlob(store, record, path, options);
  return { hash, size, path };
};

/** A record as programs see it. */
export function summaryOf(record: BlobRecord, priceMsatPerMiB?: number): BlobSummary {
  return {
    hash: record.hash,
    size: record.size,
    heldBytes: heldBytesOf(record),
    state: record.state,
    kind: record.kind,
    visibility: record.visibility,
    pinned: record.pinned,
    tags: record.tags,
    storage: record.storage,
    name: record.name ?? null,
    path: record.path ?? null,
    sha256: record.sha256 ?? null,
    mediaType: record.mediaType ?? null,
    addedMs: record.addedMs,
    lastUsedMs: record.lastUsedMs,
    priceMsatPerMiB: priceMsatPerMiB ?? null,
  };
}

function heldBytesOf(record: BlobRecord): number {
  return record.state === "complete" ? record.size : bytesOf(record.groups, record.size);
}

function bytesOf(groups: BlobRecord["groups"], size: number): number {
  let bytes = 0;
  for (const { start, end } of groups) {
    bytes += Math.max(0, Math.min(size, end * GROUP_BYTES) - start * GROUP_BYTES);
  }
  return bytes;
}

async function changeEach(
  parts: NodeParts,
  targets: readonly string[],
  change: (record: BlobRecord) => void | Promise<void>,
): Promise<{ blobs: { hash: BlobRecord["hash"]; size: number }[] }> {
  const records = targets.map((target) => heldBlob(target, parts.store));
  for (const record of records) await change(record);
  return { blobs: records.map(({ hash, size }) => ({ hash, size })) };
}
