/** `ls`: what the store holds. */
import { shortHash } from "../../../core/hash.ts";
import type { BlobSummary } from "../../api/methods.ts";
import { formatBytes, formatPrice, formatTable, printable } from "../../output/format.ts";
import { openNode } from "../support.ts";
import type { VerbContext } from "../verb.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  await using node = await openNode(context, "store");
  const blobs: BlobSummary[] = [];
  const params = context.has("collections") ? { kind: "collection" as const } : {};
  await node.call("list", params, {
    signal,
    onEvent: ({ blob }) => out.json ? out.object(blob) : void blobs.push(blob),
  });
  if (out.json) return 0;
  if (blobs.length === 0) {
    out.note("note: the store is empty; bring something with add or get");
    return 0;
  }
  const isLong = context.has("long");
  const hasPrices = blobs.some((blob) => (blob.priceMsatPerMiB ?? 0) > 0);
  out.line(formatTable(
    [
      { title: "HASH" },
      { title: "SIZE", alignRight: true },
      { title: "HELD", alignRight: true },
      ...(hasPrices ? [{ title: "PRICE", alignRight: true } as const] : []),
      { title: "WHAT" },
      { title: "NAME" },
    ],
    blobs.map((blob) => [
      isLong ? blob.hash : shortHash(blob.hash),
      formatBytes(blob.size),
      blob.state === "complete" ? "all" : percent(blob.heldBytes, blob.size),
      ...(hasPrices ? [formatPrice(blob.priceMsatPerMiB ?? 0)] : []),
      whatIs(blob),
      nameOf(blob, isLong),
    ]),
  ));
  return 0;
}

function whatIs(blob: BlobSummary): string {
  return [
    blob.kind,
    ...(blob.visibility === "public" ? [] : [blob.visibility]),
    ...(blob.pinned ? ["pinned"] : []),
    ...(blob.storage === "in-place" ? ["in place"] : []),
  ].join(", ");
}

function nameOf(blob: BlobSummary, isLong: boolean): string {
  const name = blob.name ?? "";
  if (!isLong) return printable(name);
  return printable([name, ...blob.tags.map((tag) => `#${tag}`), blob.path ?? ""].join(" ").trim());
}

function percent(part: number, whole: number): string {
  return `${Math.floor((part / Math.max(1, whole)) * 100)} %`;
}
