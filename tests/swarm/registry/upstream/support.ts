/** What the tests of the upstream client share. */
import type { Clock } from "../../../../src/core/ports.ts";
import { systemClock } from "../../../../src/host/system.ts";
import { Credentials, RegistryClient } from "../../../../swarm/registry/upstream/mod.ts";
import type { Origin } from "../../../../swarm/ports.ts";
import type { FakeWeb } from "./fake_web.ts";

export const HOST = "registry.example";

/** A signal that nobody aborts. */
export const signal: AbortSignal = new AbortController().signal;

/** A client of the web in memory. */
export function clientOf(
  web: FakeWeb,
  options: Partial<ConstructorParameters<typeof RegistryClient>[0]> = {},
): RegistryClient {
  return new RegistryClient({
    registry: HOST,
    clock: systemClock,
    fetch: web.fetch,
    resolve: web.resolve,
    ...options,
  });
}

const folder = await Deno.makeTempDir();
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

/** A file with credentials; it is there until the tests end. */
export async function authFile(content: unknown): Promise<string> {
  const file = `${folder}/${crypto.randomUUID()}.json`;
  await Deno.writeTextFile(file, typeof content === "string" ? content : JSON.stringify(content));
  return file;
}

/** Logins as a file of docker's holds them. */
export async function credentialsOf(
  content: unknown,
  clock: Clock = systemClock,
): Promise<Credentials> {
  return await Credentials.open({ files: [await authFile(content)], clock });
}

/** A login for the test's registry. */
export function loginOf(pair: string, clock?: Clock): Promise<Credentials> {
  return credentialsOf({ auths: { [HOST]: { auth: btoa(pair) } } }, clock);
}

/** All bytes of an origin from `offset` on. */
export async function readAll(
  origin: Origin,
  range: { readonly offset?: number; readonly end?: number } = {},
): Promise<Uint8Array> {
  const { body } = await origin.open({ offset: 0, ...range, signal });
  return await new Response(body as ReadableStream<Uint8Array<ArrayBuffer>>).bytes();
}

/** `count` bytes that differ. */
export function bytesOf(count: number, seed = 1): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(
    { length: count },
    (_, index) => (index * 31 + seed * 7 + (index >> 8)) & 255,
  );
}

/** A manifest of nothing much. */
export function manifestOf(annotation = "one"): Record<string, unknown> {
  const empty = {
    mediaType: "application/vnd.oci.empty.v1+json",
    digest: `sha256:${"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}`,
    size: 2,
  };
  return {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: empty,
    layers: [empty],
    annotations: { name: annotation },
  };
}
