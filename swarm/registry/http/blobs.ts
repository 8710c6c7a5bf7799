/** Blobs: HEAD and GET with conditions and ranges, and DELETE. */
import { type Wanted, wantedOf } from "../../http/conditions.ts";
import type { Refusal } from "../../http/refusal.ts";
import type { ReplyHeaders } from "../../http/message.ts";
import { type Digest, isDigest } from "../names.ts";
import type { BlobDelivery } from "../ports.ts";
import { contentAnswer, sendDelivery } from "./content.ts";
import type { RegistryExchange } from "./exchange.ts";
import type { Named } from "./naming.ts";
import { blobUnknown, digestInvalid } from "./oci_error.ts";
import { found, namespaceHeaders, type RegistryParts } from "./parts.ts";

/** `GET`, `HEAD`, `DELETE /v2/<name>/blobs/<digest>` */
export async function answerBlob(
  parts: RegistryParts,
  exchange: RegistryExchange,
  { named, digest }: { readonly named: Named; readonly digest: string },
): Promise<void> {
  if (exchange.head.method === "DELETE") {
    return await deleteBlob(parts, exchange, { named, digest });
  }
  if (!isDigest(digest)) throw unknownDigest(digest);
  const { signal, isHead } = exchange;
  const delivery = await parts.reader.blob(named.name, digest, { signal, isHead });
  await answerDelivery(parts, exchange, {
    delivery: found(delivery, () => blobUnknown(digest)),
    headers: [["Docker-Content-Digest", digest], ...namespaceHeaders(named)],
  });
}

/** Answers with a delivery, and ends it. */
export async function answerDelivery(
  parts: RegistryParts,
  exchange: RegistryExchange,
  options: { readonly delivery: BlobDelivery; readonly headers: ReplyHeaders },
): Promise<void> {
  await using delivery = options.delivery;
  const { digest, size } = delivery;
  exchange.digest = digest;
  const etag = `"${digest}"`;
  const wanted: Wanted = wantedOf(exchange.head.headers, { etag, size, isStrict: true });
  const headers: ReplyHeaders = [...options.headers, ["ETag", etag], ["Accept-Ranges", "bytes"]];
  if (wanted.kind === "unchanged") return await exchange.reply(304, headers);
  const answer = contentAnswer(wanted, size, [
    ["Content-Type", "application/octet-stream"],
    ...headers,
  ]);
  if (exchange.isHead) return await exchange.begin(answer.status, answer.headers);
  await sendDelivery(parts, exchange, { delivery, answer });
}

async function deleteBlob(
  { writer }: RegistryParts,
  exchange: RegistryExchange,
  { named, digest }: { readonly named: Named; readonly digest: string },
): Promise<void> {
  if (!isDigest(digest)) throw unknownDigest(digest);
  const wasHere = await writer!.deleteBlob(named.name.repository, digest);
  if (!wasHere) throw blobUnknown(digest);
  await exchange.reply(202, [["Docker-Content-Digest", digest]]);
}

/** One of an algorithm that is not kept here is not here; what is no digest at all is a mistake. */
function unknownDigest(text: string): Refusal {
  return /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-zA-Z=_-]{32,}$/.test(text)
    ? blobUnknown(text.slice(0, 140) as Digest)
    : digestInvalid("The digest is malformed");
}
