/** Lists of a registry: its tags, page by page, and what refers to a manifest. */
import { isSeedmintError } from "../../../src/core/errors.ts";
import type { Clock } from "../../../src/core/ports.ts";
import { descriptorOf, isIndexType } from "../manifest/mod.ts";
import { type Digest, isTag, sha256Of } from "../names.ts";
import type { Descriptor, Page, PageRequest } from "../ports.ts";
import type { Asker } from "./asker.ts";
import { jsonIn, readJson } from "./body.ts";
import type { Endpoint } from "./endpoint.ts";
import {
  LISTING_BYTES_MAX,
  NAMES_MAX,
  PAGES_MAX,
  REFERRERS_MAX,
  TAGS_PER_PAGE,
  URL_CHARS_MAX,
} from "./limits.ts";
import { askManifest } from "./manifests.ts";
import { discard } from "./transport.ts";

/** What both lists need. */
export interface ListingQuestion {
  readonly endpoint: Endpoint;
  readonly asker: Asker;
  readonly clock: Clock;
  readonly repository: string;
  readonly signal: AbortSignal;
}

/** One page as it came. */
interface RawPage {
  readonly json: unknown;
  readonly next: URL | undefined;
}

/**
 * Tags after `page.last`; undefined if the registry does not show any. Not all registries can begin after
 * a name: those are walked from their first page on.
 *
 * @throws {SeedmintError} `unavailable`, `timeout`, `protocol`.
 */
export async function askTags(
  question: ListingQuestion,
  page: PageRequest,
): Promise<Page | undefined> {
  const { count, last } = page;
  const url = question.endpoint.tags(question.repository);
  url.searchParams.set("n", String(Math.min(Math.max(count, 1), TAGS_PER_PAGE)));
  if (last !== undefined) url.searchParams.set("last", last);
  const first = await askPage(question, url);
  if (first === undefined) return undefined;
  const items = tagsIn(first.json);
  const isFromThere = last === undefined || items.every((tag) => tag > last);
  if (isFromThere && items.length <= count) {
    return { items, hasMore: first.next !== undefined };
  }
  const all = isFromThere ? items : await allTags(question);
  if (all === undefined) return undefined;
  const rest = last === undefined ? all : all.filter((tag) => tag > last);
  return {
    items: rest.slice(0, count),
    hasMore: rest.length > count || first.next !== undefined && isFromThere,
  };
}

/** The tags of all pages, in order. */
async function allTags(question: ListingQuestion): Promise<readonly string[] | undefined> {
  const tags = new Set<string>();
  let url: URL | undefined = question.endpoint.tags(question.repository);
  url.searchParams.set("n", String(TAGS_PER_PAGE));
  for (let index = 0; url !== undefined && index < PAGES_MAX && tags.size < NAMES_MAX; index++) {
    const page: RawPage | undefined = await askPage(question, url);
    if (page === undefined) return undefined;
    for (const tag of tagsIn(page.json)) tags.add(tag);
    url = page.next;
  }
  return [...tags].sort();
}

/** Names in the order of their bytes, which for tags is that of their characters. */
function tagsIn(json: unknown): readonly string[] {
  const tags = fieldOf(json, "tags");
  if (!Array.isArray(tags)) return [];
  const names = tags.slice(0, NAMES_MAX).filter((tag) => typeof tag === "string" && isTag(tag));
  return [...new Set<string>(names)].sort();
}

/**
 * What refers to `digest`, from the registry's list or from the tag that stands in for one where it has
 * none; undefined if it does not show any.
 *
 * @throws {SeedmintError} `unavailable`, `timeout`, `protocol`.
 */
export async function askReferrers(
  question: ListingQuestion,
  digest: Digest,
  artifactType: string | undefined,
): Promise<readonly Descriptor[] | undefined> {
  const found: Descriptor[] = [];
  let url: URL | undefined = question.endpoint.referrers(question.repository, digest);
  if (artifactType !== undefined) url.searchParams.set("artifactType", artifactType);
  for (let index = 0; url !== undefined && index < PAGES_MAX; index++) {
    const page: RawPage | "missing" | undefined = await askPageOrMissing(question, url);
    if (page === undefined) return undefined;
    if (page === "missing") {
      if (index > 0) break;
      const tagged = await taggedReferrers(question, digest);
      return tagged?.filter((one) => isOfType(one, artifactType));
    }
    found.push(...descriptorsIn(page.json).filter((one) => isOfType(one, artifactType)));
    if (found.length >= REFERRERS_MAX) break;
    url = page.next;
  }
  return unique(found);
}

/** The index under `sha256-<hex>` (distribution specification, "Referrers Tag Schema"). */
async function taggedReferrers(
  question: ListingQuestion,
  digest: Digest,
): Promise<readonly Descriptor[] | undefined> {
  const reference = { tag: `sha256-${sha256Of(digest)}` };
  const found = await askManifest({ ...question, reference, isHead: false });
  if (found.status === "missing") return [];
  if (found.status !== "found") return undefined;
  if (!isIndexType(found.mediaType)) return [];
  return unique(descriptorsIn(jsonIn(found.bytes)));
}

/** What an index lists, without what cannot be read. */
export function descriptorsIn(json: unknown): readonly Descriptor[] {
  const manifests = fieldOf(json, "manifests");
  if (!Array.isArray(manifests)) return [];
  return manifests.slice(0, REFERRERS_MAX).flatMap((value, index) => {
    try {
      return [descriptorOf(value, `manifests[${index}]`)];
    } catch (error) {
      // One that cannot be read takes none of the others away.
      if (isSeedmintError(error)) return [];
      throw error;
    }
  });
}

function unique(descriptors: readonly Descriptor[]): readonly Descriptor[] {
  const byDigest = new Map(descriptors.map((one) => [one.digest, one]));
  return [...byDigest.values()].slice(0, REFERRERS_MAX);
}

function isOfType(descriptor: Descriptor, artifactType: string | undefined): boolean {
  return artifactType === undefined || descriptor.artifactType === artifactType;
}

async function askPage(question: ListingQuestion, url: URL): Promise<RawPage | undefined> {
  const page = await askPageOrMissing(question, url);
  return page === "missing" ? undefined : page;
}

async function askPageOrMissing(
  question: ListingQuestion,
  url: URL,
): Promise<RawPage | "missing" | undefined> {
  const { asker, endpoint, clock, repository, signal } = question;
  const reply = await asker.ask({
    kind: "listing",
    method: "GET",
    url,
    headers: { accept: "application/json, application/vnd.oci.image.index.v1+json" },
    right: { repository, actions: "pull" },
    signal,
  });
  if (reply.status !== "answered") return undefined;
  const { response } = reply;
  if (response.status !== 200) {
    await discard(response);
    return [404, 405, 410].includes(response.status) ? "missing" : undefined;
  }
  const json = await readJson(response, {
    registry: endpoint.registry,
    clock,
    bytesMax: LISTING_BYTES_MAX,
    signal,
  });
  return { json, next: nextOf(response.headers.get("link"), reply.url, endpoint) };
}

/** `Link: </v2/a/tags/list?last=x&n=2>; rel="next"` (RFC 8288), followed on the registry itself only. */
function nextOf(link: string | null, from: URL, endpoint: Endpoint): URL | undefined {
  if (link === null || link.length > URL_CHARS_MAX) return undefined;
  const target = /<([^<>]*)>\s*;[^,<]*\brel="?next"?/i.exec(link)?.[1];
  if (target === undefined || !URL.canParse(target, from)) return undefined;
  const url = new URL(target, from);
  return url.origin === endpoint.origin ? url : undefined;
}

function fieldOf(json: unknown, name: string): unknown {
  return typeof json === "object" && json !== null
    ? (json as Record<string, unknown>)[name]
    : undefined;
}
