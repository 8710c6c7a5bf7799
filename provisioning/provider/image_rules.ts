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

/** `ubuntu` and `library/ubuntu` are `docker.io/library/ubuntu`. */
export function fullNameOf(reference: string): string {
  const parts = reference.split("/");
  const first = parts[0]!;
  if (parts.length > 1 && /[.:]|^localhost$/.test(first)) return reference;
  return parts.length === 1 ? `docker.io/library/${reference}` : `docker.io/${reference}`;
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

function isMatch(reference: string, rule: string): boolean {
  const digest = /^(?:sha256:)?([0-9a-f]{64})$/.exec(rule)?.[1];
  if (digest !== undefined) return DIGEST.exec(reference)?.[1] === digest;
  const name = fullNameOf(reference);
  const start = fullNameOf(rule);
  if (!name.startsWith(start)) return false;
  // `docker.io/lib` is no rule about `docker.io/library`.
  return rule.endsWith("/") || /^$|^[:/@]/.test(name.slice(start.length));
}
