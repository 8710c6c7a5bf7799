/** Files of tiers, as providers of Paygress write them. */
import { SeedmintError } from "../../src/core/errors.ts";
import { asMembers } from "./json.ts";
import { readSpec, type Spec } from "./spec.ts";

const FILE_CHARS_MAX = 256 * 1024;
const SPECS_MAX = 64;

/**
 * Reads tiers: a list, as in `pod-specs.json` and `POD_SPECS`.
 *
 * @throws {SeedmintError} `invalid` if it is no such list, or a tier costs nothing; it names the tier.
 */
export function readPodSpecs(text: string): readonly Spec[] {
  let list: unknown;
  try {
    list = text.length <= FILE_CHARS_MAX ? JSON.parse(text) : undefined;
  } catch {
    list = undefined;
  }
  return specsOf(list);
}

/**
 * Reads a list of tiers that was parsed already.
 *
 * @throws {SeedmintError} `invalid`, as {@link readPodSpecs}.
 */
export function specsOf(list: unknown): readonly Spec[] {
  if (!Array.isArray(list) || list.length === 0 || list.length > SPECS_MAX) {
    throw invalid(`the tiers are no JSON list of 1 to ${SPECS_MAX} objects`);
  }
  const specs = list.map((raw: unknown, index) => {
    const members = asMembers(raw);
    // The first versions described no tier and named some by their id alone.
    const id = members?.id;
    const spec = members && readSpec({ name: id, description: "", ...members });
    if (spec === undefined) {
      throw invalid(
        `tier ${index + 1} lacks one of id, cpu_millicores, memory_mb and rate_msats_per_sec`,
      );
    }
    if (spec.rateMsatPerS === 0) throw invalid(`tier ${spec.id} costs nothing`);
    return spec;
  });
  if (new Set(specs.map((spec) => spec.id)).size !== specs.length) {
    throw invalid("two tiers have the same id");
  }
  return specs;
}

function invalid(problem: string): SeedmintError {
  return new SeedmintError("invalid", `Cannot read these tiers: ${problem}`);
}
