/**
 * Which thing a path names. Pure; nothing in a path is joined or looked up on a disk, and nothing but
 * the name of a collection's child is unescaped.
 */
import { type Hash, isHash, isSha256, type Sha256 } from "../../src/core/hash.ts";
import { Refusal } from "../http/refusal.ts";

/** What is asked for. */
export type Route =
  | { readonly route: "root" }
  | { readonly route: "upload" }
  | { readonly route: "mirror" }
  | { readonly route: "session" }
  | { readonly route: "list"; readonly publicKey: string }
  | { readonly route: "blob"; readonly hash: Hash }
  | { readonly route: "media"; readonly collection: Hash; readonly name: string }
  | { readonly route: "blossom"; readonly sha256: Sha256 };

/** Methods of each route; OPTIONS is understood everywhere. */
const METHODS: Readonly<Record<Route["route"], readonly string[]>> = {
  root: ["GET", "HEAD"],
  upload: ["PUT", "HEAD"],
  mirror: ["PUT"],
  session: ["GET", "POST"],
  list: ["GET"],
  blob: ["GET", "HEAD"],
  media: ["GET", "HEAD"],
  blossom: ["GET", "HEAD", "DELETE"],
};

const FIXED: ReadonlyMap<string, Route> = new Map<string, Route>([
  ["/", { route: "root" }],
  ["/upload", { route: "upload" }],
  ["/mirror", { route: "mirror" }],
  ["/session", { route: "session" }],
]);

/** A hash and, if any, extensions such as `.pdf` or `.tar.gz`. */
const BLOSSOM = /^\/([0-9a-f]{64})((?:\.[A-Za-z0-9]{1,16}){0,2})$/;

/** @throws {Refusal} 400, 404 or 405. */
export function routeOf(method: string, path: string): Route {
  const route = FIXED.get(path) ?? named(path);
  if (route === undefined) {
    throw new Refusal(
      404,
      "Not here; ask for /blob/ and a BLAKE3 hash, or for / and a SHA-256 hash",
    );
  }
  const allowed = METHODS[route.route];
  if (!allowed.includes(method)) {
    throw new Refusal(405, `${allowed.join(", ")} is what can be asked of this path`, {
      headers: [["Allow", [...allowed, "OPTIONS"].join(", ")]],
    });
  }
  return route;
}

function named(path: string): Route | undefined {
  const blossom = BLOSSOM.exec(path)?.[1];
  if (isSha256(blossom)) return { route: "blossom", sha256: blossom };
  const blob = /^\/blob\/(.*)$/.exec(path)?.[1];
  if (isHash(blob)) return { route: "blob", hash: blob };
  if (blob !== undefined) throw new Refusal(400, "A BLAKE3 hash of 64 lower-case digits is wanted");
  const media = /^\/media\/([^/]*)\/(.+)$/.exec(path);
  if (media !== null) return mediaRoute(media[1]!, media[2]!);
  const list = /^\/list\/(.*)$/.exec(path)?.[1];
  if (list === undefined) return undefined;
  if (isSha256(list)) return { route: "list", publicKey: list };
  throw new Refusal(400, "A public key of 64 lower-case hex digits is wanted");
}

function mediaRoute(collection: string, escaped: string): Route {
  if (!isHash(collection)) {
    throw new Refusal(400, "/media/, a collection's BLAKE3 hash and a path in it are wanted");
  }
  try {
    return { route: "media", collection, name: decodeURIComponent(escaped) };
  } catch {
    throw new Refusal(400, "The path is escaped wrongly");
  }
}
