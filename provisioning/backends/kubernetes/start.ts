/** Makes a lease's pod from its template and waits until it runs. */
import type { Clock } from "../../../src/core/ports.ts";
import { isSeedmintError, SeedmintError } from "../../../src/core/errors.ts";
import type { V1Pod } from "./client_node.d.ts";
import type { ClusterApi } from "./cluster_api.ts";
import { POLL_MS, QUOTA_MS_MAX, START_MS_MAX } from "./limits.ts";
import { NAME } from "./objects.ts";
import { failureOf, stateOf } from "./pod_state.ts";

/** What the API server refuses for a moment only: controllers have not yet seen the new namespace. */
const NOT_YET = /status unknown for quota|exceeded quota|service ?account/i;

/**
 * Starts the pod unless it runs; one that ended is made anew.
 *
 * @throws {SeedmintError} `no-space` if no node takes it, `unavailable`, `invalid`, `timeout`.
 */
export async function startPod(api: ClusterApi, namespace: string, clock: Clock): Promise<void> {
  const beganMs = clock.monotonicMs();
  const endMs = beganMs + START_MS_MAX;
  let madeMs: number | undefined;
  for (;;) {
    const pod = await api.pod(namespace, NAME);
    const leftMs = endMs - clock.monotonicMs();
    if (pod === undefined) {
      await makePod(api, namespace, clock);
      madeMs = clock.monotonicMs();
    } else if (isOver(pod) && madeMs === undefined) {
      await api.deletePod(namespace, NAME);
    } else if (pod.metadata?.deletionTimestamp === undefined) {
      if (stateOf(pod) === "running") return;
      madeMs ??= beganMs;
      const failure = failureOf(pod, clock.monotonicMs() - madeMs);
      if (failure !== undefined) {
        throw new SeedmintError(failure.code, `Cannot start ${namespace}: ${failure.why}`, {
          retryable: failure.code !== "invalid",
        });
      }
    }
    if (leftMs <= 0) {
      throw new SeedmintError(
        "timeout",
        `Cannot start ${namespace}: its pod did not run within ${START_MS_MAX} ms`,
        { retryable: true },
      );
    }
    await clock.sleep(POLL_MS);
  }
}

function isOver(pod: V1Pod): boolean {
  const phase = pod.status?.phase;
  return pod.metadata?.deletionTimestamp === undefined &&
    (phase === "Failed" || phase === "Succeeded");
}

async function makePod(api: ClusterApi, namespace: string, clock: Clock): Promise<void> {
  const template = (await api.template(namespace, NAME))?.template;
  if (template?.spec === undefined) {
    throw new SeedmintError("not-found", `Cannot start ${namespace}: it has no pod template`);
  }
  const { labels, annotations } = template.metadata ?? {};
  const pod: V1Pod = {
    metadata: {
      name: NAME,
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
    },
    spec: template.spec,
  };
  const endMs = clock.monotonicMs() + QUOTA_MS_MAX;
  for (;;) {
    try {
      return await api.createPod(namespace, pod);
    } catch (error) {
      // Another process was quicker.
      if (isSeedmintError(error, "conflict")) return;
      const isEarly = isSeedmintError(error, "denied") && NOT_YET.test(error.message);
      if (!isEarly || clock.monotonicMs() > endMs) throw error;
    }
    await clock.sleep(POLL_MS);
  }
}
