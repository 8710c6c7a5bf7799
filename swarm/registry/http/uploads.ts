/** Uploads of blobs: in one piece, in chunks, as a stream, and by mounting what is here already. */
import { isSeedmintError } from "../../../src/core/errors.ts";
import type { ReplyHeaders } from "../../http/message.ts";
import { type Digest, isDigest, isRepository } from "../names.ts";
import type { RegistryWriter, UploadStatus } from "../ports.ts";
import type { RegistryExchange } from "./exchange.ts";
import type { Named } from "./naming.ts";
import { digestInvalid, ociRefusal, uploadUnknown } from "./oci_error.ts";
import { found, type RegistryParts } from "./parts.ts";

/** `POST /v2/<name>/blobs/uploads/`, with `?mount=&from=`, with `?digest=` and the blob, or with neither. */
export async function beginUpload(
  parts: RegistryParts,
  exchange: RegistryExchange,
  named: Named,
): Promise<void> {
  const writer = parts.writer!;
  const { query } = exchange.head;
  const { repository } = named.name;
  const algorithm = query.get("digest-algorithm");
  if (algorithm !== null && algorithm !== "sha256") {
    throw digestInvalid("That digest algorithm is not kept here");
  }
  const mounted = query.get("mount");
  if (mounted !== null) {
    const digest = digestIn(mounted);
    const from = query.get("from") ?? undefined;
    const isMountable = from === undefined || isRepository(from);
    if (isMountable && await writer.mount(repository, digest, from)) {
      return await created(exchange, { named, digest });
    }
  }
  const wanted = query.get("digest");
  const digest = wanted === null ? undefined : digestIn(wanted);
  const upload = await writer.beginUpload(repository);
  if (digest === undefined || mounted !== null) {
    return await exchange.reply(202, statusHeaders(named, upload));
  }
  let isDone = false;
  try {
    await appendBody(writer, exchange, { repository, id: upload.id });
    isDone = await writer.finishUpload(repository, upload.id, digest);
  } finally {
    if (!isDone) await writer.cancelUpload(repository, upload.id);
  }
  await created(exchange, { named, digest });
}

/** `GET`, `PATCH`, `PUT`, `DELETE /v2/<name>/blobs/uploads/<id>` */
export async function answerUpload(
  parts: RegistryParts,
  exchange: RegistryExchange,
  { named, id }: { readonly named: Named; readonly id: string },
): Promise<void> {
  const writer = parts.writer!;
  const { repository } = named.name;
  const status = found(writer.uploadStatus(repository, id), uploadUnknown);
  switch (exchange.head.method) {
    case "GET":
      return await exchange.reply(204, statusHeaders(named, status));
    case "DELETE":
      if (!await writer.cancelUpload(repository, id)) throw uploadUnknown();
      return await exchange.reply(204);
    case "PATCH": {
      const after = await append(writer, exchange, { named, status });
      return await exchange.reply(202, statusHeaders(named, after));
    }
    default:
      return await finish(writer, exchange, { named, status });
  }
}

/** PUT: the last chunk, if it has one, and the digest of all. */
async function finish(
  writer: RegistryWriter,
  exchange: RegistryExchange,
  { named, status }: { readonly named: Named; readonly status: UploadStatus },
): Promise<void> {
  const digest = digestIn(exchange.head.query.get("digest") ?? "");
  const { head } = exchange;
  if (head.contentLength > 0 || head.isChunked) await append(writer, exchange, { named, status });
  if (!await writer.finishUpload(named.name.repository, status.id, digest)) throw uploadUnknown();
  await created(exchange, { named, digest });
}

async function append(
  writer: RegistryWriter,
  exchange: RegistryExchange,
  { named, status }: { readonly named: Named; readonly status: UploadStatus },
): Promise<UploadStatus> {
  const { repository } = named.name;
  const range = chunkRange(exchange);
  const outOfOrder = (now: UploadStatus) =>
    ociRefusal(416, {
      code: "BLOB_UPLOAD_INVALID",
      message: `The next chunk begins at byte ${now.offset}`,
      headers: statusHeaders(named, now),
    });
  if (range !== undefined && range.start !== status.offset) throw outOfOrder(status);
  try {
    return await appendBody(writer, exchange, { repository, id: status.id, ...range });
  } catch (error) {
    if (!isSeedmintError(error, "conflict")) throw error;
    throw outOfOrder(writer.uploadStatus(repository, status.id) ?? status);
  }
}

/**
 * The `Content-Range` of a chunk, `<first>-<last>` here, without a unit; Docker's own form has one.
 *
 * @throws {Refusal} 400 or 416.
 */
function chunkRange(exchange: RegistryExchange): { readonly start: number } | undefined {
  const text = exchange.header("content-range");
  if (text === undefined) return undefined;
  const match = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d{1,15}|\*))?$/.exec(text);
  const { head } = exchange;
  const length = match === null ? undefined : Number(match[2]) - Number(match[1]) + 1;
  if (length === undefined || length < 0) {
    throw ociRefusal(416, {
      code: "BLOB_UPLOAD_INVALID",
      message: "The Content-Range is malformed; first-last is wanted",
    });
  }
  // Clients send 0-0, or one less than nothing, with an empty chunk.
  const isEmpty = head.hasLength && head.contentLength === 0;
  if (head.hasLength && !isEmpty && head.contentLength !== length) {
    throw ociRefusal(400, {
      code: "SIZE_INVALID",
      message: `The Content-Range has ${length} bytes, the body ${head.contentLength}`,
    });
  }
  return isEmpty ? undefined : { start: Number(match![1]) };
}

/** Appends the body; what is wrong with the body itself is thrown as it is. */
async function appendBody(
  writer: RegistryWriter,
  exchange: RegistryExchange,
  { repository, id, start }: {
    readonly repository: string;
    readonly id: string;
    readonly start?: number;
  },
): Promise<UploadStatus> {
  let wrong: { readonly reason: unknown } | undefined;
  const counted = async function* () {
    try {
      for await (const piece of exchange.body()) {
        exchange.bytes += piece.length;
        yield piece;
      }
    } catch (reason) {
      wrong = { reason };
      throw reason;
    }
  };
  try {
    const after = await writer.append(repository, id, counted(), {
      signal: exchange.signal,
      ...(start === undefined ? {} : { start }),
    });
    return found(after, uploadUnknown);
  } catch (error) {
    throw wrong === undefined ? error : wrong.reason;
  }
}

/** Locations are paths: they hold behind whatever name a client came by. */
function statusHeaders({ path }: Named, { id, offset }: UploadStatus): ReplyHeaders {
  return [
    ["Location", `/v2/${path}/blobs/uploads/${id}`],
    ["Range", `0-${Math.max(0, offset - 1)}`],
    ["Docker-Upload-UUID", id],
  ];
}

async function created(
  exchange: RegistryExchange,
  { named, digest }: { readonly named: Named; readonly digest: Digest },
): Promise<void> {
  exchange.digest = digest;
  await exchange.reply(201, [
    ["Location", `/v2/${named.path}/blobs/${digest}`],
    ["Docker-Content-Digest", digest],
  ]);
}

function digestIn(text: string): Digest {
  if (!isDigest(text)) {
    throw digestInvalid(
      "The digest is missing, malformed, or of an algorithm that is not kept here",
    );
  }
  return text;
}
