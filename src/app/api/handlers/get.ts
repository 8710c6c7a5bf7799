/** `get`: content from wherever it can be had, verified, and then where the user wants it. */
import { isSeedmintError, SeedmintError } from "../../../core/errors.ts";
import { type Hash, parseSha256, type Sha256, shortHash } from "../../../core/hash.ts";
import type { ProviderHint } from "../../../../swarm/ports.ts";
import type { BlobRecord } from "../../../../swarm/store/blob_store.ts";
import type { GetParams, GetResult, PaymentShare, SourceFailure, SourceShare } from "../methods.ts";
import type { Handler, HandlerContext, NodeParts } from "../parts.ts";
import { blobPath, checkFree, placeBlob, placeCollection } from "../place.ts";
import { readTarget, type Target } from "../targets.ts";
import type { TransferReport, TransferRequest } from "../transfers.ts";
import { checkSha256, isCollection } from "./inspect.ts";
import { findBySha256 } from "./resolve.ts";

interface Work {
  readonly parts: NodeParts;
  readonly params: GetParams;
  readonly context: HandlerContext<"get">;
  readonly hints: readonly ProviderHint[];
  readonly relays: readonly string[];
  readonly claimedSize: number | undefined;
  readonly sha256: Sha256 | undefined;
  readonly name: string | undefined;
}

/** Fetches, checks, and places. */
export const get: Handler<"get"> = async (parts, params, context) => {
  const startMs = parts.clock.monotonicMs();
  const target = readTarget(params.target, parts.store);
  const work = workOf(parts, params, context, target);
  if (params.output !== undefined && !params.output.endsWith("/")) await checkPlace(work, target);
  for (const problem of parts.problems()) context.emit({ event: "note", message: problem });
  const reports: TransferReport[] = [];
  const hash = await fetchRoot(work, target, reports);
  let record = parts.store.status(hash)!;
  if (work.sha256 !== undefined) await checkSha256(parts.store, record, work.sha256);
  let size = record.size;
  if (params.as !== "blob" && await isCollection(parts.store, record, params.as)) {
    size = await fetchChildren(work, hash, reports);
    record = parts.store.status(hash)!;
  }
  const path = params.output === undefined ? null : await place(work, record);
  if (record.visibility === "public") parts.announcer?.announce(hash);
  return {
    hash,
    kind: params.as === "blob" ? "blob" : record.kind,
    size,
    ms: Math.round(parts.clock.monotonicMs() - startMs),
    ...joined(reports),
    path,
    name: work.name ?? record.name ?? null,
  };
};

function workOf(
  parts: NodeParts,
  params: GetParams,
  context: HandlerContext<"get">,
  target: Target,
): Work {
  const ticket = target.kind === "ticket" ? target.ticket : undefined;
  const claimedSize = target.kind === "sha256"
    ? target.uri?.size
    : ticket?.kind === "blob"
    ? ticket.size
    : undefined;
  const hints: ProviderHint[] = [
    ...(ticket?.peers ?? []).map((peer) => ({ ...peer, via: "ticket" as const, bound: false })),
    ...parts.hintsOf(params.peers, "peer"),
  ];
  const sha256 = target.kind === "sha256"
    ? target.sha256
    : params.sha256 === undefined
    ? undefined
    : parseSha256(params.sha256);
  return {
    parts,
    params,
    context,
    hints,
    relays: ticket?.relays ?? [],
    claimedSize,
    sha256,
    name: ticket?.name,
  };
}

/** A file that exists is refused before a long fetch rather than after it. */
async function checkPlace(work: Work, target: Target): Promise<void> {
  const { params, context } = work;
  const status = await Deno.stat(params.output!).catch(() => undefined);
  if (status?.isDirectory === true) return;
  await checkFree(params.output!, {
    overwrite: params.overwrite,
    signal: context.signal,
    ...(target.kind === "sha256" ? {} : { hash: target.hash }),
  });
}

/** Brings the blob that was named, and tells its hash. */
async function fetchRoot(work: Work, target: Target, reports: TransferReport[]): Promise<Hash> {
  if (target.kind !== "sha256") {
    reports.push(await fetchOne(work, target.hash));
    return target.hash;
  }
  return await findBySha256({
    parts: work.parts,
    params: work.params,
    sha256: target.sha256,
    servers: target.uri?.servers ?? [],
    ...(work.claimedSize === undefined ? {} : { claimedSize: work.claimedSize }),
    hints: work.hints,
    signal: work.context.signal,
    emit: work.context.emit,
    fetchOne: async (hash, hints) => {
      reports.push(await fetchOne({ ...work, hints }, hash));
    },
    report: (report) => reports.push(report),
  });
}

async function fetchOne(work: Work, hash: Hash): Promise<TransferReport> {
  const { parts, params, context } = work;
  const known = parts.store.status(hash);
  if (known?.state === "complete") {
    if (params.pinned) parts.store.pin(hash);
    if (params.visibility !== undefined) parts.store.setAttributes(hash, visibilityOf(params));
    return { size: known.size, sources: [storeShare(known)], wastedBytes: 0, failures: [] };
  }
  checkAnySource(work, hash);
  return await parts.transfers.fetchBlob(
    requestOf(work, hash, work.name ?? shortHash(hash), {
      ...(work.name === undefined ? {} : { name: work.name }),
      pinned: params.pinned,
      ...visibilityOf(params),
    }),
  ).catch((error) => {
    throw withProblems(error, parts, context.signal);
  });
}

async function fetchChildren(work: Work, root: Hash, reports: TransferReport[]): Promise<number> {
  const { parts } = work;
  const label = work.name ?? parts.store.status(root)?.name ?? shortHash(root);
  const report = await parts.transfers.fetchChildren(
    requestOf(work, root, label, visibilityOf(work.params)),
  )
    .catch((error) => {
      throw withProblems(error, parts, work.context.signal);
    });
  reports.push(report);
  return report.size;
}

function visibilityOf(params: GetParams): Pick<TransferRequest["attributes"], "visibility"> {
  return params.visibility === undefined ? {} : { visibility: params.visibility };
}

function requestOf(
  work: Work,
  hash: Hash,
  label: string,
  attributes: TransferRequest["attributes"],
): TransferRequest {
  const { params, context } = work;
  return {
    hash,
    ...(work.claimedSize === undefined ? {} : { claimedSize: work.claimedSize }),
    hints: work.hints,
    relays: work.relays,
    ...(params.origin === undefined
      ? {}
      : { origin: { url: params.origin, ...(params.headers ? { headers: params.headers } : {}) } }),
    policy: params.policy,
    originDelayMs: params.originDelayMs,
    originFloorBytesPerSecond: params.originFloorBytesPerSecond,
    findTimeoutMs: params.findTimeoutMs,
    payment: params.payment ?? {},
    attributes,
    signal: context.signal,
    onProgress: (progress) => context.emit({ event: "progress", label, ...progress }),
  };
}

/** Says at once what a search would only find out after its deadline. */
function checkAnySource(work: Work, hash: Hash): void {
  const { parts, params } = work;
  if (params.origin !== undefined || work.hints.length > 0 || work.relays.length > 0) return;
  const { relay, peer, mdns } = parts.config;
  const hasWay = parts.network !== undefined && (relay.length > 0 || peer.length > 0 || mdns ||
    parts.relays().length > 0 || parts.network.connections().length > 0);
  if (hasWay) return;
  throw new SeedmintError(
    "unavailable",
    `Cannot fetch ${shortHash(hash)}: there is nobody to ask${
      parts.problems().map((problem) => `; ${problem}`).join("")
    }; name a relay (--relay), a peer (--peer) or an origin (--origin)`,
  );
}

/** Adds to a failure what does not work at this node, which may well be its cause. */
function withProblems(error: unknown, parts: NodeParts, signal: AbortSignal): unknown {
  const problems = parts.problems();
  if (signal.aborted || !isSeedmintError(error) || problems.length === 0) return error;
  return new SeedmintError(error.code, `${error.message} (${problems.join("; ")})`, {
    cause: error,
    retryable: error.retryable,
  });
}

async function place(work: Work, record: BlobRecord): Promise<string> {
  const { parts, params, context } = work;
  const options = { overwrite: params.overwrite, signal: context.signal };
  if (record.kind === "collection" && params.as !== "blob") {
    return (await placeCollection(parts.store, record, params.output!, options)).path;
  }
  const path = await blobPath(params.output!, [work.name, record.name, record.hash]);
  await placeBlob(parts.store, record, path, options);
  return path;
}

function storeShare(record: BlobRecord): SourceShare {
  return { kind: "store", id: "store", bytes: record.size };
}

/** Several reports as one: shares of one source added up, the largest first. */
function joined(
  reports: readonly TransferReport[],
): Pick<GetResult, "sources" | "wastedBytes" | "failures" | "originReason" | "payments"> {
  const shares = new Map<string, SourceShare>();
  const failures = new Map<string, SourceFailure>();
  let wastedBytes = 0;
  for (const report of reports) {
    for (const share of report.sources) {
      const key = `${share.kind} ${share.id}`;
      shares.set(key, { ...share, bytes: share.bytes + (shares.get(key)?.bytes ?? 0) });
    }
    for (const failure of report.failures) failures.set(`${failure.id} ${failure.code}`, failure);
    wastedBytes += report.wastedBytes;
  }
  return {
    sources: [...shares.values()].filter((share) => share.bytes > 0)
      .sort((a, b) => b.bytes - a.bytes),
    wastedBytes,
    failures: [...failures.values()],
    originReason: reports.find((report) => report.originReason)?.originReason ?? null,
    payments: joinedPayments(reports),
  };
}

/** One line for each seller, mint and price. */
function joinedPayments(reports: readonly TransferReport[]): PaymentShare[] {
  const payments = new Map<string, PaymentShare>();
  for (const one of reports.flatMap((report) => report.payments ?? [])) {
    const key = `${one.peerId} ${one.mint} ${one.priceMsatPerMiB}`;
    const before = payments.get(key) ?? { paidSat: 0, feeSat: 0, usedMsat: 0 };
    payments.set(key, {
      ...one,
      paidSat: one.paidSat + before.paidSat,
      feeSat: one.feeSat + before.feeSat,
      usedMsat: one.usedMsat + before.usedMsat,
    });
  }
  return [...payments.values()].sort((a, b) => b.paidSat - a.paidSat);
}
