/** Settings of signed catalogs: whose word counts, and which are followed. */
import { parseSelector } from "../../../trust/catalog/lookup.ts";
import { isName } from "../../../trust/root/names.ts";
import { isPinScope } from "../../../trust/root/scopes.ts";
import { v } from "../schema.ts";
import { setting } from "./setting.ts";
import {
  booleanSchema,
  choiceSchema,
  listSchema,
  publicKeySchema,
  reader,
  type Schema,
  textSchema,
} from "./values.ts";

/** A catalog that is followed: `[ROOT/]NAME[=URL]`. */
export interface CatalogSetting {
  /** `NAME` or `ROOT/NAME`. */
  readonly name: string;
  /** Where its publication lies at an origin. */
  readonly url?: string;
}

/** Reads `[ROOT/]NAME`. */
export const catalogNameSchema: Schema<string> = reader((input) => {
  const parts = String(input).trim().split("/");
  if (parts.length <= 2 && parts.every(isName)) return parts.join("/");
  throw new SyntaxError("the name of a catalog such as tools, or acme/tools, wanted");
});

/** Where a publication lies. */
export const publicationUrlSchema: Schema<string> = reader((input) => {
  const url = URL.parse(String(input).trim());
  const isHttp = url?.protocol === "http:" || url?.protocol === "https:";
  if (url !== null && isHttp && url.username === "" && url.hash === "") return url.href;
  throw new SyntaxError("a URL such as https://example.org/tools.publication.json wanted");
});

const catalogSchema: Schema<CatalogSetting> = reader((input) => {
  const text = String(input).trim();
  const at = text.indexOf("=");
  const read = <T>(schema: Schema<T>, part: string): T => {
    const result = v.safeParse(schema, part);
    if (result.success) return result.output;
    throw new SyntaxError(result.issues[0].message);
  };
  if (at < 0) return { name: read(catalogNameSchema, text) };
  return {
    name: read(catalogNameSchema, text.slice(0, at)),
    url: read(publicationUrlSchema, text.slice(at + 1)),
  };
});

const selectorSchema: Schema<string> = reader((input) => {
  const text = String(input).trim();
  parseSelector(text);
  return text;
});

/** Images that a catalog may speak of. */
export const pinScopeSchema: Schema<string> = reader((input) => {
  const text = String(input).trim();
  if (isPinScope(text)) return text;
  throw new SyntaxError(
    "ghcr.io/acme/ for all below it, a repository such as ghcr.io/acme/web, or *",
  );
});

/** The rows; `settings.ts` puts them among the others. */
export const TRUST_SETTINGS = {
  releaseRoot: setting<readonly string[]>({
    placeholder: "FILE",
    default: [],
    description: "Roots whose signed catalogs are believed: files that root new makes",
    schema: listSchema(textSchema),
    isList: true,
  }),
  development: setting<boolean>({
    default: "no",
    description:
      "Believe roots made for development, whose keys everybody knows; never in production",
    schema: booleanSchema,
    isSwitch: true,
  }),
  catalog: setting<readonly CatalogSetting[]>({
    placeholder: "[ROOT/]NAME[=URL]",
    default: [],
    description: "Signed catalogs to follow, with where their publications lie besides the relays",
    schema: listSchema(catalogSchema),
    isList: true,
  }),
  catalogPublisher: setting<readonly string[]>({
    placeholder: "HEX",
    default: [],
    description: "Nostr public keys that publish --catalog; whoever does when none is named",
    schema: listSchema(publicKeySchema),
    isList: true,
  }),
  prefetch: setting<readonly string[]>({
    placeholder: "SELECTOR",
    default: [],
    description:
      "What to fetch of --catalog as soon as it is listed: [release:|image:|file:]NAME[@VERSION]" +
      "[#PLATFORM], with * for any characters",
    schema: listSchema(selectorSchema),
    isList: true,
  }),
  catalogPins: setting<readonly string[]>({
    placeholder: "PREFIX",
    default: [],
    description:
      "Images whose tags and blobs --catalog may speak for at the mirror: ghcr.io/acme/ for all " +
      "below it, a repository, or *; none unless given",
    schema: listSchema(pinScopeSchema),
    isList: true,
  }),
  catalogVisibility: setting<"public" | "fleet" | "private">({
    placeholder: "WHO",
    default: "fleet",
    description:
      "Who may have catalogs that are followed and what is fetched of them: fleet, public (adverts " +
      "then tell what this host runs) or private",
    schema: choiceSchema(["public", "fleet", "private"]),
  }),
} as const;
