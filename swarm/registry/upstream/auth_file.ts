/**
 * Files with credentials: docker's `config.json` and `auth.json` of containers/image, which share one
 * format (containers-auth.json(5)). Pure; no message of it holds anything that a file does.
 */
import { registryOf } from "../names.ts";
import { AUTH_ENTRIES_MAX } from "./limits.ts";

/** What a registry takes for a login. Compared by identity: a file that is read again gives new ones. */
export type Credential =
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  /** A refresh token, given to the token server for a token of one scope. */
  | { readonly kind: "identity"; readonly token: string }
  /** A token for the registry itself. */
  | { readonly kind: "bearer"; readonly token: string };

/** What one file says. */
export interface AuthFile {
  /** By registry, or by registry and the first parts of a repository's path: `quay.io/acme`. */
  readonly entries: ReadonlyMap<string, Credential>;
  /** Names of helper programs by registry. */
  readonly helpers: ReadonlyMap<string, string>;
  /** The helper that is asked for all other registries. */
  readonly store: string | undefined;
}

/** Docker Hub's key of old. */
const HUB_KEY = /^(?:https?:\/\/)?index\.docker\.io\/v1\/?$/;

/**
 * Reads a file with credentials. Entries that cannot be understood are left out.
 *
 * @throws {SyntaxError} If it is no JSON object; without the text that is wrong, which may be secret.
 */
export function parseAuthFile(text: string): AuthFile {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new SyntaxError("it is not JSON");
  }
  if (!isObject(json)) throw new SyntaxError("it is not a JSON object");
  const entries = new Map<string, Credential>();
  for (const [key, value] of fieldsOf(json["auths"])) {
    const place = placeOf(key);
    const credential = credentialOf(value);
    if (place === undefined || credential === undefined) continue;
    if (!entries.has(place)) entries.set(place, credential);
  }
  const helpers = new Map<string, string>();
  for (const [key, value] of fieldsOf(json["credHelpers"])) {
    const place = placeOf(key);
    if (place !== undefined && isHelperName(value)) helpers.set(place, value);
  }
  const store = json["credsStore"];
  return { entries, helpers, store: isHelperName(store) ? store : undefined };
}

/** Keys that hold for `repository` of `registry`, the most specific first. */
export function placesOf(registry: string, repository: string): readonly string[] {
  const parts = repository.split("/");
  const places = parts.map((_, index) =>
    [registry, ...parts.slice(0, parts.length - index)].join("/")
  );
  return [...places, registry];
}

/** Whether `name` can be the end of a program's name `docker-credential-…`. */
export function isHelperName(name: unknown): name is string {
  return typeof name === "string" && /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/.test(name);
}

/** The canonical form of a key: a registry, with a path if it has one below it. */
function placeOf(key: string): string | undefined {
  if (HUB_KEY.test(key)) return "docker.io";
  const isUrl = /^https?:\/\//i.test(key);
  const [host, ...path] = key.replace(/^https?:\/\//i, "").replace(/\/+$/, "").split("/");
  const registry = registryOf(host!);
  if (registry === undefined) return undefined;
  // Docker's keys are URLs whose path says nothing; those of containers/image are names.
  const isApi = path.length === 1 && /^v[12]$/.test(path[0]!);
  return isUrl || isApi || path.length === 0 ? registry : [registry, ...path].join("/");
}

function credentialOf(value: unknown): Credential | undefined {
  if (!isObject(value)) return undefined;
  const identity = value["identitytoken"];
  if (isSecret(identity)) return { kind: "identity", token: identity };
  const bearer = value["registrytoken"];
  if (isSecret(bearer)) return { kind: "bearer", token: bearer };
  const [username, password] = pairOf(value["auth"]) ?? [value["username"], value["password"]];
  if (!isSecret(username) || !isSecret(password)) return undefined;
  return { kind: "password", username, password };
}

/** User and password of `auth`, base64 of `user:password`. */
function pairOf(auth: unknown): readonly [string, string] | undefined {
  if (!isSecret(auth)) return undefined;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(
      Uint8Array.fromBase64(auth.trim()),
    );
    const colon = text.indexOf(":");
    // Docker pads its pairs with zero bytes.
    return colon < 1
      ? undefined
      : [text.slice(0, colon), text.slice(colon + 1).replace(/\0+$/, "")];
  } catch {
    return undefined;
  }
}

function isSecret(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= 64 * 1024;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fieldsOf(value: unknown): readonly [string, unknown][] {
  return isObject(value) ? Object.entries(value).slice(0, AUTH_ENTRIES_MAX) : [];
}
