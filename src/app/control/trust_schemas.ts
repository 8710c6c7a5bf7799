/** Strict schemas of the parameters of the methods about catalogs and releases. */
import type { TrustMethods } from "../api/trust_methods.ts";
import {
  catalogNameSchema,
  pinScopeSchema,
  publicationUrlSchema,
} from "../config/trust_settings.ts";
import {
  isEntryName,
  isOriginUrl,
  isPlatform,
  ORIGINS_MAX,
  parseSelector,
} from "../../../trust/catalog/mod.ts";
import { PUBLISHERS_MAX, SELECTORS_MAX } from "../../../trust/follow/limits.ts";
import { v } from "../schema.ts";

/** Longest path of a file. */
const PATH_CHARS_MAX = 4096;
/** Longest `NAME@VERSION`. */
const RELEASE_CHARS_MAX = 400;
/** Most files and folders that one request adds. */
const PATHS_MAX = 10_000;

const path = v.pipe(
  v.string(),
  v.maxLength(PATH_CHARS_MAX),
  v.regex(/^\/[^\0]*$/, "an absolute path wanted"),
);
const key = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "64 hex digits wanted"));
const selector = v.pipe(
  v.string(),
  v.check((text) => {
    try {
      parseSelector(text);
      return true;
    } catch {
      return false;
    }
  }, "a selector such as release:tool*#linux/amd64 wanted"),
);

/** By name of the method. */
export const TRUST_SCHEMAS: Readonly<Record<keyof TrustMethods, v.GenericSchema>> = {
  "catalog.list": v.strictObject({}),
  "catalog.entries": v.strictObject({ catalog: catalogNameSchema }),
  "catalog.follow": v.strictObject({
    catalog: catalogNameSchema,
    publishers: v.optional(v.pipe(v.array(key), v.maxLength(PUBLISHERS_MAX))),
    url: v.optional(publicationUrlSchema),
    selectors: v.optional(v.pipe(v.array(selector), v.maxLength(SELECTORS_MAX))),
    pins: v.optional(v.pipe(v.array(pinScopeSchema), v.maxLength(SELECTORS_MAX))),
  }),
  "catalog.unfollow": v.strictObject({ catalog: catalogNameSchema }),
  "catalog.publish": v.strictObject({
    catalog: path,
    seal: path,
    root: path,
    urls: v.pipe(
      v.array(
        v.pipe(
          v.string(),
          v.check((text) => isOriginUrl(text), "an http:// or https:// URL wanted"),
        ),
      ),
      v.maxLength(ORIGINS_MAX),
    ),
    paths: v.pipe(v.array(path), v.maxLength(PATHS_MAX)),
  }),
  "release.get": v.strictObject({
    release: v.pipe(v.string(), v.minLength(1), v.maxLength(RELEASE_CHARS_MAX)),
    catalog: v.optional(catalogNameSchema),
    platform: v.pipe(
      v.string(),
      v.check((text) => text === "all" || isPlatform(text), "a platform, or all, wanted"),
    ),
    file: v.optional(
      v.pipe(v.string(), v.check((text) => isEntryName(text), "the name of a file wanted")),
    ),
    output: v.optional(path),
    overwrite: v.boolean(),
  }),
};
