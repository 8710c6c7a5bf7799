/**
 * From a SHA-256 to a blob that has it: the store, what peers claim, and at last the origin and the
 * servers that a `blossom:` URI names.
 */
import { isSeedmintError, messageOf, SeedmintError } from "../../../core/errors.ts";
import type { Hash, Sha256 } from "../../../core/hash.ts";
import type { ProviderHint } from "../../../../swarm/ports.ts";
import type { HttpOrigin } from "../../../../swarm/origin/mod.ts";
import type { GetParams, NoteEvent, ProgressEvent } from "../methods.ts";
import type { NodeParts } from "../parts.ts";
import type { TransferReport } from "../transfers.ts";
import { askPeer } from "./ask.ts";
import { sha256Of } from "./inspect.ts";

/** How many different claims of strangers are tried for one digest. */
const CLAIMS_MAX = 4;
/** How often a server that is only a hint is tried: the next one may have it. */
const HINTED_ATTEMPTS_MAX = 2;
/** How many peers are asked at most. */
const ASKED_MAX = 64;

/** One search. */
export interface ResolveRequest {
  readonly parts: NodeParts;
  readonly params: GetParams;
  readonly sha256: Sha256;
  /** Origins of Blossom servers that may have it, such as `https://cdn.example.com`. */
  readonly servers: readonly string[];
  /** Its size in bytes as somebody claims: a hinted server that sends more sends something else. */
  readonly claimedSize?: number;
  readonly hints: readonly ProviderHint[];
  readonly signal: AbortSignal;
  readonly emit: (event: NoteEvent | ProgressEvent) => void;
  /** Fetches one blob that may be it. */
  readonly fetchOne: (hash: Hash, hints: readonly ProviderHint[]) => Promise<void>;
  readonly report: (report: TransferReport) => void;
}

/**
 * Brings the blob with `sha256` into the store. A claim of a peer is only a claim: the content is
 * hashed, and thrown away when it is something else.
 *
 * @returns The BLAKE3 hash.
 * @throws {SeedmintError} `not-found` or what the origin failed with.
 */
export async function findBySha256(request: ResolveRequest): Promise<Hash> {
  const { parts, params, sha256 } = request;
  const known = parts.store.findBySha256(sha256);
  if (known !== undefined) {
    await request.fetchOne(known.hash, request.hints);
    return known.hash;
  }
  const origins = await originsOf(request);
  const isOriginFirst = origins.length > 0 && params.policy !== "swarm-first";
  if (isOriginFirst && params.origin !== undefined) return await fromOrigins(request, origins);
  let failure: unknown;
  if (isOriginFirst) {
    try {
      return await fromOrigins(request, origins);
    } catch (error) {
      // Servers of a URI are hints: peers may have what none of them has.
      request.signal.throwIfAborted();
      failure = error;
    }
  }
  const found = await fromClaims(request, origins.length > 0);
  if (found !== undefined) return found;
  if (failure !== undefined) throw failure;
  if (origins.length > 0) return await fromOrigins(request, origins);
  throw new SeedmintError(
    "not-found",
    `Nobody was found who has sha256:${sha256}; name a relay (--relay) or an origin (--origin)`,
  );
}

async function fromClaims(
  request: ResolveRequest,
  hasOrigin: boolean,
): Promise<Hash | undefined> {
  const { parts, params, signal } = request;
  const waitMs = hasOrigin
    ? Math.min(params.findTimeoutMs, params.originDelayMs)
    : params.findTimeoutMs;
  const deadline = new AbortController();
  const cancel = parts.clock.timer(waitMs, () => deadline.abort());
  const tried = new Set<Hash>();
  try {
    const asking = AbortSignal.any([signal, deadline.signal]);
    for await (const hint of claimsOf(request, asking)) {
      if (hint.hash === undefined || tried.has(hint.hash) || tried.size >= CLAIMS_MAX) continue;
      tried.add(hint.hash);
      // From here on the transfer has its own deadlines.
      cancel();
      if (await tryClaim(request, hint.hash, hint)) return hint.hash;
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!deadline.signal.aborted) throw error;
  } finally {
    cancel();
    deadline.abort();
  }
  return undefined;
}

/** What adverts claim as they come, then what peers say that no advert speaks for. */
async function* claimsOf(
  request: ResolveRequest,
  signal: AbortSignal,
): AsyncGenerator<ProviderHint> {
  const { parts, sha256 } = request;
  const asked = request.hints.map((hint) => claimOf(request, hint, signal));
  for await (const hint of parts.discovery.find({ sha256 }, { signal })) {
    if (hint.hash !== undefined) yield hint;
    else if (asked.length < ASKED_MAX) asked.push(claimOf(request, hint, signal));
  }
  for (const hint of await Promise.all(asked)) if (hint !== undefined) yield hint;
}

/** A peer that no advert speaks for is asked itself which blob has the digest. */
async function claimOf(
  request: ResolveRequest,
  hint: ProviderHint,
  signal: AbortSignal,
): Promise<ProviderHint | undefined> {
  const { parts, sha256 } = request;
  const answer = await askPeer(parts, hint, { sha256 }, signal);
  if (answer === undefined || answer.state === "none") return undefined;
  return { ...hint, hash: answer.hash };
}

async function tryClaim(
  request: ResolveRequest,
  hash: Hash,
  hint: ProviderHint,
): Promise<boolean> {
  const { store } = request.parts;
  const wasHere = store.status(hash) !== undefined;
  try {
    await request.fetchOne(hash, [hint, ...request.hints]);
    const record = store.status(hash)!;
    if (await sha256Of(store, record) === request.sha256) {
      store.setAttributes(hash, { sha256: request.sha256 });
      return true;
    }
    // A stranger's claim must not cost us what we had.
    if (!wasHere) await store.remove(hash);
    request.emit({ event: "note", message: `${hint.peerId} named other content for this digest` });
  } catch (error) {
    request.signal.throwIfAborted();
    if (!isSeedmintError(error)) throw error;
    request.emit({ event: "note", message: messageOf(error) });
  }
  return false;
}

/** The origin that the user named, then the servers of the URI; none if only peers are to be asked. */
async function originsOf(request: ResolveRequest): Promise<readonly HttpOrigin[]> {
  const { parts, params, sha256, servers, claimedSize } = request;
  const isAsked = params.origin !== undefined || servers.length > 0;
  if (!isAsked || params.policy === "swarm-only") return [];
  const { HttpOrigin } = await import("../../../../swarm/origin/mod.ts");
  const { clock } = parts;
  const named = params.origin === undefined ? [] : [
    new HttpOrigin({
      url: params.origin,
      clock,
      ...(params.headers === undefined ? {} : { headers: params.headers }),
    }),
  ];
  const hinted = servers.map((server) =>
    new HttpOrigin({
      url: `${server}/${sha256}`,
      clock,
      attemptCountMax: HINTED_ATTEMPTS_MAX,
      ...(claimedSize === undefined ? {} : { sizeMax: claimedSize }),
    })
  );
  return [...named, ...hinted];
}

/** From the first that has it. @throws {SeedmintError} What the last one failed with. */
async function fromOrigins(
  request: ResolveRequest,
  origins: readonly HttpOrigin[],
): Promise<Hash> {
  for (const [index, origin] of origins.entries()) {
    try {
      return await fromOrigin(request, origin);
    } catch (error) {
      request.signal.throwIfAborted();
      if (index === origins.length - 1 || !isSeedmintError(error)) throw error;
      request.emit({ event: "note", message: messageOf(error) });
    }
  }
  throw new RangeError("An origin is wanted");
}

async function fromOrigin(request: ResolveRequest, origin: HttpOrigin): Promise<Hash> {
  const { parts, params, sha256, signal, emit } = request;
  const { addFromOrigin } = await import("../../../../swarm/origin/mod.ts");
  const record = await addFromOrigin({
    store: parts.store,
    origin,
    sha256,
    attributes: {
      pinned: params.pinned,
      ...(params.visibility === undefined ? {} : { visibility: params.visibility }),
    },
    signal,
    onProgress: (progress) => emit({ event: "progress", label: origin.id, peers: 0, ...progress }),
  });
  request.report({
    size: record.size,
    sources: [{ kind: "origin", id: origin.id, bytes: record.size }],
    wastedBytes: 0,
    failures: [],
  });
  return record.hash;
}
