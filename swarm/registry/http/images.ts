/**
 * An image server for LXD and Incus: `source: {type: "url", url: "http://127.0.0.1:5055/images/<sha256>"}`.
 * They send HEAD, want to be told the SHA-256 and the URL in headers, GET that URL, and compare.
 * Only unified images (one tarball) can be had that way, which is what they call `direct`.
 */
import type { Sha256 } from "../../../src/core/hash.ts";
import type { ReplyHeaders } from "../../http/message.ts";
import { digestOf } from "../names.ts";
import type { BlobDelivery } from "../ports.ts";
import { answerDelivery } from "./blobs.ts";
import type { RegistryExchange } from "./exchange.ts";
import { blobUnknown } from "./oci_error.ts";
import type { RegistryParts } from "./parts.ts";

/** `GET`, `HEAD /images/<sha256>` */
export async function answerImage(
  parts: RegistryParts,
  exchange: RegistryExchange,
  sha256: Sha256,
): Promise<void> {
  const { signal, isHead } = exchange;
  const delivery = fromStore(parts, sha256) ??
    await parts.findImage?.(sha256, { signal, isHead });
  if (delivery === undefined) throw blobUnknown(digestOf(sha256));
  // The name is the one that the client came by, which was looked at before it came here.
  const url = `http://${exchange.header("host")}/images/${sha256}`;
  const headers: ReplyHeaders = ["LXD", "Incus"].flatMap((server) => [
    [`${server}-Image-Hash`, sha256] as const,
    [`${server}-Image-URL`, url] as const,
  ]);
  await answerDelivery(parts, exchange, { delivery, headers });
}

/** A blob that is whole here and may be given to whoever knows its SHA-256. */
function fromStore(
  { store, isOpenImage }: RegistryParts,
  sha256: Sha256,
): BlobDelivery | undefined {
  const record = store.findBySha256(sha256);
  if (record?.state !== "complete") return undefined;
  if (record.visibility !== "public" && !isOpenImage?.(sha256, record)) return undefined;
  return {
    digest: digestOf(sha256),
    size: record.size,
    record,
    async *read(): AsyncGenerator<never, void, undefined> {
      // What the store cannot read has no other source that is known here.
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
