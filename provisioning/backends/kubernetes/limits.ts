/** Limits of leases on Kubernetes, each with the reason for its size. */

/** One call of the API server: a busy control plane takes seconds, a dead one must be told from it. */
export const CALL_MS_MAX = 15_000;

/** From a pod's creation to its first process, pulling the image included: large images take minutes. */
export const START_MS_MAX = 300_000;

/** How long a pod may find no node before the cluster is called full: the scheduler tries at once. */
export const UNSCHEDULABLE_MS_MAX = 20_000;

/** How long an image may not be had before it is given up: the kubelet's first tries are 10 s apart. */
export const PULL_FAILURE_MS_MAX = 45_000;

/** How long a new quota may be unknown to the controller that counts it. */
export const QUOTA_MS_MAX = 30_000;

/** A namespace with its pod takes about ten seconds to go; a dead node keeps it for good. */
export const DESTROY_MS_MAX = 120_000;

/** Between two looks at something that changes by itself. */
export const POLL_MS = 250;

/** How long a pod has to end by itself: its first process ends at once. */
export const TERMINATION_GRACE_S = 1;

/** Objects in one page of a list: some hundred kilobytes. */
export const PAGE_COUNT = 250;

/** Pages of a list: ten times the pods that the largest clusters may have would be an error of ours. */
export const PAGE_COUNT_MAX = 4_000;

/** Our own looks into a lease: a few reads of `/proc`. */
export const INSPECT_MS_MAX = 10_000;

/** The end of a log that is read for its last lines. */
export const LOG_BYTES_MAX: number = 256 * 1024;

/** Room for our SSH server on a lease's disk, which the lessee does not pay for: it has 5 MB. */
export const SERVER_DISK_MB = 16;

/** Calls to a registry: a layer of gigabytes is on its way for long. */
export const REGISTRY_MS_MAX = 600_000;

/** An answer of a registry's that is no blob. */
export const REGISTRY_ANSWER_BYTES_MAX: number = 64 * 1024;
