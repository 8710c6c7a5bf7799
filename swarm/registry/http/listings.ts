/** Listings: tags, repositories and referrers, in pages with a link to the next. */
import type { ReplyHeaders } from "../../http/message.ts";
import { buildIndex } from "../manifest/mod.ts";
import { isDigest } from "../names.ts";
import type { Page, PageRequest } from "../ports.ts";
import type { RegistryExchange } from "./exchange.ts";
import { ARTIFACT_TYPE_CHARS_MAX, PAGE_ITEMS_MAX } from "./limits.ts";
import type { Named } from "./naming.ts";
import { digestInvalid, nameUnknown, ociRefusal } from "./oci_error.ts";
import { found, namespaceHeaders, type RegistryParts } from "./parts.ts";

/** `GET /v2/<name>/tags/list?n=&last=` */
export async function answerTags(
  { reader }: RegistryParts,
  exchange: RegistryExchange,
  named: Named,
): Promise<void> {
  const request = pageOf(exchange);
  // Nothing is asked for; whether the repository is here still is.
  const page = found(
    await reader.tags(named.name, { ...request, count: Math.max(1, request.count) }, {
      signal: exchange.signal,
    }),
    () => nameUnknown("No such repository here; ask the registry itself"),
  );
  const tags = page.items.slice(0, request.count);
  await exchange.json(200, { name: named.path, tags }, [
    ...linkOf(exchange, request, page),
    ...namespaceHeaders(named),
  ]);
}

/** `GET /v2/_catalog?n=&last=` */
export async function answerCatalog(
  { reader }: RegistryParts,
  exchange: RegistryExchange,
): Promise<void> {
  const request = pageOf(exchange);
  const page: Page = request.count === 0
    ? { items: [], hasMore: false }
    : await reader.repositories(request);
  await exchange.json(200, { repositories: page.items }, linkOf(exchange, request, page));
}

/** `GET /v2/<name>/referrers/<digest>?artifactType=` */
export async function answerReferrers(
  { reader }: RegistryParts,
  exchange: RegistryExchange,
  { named, digest }: { readonly named: Named; readonly digest: string },
): Promise<void> {
  if (!isDigest(digest)) throw digestInvalid("The digest is malformed");
  const artifactType = exchange.head.query.get("artifactType") ?? "";
  if (artifactType.length > ARTIFACT_TYPE_CHARS_MAX) {
    throw ociRefusal(400, { code: "UNSUPPORTED", message: "The artifactType is too long" });
  }
  const isFiltered = artifactType !== "";
  const all = await reader.referrers(named.name, digest, {
    signal: exchange.signal,
    ...(isFiltered ? { artifactType } : {}),
  });
  // Whoever answers may not have looked at the filter; then it is applied here.
  const wanted = isFiltered ? all.filter((entry) => entry.artifactType === artifactType) : all;
  const { last } = pageOf(exchange);
  const start = last === undefined ? 0 : wanted.findIndex((entry) => entry.digest === last) + 1;
  const items = wanted.slice(start, start + PAGE_ITEMS_MAX);
  const index = buildIndex(items);
  const hasMore = start + items.length < wanted.length;
  await exchange.reply(200, [
    ["Content-Type", index.mediaType],
    ...(isFiltered ? [["OCI-Filters-Applied", "artifactType"] as const] : []),
    ...(hasMore ? [linkHeader(exchange, { last: items.at(-1)!.digest })] : []),
    ...namespaceHeaders(named),
  ], index.bytes);
}

/** @throws {Refusal} 400 */
function pageOf(exchange: RegistryExchange): PageRequest {
  const { query } = exchange.head;
  const last = query.get("last") ?? undefined;
  const n = query.get("n");
  if (n !== null && !/^\d{1,9}$/.test(n)) {
    throw ociRefusal(400, { code: "UNSUPPORTED", message: "n is no number of items" });
  }
  const count = n === null ? PAGE_ITEMS_MAX : Math.min(PAGE_ITEMS_MAX, Number(n));
  return { count, ...(last === undefined || last === "" ? {} : { last }) };
}

function linkOf(exchange: RegistryExchange, { count }: PageRequest, page: Page): ReplyHeaders {
  const last = page.items.at(-1);
  if (!page.hasMore || last === undefined || count === 0) return [];
  return [linkHeader(exchange, { n: `${count}`, last })];
}

/** The same question with other parameters. */
function linkHeader(
  { head }: RegistryExchange,
  parameters: Readonly<Record<string, string>>,
): readonly [string, string] {
  const query = new URLSearchParams(head.query);
  for (const [name, value] of Object.entries(parameters)) query.set(name, value);
  return ["Link", `<${head.path}?${query}>; rel="next"`];
}
