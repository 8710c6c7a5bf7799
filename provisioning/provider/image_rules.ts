/** Which images are taken: pure. */
import type { PolicyTable } from "../leases/mod.ts";
import type { SpawnRequest } from "../wire/mod.ts";
import { Refusal } from "./refusal.ts";
import type { ImageRules } from "./settings.ts";

/** What names of images are made of; an engine or a registry must never see anything else. */
const REFERENCE = /^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,511}$/;
const DIGEST = /@sha256:([0-9a-f]{64})$/;

/** The image that is asked for, with its digest when one is named. @throws {Refusal} */
export function imageReference(request: Pick<SpawnRequest, "image" | "imageDigest">): string {
  const { image, imageDigest } = request;
  const bare = image.replace(/@.*$/, "");
  const named = DIGEST.exec(image)?.[1];
  const isGood = REFERENCE.test(image) && !bare.includes("..") && !bare.includes("//") &&
    image.includes("@") === (named !== undefined);
  if (!isGood) throw new Refusal("invalid_request", "pod_image is no name of an image");
  if (imageDigest === undefined || imageDigest === named) return image;
  if (named !== undefined) {
    throw new Refusal("invalid_request", "pod_image and image_digest name two different images");
  }
  return `${image}@sha256:${imageDigest}`;
}

/** Docker Hub's many names. */
const DOCKER_HUB = new Set(["docker.io", "index.docker.io", "registry-1.docker.io"]);

/**
 * `ubuntu`, `library/ubuntu` and `index.docker.io/ubuntu` are `docker.io/library/ubuntu`: one name for
 * each image, or rules would be got round by another.
 */
export function fullNameOf(reference: string): string {
  const slash = reference.indexOf("/");
  const first = reference.slice(0, Math.max(0, slash)).toLowerCase();
  const isHost = /[.:]|^localhost$/.test(first);
  const registry = !isHost || DOCKER_HUB.has(first) ? "docker.io" : first;
  const rest = isHost ? reference.slice(slash + 1) : reference;
  const isOfficial = registry === "docker.io" && rest !== "" && !rest.includes("/");
  return `${registry}/${isOfficial ? "library/" : ""}${rest}`;
}

/** Why an image is not taken; undefined if it is. */
export function imageProblem(
  reference: string,
  rules: ImageRules,
  policy: Pick<PolicyTable, "denied">,
): string | undefined {
  const matches = (rule: string) => isMatch(reference, rule);
  const denied = policy.denied("image").map((denial) => denial.name);
  if ([...rules.deny, ...denied].some(matches)) return "This image is not taken here";
  if (rules.allow.length > 0 && !rules.allow.some(matches)) {
    return `Only images that begin with one of these are taken here: ${
      rules.allow.slice(0, 5).join(", ")
    }`;
  }
  return undefined;
}

/**
 * Why what an image turned out to be is not taken, whatever it was asked for by; undefined if it is.
 *
 * @param digests All that name it, in hex: of the list that its name led to, of the image itself.
 */
export function digestProblem(
  digests: readonly string[],
  rules: Pick<ImageRules, "deny">,
  policy: Pick<PolicyTable, "denied">,
): string | undefined {
  const denied = [...rules.deny, ...policy.denied("image").map((denial) => denial.name)];
  const isDenied = denied.some((rule) => digests.includes(digestIn(rule) ?? ""));
  return isDenied ? "This image is not taken here" : undefined;
}

function digestIn(rule: string): string | undefined {
  return /^(?:sha256:)?([0-9a-f]{64})$/.exec(rule)?.[1];
}

function isMatch(reference: string, rule: string): boolean {
  const digest = digestIn(rule);
  if (digest !== undefined) return DIGEST.exec(reference)?.[1] === digest;
  const full = fullNameOf(reference);
  // What is left out is a tag, too.
  const name = /[:@][^/]*$/.test(full) ? full : `${full}:latest`;
  // A registry alone is all of it.
  const isRegistry = /^[^:/@]*\.[^:/@]*$/.test(rule);
  const start = fullNameOf(isRegistry ? `${rule}/` : rule);
  if (!name.startsWith(start)) return false;
  // `docker.io/lib` is no rule about `docker.io/library`.
  return start.endsWith("/") || /^$|^[:/@]/.test(name.slice(start.length));
}
