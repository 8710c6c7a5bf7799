/**
 * Leases on a Kubernetes cluster: a namespace each, with its pod, its network policy, its quota and the
 * ports that are published. The cluster keeps all of it; we end leases, since what Kubernetes itself has for
 * that (`activeDeadlineSeconds`) can be lowered only.
 *
 * Vocabulary: a *pool* is the leases of one provider on a cluster; a lease's *record* is what the
 * annotations of its namespace say; the *first process* makes logins possible and starts the rest.
 *
 * May import `src/core`, `provisioning/{machine,ssh}`, `provisioning/ports.ts`, `../host`.
 */
export { KubernetesBackend, type KubernetesOptions } from "./backend.ts";
export { CLUSTER_RIGHTS } from "./cluster_facts.ts";
export type { Right } from "./cluster_api.ts";
export {
  type ClusterImages,
  MirroredImages,
  RegistryImages,
  type RegistryImagesOptions,
} from "./cluster_images.ts";
export type { Exposure } from "./objects.ts";
export { serverImage } from "./server_image.ts";
