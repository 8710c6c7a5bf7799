/** What a pod's status means for its lease. Pure. */
import type { V1Pod } from "./client_node.d.ts";
import { PULL_FAILURE_MS_MAX, UNSCHEDULABLE_MS_MAX } from "./limits.ts";
import { NAME } from "./objects.ts";

/** What an engine says of an instance that is there. */
export function stateOf(pod: V1Pod | undefined): "running" | "stopped" | "unknown" {
  if (pod === undefined) return "stopped";
  // On its way out: until its node has said so, it may run.
  if (pod.metadata?.deletionTimestamp !== undefined) return "unknown";
  const phase = pod.status?.phase;
  if (phase === "Unknown" || pod.status?.reason === "NodeLost") return "unknown";
  if (phase !== "Running") return "stopped";
  const lease = pod.status?.containerStatuses?.find(({ name }) => name === NAME);
  return lease?.state?.running === undefined ? "stopped" : "running";
}

/** Why a pod that was made will never run. */
export interface PodFailure {
  readonly code: "no-space" | "unavailable" | "invalid";
  readonly why: string;
}

/** Reasons that do not go away by waiting. */
const FINAL = new Set([
  "InvalidImageName",
  "CreateContainerConfigError",
  "CreateContainerError",
  "RunContainerError",
  "ErrImageNeverPull",
]);
const PULL = new Set(["ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"]);

/** What keeps a pod from starting that was made `sinceMs` ago; undefined while it may yet. */
export function failureOf(pod: V1Pod, sinceMs: number): PodFailure | undefined {
  const { phase, reason, message, conditions = [] } = pod.status ?? {};
  if (phase === "Failed" || phase === "Succeeded") {
    return { code: "unavailable", why: `it ended at once: ${endOf(pod) ?? reason ?? phase}` };
  }
  const unscheduled = conditions.find(({ type, status }) =>
    type === "PodScheduled" && status === "False"
  );
  if (unscheduled?.reason === "Unschedulable" && sinceMs > UNSCHEDULABLE_MS_MAX) {
    return { code: "no-space", why: `no node takes it: ${unscheduled.message ?? message ?? ""}` };
  }
  for (const status of statusesOf(pod)) {
    const { reason, message } = status.state?.waiting ?? {};
    if (reason === undefined) continue;
    const why = `${reason}: ${(message ?? "no more is said").slice(0, 300)}`;
    if (FINAL.has(reason)) return { code: "invalid", why };
    if (PULL.has(reason) && sinceMs > PULL_FAILURE_MS_MAX) return { code: "unavailable", why };
  }
  return undefined;
}

/** How a pod's container ended, for people. */
export function endOf(pod: V1Pod): string | undefined {
  for (const { state } of statusesOf(pod)) {
    const { exitCode, reason } = state?.terminated ?? {};
    if (exitCode !== undefined && exitCode !== 0) return `${reason ?? "ended"}, code ${exitCode}`;
  }
  const { reason, message } = pod.status ?? {};
  return reason === undefined ? undefined : `${reason}: ${(message ?? "").slice(0, 200)}`;
}

function statusesOf(pod: V1Pod) {
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
  return [...initContainerStatuses, ...containerStatuses];
}
