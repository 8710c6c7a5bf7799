/** Which thing a path names. Pure; nothing in a path is joined or looked up on a disk. */
import { isSha256, type Sha256 } from "../../../src/core/hash.ts";
import type { Refusal } from "../../http/refusal.ts";
import { nameUnknown, ociRefusal } from "./oci_error.ts";

/** What is asked for. `path` is the repository as the URL has it. */
export type Route =
  | { readonly route: "ping" }
  | { readonly route: "catalog" }
  | { readonly route: "manifest"; readonly path: string; readonly reference: string }
  | { readonly route: "blob"; readonly path: string; readonly digest: string }
  | { readonly route: "uploads"; readonly path: string }
  | { readonly route: "upload"; readonly path: string; readonly id: string }
  | { readonly route: "tags"; readonly path: string }
  | { readonly route: "referrers"; readonly path: string; readonly digest: string }
  | { readonly route: "image"; readonly sha256: Sha256 };

/** Methods of each route that only read. */
const READING: Readonly<Record<Route["route"], readonly string[]>> = {
  ping: ["GET", "HEAD"],
  catalog: ["GET", "HEAD"],
  manifest: ["GET", "HEAD"],
  blob: ["GET", "HEAD"],
  uploads: [],
  upload: [],
  tags: ["GET", "HEAD"],
  referrers: ["GET", "HEAD"],
  image: ["GET", "HEAD"],
};

/** Methods of each route that need a registry that is written to. */
const WRITING: Readonly<Record<Route["route"], readonly string[]>> = {
  ping: [],
  catalog: [],
  manifest: ["PUT", "DELETE"],
  blob: ["DELETE"],
  uploads: ["POST"],
  upload: ["GET", "PATCH", "PUT", "DELETE"],
  tags: [],
  referrers: [],
  image: [],
};

/**
 * A repository may have parts such as `blobs` and `manifests`: what counts is the last one. Uploads
 * come before blobs, whose digest has a colon.
 */
const PATTERNS: readonly (readonly [RegExp, (path: string, last: string) => Route])[] = [
  [/^(.+)\/manifests\/([^/]+)$/, (path, reference) => ({ route: "manifest", path, reference })],
  [/^(.+)\/blobs\/uploads\/?()$/, (path) => ({ route: "uploads", path })],
  [/^(.+)\/blobs\/uploads\/([^/:]+)$/, (path, id) => ({ route: "upload", path, id })],
  [/^(.+)\/blobs\/([^/]+)$/, (path, digest) => ({ route: "blob", path, digest })],
  [/^(.+)\/tags\/list()$/, (path) => ({ route: "tags", path })],
  [/^(.+)\/referrers\/([^/]+)$/, (path, digest) => ({ route: "referrers", path, digest })],
];

/** @throws {Refusal} 404 or 405. */
export function routeOf(
  method: string,
  path: string,
  options: { readonly isWritable: boolean },
): Route {
  const route = named(path);
  if (route === undefined) throw nameUnknown("There is nothing here; registries begin with /v2/");
  const allowed = [
    ...READING[route.route],
    ...(options.isWritable ? WRITING[route.route] : []),
  ];
  if (!allowed.includes(method)) throw unsupported(allowed);
  return route;
}

function unsupported(allowed: readonly string[]): Refusal {
  return ociRefusal(405, {
    code: "UNSUPPORTED",
    message: allowed.length === 0
      ? "This is a mirror, which is read only; push to the push registry"
      : `${allowed.join(", ")} is what can be asked of this path here`,
    headers: [["Allow", allowed.length === 0 ? "GET, HEAD" : allowed.join(", ")]],
  });
}

function named(path: string): Route | undefined {
  if (path === "/v2/" || path === "/v2") return { route: "ping" };
  if (path === "/v2/_catalog") return { route: "catalog" };
  const image = /^\/images\/([0-9a-f]{64})$/.exec(path)?.[1];
  if (isSha256(image)) return { route: "image", sha256: image };
  if (!path.startsWith("/v2/")) return undefined;
  // Some clients escape the colon of a digest or of a port; no name has anything else to escape.
  const rest = path.slice(4).replaceAll(/%3a/gi, ":");
  for (const [pattern, make] of PATTERNS) {
    const match = pattern.exec(rest);
    if (match !== null) return make(match[1]!, match[2]!);
  }
  return undefined;
}
