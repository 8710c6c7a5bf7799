/** Methods of a node that sells: prices, and what they brought. */
import { SeedmintError } from "../../../core/errors.ts";
import { parseHash, shortHash } from "../../../core/hash.ts";
import type { Handler, NodeParts } from "../parts.ts";
import type { Selling, ServiceRow } from "../selling.ts";
import type { ServiceView } from "../selling_methods.ts";
import { readTarget } from "../targets.ts";

const VISIBILITIES = ["public", "fleet", "private"] as const;

/** Every service, the general ones first. */
export const listServices: Handler<"services.list"> = async (parts) => {
  const selling = await sellingOf(parts);
  return { services: selling.services().map((row) => viewOf(parts, row)) };
};

/** Makes a service, or changes its price. */
export const setService: Handler<"services.set"> = async (parts, params, context) => {
  const { id: text, ...terms } = params;
  const id = readServiceId(text, parts);
  const selling = await sellingOf(parts);
  const row = await selling.set({ id, ...terms });
  const note = (message: string) => context.emit({ event: "note", message });
  noteAbsent(parts, id, note);
  if (row.priceMsatPerMiB > 0 && (await parts.wallet?.opened()?.mints())?.length === 0) {
    note("no mint is listed, so nobody can pay; wallet mints add URL --trusted lists one");
  }
  return viewOf(parts, row);
};

/** Lets a price that is there count. */
export const enableService: Handler<"services.enable"> = (parts, { id }) =>
  switchService(parts, id, true);

/** Keeps a price that does not count. */
export const disableService: Handler<"services.disable"> = (parts, { id }) =>
  switchService(parts, id, false);

/** What was sold, by day, mint, peer or content. */
export const earnings: Handler<"earnings"> = async (parts, { by, sinceMs }) => {
  const selling = await sellingOf(parts);
  const query = { by, ...(sinceMs === undefined ? {} : { sinceMs }) };
  return { by, sinceMs: sinceMs ?? null, ...selling.earnings(query) };
};

async function switchService(
  parts: NodeParts,
  text: string,
  isEnabled: boolean,
): Promise<ServiceView> {
  const id = readServiceId(text, parts);
  const selling = await sellingOf(parts);
  return viewOf(parts, selling.enable(id, isEnabled));
}

async function sellingOf(parts: NodeParts): Promise<Selling> {
  if (parts.selling !== undefined) return await parts.selling.open();
  throw new SeedmintError("unavailable", "Cannot look at services: no wallet is open here");
}

/**
 * Reads how a user names a service.
 *
 * @throws {SeedmintError} `usage`, or `not-found` for first digits that no blob of the store has.
 */
export function readServiceId(text: string, parts: Pick<NodeParts, "store">): string {
  const trimmed = text.trim();
  if (trimmed === "default") return trimmed;
  const visibility = trimmed.replace(/^visibility:/, "");
  if (VISIBILITIES.some((name) => name === visibility)) return `visibility:${visibility}`;
  const isNamed = trimmed.startsWith("content:");
  const content = isNamed ? trimmed.slice("content:".length) : trimmed;
  if (!isNamed && !looksLikeContent(content)) throw unknownService(trimmed);
  const target = readTarget(content, parts.store);
  const hash = target.kind === "sha256"
    ? parts.store.findBySha256(target.sha256)?.hash
    : target.hash;
  if (hash !== undefined) return `content:${hash}`;
  throw new SeedmintError(
    "not-found",
    `The store does not have ${trimmed.slice(0, 80)}; name it by its BLAKE3 hash`,
  );
}

/** Anything but a plain word is left to the reader of targets, whose messages are about hashes. */
function looksLikeContent(text: string): boolean {
  return /^(sha256:|blake3:|blossom:|seedmint:)/i.test(text) || /^[0-9a-f]{4,}…?$/i.test(text);
}

function unknownService(text: string): SeedmintError {
  return new SeedmintError(
    "usage",
    `There is no service "${text.slice(0, 40)}": default, public, fleet, private, or the hash of ` +
      "content wanted",
  );
}

function viewOf(parts: NodeParts, row: ServiceRow): ServiceView {
  const hash = hashOf(row.id);
  const name = hash === undefined ? undefined : parts.store.status(hash)?.name;
  return { ...row, name: name ?? null };
}

function noteAbsent(parts: NodeParts, id: string, note: (message: string) => void): void {
  const hash = hashOf(id);
  if (hash === undefined || parts.store.status(hash) !== undefined) return;
  note(`${shortHash(hash)} is not in the store; the price holds once it is`);
}

function hashOf(id: string) {
  return id.startsWith("content:") ? parseHash(id.slice("content:".length)) : undefined;
}
