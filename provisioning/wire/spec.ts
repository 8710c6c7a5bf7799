/** A tier, as it stands in offers and in the files that providers write. */
import { asName } from "./fields.ts";
import { asCount, asMembers, asText, complete } from "./json.ts";

/** What can be rented, and for how much. */
export interface Spec {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly cpuMillicores: number;
  readonly memoryMb: number;
  /** Thousandths of a sat for each second. */
  readonly rateMsatPerS: number;
}

/** Reads `{"id","name","description","cpu_millicores","memory_mb","rate_msats_per_sec"}`. */
export function readSpec(raw: unknown): Spec | undefined {
  const members = asMembers(raw);
  return members && complete({
    id: asName(members.id),
    name: asName(members.name),
    description: asText(members.description),
    cpuMillicores: asCount(members.cpu_millicores),
    memoryMb: asCount(members.memory_mb),
    rateMsatPerS: asCount(members.rate_msats_per_sec),
  });
}

/** What {@link readSpec} reads. */
export function specMembers(spec: Spec): Record<string, unknown> {
  return {
    id: spec.id,
    name: spec.name,
    description: spec.description,
    cpu_millicores: spec.cpuMillicores,
    memory_mb: spec.memoryMb,
    rate_msats_per_sec: spec.rateMsatPerS,
  };
}
