/** Pushing a manifest, and telling of what it refers to where the registry does not do that itself. */
import { SeedmintError } from "../../../src/core/errors.ts";
import { buildIndex, parseManifest, referrerOf } from "../manifest/mod.ts";
import { type Digest, type Reference, sha256Of } from "../names.ts";
import type { Descriptor } from "../ports.ts";
import { jsonIn } from "./body.ts";
import { descriptorsIn } from "./listings.ts";
import { askManifest } from "./manifests.ts";
import { answeredOf, refusalOf } from "./push_answers.ts";
import type { PushOptions } from "./push_blob.ts";
import { discard } from "./transport.ts";

/** A manifest to be pushed. */
export interface ManifestPush {
  readonly mediaType: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Pushes a manifest, whose blobs are there already.
 *
 * @returns Its digest.
 * @throws {SeedmintError} `denied`, `busy`, `not-found` if the registry lacks a blob of it, `corrupt`,
 * `protocol`, `unavailable`, `timeout`; `invalid` if it is no manifest.
 */
export async function pushManifest(
  options: PushOptions,
  reference: Reference,
  manifest: ManifestPush,
): Promise<Digest> {
  const parsed = parseManifest(manifest.mediaType, manifest.bytes);
  if (reference.digest !== undefined && reference.digest !== parsed.digest) {
    throw new SeedmintError(
      "corrupt",
      `Cannot push a manifest as ${reference.digest}: it has another`,
    );
  }
  const headers = await put(options, reference, manifest);
  const claimed = headers.get("docker-content-digest");
  if (claimed !== null && claimed !== parsed.digest) {
    throw new SeedmintError(
      "protocol",
      `Cannot push a manifest to ${options.endpoint.registry}: it kept it as another`,
    );
  }
  if (parsed.subject !== undefined && headers.get("oci-subject") !== parsed.subject.digest) {
    await tagReferrer(options, parsed.subject.digest, referrerOf(parsed));
  }
  return parsed.digest;
}

async function put(
  options: PushOptions,
  reference: Reference,
  manifest: ManifestPush,
): Promise<Headers> {
  const { endpoint, asker, repository, clock, signal } = options;
  const name = reference.tag ?? reference.digest;
  const what = `manifest ${name} of ${repository}`;
  const pushed = { registry: endpoint.registry, what, clock, signal };
  const reply = await asker.ask({
    kind: "push",
    method: "PUT",
    url: endpoint.manifest(repository, reference),
    headers: { "content-type": manifest.mediaType },
    body: () => manifest.bytes,
    // The same bytes under the same name: a second time changes nothing.
    isRepeatable: true,
    right: { repository, actions: "pull,push" },
    signal,
  });
  const { response } = answeredOf(reply, pushed);
  if (response.status !== 201) throw await refusalOf(response, pushed);
  await discard(response);
  return response.headers;
}

/** Adds to the index that stands in for a list of referrers (specification, "Referrers Tag Schema"). */
async function tagReferrer(
  options: PushOptions,
  subject: Digest,
  referrer: Descriptor,
): Promise<void> {
  const reference = { tag: `sha256-${sha256Of(subject)}` };
  const found = await askManifest({ ...options, reference, isHead: false });
  if (found.status !== "found" && found.status !== "missing") {
    throw new SeedmintError(
      "unavailable",
      `Cannot tell of a referrer: ${reference.tag} is ${found.status}`,
    );
  }
  const known = found.status === "found" ? descriptorsIn(jsonIn(found.bytes)) : [];
  if (known.some(({ digest }) => digest === referrer.digest)) return;
  const { mediaType, bytes } = buildIndex([...known, referrer]);
  await put(options, reference, { mediaType, bytes });
}
